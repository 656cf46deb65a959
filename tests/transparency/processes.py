"""The programs of a run: cistern, httpbin, json-server. Each is started once, says where it
listens, and is stopped by its own process id when the run ends, however it ends."""

import atexit
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
KILL_SECONDS = 2

_running = []


class Program:
    """A child process whose words are kept in a log and searched for a first line."""

    def __init__(self, name, command, pattern, env=None):
        self.name = name
        self.log_path = work_dir() / f"{name}.log"
        self._pattern = re.compile(pattern)
        self._ready = threading.Event()
        self.match = None
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=work_dir(),
        )
        _running.append(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(START_SECONDS_MAX)
        if self.match is None:
            self.kill()
            raise RuntimeError(f"{name} did not say where it listens; its words: {self.log_path}")

    def _read(self):
        with open(self.log_path, "wb") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if self.match is None:
                    self.match = self._pattern.search(line.decode("utf-8", "replace"))
                    if self.match is not None:
                        self._ready.set()
        self._ready.set()

    def stop(self):
        """Asks it to end and returns its exit code; negative when a signal ended it."""
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        return self.process.returncode

    def kill(self):
        """Ends it, after a moment in which it may end its own children."""
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Cistern(Program):
    """The proxy in front of `origin` (an address such as 127.0.0.1:8000)."""

    _count = 0

    def __init__(self, origin, rules=None, profile="safe", env=None):
        Cistern._count += 1
        command = [binary(), "run", "--origin", f"http://{origin}", "--listen", "127.0.0.1:0"]
        command += ["--admin-listen", "off", "--profile", profile]
        if rules is not None:
            command += ["--rules", rules]
        super().__init__(
            f"cistern-{Cistern._count}",
            command,
            r"^cistern \S+\s+proxy (\S+)",
            {"CISTERN_DRAIN__DELAY": "0s", **(env or {})},
        )
        self.address = self.match.group(1)

    def memory_peak_mb(self):
        """The most memory it was ever resident with, in MB of 10^6 bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1)) * 1024 / 1e6

    def stop(self):
        code = super().stop()
        if code != 0:
            raise RuntimeError(f"{self.name} left with code {code}; its words: {self.log_path}")
        return code


class Httpbin(Program):
    """httpbin under gunicorn: threads, so that a slow answer holds up no other."""

    def __init__(self):
        gunicorn = pathlib.Path(sys.executable).with_name("gunicorn")
        command = [gunicorn, "--bind", "127.0.0.1:0", "--worker-class", "gthread"]
        command += ["--workers", "1", "--threads", "16", "--keep-alive", "60", "httpbin:app"]
        # The line comes before the worker runs; the kernel's queue holds who asks in between.
        super().__init__("httpbin", command, r"Listening at: http://(\S+) ")
        self.address = self.match.group(1)


class JsonServer(Program):
    """json-server with a data base of its own in memory."""

    def __init__(self):
        home = os.environ["TRANSPARENCY_NODE_HOME"]
        super().__init__("json-server", ["node", HERE / "json_server.cjs", home], r"^PORT (\d+)$")
        self.address = f"127.0.0.1:{self.match.group(1)}"


def binary():
    """The proxy under test."""
    return pathlib.Path(os.environ["TRANSPARENCY_BINARY"]).resolve()


def work_dir():
    """Where logs and scratch files go."""
    path = pathlib.Path(os.environ.get("TRANSPARENCY_WORK") or tempfile.gettempdir()).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


_shared = {}


def shared(kind, *arguments, **named):
    """One process of a kind for the whole run; the first who asks starts it."""
    key = (kind, arguments, tuple(sorted(named.items())))
    if key not in _shared:
        _shared[key] = kind(*arguments, **named)
    return _shared[key]


def stop_all():
    """Stops everything in the opposite order of starting; returns what went wrong."""
    wrong = []
    for program in list(reversed(_running)):
        try:
            program.stop()
        except RuntimeError as error:
            wrong.append(str(error))
    _shared.clear()
    return wrong


def kill_all():
    """Ends whatever still runs, without asking. For ends that nobody planned."""
    for program in list(_running):
        program.kill()


atexit.register(kill_all)
