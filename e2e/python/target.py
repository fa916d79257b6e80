"""Starts and stops the server under test, as lib/target.mjs does for the Node.js suites.

TARGET=sockeye (the default) runs our interop-server, TARGET=reference the same contract on the packages
of the reference.
"""

import os
import pathlib
import re
import subprocess

E2E = pathlib.Path(__file__).resolve().parent.parent
NAME = os.environ.get("TARGET") or "sockeye"


def _command():
    if NAME == "reference":
        return ["node", str(E2E / "reference" / "server.mjs")]
    if NAME != "sockeye":
        raise SystemExit(f'TARGET is "{NAME}", but only "sockeye" and "reference" are known')
    binary = os.environ.get("INTEROP_SERVER") or str(E2E.parent / "target" / "debug" / "interop-server")
    if not os.path.exists(binary):
        raise SystemExit(f"{binary} is missing: run `cargo build -p interop-server`, or name another one in INTEROP_SERVER")
    return [binary]


class Target:
    """One server process; `port` stays the same over restarts."""

    def __init__(self, **env):
        self._env = env
        self._process = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        env = {**os.environ, "HOST": "127.0.0.1", **self._env, "PORT": str(self.port)}
        self._process = subprocess.Popen(
            _command(), env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self._process.stdout.readline()
        match = re.fullmatch(r"listening (\d+)\n", line)
        if not match:
            raise RuntimeError(f"the server did not say that it listens: {line!r}")
        self.port = int(match[1])
        return self

    def stop(self):
        self._end(self._process.terminate)

    def kill(self):
        self._end(self._process.kill)

    def _end(self, signal):
        if self._process is None:
            return
        signal()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None
