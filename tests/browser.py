"""A headless Chromium, driven over its DevTools pipe with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install chromium"

_SECONDS = 120
"""A browser that answers nothing for so long is stuck."""


@dataclass
class Page:
    """An open page, and what happened on it.

    Attributes:
        requests: Addresses that were asked for, in their order.
        said: What was written to the console: messages, warnings, errors.
    """

    to_browser: int
    from_browser: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _number: int = 0
    _buffer: bytes = b""
    _loaded: int = 0

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self.from_browser, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, event: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.said.append(json.dumps(event))
        elif method == "Page.loadEventFired":
            self._loaded += 1

    def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        loaded = self._loaded
        self.send("Page.navigate", url=address)
        while self._loaded == loaded:
            self._next()

    def show(self, width: int, *, dark: bool = False, media: str = "screen") -> None:
        """Choose how wide the window is, which theme its user likes, and whether it is paper."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression: the page itself has no script."""
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path: Path) -> None:
        """Save a picture of the whole page."""
        path.write_bytes(
            base64.b64decode(self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])
        )

    def paper(self, path: Path) -> None:
        """Save the page as it is printed."""
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))


def find_browser() -> str:
    """Return the browser's path; skip the test, with the line that installs it, if there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no browser; install it with: {INSTALL}"
        (pytest.fail if os.environ.get("FDD_EDGE_TEST_BROWSER") == "required" else pytest.skip)(reason)
    assert found is not None
    return found


@contextmanager
def browser() -> Iterator[Page]:
    """Start a browser with an empty profile, and yield a page."""
    command, theirs, ours = _pipes(find_browser())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=theirs,
        )
        for descriptor in theirs:
            os.close(descriptor)
        try:
            yield _opened(Page(*ours))
        finally:
            for descriptor in ours:
                os.close(descriptor)
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS)
            process.kill()
            process.wait()


def _pipes(path: str) -> tuple[list[str], tuple[int, int], tuple[int, int]]:
    """Return the command, the ends of two pipes that it gets as descriptors 3 and 4, and our ends."""
    commands, write_commands = os.pipe()
    read_events, events = os.pipe()
    # Root, as in CI, has no sandbox; --no-sandbox is fine for pages that were made here.
    options = "--headless=new --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe --no-first-run"
    shell = f'exec "$0" "$@" 3<&{commands} 4>&{events}'
    return ["bash", "-c", shell, path, *options.split()], (commands, events), (write_commands, read_events)


def _opened(page: Page) -> Page:
    targets = page.send("Target.getTargets")["targetInfos"]
    target = next(one["targetId"] for one in targets if one["type"] == "page")
    page.session = page.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        page.send(f"{domain}.enable")
    return page
