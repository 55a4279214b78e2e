"""A real browser without a screen: opens pages, and reports what they show, print, request and get refused.

    with Chromium(folder) as browser:
        page = browser.open("http://127.0.0.1:8080/")       # or a path, for a file
        assert page.text().startswith("Title") and not page.console

It is driven by the DevTools protocol over two pipes, so that no port is opened. One thread.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome"
ANSWER_SECONDS = 60.0
_SWITCHES = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-default-apps", "--disable-extensions", "--hide-scrollbars"),
)
# The browser reads commands from descriptor 3 and writes answers to 4, which a shell can arrange without a fork
# of our own.
_ON_DESCRIPTORS_3_AND_4 = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'

_OTHER_PAGE = "Inspected target navigated or closed", "Cannot find context", "Execution context was destroyed"


class OtherPageError(AssertionError):
    """While the browser evaluated an expression, another page took the place of the one that was asked."""


def find_chromium() -> str:
    """The path of the browser; skips the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


class Chromium:
    """A browser process with a profile of its own. A context manager: leaving it ends the process."""

    def __init__(self, folder: Path, *, hosts: Sequence[str] = ()) -> None:
        """`folder` is for its profile and its log; `hosts` are names that lead to 127.0.0.1."""
        self._log = folder / "chromium.log"
        names = ", ".join(f"MAP {name} 127.0.0.1" for name in hosts)
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()
        self._unread = b""
        self._number = 0
        self._pages: dict[str, Page] = {}
        """By session."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("bash", "-c", _ON_DESCRIPTORS_3_AND_4, str(command_read), str(answer_write)),
                    *(find_chromium(), *_SWITCHES, f"--user-data-dir={folder / 'profile'}"),
                    *([f"--host-resolver-rules={names}"] if names else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(command_read, answer_write),
                process_group=0,
            )
        os.close(command_read)
        os.close(answer_write)

    def open(
        self,
        place: str | Path,
        *,
        size: tuple[int, int] = (1280, 800),
        dark: bool = False,
        script: bool = True,
        wait: bool = True,
    ) -> Page:
        """Open an address or a file in a tab with cookies of its own, and wait until it is loaded.

        `size` is in CSS pixels; `dark`: the user prefers dark colours; `script` False: scripts are switched off;
        `wait` False: return at once.
        """
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setScriptExecutionDisabled", value=not script)
        page.resize(*size)
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.go(place if isinstance(place, str) else place.resolve().as_uri(), wait=wait)
        return page

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol, and return its result. Fails the test where the browser refuses."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        answers: list[dict[str, Any]] = []
        self.listen_until(lambda: answers, method, number, answers)
        error = answers[0].get("error")
        if error is not None and any(part in error["message"] for part in _OTHER_PAGE):
            raise OtherPageError(f"{method}: {error}")
        assert error is None, f"{method}: {error}"
        result: dict[str, Any] = answers[0]["result"]
        return result

    def listen_until(
        self,
        true: Callable[[], object],
        what: str,
        number: int | None = None,
        answers: list[dict[str, Any]] | None = None,
    ) -> None:
        """Pass events on to their pages until `true()`; the answer with that number goes to `answers`."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not true():
            seconds = deadline - time.monotonic()
            is_answering = seconds > 0 and self._process.poll() is None
            assert is_answering, f"chromium did not: {what}\n{self._log.read_text()}"
            if not select.select([self._answers], [], [], min(seconds, 0.5))[0]:
                continue
            *messages, self._unread = (self._unread + os.read(self._answers, 1 << 20)).split(b"\0")
            for message in map(json.loads, messages):
                if answers is not None and message.get("id") == number:
                    answers.append(message)
                elif page := self._pages.get(message.get("sessionId", "")):
                    page.note(message.get("method", ""), message.get("params", {}))

    def close(self) -> None:
        """End the process, and all that it has started."""
        os.close(self._commands)
        os.close(self._answers)  # it ends when its pipes do
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Page:
    """A tab, and what has happened in it since it was opened."""

    browser: Chromium
    session: str
    context: str
    console: list[str] = field(default_factory=list)
    """What was printed there: by scripts, by exceptions, and by the browser, such as a violated policy."""
    requests: list[str] = field(default_factory=list)
    """The addresses that it wanted: those that a policy refused, and data:, among them."""
    statuses: dict[str, int] = field(default_factory=dict)
    """The HTTP status of the last answer of each address."""
    is_loaded: bool = False

    def go(self, address: str, *, wait: bool = True) -> None:
        """Load another address in this tab."""
        self.is_loaded = False
        self.call("Page.navigate", url=address)
        if wait:
            self.browser.listen_until(lambda: self.is_loaded, f"load {address}")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol for this tab."""
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or what a promise gives. Fails the test when it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Return as soon as a JavaScript expression is true, also of a page that takes the place of this one."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self._is_true(expression):
            assert time.monotonic() < deadline, f"not true: {expression}\n{self.text()}"
            time.sleep(0.05)

    def _is_true(self, expression: str) -> bool:
        try:
            return bool(self.evaluate(expression))
        except OtherPageError:
            return False

    def text(self) -> str:
        """The text of the page as it is shown."""
        return str(self.evaluate("document.body.innerText"))

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture (PNG) of the whole page, or of what fits the window."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def close(self) -> None:
        """Close the tab and forget its cookies."""
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def note(self, event: str, details: dict[str, Any]) -> None:
        """Remember an event of the tab."""
        if event == "Page.loadEventFired":
            self.is_loaded = True
        elif event == "Runtime.consoleAPICalled":
            values = (str(value.get("value", value.get("description"))) for value in details["args"])
            self.console.append(" ".join(values))
        elif event == "Runtime.exceptionThrown":
            thrown = details["exceptionDetails"]
            self.console.append(thrown.get("exception", {}).get("description") or thrown["text"])
        elif event == "Log.entryAdded":
            self.console.append(details["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif event == "Network.responseReceived":
            self.statuses[details["response"]["url"]] = details["response"]["status"]
