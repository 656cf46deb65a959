"""Heads and bodies byte for byte, in both directions, where neither curl nor an echoing server can
look: targets, repeated lines, fields of one hop, statuses without a body, interim answers."""

import wire
from behind import Behind

GET = "GET {} HTTP/1.1\r\nHost: api.example\r\n{}\r\n"


def get(target="/", *lines):
    return GET.format(target, "".join(f"{line}\r\n" for line in lines))


class Requests(Behind):
    """What the origin gets."""

    def test_message_targets_pass_as_sent(self):
        address = self.start_answering(wire.ok(b"x"))
        for target in (
            "/", "/?", "/a?", "/a%2Fb", "/%7Euser/~x", "/%c3%B1?%C3%b1=%aa", "//double//",
            "/a/../b", "/./x/%2e%2e/", "/;a=1;b?c;d", "/?a=1&a=2&&=&b", "/x?y?z=/;:@",
            "/100%25", "/+?+=%2B", "/'()*!$&,:@-._", "/\xc3\xb1?q=\xc3\xb1",
            "/?url=http://other.example/a?b",
        ):
            with self.subTest(target=target):
                self.assertEqual(self.ask(address, get(target)).status, 200)
                self.assertEqual(self.origin.saw().first, f"GET {target} HTTP/1.1")

    def test_message_absolute_target(self):
        address = self.start_answering(wire.ok(b"x"))
        request = "GET http://api.example/a?b HTTP/1.1\r\nHost: other.example\r\n\r\n"
        self.assertEqual(self.ask(address, request).status, 200)
        seen = self.origin.saw()
        self.assertIn(seen.first, ("GET /a?b HTTP/1.1", "GET http://api.example/a?b HTTP/1.1"))
        self.assertEqual(seen.all("host"), ["api.example"], "RFC 9112, 3.2.2")

    def test_message_options_star(self):
        address = self.start_answering(wire.ok(b""))
        self.assertEqual(self.ask(address, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)
        self.assertEqual(self.origin.saw().first, "OPTIONS * HTTP/1.1")

    def test_message_unknown_methods_pass(self):
        address = self.start_answering(wire.ok(b"x"))
        for method in ("PROPFIND", "M-SEARCH", "BREW", "get", "QUERY"):
            with self.subTest(method=method):
                request = f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                self.assertEqual(self.ask(address, request).status, 200)
                seen = self.origin.saw()
                self.assertEqual((seen.first, seen.body), (f"{method} / HTTP/1.1", b"abc"))

    def test_message_repeated_lines_keep_their_order(self):
        address = self.start_answering(wire.ok(b"x"))
        self.ask(address, get("/", "X-A: 1", "X-B: b", "X-A: 2, 3", "X-A:", "X-A: \xe9"))
        seen = self.origin.saw()
        self.assertEqual(seen.all("x-a"), ["1", "2, 3", "", "\xe9"])
        self.assertEqual(seen.all("x-b"), ["b"])

    def test_message_request_bodies(self):
        address = self.start_answering(wire.ok(b"x"))
        head, chunked = "POST / HTTP/1.1\r\nHost: a\r\n", "Transfer-Encoding: Chunked\r\n"
        for name, request, body in (
            ("none", f"{head}\r\n", b""),
            ("empty", f"{head}Content-Length: 0\r\n\r\n", b""),
            ("length", f"{head}Content-Length: 5\r\n\r\nhello", b"hello"),
            ("chunks", f"{head}{chunked}\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
            ("no chunk", f"{head}{chunked}\r\n0\r\n\r\n", b""),
        ):
            with self.subTest(name=name):
                self.assertEqual(self.ask(address, request).status, 200)
                seen = self.origin.saw()
                self.assertEqual(seen.body, body)
                self.assertFalse(seen.get("content-length") and seen.get("transfer-encoding"))

    def test_message_hop_fields_stay_on_their_hop(self):
        address = self.start_answering(wire.ok(b"x", "Connection: X-Secret", "X-Secret: 1",
                                               "Keep-Alive: timeout=9", "X-Kept: 2"))
        answer = self.ask(address, get("/", "Connection: X-Hop, close", "X-Hop: 1", "Keep-Alive: 5",
                                       "Proxy-Connection: keep-alive", "X-Kept: 1"))
        seen = self.origin.saw()
        for name in ("x-hop", "keep-alive", "proxy-connection"):
            self.assertNotIn(name, wire.field_names(seen))
        self.assertEqual(seen.get("x-kept"), "1")
        for name in ("x-secret", "keep-alive"):
            self.assertNotIn(name, wire.field_names(answer))
        self.assertEqual(answer.get("x-kept"), "2")

    def test_message_connection_cannot_name_what_must_stay(self):
        address = self.start_answering(wire.ok(b"x"))
        named = "Host, Authorization, Cookie, Content-Length, X-Forwarded-For, Via"
        request = ("POST / HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer t\r\n"
                   f"Cookie: a=b\r\nContent-Length: 2\r\nConnection: {named}\r\n\r\nab")
        self.assertEqual(self.ask(address, request).status, 200)
        seen = self.origin.saw()
        self.assertEqual(seen.get("host"), "api.example")
        self.assertEqual(seen.get("authorization"), "Bearer t")
        self.assertEqual(seen.get("cookie"), "a=b")
        self.assertEqual(seen.body, b"ab")
        self.assertIsNotNone(seen.get("via"))

    def test_message_forwarding_fields_are_ours(self):
        address = self.start_answering(wire.ok(b"x"))
        self.ask(address, get("/", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: evil.example",
                              "X-Forwarded-Proto: https", "Forwarded: for=1.2.3.4"))
        seen = self.origin.saw()
        text = " ".join(value for name, value in seen.fields if "forwarded" in name.lower())
        self.assertNotIn("1.2.3.4", text)
        self.assertNotIn("evil.example", text)
        self.assertNotIn("https", text)
        self.assertEqual(seen.get("x-forwarded-for"), "127.0.0.1")

    def test_message_via_goes_both_ways(self):
        address = self.start_answering(wire.ok(b"x", "Via: 1.0 before"))
        answer = self.ask(address, get("/", "Via: 1.1 client-side"))
        self.assertRegex(self.origin.saw().get("via"), r"^1\.1 client-side, 1\.1 cistern")
        self.assertRegex(answer.get("via"), r"^1\.0 before, 1\.1 cistern")


class Answers(Behind):
    """What the client gets."""

    def test_message_answer_lines_keep_their_order(self):
        second = "b=2; Expires=Wed, 01 Jan 2031 00:00:00 GMT"
        address = self.start_answering(wire.ok(
            b"x", "Set-Cookie: a=1", "Link: <a>", f"Set-Cookie: {second}",
            "Link: <b>, <c>", "X-Empty:", "Warning: 110 - \"stale\"", "X-Latin: \xe9"))
        for _ in range(2):
            answer = self.ask(address, get())
            self.assertEqual(answer.all("set-cookie"), ["a=1", second])
            self.assertEqual(answer.all("link"), ["<a>", "<b>, <c>"])
            self.assertEqual(answer.all("x-empty"), [""])
            self.assertEqual(answer.all("warning"), ['110 - "stale"'])
            self.assertEqual(answer.all("x-latin"), ["\xe9"])

    def test_message_stored_answer_keeps_every_line(self):
        address = self.start_answering(wire.ok(
            b"x", "Cache-Control: max-age=60", "Link: <a>", "X-A: 1", "Link: <b>", "X-A: 2",
            "X-E:"))
        first, second = (self.ask(address, get("/kept")) for _ in range(2))
        self.assertEqual(self.origin.seen.qsize(), 1, second.get("cache-status"))
        for name in ("link", "x-a", "x-e", "cache-control"):
            self.assertEqual(first.all(name), second.all(name))
        self.assertEqual(second.all("link"), ["<a>", "<b>"])

    def test_message_no_field_is_invented(self):
        address = self.start_answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        answer = self.ask(address, get())
        extra = set(wire.field_names(answer)) - {
            "content-length", "date", "via", "cache-status", "connection"}
        self.assertEqual(extra, set())

    def test_message_reason_phrases_pass(self):
        address = self.start_answering(b"HTTP/1.1 299 All Odd Here\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(self.ask(address, get()).first, "HTTP/1.1 299 All Odd Here")

    def test_message_bodiless_answers(self):
        for status, extra in (("204 No Content", ""), ("304 Not Modified", 'ETag: "a"\r\n'),
                              ("304 Not Modified", "Content-Length: 99\r\n")):
            with self.subTest(status=status, extra=extra):
                address = self.start_answering(f"HTTP/1.1 {status}\r\n{extra}\r\n".encode())
                with wire.client(address) as client:
                    for _ in range(2):
                        client.send(get("/", 'If-None-Match: "a"'))
                        answer = client.answer()
                        self.assertEqual(answer.status, int(status[:3]))
                        self.assertEqual(client.buffer, b"")

    def test_message_head_keeps_the_length_and_sends_nothing(self):
        address = self.start(self._heads)
        with wire.client(address) as client:
            for _ in range(2):
                client.send("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = client.answer("HEAD")
                self.assertEqual(answer.all("content-length"), ["123456"])
            client.send(get("/after"))
            self.assertEqual(client.answer().status, 200)

    def _heads(self, connection):
        while True:
            message = connection.request()
            if message.first.startswith("HEAD"):
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 123456\r\n\r\n")
            else:
                connection.send(wire.ok(b"after"))

    def test_message_interim_answers_stay_apart(self):
        address = self.start_answering(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Early: 1\r\n\r\n"
            b"HTTP/1.1 102 Processing\r\n\r\n" + wire.ok(b"final", "X-Late: 2"))
        answer = self.ask(address, get())
        self.assertEqual((answer.status, answer.body), (200, b"final"))
        self.assertEqual(answer.get("x-late"), "2")
        self.assertIsNone(answer.get("x-early"), "an interim field in the final answer")
        self.assertIsNone(answer.get("link"))

    def test_message_pipelined_requests_are_answered_in_order(self):
        address = self.start(self._echo_targets)
        with wire.client(address) as client:
            client.send("".join(get(f"/{at}") for at in range(20)))
            for at in range(20):
                self.assertEqual(client.answer().body, f"/{at}".encode())

    def _echo_targets(self, connection):
        while True:
            connection.send(wire.ok(connection.request().first.split(" ")[1].encode()))
