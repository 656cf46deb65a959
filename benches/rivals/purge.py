#!/usr/bin/env python3
"""Purges very many entries of cistern's memory, and of Varnish's, while other entries are hit.

Each server is filled with entries under one tag, then hit on a few that do not have it. In the
middle of the hits everything with the tag is purged: by the tag, or by a pattern of the URL. Told
are the time until the purge is answered, the time until no memory holds what it named, and the
99th percentile and the longest of the hits in the second of the purge, beside those of the seconds
before it. Varnish purges a tag through xkey (package varnish-modules) and as a ban.

A run counts only if every hit came from the cache, and nothing of what was purged does afterwards.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from run import CISTERN, HERE, LOAD_CORE, SERVER_CORE, free_port

HOT, BODY = 64, b"x" * 100
WAYS = [("cistern", "tag"), ("cistern", "pattern"), ("varnish", "xkey"), ("varnish", "tag"),
        ("varnish", "pattern")]

# Asks for each entry once, and ends when all are answered.
FILL = """
local most, asked, answered = %d, -1, 0
request = function()
    asked = math.min(asked + 1, most)
    return wrk.format("GET", "/many/" .. asked, { Host = "h" })
end
response = function()
    answered = answered + 1
    if answered == most + 16 then os.exit(0) end
end
"""


# Answers for ever: everything below /many/ has the tag.
ORIGIN = """
daemon off; worker_processes 1; pid %(home)s/pid; error_log stderr crit;
events { worker_connections 256; }
http {
    access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
    client_body_temp_path %(home)s; proxy_temp_path %(home)s; fastcgi_temp_path %(home)s;
    uwsgi_temp_path %(home)s; scgi_temp_path %(home)s;
    server {
        listen 127.0.0.1:%(port)d; default_type text/plain; add_header Cache-Control max-age=86400;
        location / { return 200 %(body)s; }
        location /many/ {
            add_header Cache-Control max-age=86400; add_header xkey many; return 200 %(body)s;
        }
    }
}
"""


def origin(port, home):
    config = Path(home) / "origin.conf"
    config.write_text(ORIGIN % {"port": port, "home": home, "body": BODY.decode()})
    return subprocess.Popen(["taskset", "-c", LOAD_CORE, "nginx", "-c", config, "-p", home])


class Server:
    """A server under measurement."""

    def __init__(self, name, home, origin_port, entries):
        self.name, self.port, self.admin = name, free_port(), free_port()
        self.home = Path(home) / name
        self.home.mkdir(mode=0o777)
        self.home.chmod(0o777)
        bytes_max = 4_000 * entries
        values = {"PORT": self.port, "ADMIN": self.admin, "ORIGIN": origin_port,
                  "BYTES": f"{bytes_max // 1_000_000}MB"}
        source = HERE / {"cistern": "purge.toml", "varnish": "purge.vcl"}[name]
        config = self.home / source.name
        config.write_text(re.sub("@([A-Z]+)@", lambda m: str(values[m[1]]), source.read_text()))
        command = {
            "cistern": [CISTERN, "run", "--config", config, "--workers", "1",
                        "--origin", f"http://127.0.0.1:{origin_port}"],
            "varnish": ["varnishd", "-F", "-n", self.home / "work", "-f", config,
                        "-a", f"127.0.0.1:{self.port}", "-s", f"malloc,{bytes_max // 1_000_000}m",
                        "-p", "thread_pools=1", "-p", "ban_lurker_age=0.1"],
        }[name]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CISTERN_")}
        self.output = open(self.home / "output", "wb")
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], env=environment,
                                        stdout=self.output, stderr=self.output)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{name} does not answer: {(self.home / 'output').read_text(errors='replace')}")

    def fill(self, entries):
        """Fetches everything once."""
        script = self.home / "fill.lua"
        script.write_text(FILL % entries)
        command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c16", "-d3600", "-s", script,
                   f"http://127.0.0.1:{self.port}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def held(self):
        """How many entries stand in memory."""
        if self.name == "cistern":
            told = call(self.admin, "GET", "/api/v1/admin/stats", {})[1]
            return json.loads(told)["levels"][0]["entries"]
        said = subprocess.run(["varnishstat", "-n", self.home / "work", "-1", "-f", "MAIN.n_object"],
                              capture_output=True, text=True, check=True).stdout
        return int(said.split()[1])

    def purge(self, way):
        fields = {"X-Way": way, "X-Tag": "many", "X-Pattern": "^/many/.*[0-9]$"}
        if self.name == "cistern":
            selector = {"tag": "tag:many", "pattern": "pattern:http://h/m*y/*"}[way]
            fields = {"X-Purge-Selector": selector}
        began = time.monotonic()
        status, told = call(self.port, "PURGE", "/", fields)
        took = time.monotonic() - began
        if status != 200:
            sys.exit(f"{self.name} answered {status} to the purge: {told}")
        return took

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def answered(stream):
    """Reads one answer; whether it came from the cache."""
    head = {}
    status = stream.readline()
    while (line := stream.readline().rstrip()):
        name, _, value = line.partition(b":")
        head[name.lower()] = value.strip()
    stream.read(int(head[b"content-length"]))
    if b" 200 " not in status:
        sys.exit(f"an answer was {status}")
    # Varnish names two transactions on a hit.
    return b"; hit" in head.get(b"cache-status", b"") or b" " in head.get(b"x-varnish", b"")


def call(port, method, path, fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, headers={"Host": f"127.0.0.1:{port}"} | fields)
    answer = connection.getresponse()
    return answer.status, answer.read()


def hits(port, until, times):
    """Hits one entry after the other, and notes when each was asked for and how long it took."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream, at = wire.makefile("rb"), 0
        while time.monotonic() < until:
            began = time.monotonic()
            wire.sendall(b"GET /hot/%d HTTP/1.1\r\nHost: h\r\n\r\n" % (at % HOT))
            is_hit = answered(stream)
            times.append((began, time.monotonic() - began))
            if at >= HOT and not is_hit:
                sys.exit("what was not purged was asked for again")
            at += 1


def one(name, way, home, origin_port, entries):
    server = Server(name, home, origin_port, entries)
    try:
        server.fill(entries)
        if server.held() < entries:
            sys.exit(f"{name} holds {server.held()} of {entries}")
        times, until = [], time.monotonic() + 6
        os.sched_setaffinity(0, {int(LOAD_CORE)})
        hitting = threading.Thread(target=hits, args=(server.port, until, times))
        hitting.start()
        time.sleep(3)
        at = time.monotonic()
        took = server.purge(way)
        while server.held() > 10 * HOT:
            time.sleep(0.02)
        reclaimed = time.monotonic() - at
        hitting.join()
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            wire.sendall(b"GET /many/7 HTTP/1.1\r\nHost: h\r\n\r\n")
            if answered(wire.makefile("rb")):
                sys.exit(f"{name} {way}: what was purged is still served")
    finally:
        server.stop()
        shutil.rmtree(server.home)
    before = sorted(t for began, t in times if at - 2 < began < at - 0.1)
    during = sorted(t for began, t in times if at - 0.05 < began < at + 1)
    p99 = [some[int(len(some) * 0.99)] * 1e3 for some in (before, during)]
    return took * 1e3, reclaimed, *p99, during[-1] * 1e3


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=1)
    asked = options.parse_args()
    missing = [name for name in ["varnishd", "varnishstat", "nginx", "wrk", "taskset"] if not shutil.which(name)]
    if missing or not CISTERN.exists():
        sys.exit(f"missing: {missing or CISTERN}; see benches/rivals/README.md")
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        port = free_port()
        answers = origin(port, home)
        try:
            time.sleep(0.5)
            found = {}
            for _ in range(asked.rounds):
                for name, way in WAYS:
                    found.setdefault((name, way), []).append(
                        one(name, way, home, port, asked.entries))
            print(f"{asked.entries} entries purged in memory, {asked.rounds} rounds, medians")
            print(f"{'':18}{'answered ms':>12}{'reclaimed s':>12}{'p99 before ms':>14}"
                  f"{'p99 during ms':>14}{'longest ms':>12}")
            for (name, way), runs in found.items():
                middle = [statistics.median(values) for values in zip(*runs)]
                print(f"{name + ' ' + way:18}{middle[0]:12.1f}{middle[1]:12.2f}{middle[2]:14.2f}"
                      f"{middle[3]:14.2f}{middle[4]:12.1f}")
        finally:
            answers.terminate()
            answers.wait()


if __name__ == "__main__":
    main()
