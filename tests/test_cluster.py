from tests.cluster import Cluster


def test_each_server_is_of_its_version(any_cluster: Cluster) -> None:
    """The suite runs on the versions that it says it runs on."""
    [[version]] = any_cluster.query("SHOW server_version_num")
    assert any_cluster.version == int(str(version)) // 10000


def test_debian_s_server_is_debian_s(debian_cluster: Cluster) -> None:
    """It is of Debian's version, in UTF-8, and has the application's role."""
    query = (
        "SELECT current_setting('server_version_num')::int / 10000,"
        " current_setting('server_encoding'),"
        " (SELECT count(*) FROM pg_roles WHERE rolname = 'moriai_user')"
    )
    assert debian_cluster.query(query) == [(15, "UTF8", 1)]
