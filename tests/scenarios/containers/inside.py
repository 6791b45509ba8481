"""One container: what runs in it, and how it ends."""

from docker.models.containers import Container


def stop(container: Container) -> int:
    """Stop a container as `docker stop` does, and return its exit status.

    It is 137 if the container had not ended within its grace period, and was killed.
    """
    container.stop()
    container.reload()
    return int(container.attrs["State"]["ExitCode"])


def output_of(container: Container, *command: str, **variables: str) -> str:
    """Return what a program says that is run in a container, and has to end well."""
    status, output = container.exec_run(list(command), environment=variables)
    assert isinstance(output, bytes)
    assert status == 0, output
    return output.decode()
