"""The files of `deploy/kubernetes` as a kubelet reads them, and the recipe of the image."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"

KINDS = ("startupProbe", "livenessProbe", "readinessProbe")


@dataclass(frozen=True)
class Probe:
    """One probe over HTTP; times are in seconds. The defaults are those of Kubernetes."""

    path: str
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    failure_threshold: int = 3
    success_threshold: int = 1

    def scaled(self, factor: float) -> "Probe":
        """Return this probe for a faster or slower world. An answer has the same time in both."""
        return replace(self, initial_delay=self.initial_delay * factor, period=self.period * factor)


@dataclass(frozen=True)
class Pod:
    """The facts of a pod with one container that a kubelet needs."""

    probes: dict[str, Probe]
    grace: float
    """Seconds from SIGTERM to SIGKILL."""
    backoff: float = 10
    """Seconds before the second restart, and twice as long before each later one."""


def read(name: str) -> dict[str, Any]:
    """Return the content of one file."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return content


def pod_template() -> dict[str, Any]:
    """Return the specification of the Deployment's pods."""
    spec: dict[str, Any] = read("deployment.yaml")["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    """Return the only container of a pod."""
    [only] = pod_template()["containers"]
    found: dict[str, Any] = only
    return found


def pod(factor: float = 1) -> Pod:
    """Return the pod for a kubelet whose periods are so many times as long."""
    probes = {kind: _probe(container()[kind]).scaled(factor) for kind in KINDS}
    return Pod(probes, pod_template()["terminationGracePeriodSeconds"], Pod.backoff * factor)


def settings() -> dict[str, str]:
    """Return the content of the ConfigMap."""
    [generator] = read("kustomization.yaml")["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generator["literals"])


def environment(secrets: Path) -> dict[str, str]:
    """Return the variables of the container: the image's, the ConfigMap's and its own.

    The volume with the secrets is this folder.
    """
    [mount] = [it["mountPath"] for it in container()["volumeMounts"] if it["name"] == "secrets"]
    own = {it["name"]: it["value"].replace(mount, str(secrets)) for it in container()["env"]}
    return {**image_environment(), **settings(), **own}


def image_environment() -> dict[str, str]:
    """Return the variables that the image sets, except PATH, which is the image's own."""
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", _recipe(), re.M)
    pairs = dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())
    del pairs["PATH"]
    return pairs


def image_command() -> list[str]:
    """Return what a container of the image runs."""
    [command] = re.findall(r"^CMD (\[.*\])$", _recipe(), re.M)
    words: list[str] = json.loads(command)
    return words


def image_user() -> tuple[int, int]:
    """Return the ids of the user and the group that the image runs as."""
    [(user, group)] = re.findall(r"^USER (\d+):(\d+)$", _recipe(), re.M)
    return int(user), int(group)


def _recipe() -> str:
    return (ROOT / "docker" / "backend" / "Dockerfile").read_text(encoding="utf-8")


def _probe(content: dict[str, Any]) -> Probe:
    ports = {it["name"] for it in container()["ports"]}
    assert content["httpGet"]["port"] in ports
    known = {
        "initialDelaySeconds": "initial_delay",
        "periodSeconds": "period",
        "timeoutSeconds": "timeout",
        "failureThreshold": "failure_threshold",
        "successThreshold": "success_threshold",
    }
    numbers = {known[key]: value for key, value in content.items() if key != "httpGet"}
    return Probe(content["httpGet"]["path"], **numbers)
