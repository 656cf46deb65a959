"""Requests whose end two readers could see at different places. None may reach the origin: 400, and
the connection is closed, so that nothing behind it is taken for a request."""

import wire
from behind import Behind

POST = "POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
LAST_CHUNK = "0\r\n\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

REFUSED = {
    "a length and chunks": f"{POST}Content-Length: 4\r\n{CHUNKED}\r\n{LAST_CHUNK}",
    "chunks and a length": f"{POST}{CHUNKED}Content-Length: 4\r\n\r\n{LAST_CHUNK}",
    "two lengths": f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "two equal lengths": f"{POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": f"{POST}Content-Length: 1, 1\r\n\r\na",
    "a signed length": f"{POST}Content-Length: +1\r\n\r\na",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\na",
    "a length in hexadecimal": f"{POST}Content-Length: 0x1\r\n\r\na",
    "an empty length": f"{POST}Content-Length:\r\n\r\n",
    "a length beyond all": f"{POST}Content-Length: 99999999999999999999999\r\n\r\na",
    "an unknown coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n{LAST_CHUNK}",
    "identity": f"{POST}Transfer-Encoding: identity\r\n\r\n",
    "chunked not last": f"{POST}Transfer-Encoding: chunked, gzip\r\n\r\n{LAST_CHUNK}",
    "chunked twice": f"{POST}Transfer-Encoding: chunked, chunked\r\n\r\n{LAST_CHUNK}",
    "two coding lines": f"{POST}{CHUNKED}Transfer-Encoding: identity\r\n\r\n{LAST_CHUNK}",
    "a quoted coding": f"{POST}Transfer-Encoding: \"chunked\"\r\n\r\n{LAST_CHUNK}",
    "a tab in the coding": f"{POST}Transfer-Encoding: \x0bchunked\r\n\r\n{LAST_CHUNK}",
    "chunks on HTTP/1.0": f"POST / HTTP/1.0\r\nHost: a\r\n{CHUNKED}\r\n{LAST_CHUNK}",
    "a space before the colon": f"{POST}Content-Length : 0\r\n\r\n",
    "a tab before the colon": f"{POST}X-A\t: 0\r\n\r\n",
    "a folded line": f"{POST}X-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "a first line that is folded": "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a bare LF": "GET / HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n",
    "bare LFs only": "GET / HTTP/1.1\nHost: a\n\n",
    "an LF that ends the head": "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "a bare CR": "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\n\r\n",
    "a NUL in a value": "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\0\r\n\r\n",
    "a NUL in a name": "GET / HTTP/1.1\r\nHost: a\r\nX\0A: 1\r\n\r\n",
    "a line without a colon": "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
    "an empty name": "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "two Hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "a list of Hosts": "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a space in the target": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown version": "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "no version": "GET /\r\n\r\n",
}


class Framing(Behind):
    """One test for each form; what follows in the same segment must not be read as a request."""

    def refuse(self, name):
        address = self.start_answering(wire.ok(b"x"))
        with wire.client(address) as client:
            client.send(REFUSED[name] + SMUGGLED)
            answer = client.answer()
            # 505 says more than 400 where the version is all that is wrong (RFC 9110, 15.6.6).
            right = (400, 505) if name == "an unknown version" else (400,)
            self.assertIn(answer.status, right, answer.first)
            self.assertTrue(client.ended(), "the connection stays open")
        self.assertEqual(self.ask(address, "GET /after HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)
        asked = []
        while not self.origin.seen.empty():
            asked.append(self.origin.saw().first)
        self.assertEqual(asked, ["GET /after HTTP/1.1"])

    def test_framing_own_400_is_a_problem_document(self):
        address = self.start_answering(wire.ok(b"x"))
        answer = self.ask(address, REFUSED["a length and chunks"])
        self.assertEqual(answer.get("content-type"), "application/problem+json")
        self.assertEqual(answer.get("cache-control"), "no-store")
        self.assertIn("cistern", answer.get("cache-status"))

    def test_framing_head_too_long(self):
        address = self.start_answering(wire.ok(b"x"))
        request = "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + "x" * (2 << 20) + "\r\n\r\n"
        with wire.client(address) as client:
            try:
                client.send(request)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                self.assertIn(client.answer().status, (400, 431))
            except wire.Incomplete:
                pass
        self.assertEqual(self.ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)
        self.assertEqual(self.origin.seen.qsize(), 1)

    def test_framing_chunks_that_are_none_never_look_whole(self):
        def script(connection):
            self.origin.seen.put(connection.request())
            connection.send(wire.ok(b"x"))

        for body in ("zz\r\nab\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n", "1\r\nabc\r\n0\r\n\r\n",
                     "1 \n\nb\r\n0\r\n\r\n", "ffffffffffffffffff\r\na\r\n0\r\n\r\n"):
            with self.subTest(body=body):
                address = self.start(script)
                with wire.client(address) as client:
                    client.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}")
                    try:
                        self.assertIn(client.answer().status, (400, 502))
                    except wire.Incomplete:
                        pass
                    self.assertTrue(client.ended())
                # The head was in order: the origin may have heard of it, but of no whole request.
                self.assertTrue(self.origin.seen.empty())

    def test_framing_head_in_single_bytes(self):
        address = self.start_answering(wire.ok(b"x"))
        with wire.client(address) as client:
            for byte in "GET /slow HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n":
                client.send(byte)
            self.assertEqual(client.answer().status, 200)
        self.assertEqual(self.origin.saw().first, "GET /slow HTTP/1.1")

    def test_framing_odd_but_right(self):
        address = self.start_answering(wire.ok(b"x"))
        for name, request in {
            "coding in capitals": f"{POST}TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
            "length with zeros": f"{POST}Content-Length: 0001\r\n\r\na",
            "tabs around a value": "GET / HTTP/1.1\r\nHost: a\r\nX-A:\t1\t\r\n\r\n",
            "an empty line before": "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "chunk extensions": f"{POST}{CHUNKED}\r\n1;a=\"b\"\r\nx\r\n{LAST_CHUNK}",
            "bytes beyond ASCII": "GET / HTTP/1.1\r\nHost: a\r\nX-A: \xff\xfe\r\n\r\n",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(self.ask(address, request).status, 200)


class OriginFraming(Behind):
    """Answers of the origin that nobody can delimit: 502, or an answer that shows it is broken."""

    BROKEN = {
        "no answer": b"",
        "not HTTP": b"hello\r\n\r\n",
        "a head that ends early": b"HTTP/1.1 200 OK\r\nContent-Le",
        "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
    }

    def test_framing_broken_answers(self):
        for name, answer in self.BROKEN.items():
            with self.subTest(name=name):
                address = self.start(lambda connection, a=answer: self._once(connection, a))
                got = self.ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(got.status, 502)
                self.assertEqual(got.get("content-type"), "application/problem+json")

    def _once(self, connection, answer):
        connection.request()
        connection.send(answer)


def _add(at, name):
    def test(self):
        self.refuse(name)

    test.__doc__ = name
    setattr(Framing, f"test_framing_{at:02}_{name.replace(' ', '_').replace('/', '_')}", test)


for _at, _name in enumerate(REFUSED):
    _add(_at, _name)
