"""The files of `deploy/kubernetes`: valid, safe, and in agreement with the service."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kubernetes_validate
import pytest
import yaml

from alembic_boot.serving.boot_answers import Paths
from alembic_boot.serving.single_process import DRAIN
from backend.settings import AppEnv, load_settings
from backend.variables import VARIABLES
from tests.deploy import manifests
from tests.deploy.api_server import api_server
from tests.deploy.manifests import FOLDER, ROOT, container, pod, pod_template, read

PAGE = ROOT / "docs" / "kubernetes.md"

VERSIONS = ("1.27", "1.37")
"""The oldest and the newest Kubernetes that the files are held against."""


def kubectl(*arguments: str) -> str:
    """Return what kubectl prints; skip the test if there is none, and in CI fail it."""
    program = shutil.which("kubectl")
    if program is None:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end("kubectl is missing: apt-get install kubernetes-client")
    with TemporaryDirectory() as home:
        finished = subprocess.run(
            [program, *arguments],
            env={"PATH": os.defpath, "KUBECONFIG": os.devnull, "HOME": home},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def built(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what kustomize makes of a folder, by kind."""
    documents = yaml.safe_load_all(kubectl("kustomize", str(folder)))
    return {it["kind"]: it for it in documents}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_of_kubernetes_hold(version: str) -> None:
    """Strictly: a misspelt key is an error, too."""
    names: list[str] = read("kustomization.yaml")["resources"]
    assert {*names, "kustomization.yaml"} == {it.name for it in FOLDER.iterdir()}
    for name in names:
        kubernetes_validate.validate(read(name), version, strict=True)


def test_the_schemas_find_a_misspelt_key() -> None:
    """The test before this one would pass if nothing were compared."""
    wrong = read("deployment.yaml")
    [only] = wrong["spec"]["template"]["spec"]["containers"]
    only["livenessProbe"]["failureTreshold"] = 3
    with pytest.raises(kubernetes_validate.ValidationError, match="failureTreshold"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_kustomize_builds_what_the_schemas_allow(version: str) -> None:
    """The ConfigMap too, which kustomize makes; the Deployment gets its name."""
    found = built(FOLDER)
    assert set(found) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"}
    for document in found.values():
        kubernetes_validate.validate(document, version, strict=True)
    assert found["ConfigMap"]["data"] == manifests.settings()
    [only] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert only["envFrom"] == [{"configMapRef": {"name": found["ConfigMap"]["metadata"]["name"]}}]


def test_kubectl_would_create_all_of_it() -> None:
    """A client's dry run asks a server only which kinds there are."""
    with api_server() as url:
        dry_run = ("--dry-run=client", "--validate=false", "--output=name")
        names = kubectl("--server", url, "create", "-k", str(FOLDER), *dry_run).split()
    assert [name.partition("-")[0] for name in sorted(names)] == [
        "configmap/backend",
        "deployment.apps/backend",
        "poddisruptionbudget.policy/backend",
        "service/backend",
    ]


def test_the_overlay_of_the_page_is_right(tmp_path: Path) -> None:
    """It changes the image and the settings, and no more."""
    client = yaml.safe_load(kubectl("version", "--client", "--output=yaml"))["clientVersion"]
    if int(re.sub(r"\D", "", client["minor"])) < 21:
        pytest.skip("kubectl is older than 1.21: its kustomize takes no folder as a resource")
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    overlay = yaml.safe_load(block)
    shutil.copytree(FOLDER, tmp_path / "base")
    overlay["resources"] = ["base"]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    found = built(tmp_path)
    for document in found.values():
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    spec = found["Deployment"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "registry.example.com/moriai-backend:1.0.0"
    changed = {"POSTGRES_HOST": "db.example.com", "FORWARDED_ALLOW_IPS": "10.0.0.0/8"}
    assert found["ConfigMap"]["data"] == {**manifests.settings(), **changed}


def test_the_service_knows_what_it_is_given(tmp_path: Path) -> None:
    """Each variable is a setting or the image's own, and production starts with them."""
    image = manifests.image_environment()
    given = manifests.environment(tmp_path)
    for name in ("postgres_password", "jwt_secret"):
        (tmp_path / name).write_text("a secret of a test that is long enough", encoding="utf-8")
    assert given.keys() <= VARIABLES.keys() | image.keys()
    assert not [name for name in given if name.endswith(("PASSWORD", "SECRET"))]
    found = load_settings({name: text for name, text in given.items() if name in VARIABLES})
    found.require_secrets_to_serve()
    assert found.app_env is AppEnv.PROD
    assert (found.serve.port, found.serve.drain_delay) == (8000, 10)
    assert found.database_url is not None
    assert found.database_url.masked.endswith("@postgres:5432/moriai_db")


def test_probes_ask_what_the_service_answers() -> None:
    """The paths are those of the boot server, and the port is that of the image."""
    live, ready = Paths().live, Paths().ready
    assert {kind: it.path for kind, it in pod().probes.items()} == {
        "startupProbe": live,
        "livenessProbe": live,
        "readinessProbe": ready,
    }
    [port] = container()["ports"]
    assert str(port["containerPort"]) == manifests.image_environment()["BACKEND_PORT"]
    [published] = read("service.yaml")["spec"]["ports"]
    assert published["targetPort"] == port["name"]


def test_the_grace_is_longer_than_a_shutdown() -> None:
    """A preStop hook would count as well; there is none."""
    assert "lifecycle" not in container()
    assert pod().grace >= float(manifests.settings()["DRAIN_DELAY"]) + DRAIN + 5


def test_a_rollout_waits_as_long_as_a_start() -> None:
    """A pod may wait for another starter, and then be not ready for that long."""
    deadline = read("deployment.yaml")["spec"]["progressDeadlineSeconds"]
    assert deadline > float(manifests.settings()["MIGRATE_LOCK_TIMEOUT"])


def test_an_old_pod_serves_until_a_new_one_is_ready() -> None:
    """Neither a rollout nor a drained node takes all pods away."""
    spec = read("deployment.yaml")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["replicas"] > read("disruption-budget.yaml")["spec"]["maxUnavailable"] == 1


def test_everything_selects_the_same_pods() -> None:
    """Labels of the pods, and those that the others look for."""
    spec = read("deployment.yaml")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"] == {"matchLabels": labels}
    assert read("disruption-budget.yaml")["spec"]["selector"] == {"matchLabels": labels}
    assert read("service.yaml")["spec"]["selector"] == labels
    [spread] = pod_template()["topologySpreadConstraints"]
    assert spread["labelSelector"] == {"matchLabels": labels}


def test_the_pod_is_confined() -> None:
    """The image's user, no writing, no capability, no token of the cluster."""
    template = pod_template()
    user, group = manifests.image_user()
    assert template["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert template["automountServiceAccountToken"] is False
    assert template["enableServiceLinks"] is False
    writable = [it["name"] for it in container()["volumeMounts"] if not it.get("readOnly")]
    assert writable == ["tmp"]


def test_secrets_are_files() -> None:
    """Only their group may read them, and the user of the image is in it."""
    volumes = {it["name"]: it for it in pod_template()["volumes"]}
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440
    [mount] = [it for it in container()["volumeMounts"] if it["name"] == "secrets"]
    files = {it["value"] for it in container()["env"]}
    assert files == {f"{mount['mountPath']}/{it}" for it in ("postgres_password", "jwt_secret")}
