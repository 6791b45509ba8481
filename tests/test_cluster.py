from tests.cluster import Cluster


def test_each_server_is_of_its_version(any_cluster: Cluster) -> None:
    """The suite runs on the versions that it says it runs on."""
    [[version]] = any_cluster.query("SHOW server_version_num")
    assert any_cluster.version == int(str(version)) // 10000
