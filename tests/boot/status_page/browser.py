"""Debian's chromium, driven by Selenium, and a server for the pages that it looks at."""

import os
import queue
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium_axe_python.axe import Axe

from alembic_boot.status_page.render import POLICY

Browser = webdriver.Chrome

_DRIVER = "chromedriver"
_BROWSER = "chromium"
_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--no-first-run", "--force-device-scale-factor=1"),
)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run a browser."""
    for program, package in ((_BROWSER, "chromium"), (_DRIVER, "chromium-driver")):
        if shutil.which(program) is None:
            end = pytest.fail if os.environ.get("CI") else pytest.skip
            end(f"{program} is missing: apt-get install {package}")
    options = Options()
    options.binary_location = shutil.which(_BROWSER) or ""
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Linux divides the processors among sessions: in ours the browser would wait for minutes while
    # starters, which have sessions of their own, are at work.
    service = Service(shutil.which(_DRIVER), popen_kw={"start_new_session": True})
    driver = Browser(options, service)
    try:
        yield driver
    finally:
        driver.quit()


class Site:
    """A server on loopback that answers with one page, and sends events."""

    def __init__(self) -> None:
        self.page = ""
        self.status = 200
        self.asked: list[str] = []
        self.streams = 0
        """How many streams of events have begun."""
        self.events: queue.Queue[bytes | None] = queue.Queue()
        """What a stream of events sends; None ends it."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"http://127.0.0.1:{self._server.server_port}/_boot"

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                if self.path == "/_boot/events":
                    self._stream()
                    return
                body = site.page.encode()
                self.send_response(site.status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self) -> None:
                is_good = site.status == 200
                site.streams += is_good
                self.send_response(site.status)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                while is_good and (event := site.events.get()):
                    self.wfile.write(event)
                    self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def look(browser: Browser, width: int, *, scheme: str = "light", media: str = "screen") -> None:
    """Set how wide the window is, and what the user prefers."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def faults(browser: Browser) -> list[str]:
    """Return what axe finds, with where it is."""
    axe = Axe(browser)
    axe.inject()
    # Otherwise axe also describes, for each rule, each part of the page that keeps it.
    found = axe.run(options={"resultTypes": ["violations"]})["violations"]
    return [f"{it['id']}: {node['target']} {node['any']}" for it in found for node in it["nodes"]]
