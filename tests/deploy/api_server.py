"""The part of an API server that `kubectl create --dry-run=client` asks for the kinds."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_KINDS = {
    "v1": ["ConfigMap", "Service"],
    "apps/v1": ["Deployment"],
    "policy/v1": ["PodDisruptionBudget"],
}


def _resources(version: str) -> dict[str, object]:
    resources = [
        {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["create"]}
        for kind in _KINDS[version]
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    }


def _group(version: str) -> dict[str, object]:
    name, _, number = version.partition("/")
    known = {"groupVersion": version, "version": number}
    return {"name": name, "versions": [known], "preferredVersion": known}


_DOCUMENTS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": _resources("v1"),
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(version) for version in _KINDS if "/" in version],
    },
    **{f"/apis/{version}": _resources(version) for version in _KINDS if "/" in version},
}


class _Discovery(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        document = _DOCUMENTS.get(self.path.partition("?")[0])
        body = json.dumps(document or {"kind": "Status", "status": "Failure", "code": 404}).encode()
        self.send_response(200 if document else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: a failing test shows what kubectl says."""


@contextmanager
def api_server() -> Iterator[str]:
    """Give the URL of a server that knows the kinds of our files, and no others."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discovery) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
