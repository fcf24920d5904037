"""Chromium without a window, driven through the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from tests.clock import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


class Browser:
    """One page. folder: where the browser keeps its profile; it must be empty."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # The browser reads commands from descriptor 3 and writes to 4. (dash cannot: it knows 0 to 9 only.)
        pipes = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", pipes, "bash", str(CHROMIUM), *FLAGS]
        command += [f"--user-data-dir={folder}", f"--window-size={width},{height}"]
        command += ["--remote-debugging-pipe", "about:blank"]
        with (folder.parent / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, pass_fds=(theirs_in, theirs_out), stdout=log, stderr=log
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self._session: str | None = None
        self._number = 0
        self._rest = b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=PATIENCE)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Result of a command of the protocol. Fails the test where the browser reports an error."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                part = os.read(self._in, 1 << 16)
                assert part, "the browser has gone"
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._number:  # others are events
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        self.call("Page.navigate", url="about:blank")  # pages that differ after # only would stay
        self.call("Page.navigate", url=url)

    def ask(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true; its value. Fails the test with the page's text where it never is."""
        end = time.monotonic() + seconds
        while not (value := self.ask(f"document.body && ({expression})")):
            assert time.monotonic() < end, f"{expression}\n{self.ask('document.body.innerText')}"
            time.sleep(0.2)
        return value

    def shows(self, text: str) -> None:
        """Wait for a text."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})")

    def click(self, element: str) -> None:
        """Wait for the element that an expression gives, and click at its middle."""
        self.until(f"!!({element})")
        self.ask(f"({element}).scrollIntoView({{block: 'center'}})")
        box = self.ask(f"({element}).getBoundingClientRect().toJSON()")
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **point)

    def picture(self, file: Path) -> bytes:
        """The page as PNG, also written to a file."""
        content = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        file.write_bytes(content)
        return content
