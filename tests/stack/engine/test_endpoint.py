"""The engine is the one that docker's own command line would talk to, or none."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from alembic_boot.errors import ConfigurationError
from backend.stack.engine.endpoint import Endpoint, config_folder, find_endpoint, read_config
from tests.rights import rights_of_the_files

STAGING = "tcp://staging.example:2376"
CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


def find(folder: Path, **environ: str) -> Endpoint:
    return find_endpoint(environ, folder, read_config(folder))


def write_context(folder: Path, name: str, meta: object, *certificates: str) -> Path:
    key = sha256(name.encode()).hexdigest()
    file, files = folder / "contexts/meta" / key / "meta.json", folder / "contexts/tls" / key
    file.parent.mkdir(parents=True)
    file.write_text(meta if isinstance(meta, str) else json.dumps(meta))
    write_certificates(files / "docker", *certificates)
    return file


def write_certificates(folder: Path, *names: str) -> Path:
    if names:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")
    return folder


def described(url: str, **more: object) -> dict[str, object]:
    return {"Name": "x", "Metadata": {}, "Endpoints": {"docker": {"Host": url, **more}}}


@pytest.mark.parametrize(
    ("config", "environ", "url"),
    [
        ({}, {}, "unix:///var/run/docker.sock"),
        ({}, {"DOCKER_HOST": "tcp://h:1"}, "tcp://h:1"),
        ({}, {"DOCKER_CONTEXT": "staging"}, STAGING),
        ({"currentContext": "staging"}, {}, STAGING),
        ({"currentContext": "staging"}, {"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}, STAGING),
        ({"currentContext": "gone"}, {"DOCKER_CONTEXT": "staging"}, STAGING),
        ({"currentContext": "gone"}, {"DOCKER_CONTEXT": "default"}, "unix:///var/run/docker.sock"),
        (
            {"currentContext": "gone"},
            {"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "gone"},
            "tcp://h:1",
        ),
        ({"currentContext": ""}, {}, "unix:///var/run/docker.sock"),
    ],
)
def test_order(tmp_path: Path, config: object, environ: dict[str, str], url: str) -> None:
    """DOCKER_HOST wins over DOCKER_CONTEXT, and that over the current context."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_context(tmp_path, "staging", described(STAGING))
    assert find(tmp_path, **environ).url == url


def test_contexts_need_no_config_file(tmp_path: Path) -> None:
    write_context(tmp_path, "staging", described(STAGING))
    found = find(tmp_path, DOCKER_CONTEXT="staging")
    assert str(found) == f" at {STAGING}, of the context staging,"


def test_config_folder(tmp_path: Path) -> None:
    assert config_folder({}, tmp_path) == tmp_path / ".docker"
    assert config_folder({"DOCKER_CONFIG": ""}, tmp_path) == tmp_path / ".docker"
    assert config_folder({"DOCKER_CONFIG": "/x"}, tmp_path) == Path("/x")


@pytest.mark.parametrize(
    ("meta", "complaint"),
    [
        (None, "does not exist"),
        ("{", "cannot be read"),
        ("[]", "has no Endpoints.docker.Host"),
        (described(""), "is not a text"),
        ({"Endpoints": {}}, "has no Endpoints.docker.Host"),
        ({"Endpoints": {"docker": {"SkipTLSVerify": False}}}, "has no Endpoints.docker.Host"),
    ],
)
@pytest.mark.parametrize("by_variable", [True, False])
def test_context_that_cannot_be_used(
    tmp_path: Path, meta: object, complaint: str, *, by_variable: bool
) -> None:
    """A context that is missing or damaged is refused; the default engine is another one."""
    if meta is not None:
        write_context(tmp_path, "staging", meta)
    if not by_variable:
        (tmp_path / "config.json").write_text('{"currentContext": "staging"}')
    environ = {"DOCKER_CONTEXT": "staging"} if by_variable else {}
    with pytest.raises(ConfigurationError, match=complaint):
        find(tmp_path, **environ)


@pytest.mark.parametrize("name", ["../x", "a/b", "é", " "])
def test_context_of_an_odd_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"which does not exist\."):
        find(tmp_path, DOCKER_CONTEXT=name)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"x"',
        '{"currentContext": 5}',
        "\x00",
        "null",
        '{"HttpHeaders": 3}',
        '{"auths": "x"}',
    ],
)
def test_damaged_config(tmp_path: Path, text: str) -> None:
    """What cannot be read may have named another engine."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"config\.json cannot be read, so it is unknown"):
        find(tmp_path)


def test_config_that_is_a_folder_or_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a/config.json").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_config(tmp_path / "a")
    (tmp_path / "config.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_config(tmp_path)


def test_empty_or_missing_config(tmp_path: Path) -> None:
    assert read_config(tmp_path) == {}
    (tmp_path / "config.json").write_text("")
    assert read_config(tmp_path) == {}


@pytest.mark.parametrize(
    ("certificates", "skips_check", "expected"),
    [
        ((), False, None),
        ((), True, (None, None, False)),
        (("ca.pem",), False, (None, "ca.pem", True)),
        (CERTIFICATES, False, (("cert.pem", "key.pem"), "ca.pem", True)),
        (("cert.pem", "key.pem"), True, (("cert.pem", "key.pem"), None, False)),
    ],
)
def test_certificates_of_a_context(
    tmp_path: Path, certificates: tuple[str, ...], expected: object, *, skips_check: bool
) -> None:
    """What the context's store has is used, and the server is checked unless it says not to."""
    write_context(tmp_path, "s", described(STAGING, SkipTLSVerify=skips_check), *certificates)
    tls = find(tmp_path, DOCKER_CONTEXT="s").tls
    if expected is None:
        assert tls is None
        return
    assert tls is not None
    names = tuple(Path(it).name for it in tls.cert) if tls.cert else None
    assert (names, tls.ca_cert and Path(tls.ca_cert).name, tls.verify) == expected


def test_half_a_certificate(tmp_path: Path) -> None:
    write_context(tmp_path, "s", described(STAGING), "ca.pem", "cert.pem")
    with pytest.raises(ConfigurationError, match=r"has no key\.pem\."):
        find(tmp_path, DOCKER_CONTEXT="s")


@pytest.mark.parametrize(
    ("environ", "verified"),
    [
        ({}, None),
        ({"DOCKER_TLS_VERIFY": ""}, None),
        ({"DOCKER_TLS_VERIFY": "1"}, True),
        ({"DOCKER_TLS_VERIFY": "0"}, True),
        ({"DOCKER_TLS": "1"}, False),
        ({"DOCKER_CERT_PATH": "/nowhere"}, None),
    ],
)
def test_tls_of_the_environment(
    tmp_path: Path, environ: dict[str, str], verified: bool | None
) -> None:
    """Certificates lie in DOCKER_CERT_PATH, else beside config.json; they alone ask for nothing."""
    write_certificates(tmp_path, *CERTIFICATES)
    tls = find(tmp_path, DOCKER_HOST=STAGING, **environ).tls
    assert (tls and tls.verify) == verified


@pytest.mark.parametrize("mode", [0, 0o600])
def test_certificates_that_this_user_may_not_read(tmp_path: Path, mode: int) -> None:
    """It is not known whether they are there; the folder may be closed, or only its files."""
    write_context(tmp_path, "s", described(STAGING), *CERTIFICATES)
    [folder] = (tmp_path / "contexts" / "tls").glob("*/docker")
    folder.chmod(mode)
    environments = (
        {"DOCKER_CONTEXT": "s"},
        {"DOCKER_HOST": STAGING, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)},
    )
    for environ in environments:
        with rights_of_the_files(), pytest.raises(ConfigurationError, match="cannot be read: Perm"):
            find(tmp_path, **environ)
    folder.chmod(0o755)


def test_missing_certificates(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^DOCKER_TLS_VERIFY is set, and there is no /x/"):
        find(tmp_path, DOCKER_HOST=STAGING, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH="/x")
