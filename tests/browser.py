"""A headless Chromium that is driven over a pipe, without packages of its own."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser():
    """Where a Chromium is on this machine; None without one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page: `ask` sends a command of the DevTools protocol, `value` runs JavaScript in it."""

    def __init__(self, profile: Path):
        (from_us, self._to), (self._from, to_us) = os.pipe(), os.pipe()

        def places():
            # Copied above 4 first: one of the pipes may itself be 3 or 4.
            read, write = os.dup2(from_us, 100), os.dup2(to_us, 101)
            os.dup2(read, 3)
            os.dup2(write, 4)

        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([browser(), *options], preexec_fn=places, close_fds=False, **quiet)
        os.close(from_us)
        os.close(to_us)
        self._number, self._read, self._session = 0, b"", None
        (target,) = [one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def ask(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _message(self):
        while b"\0" not in self._read:
            part = os.read(self._from, 2**20)
            assert part, "the browser ended"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

    def value(self, code):
        found = self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, code, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.value(f"!!({code})"):
            assert time.monotonic() < deadline, f"never: {code}"
            time.sleep(0.05)

    def press(self, key, code, number):
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **event)

    def look(self, file, width, height, dark=False):
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        picture = self.ask("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(picture["data"]))

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
