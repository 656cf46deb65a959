"""An HTTP origin with state for the stories: standard library only, a free port, and a back door.

The back door, never asked through the proxy:
  GET  /_/asked           how often each "METHOD target" was asked
  POST /_/trouble         {"status": 503} answers everything so; {"hang_up": true} closes instead of
                          answering; {} ends it
"""

import collections
import http.server
import json
import signal
import sys
import threading
import urllib.parse


class Refusal(Exception):
    """An answer that is not the wanted one."""

    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status
        self.detail = detail


class System:
    """The state of one system. Subclasses answer `on_METHOD(request)` with (status, JSON value)."""

    def __init__(self):
        self.lock = threading.RLock()
        self.asked = collections.Counter()
        self.trouble = {}

    def handle(self, request):
        """One request, one at a time: what is read is what was written."""
        with self.lock:
            self.asked[f"{request.method} {request.target}"] += 1
            answer = getattr(self, f"on_{request.method}", None)
            if answer is None:
                raise Refusal(405, "method")
            return answer(request)


class Request:
    """What was asked, taken apart."""

    def __init__(self, method, target, fields, body):
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        split = urllib.parse.urlsplit(target)
        self.path = split.path
        self.parts = [part for part in split.path.split("/") if part]
        self.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))

    def json(self):
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, "not JSON") from error
        if not isinstance(value, dict):
            raise Refusal(422, "an object is wanted")
        return value

    def bearer(self):
        """The bearer token, or None."""
        kind, _, token = (self.fields.get("Authorization") or "").partition(" ")
        return token if kind == "Bearer" and token else None


def handler_of(system):
    """The class that http.server wants, around one system."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def play(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, self.headers, body)
            if request.parts[:1] == ["_"]:
                self.answer(200, self.back_door(request))
                return
            if system.trouble.get("hang_up"):
                self.count(request)
                self.close_connection = True
                return
            if "status" in system.trouble:
                self.count(request)
                self.answer(system.trouble["status"], {"detail": "trouble"})
                return
            try:
                self.answer(*system.handle(request))
            except Refusal as refusal:
                self.answer(refusal.status, {"detail": refusal.detail})

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = play

        def count(self, request):
            with system.lock:
                system.asked[f"{request.method} {request.target}"] += 1

        def back_door(self, request):
            with system.lock:
                if request.parts[1:] == ["asked"]:
                    return dict(system.asked)
                if request.parts[1:] == ["trouble"]:
                    system.trouble = request.json()
                    return {}
            return {"detail": "no such door"}

        def answer(self, status, value, *fields):
            body = b"" if status == 204 else json.dumps(value).encode()
            self.send_response(status)
            for name, text in fields:
                self.send_header(name, text)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            """Says nothing: the story tells what happened."""

    return Handler


def serve(system):
    """Serves until the process is told to end; says where first."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        # Many readers of one key arrive at once; the default of five would refuse some.
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), handler_of(system))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"PORT {server.server_address[1]}", flush=True)
    server.serve_forever()
