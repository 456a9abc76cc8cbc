"""A real browser, spoken to through pipes by the DevTools protocol: no driver has to be installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ON_3_AND_4 = """
import os, sys
read, write = (os.dup(int(one)) for one in sys.argv[1:3])
os.dup2(read, 3), os.dup2(write, 4)
os.set_inheritable(3, True), os.set_inheritable(4, True)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Puts two descriptors where the protocol is spoken, and becomes the browser."""
KEYS = {"Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """One tab. console: what it wrote there; asked: addresses that it fetched."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read, self._write = read, write
        self._number, self._session = 0, ""
        self.console: list[str] = []
        self.asked: list[str] = []

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": given}
        if self._session:
            asked["sessionId"] = self._session
        self._write.write(json.dumps(asked).encode() + b"\0")
        self._write.flush()
        while True:
            found = self._next()
            if found.get("id") == self._number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self._note(found)

    def _next(self) -> dict[str, Any]:
        parts = bytearray()
        while (one := self._read.read(1)) != b"\0":
            if not one:
                raise RuntimeError("the browser is gone")
            parts += one
        return json.loads(parts)

    def _note(self, found: dict[str, Any]) -> None:
        given = found.get("params", {})
        if found.get("method") == "Runtime.consoleAPICalled":
            self.console.append(str(given["args"]))
        elif found.get("method") == "Runtime.exceptionThrown":
            self.console.append(str(given["exceptionDetails"]))
        elif found.get("method") == "Log.entryAdded":
            self.console.append(given["entry"]["text"])
        elif found.get("method") == "Network.requestWillBeSent":
            self.asked.append(given["request"]["url"])

    def begin(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(f"{domain}.enable")

    def goto(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def value(self, script: str) -> Any:
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 240.0) -> None:
        end = time.monotonic() + seconds
        while not self.value(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        code = KEYS.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        both = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **both)
        self.call("Input.dispatchKeyEvent", type="keyUp", **both)

    def screenshot(
        self, path: Path, width: int = 1200, height: int = 900, dark: bool = False
    ) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        found = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A headless browser with a profile below ``folder``."""
    program = chromium()
    assert program is not None
    from_us, to_browser = os.pipe()
    to_us, from_browser = os.pipe()
    words = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
        f"--user-data-dir={folder / 'profile'}",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", ON_3_AND_4, str(from_us), str(from_browser), *words],
        pass_fds=(from_us, from_browser), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(from_us)
    os.close(from_browser)
    with os.fdopen(to_us, "rb") as read, os.fdopen(to_browser, "wb") as write:
        page = Page(read, write)
        try:
            page.begin()
            yield page
        finally:
            process.terminate()
            process.wait(30)
