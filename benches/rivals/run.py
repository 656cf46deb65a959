#!/usr/bin/env python3
"""Runs cistern side by side with other caching proxies and compares the CPU time of a request.

Each server has one worker on core 0; the load (wrk) and the origin share core 1. The servers take
turns within a round and the order moves by one from round to round, so that whatever else the
machine does meets all of them. The figure that holds, also where the load generator is the limit,
is the CPU time (user and system, all processes and threads of the server) per request. Machines
differ and change within the hour; ratios of one round do not, so only those are worth quoting.

A run counts only if every answer was a 2xx and, in mode `hit`, none of them came from the origin;
in mode `pass` each of them must have.
"""

import argparse
import os
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CISTERN = HERE.parent.parent / "target" / "release" / "cistern"
SERVER_CORE, LOAD_CORE = "0", "1"
SIZES = {"1k": 1024, "16k": 16 * 1024}
CONNECTIONS = 64
BASELINE = "haproxy"
# Debian's packages; wrk makes the load.
PACKAGES = {"haproxy": "haproxy", "nginx": "nginx", "varnishd": "varnish", "wrk": "wrk",
            "taskset": "util-linux"}
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


# --- the origin ---------------------------------------------------------------------------------

def answer(path, size, count):
    """What the origin says: `/count` tells its own requests, `/pass` may not be stored."""
    if path == b"/count":
        body, cache = b"%d" % count, b"no-store"
    else:
        body = b"x" * size
        cache = b"no-store" if path.startswith(b"/pass") else b"public, max-age=86400"
    return b"\r\n".join([
        b"HTTP/1.1 200 OK", b"Server: origin", b"Content-Type: application/json",
        b"Date: " + time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode(),
        b"Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT", b'ETag: "0123456789abcdef"',
        b"Cache-Control: " + cache, b"Content-Length: %d" % len(body), b"", body,
    ])


def origin(port, size):
    """Serves for ever, on one thread. Its clients are proxies: they send whole small heads."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    ready = selectors.EpollSelector()
    ready.register(listener, selectors.EVENT_READ)
    count, made_at, prepared = 0, 0, {}
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ)
                continue
            try:
                head = key.fileobj.recv(65536)
            except OSError:
                head = b""
            if not head:
                ready.unregister(key.fileobj)
                key.fileobj.close()
                continue
            path = head.split(b" ", 2)[1]
            if path == b"/count":
                key.fileobj.sendall(answer(path, size, count))
                continue
            count += 1
            if made_at != (now := int(time.time())):
                made_at, prepared = now, {}
            if path not in prepared:
                prepared[path] = answer(path, size, count)
            key.fileobj.sendall(prepared[path])


# --- servers ------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        return response.read()


class Server:
    """A process under measurement, with its own folder and its own configuration."""

    def __init__(self, name, home, origin_port):
        self.name, self.port, self.home = name, free_port(), Path(home) / name
        self.home.mkdir()
        # A server that gives up its rights must still reach its files.
        self.home.chmod(0o777)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CISTERN_")}
        source = HERE / {"haproxy": "haproxy.cfg", "nginx": "nginx.conf",
                         "varnish": "varnish.vcl"}.get(name, "cistern.toml")
        values = {"PORT": self.port, "ORIGIN": origin_port, "HOME": self.home}
        config = self.home / source.name
        config.write_text(re.sub("@([A-Z]+)@", lambda m: str(values[m[1]]), source.read_text()))
        command = {
            "haproxy": ["haproxy", "-db", "-f", config],
            "nginx": ["nginx", "-p", self.home, "-c", config],
            "varnish": ["varnishd", "-F", "-n", self.home / "work", "-f", config,
                        "-a", f"127.0.0.1:{self.port}", "-s", "malloc,256m",
                        "-p", "thread_pools=1", "-p", "thread_pool_min=80"],
        }.get(name, [CISTERN, "run", "--config", config, "--workers", "1",
                     "--origin", f"http://127.0.0.1:{origin_port}"])
        if name == "cistern-quiet":
            environment |= {"CISTERN_LOG__ACCESS": "off", "CISTERN_LOG__EVENTS": "off"}
        self.output = open(self.home / "output", "wb")
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], env=environment,
                                        stdout=self.output, stderr=self.output)

    def wait(self):
        for _ in range(100):
            try:
                fetch(self.port, "/hit")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        said = (self.home / "output").read_text(errors="replace")
        sys.exit(f"{self.name} does not answer; it said:\n{said}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cpu_seconds(self):
        return sum(map(cpu_seconds_of, with_children(self.process.pid)))


def with_children(pid):
    """A process and all below it. They stand in the file of the thread that started them."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from with_children(int(child))


def cpu_seconds_of(pid):
    # The name may hold blanks and parentheses; fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


# --- measuring ----------------------------------------------------------------------------------

class Run:
    """What one run gave."""

    def __init__(self, requests, seconds, cpu_seconds):
        self.per_second = requests / seconds
        self.micros = cpu_seconds / requests * 1e6


def load(port, path, seconds):
    url = f"http://127.0.0.1:{port}{path}"
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"the load on {url} failed:\n{said}")
    return int(found[1]), float(found[2])


def measure(server, origin_port, mode, seconds):
    path = f"/{mode}"
    load(server.port, path, 1)
    asked_before, cpu_before = int(fetch(origin_port, "/count")), server.cpu_seconds()
    requests, took = load(server.port, path, seconds)
    cpu, asked = server.cpu_seconds() - cpu_before, int(fetch(origin_port, "/count")) - asked_before
    if mode == "hit" and asked > 0:
        sys.exit(f"{server.name} asked the origin {asked} times during {requests} hits")
    if mode == "pass" and asked < requests:
        sys.exit(f"{server.name} asked the origin only {asked} times for {requests} requests")
    return Run(requests, took, cpu)


def spread(values, digits):
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def report(mode, size, rounds):
    first = rounds[0]
    base = BASELINE if BASELINE in first else next(iter(first))
    print(f"\n{mode} {size}, {CONNECTIONS} connections, {len(rounds)} rounds: median (range)")
    print(f"{'':15}{'CPU us/request':>22}{'ratio to ' + base:>24}{'requests/s':>30}")
    for name in first:
        micros = [one[name].micros for one in rounds]
        ratios = [one[name].micros / one[base].micros for one in rounds]
        rate = [one[name].per_second for one in rounds]
        print(f"{name:15}{spread(micros, 2):>22}{spread(ratios, 2):>24}{spread(rate, 0):>30}")


def check_tools(names):
    binaries = [{"varnish": "varnishd"}.get(n, n) for n in names if not n.startswith("cistern")]
    missing = [b for b in [*binaries, "wrk", "taskset"] if not shutil.which(b)]
    if missing:
        packages = " ".join(sorted({PACKAGES[binary] for binary in missing}))
        sys.exit(f"missing: {', '.join(missing)}; run: apt-get install {packages}")
    if any(name.startswith("cistern") for name in names) and not CISTERN.exists():
        sys.exit(f"missing: {CISTERN}; run: cargo build --release")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")


def arguments():
    everyone = ["haproxy", "cistern", "cistern-quiet", "nginx", "varnish"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of one run; default 5")
    parser.add_argument("--only", default=",".join(everyone), metavar="A,B",
                        help="which of " + ", ".join(everyone))
    parser.add_argument("--size", choices=SIZES, default="1k", help="of the body")
    parser.add_argument("--mode", choices=["hit", "pass"], default="hit",
                        help="answers from the cache, or answers that may not be stored")
    given = parser.parse_args()
    given.names = given.only.split(",")
    if unknown := set(given.names) - set(everyone):
        parser.error(f"unknown: {', '.join(unknown)}")
    return given


def main():
    # Configurations of servers name programs that stand here for root only.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    given = arguments()
    check_tools(given.names)
    origin_port = free_port()
    command = ["taskset", "-c", LOAD_CORE, sys.executable, __file__, "--origin",
               str(origin_port), str(SIZES[given.size])]
    source = subprocess.Popen(command)
    servers = []
    with tempfile.TemporaryDirectory(prefix="cistern-rivals-") as home:
        os.chmod(home, 0o755)
        try:
            time.sleep(0.5)
            for name in given.names:
                servers.append(Server(name, home, origin_port))
                servers[-1].wait()
            rounds = []
            for number in range(given.rounds):
                turn = number % len(servers)
                order = servers[turn:] + servers[:turn]
                runs = {s.name: measure(s, origin_port, given.mode, given.seconds) for s in order}
                rounds.append({server.name: runs[server.name] for server in servers})
                told = "  ".join(f"{name} {run.micros:.2f}" for name, run in rounds[-1].items())
                print(f"round {number + 1}: {told}", flush=True)
        finally:
            for server in servers:
                server.stop()
            source.kill()
    report(given.mode, given.size, rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--origin"]:
        origin(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
