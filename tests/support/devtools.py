"""A headless Chromium to drive by its DevTools protocol, over a pair of pipes: no port, no package."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
FLAGS = ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking")
MORE = ("disable-component-update", "disable-sync", "hide-scrollbars", "remote-debugging-pipe")
SECONDS = 300  # to wait for a page; more than a busy machine needs


class Tab:
    """One page of the browser. `console` holds what it has said since it was opened."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, receive
        self._numbers, self._rest = itertools.count(1), b""
        self._session: dict[str, str] = {}
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; console messages on the way are kept."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._send, json.dumps(command).encode() + b"\0")
        while (message := self._next()).get("id") != number:
            self._note(message)
        assert "error" not in message, message["error"]
        result: dict[str, Any] = message["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._receive, 1 << 20)
            assert chunk, "Chromium has ended"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        said = message.get("params", {})
        if message.get("method") == "Log.entryAdded":
            self.console.append(said["entry"]["text"])
        elif message.get("method") == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(part.get("value")) for part in said["args"]))
        elif message.get("method") == "Runtime.exceptionThrown":
            self.console.append(said["exceptionDetails"]["exception"]["description"])

    def run(self, script: str) -> Any:
        """The value of the function body `script`, awaited."""
        expression = f"(async () => {{ {script} }})()"
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, page: Path, width: int = 1100, dark: bool = False, fragment: str = "") -> None:
        """Load a file in a window so wide, in the light or the dark theme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])
        self.call("Page.navigate", url="about:blank")  # so that a new fragment loads the page anew
        self.call("Page.navigate", url=page.resolve().as_uri() + fragment)
        ends = time.monotonic() + SECONDS
        ready = "return location.href !== 'about:blank' && document.readyState"
        while self.run(ready) != "complete":
            assert time.monotonic() < ends, f"{page} does not load"

    def press(self, key: str) -> None:
        """Press and release a key, as a person does."""
        codes = {"Enter": 13, "Tab": 9, " ": 32, "Home": 36, "End": 35, "ArrowDown": 40, "ArrowUp": 38}
        codes |= {"ArrowRight": 39, "Escape": 27}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def point(self, selector: str) -> None:
        """Move the pointer to the middle of an element."""
        x, y = self.run(
            f"""const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];"""
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, file: Path, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as a PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def paper(self, file: Path) -> None:
        """Print the page as a PDF, of the size that its style asks for."""
        printed = self.call("Page.printToPDF", preferCSSPageSize=True)
        file.write_bytes(base64.b64decode(printed["data"]))


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, which ends with the block."""
    (their_input, send), (receive, their_output) = os.pipe(), os.pipe()
    # The protocol is spoken on the descriptors 3 and 4.
    shell = ["bash", "-c", f'exec "$0" "$@" 3<&{their_input} 4>&{their_output}', CHROMIUM]
    flags = [f"--{flag}" for flag in (*FLAGS, *MORE, f"user-data-dir={profile}")]
    browser = subprocess.Popen(
        [*shell, *flags], pass_fds=(their_input, their_output), stderr=subprocess.DEVNULL
    )
    for end in (their_input, their_output):
        os.close(end)
    try:
        yield Tab(send, receive)
    finally:
        browser.terminate()
        browser.wait()
        for end in (send, receive):
            os.close(end)
