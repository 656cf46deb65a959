"""Clients as old, as hasty and as patient as they come: HTTP/1.0, Expect, answers before the end of
the request, connections that stay and connections that close."""

import threading

import wire
from behind import Behind


class Old(Behind):
    """HTTP/1.0."""

    def test_client_1_0_gets_a_body_it_can_read(self):
        def script(connection):
            while True:
                connection.request()
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

        address = self.start(script)
        for request in ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"):
            with self.subTest(request=request), wire.client(address) as client:
                client.send(request)
                answer = client.answer()
                self.assertEqual((answer.status, answer.body), (200, b"hello world"))
                self.assertIsNone(answer.get("transfer-encoding"), "HTTP/1.0 knows no chunks")
                self.assertTrue(client.ended(), "the connection stays open unasked")

    def test_client_1_0_may_keep_its_connection(self):
        address = self.start_answering(wire.ok(b"x"))
        with wire.client(address) as client:
            for _ in range(3):
                client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
                answer = client.answer()
                self.assertEqual((answer.status, answer.body), (200, b"x"))
                self.assertEqual((answer.get("connection") or "").lower(), "keep-alive")

    def test_client_1_0_posts(self):
        address = self.start_answering(wire.ok(b"x"))
        answer = self.ask(address, "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.origin.saw().body, b"abc")


class Expecting(Behind):
    """Expect: 100-continue."""

    HEAD = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    def test_client_waits_for_100_and_gets_it(self):
        def script(connection):
            message = connection.head()
            if message.get("expect"):
                connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.send(wire.ok(connection.exactly(5)))

        address = self.start(script)
        with wire.client(address) as client:
            client.send(self.HEAD)
            interim = client.head()
            self.assertEqual(interim.status, 100)
            client.send("hello")
            answer = client.answer()
            self.assertEqual((answer.status, answer.body), (200, b"hello"))

    def test_client_that_waits_is_refused_in_time(self):
        def script(connection):
            connection.head()
            connection.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n"
                            "Connection: close\r\n\r\n")

        address = self.start(script)
        with wire.client(address) as client:
            client.send(self.HEAD)
            answer = client.answer()
            # Either the origin's no arrives first, or the proxy has taken the body upon itself;
            # a client that waits must not wait for ever.
            self.assertEqual(answer.status, 417)

    def test_client_that_does_not_wait_is_served(self):
        address = self.start_answering(wire.ok(b"x"))
        answer = self.ask(address, self.HEAD + "hello")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.origin.saw().body, b"hello")


class Early(Behind):
    """An answer that comes before the request has ended."""

    def test_client_hears_an_early_no(self):
        def script(connection):
            connection.head()
            connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n"
                            "Connection: close\r\n\r\nmuch")

        address = self.start(script)
        with wire.client(address) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            client.send(b"x" * 100_000)
            answer = client.answer()
            self.assertEqual((answer.status, answer.body), (413, b"much"))

    def test_client_may_go_on_sending_after_an_early_answer(self):
        finished = threading.Event()

        def script(connection):
            connection.head()
            connection.send(wire.ok(b"early"))
            connection.exactly(1_000_000)
            finished.set()

        address = self.start(script)
        with wire.client(address) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            client.send(b"x" * 1000)
            self.assertEqual(client.answer().body, b"early")
            try:
                client.send(b"x" * 999_000)
            except (BrokenPipeError, ConnectionResetError):
                # Closing here is allowed; what matters is that the answer had come.
                return
            # Where the connection stays, the rest must have gone to the origin, not into the next
            # request.
            if finished.wait(wire.TIMEOUT_SECONDS / 4):
                return
            self.assertTrue(client.ended())

    def test_client_is_not_answered_from_the_rest_of_a_body(self):
        """A request in the body of a refused one must never be played."""
        asked = []

        def script(connection):
            message = connection.head()
            asked.append(message.first)
            connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        address = self.start(script)
        body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        with wire.client(address) as client:
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n")
            self.assertEqual(client.answer().status, 403)
            try:
                client.send(body)
                client.answer()
            except (wire.Incomplete, OSError):
                pass
        self.assertEqual(asked, ["POST / HTTP/1.1"])


class Connections(Behind):
    """How long a connection lives."""

    def test_client_that_asks_for_the_end_gets_it(self):
        address = self.start_answering(wire.ok(b"x"))
        with wire.client(address) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual((client.answer().get("connection") or "").lower(), "close")
            self.assertTrue(client.ended())

    def test_client_keeps_its_connection_when_the_origin_closes(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")

        address = self.start(script)
        with wire.client(address) as client:
            for _ in range(5):
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(client.answer().body, b"x")

    def test_client_connections_share_origin_connections(self):
        address = self.start_answering(wire.ok(b"x"))
        for _ in range(30):
            self.assertEqual(self.ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)
        self.assertLessEqual(self.origin.accepted, 8, "origin connections are not kept")

    def test_client_request_is_not_sent_twice(self):
        """The origin takes a POST on a kept connection and goes away: nobody may try again."""
        asked = []

        def script(connection):
            while True:
                message = connection.request()
                asked.append(message.first)
                if message.first.startswith("POST"):
                    return
                connection.send(wire.ok(b"x"))

        address = self.start(script)
        self.assertEqual(self.ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)
        post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na"
        self.assertEqual(self.ask(address, post).status, 502)
        self.assertEqual([line for line in asked if line.startswith("POST")], ["POST / HTTP/1.1"])
