"""Drives the admin API from its own OpenAPI document with schemathesis, and ends with a line that
counts.

Real nodes, one alone and one with Redis, take data that fits the document and data that does not:
no 5xx, no answer that the document does not tell of, in status, type or form, nothing taken that it
refuses, and nothing changed without a token. Environment: OPENAPI_BINARY (cistern),
OPENAPI_SCHEMATHESIS (the program), OPENAPI_WORK (where logs go).
"""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ["OPENAPI_BINARY"]
SCHEMATHESIS = os.environ["OPENAPI_SCHEMATHESIS"]
WORK = pathlib.Path(os.environ["OPENAPI_WORK"]).resolve()
# The programs of a run are started and stopped as those of the transparency tests are.
os.environ["TRANSPARENCY_WORK"] = str(WORK)
sys.path.insert(0, str(HERE.parent / "transparency"))

import processes  # noqa: E402  (the folder must be on the path first)

SEED = 9457
ROLES = ["read", "purge", "operate", "admin"]
ROOT = "/api/v1/admin"
ORDINARY = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
            "response_schema_conformance"]
STRICT = [*ORDINARY, "ignored_auth", "negative_data_rejection", "unsupported_method",
          "allow_header_conformance"]

RULES = """
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[[route]]
name = "doc"
match = "GET /doc/{id}"
type = "doc"
key = "{id}"
tags = ["docs"]
"""

SETTINGS = """
rules = "rules.toml"
[[listen]]
address = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
tokens_file = "tokens.toml"
[compat]
aliases = "admin"
gad = { type = "doc" }
[log]
access = "off"
events = "events.log"
[drain]
delay = "0s"
"""

# What never ends cannot be judged by its end; the stories follow events.
SCHEMATHESIS_SETTINGS = """
[[operations]]
include-path = "/api/v1/admin/events"
parameters = { "query.follow" = "0" }
"""


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"fine": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A node with some entries, and a token of each role."""

    def __init__(self, name, origin, more):
        self.name = name
        self.home = WORK / name
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "rules.toml").write_text(RULES)
        (self.home / "cistern.toml").write_text(SETTINGS + more)
        tokens = self.home / "tokens.toml"
        tokens.unlink(missing_ok=True)
        self.tokens = {}
        for role in ROLES:
            made = subprocess.run(
                [BINARY, "tokens", "create", role, "--role", role, "--file", tokens],
                check=True, capture_output=True, text=True)
            self.tokens[role] = made.stdout.strip()
        self.program = processes.Program(
            f"cistern-{name}",
            [BINARY, "run", "--config", self.home / "cistern.toml", "--origin", origin],
            r"proxy (\S+) .* admin (\S+)")
        self.proxy, self.admin = (f"http://{part}" for part in self.program.match.groups())
        self.document = self.get(f"{ROOT}/openapi.json")

    def get(self, path, role=None):
        asked = urllib.request.Request(self.admin + path)
        if role:
            asked.add_header("Authorization", f"Bearer {self.tokens[role]}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)

    def fill(self):
        for number in range(20):
            urllib.request.urlopen(f"{self.proxy}/doc/{number}", timeout=10).read()

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def unbuilt(self):
        """Operations whose document says that they are not built: a 5xx that is told."""
        return [(method, path) for method, path, operation in self.operations()
                if "501" in operation["responses"]]


def without_a_token(node):
    """Every call that needs one is refused without one and with a wrong one, and changes nothing."""
    wrong = []
    node.fill()
    before = node.get(f"{ROOT}/keys", "admin")["entries"]
    for method, path, operation in node.operations():
        if not operation["x-least-role"]:
            continue
        target = re.sub(r"\{[^}]*\}", "1", path)
        for token in [None, "Bearer cst_wrong", f"Basic {node.tokens['admin']}"]:
            asked = urllib.request.Request(node.admin + target, method=method, data=b"{}")
            asked.add_header("Content-Type", "application/json")
            if token:
                asked.add_header("Authorization", token)
            try:
                status = urllib.request.urlopen(asked, timeout=10).status
            except urllib.error.HTTPError as error:
                status = error.code
            if status != 401:
                wrong.append(f"{method} {path} with {token}: {status}")
    after = node.get(f"{ROOT}/keys", "admin")["entries"]
    if [row["key"] for row in before] != [row["key"] for row in after] or len(before) < 20:
        wrong.append(f"there were {len(before)} entries, and there are {len(after)}")
    changes = node.get(f"{ROOT}/audit", "admin")["changes"]
    wrong += [f"it was changed: {change}" for change in changes if change["call"] != "refused"]
    return wrong


def drive(node, role, checks, phases, examples):
    """One run of schemathesis; how many cases it made, and what was wrong."""
    node.fill()
    name = f"{node.name}-{role}"
    settings = WORK / f"{name}.toml"
    settings.write_text(SCHEMATHESIS_SETTINGS)
    left_out = []
    for method, path in node.unbuilt():
        print(f"left out, since the document says that it is not built: {method} {path}")
        left_out += ["--exclude-path", path]
    command = [
        SCHEMATHESIS, "--config-file", settings, "run", f"{node.admin}{ROOT}/openapi.json",
        "--header", f"Authorization: Bearer {node.tokens[role]}",
        "--seed", str(SEED), "--generation-database", "none",
        "--max-examples", str(examples), "--phases", phases, "--checks", ",".join(checks),
        "--continue-on-failure", "--request-timeout", "10", "--workers", "1", "--no-color",
        "--no-shrink", *left_out,
    ]
    ran = subprocess.run([str(part) for part in command], cwd=WORK, capture_output=True, text=True)
    words = ran.stdout + ran.stderr
    (WORK / f"schemathesis-{name}.log").write_text(words)
    counted = re.search(r"(\d+) generated(?:, (\d+) found (\d+) unique failures?)?", words)
    made, bad, failed = (int(n or 0) for n in counted.groups()) if counted else (0, 0, 0)
    passed = made - bad
    # The document's own call is the one that the run begins with, and is not counted.
    wanted = sum(1 for _ in node.operations()) - len(left_out) // 2 - 1
    tested = re.search(r"Tested: (\d+)", words)
    tested = int(tested.group(1)) if tested else 0
    print(f"{name}: {made} cases, {passed} passed, {tested} of {wanted} calls")
    if ran.returncode != 0 or tested != wanted or made == 0:
        print(words[-20_000:])
        failed = max(failed, 1)
    return passed, failed


def main():
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    WORK.mkdir(parents=True, exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    passed = failed = 0
    wrong = []
    try:
        port = free_port()
        processes.Program(
            "redis", ["redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1"],
            r"Ready to accept connections")
        alone = Node("alone", origin, "")
        shared = Node("shared", origin, f'[l2]\nurl = "redis://127.0.0.1:{port}"\n')
        for node in [alone, shared]:
            refused = without_a_token(node)
            print("\n".join(f"FAILED: {node.name}: {line}" for line in refused))
            passed, failed = passed + (not refused), failed + len(refused)
        runs = [
            (alone, "admin", STRICT, "examples,coverage,fuzzing", 12),
            (shared, "admin", STRICT, "examples,coverage,fuzzing", 12),
            *((alone, role, ORDINARY, "examples,fuzzing", 4) for role in ROLES[:-1]),
        ]
        for run in runs:
            good, bad = drive(*run)
            passed, failed = passed + good, failed + bad
        for node in [alone, shared]:
            if not node.get(f"{ROOT}/health")["ready"]:
                wrong.append(f"{node.name} is not ready any more")
            if "panic" in (node.home / "events.log").read_text():
                wrong.append(f"{node.name} answered what its document does not tell of")
    except KeyboardInterrupt:
        sys.exit("interrupted")
    finally:
        wrong += processes.stop_all()
    for line in wrong:
        print(f"FAILED: {line}")
    failed += len(wrong)
    print(f"outcome: {passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
