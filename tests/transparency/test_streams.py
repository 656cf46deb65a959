"""Bodies that do not come in one piece, and connections that end in the wrong place."""

import queue
import threading

import wire
from behind import Behind

GET = "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n"


class Unbuffered(Behind):
    """What arrived goes on at once."""

    def test_stream_events_arrive_one_by_one(self):
        received = queue.Queue()

        def script(connection):
            connection.request()
            connection.send(CHUNKED.format("text/event-stream"))
            for at in range(5):
                connection.send(wire.chunk(f"data: {at}\n\n".encode()))
                # The next is only sent when this one has come through.
                received.get(timeout=wire.TIMEOUT_SECONDS)
            connection.send("0\r\n\r\n")

        address = self.start(script)
        with wire.client(address) as client:
            client.send(GET)
            self.assertEqual(client.answer_head().get("content-type"), "text/event-stream")
            events = []
            for data in client.chunks():
                events.append(data)
                received.put(True)
        self.assertEqual(b"".join(events), b"".join(b"data: %d\n\n" % at for at in range(5)))

    def test_stream_pieces_of_a_length_arrive_at_once(self):
        received = queue.Queue()

        def script(connection):
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
            for _ in range(3):
                connection.send(b"0123456789")
                received.get(timeout=wire.TIMEOUT_SECONDS)

        address = self.start(script)
        with wire.client(address) as client:
            client.send(GET)
            client.answer_head()
            for _ in range(3):
                self.assertEqual(client.exactly(10), b"0123456789")
                received.put(True)

    def test_stream_head_arrives_before_the_body(self):
        received = queue.Queue()

        def script(connection):
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            received.get(timeout=wire.TIMEOUT_SECONDS)
            connection.send("body")

        address = self.start(script)
        with wire.client(address) as client:
            client.send(GET)
            self.assertEqual(client.answer_head().status, 200)
            received.put(True)
            self.assertEqual(client.exactly(4), b"body")

    def test_stream_request_pieces_reach_the_origin_at_once(self):
        arrived = queue.Queue()

        def script(connection):
            connection.head()
            for data in connection.chunks():
                arrived.put(data)
            connection.send(wire.ok(b"done"))

        address = self.start(script)
        with wire.client(address) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(4):
                client.send(wire.chunk(b"piece %d" % at))
                self.assertEqual(arrived.get(timeout=wire.TIMEOUT_SECONDS), b"piece %d" % at)
            client.send("0\r\n\r\n")
            self.assertEqual(client.answer().body, b"done")

    def test_stream_both_ways_at_once(self):
        def script(connection):
            connection.head()
            connection.send(CHUNKED.format("text/plain"))
            for data in connection.chunks():
                connection.send(wire.chunk(data.upper()))
            connection.send("0\r\n\r\n")

        address = self.start(script)
        with wire.client(address) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(wire.chunk(b"first"))
            self.assertEqual(client.answer_head().status, 200)
            answers = client.chunks()
            self.assertEqual(next(answers), b"FIRST")
            client.send(wire.chunk(b"second"))
            self.assertEqual(next(answers), b"SECOND")
            client.send("0\r\n\r\n")
            self.assertEqual(list(answers), [])


class Ends(Behind):
    """How a message ends is part of the message."""

    def test_stream_close_delimited_answer_is_whole(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"z" * 100_000)

        answer = self.ask(self.start(script), GET)
        self.assertEqual((answer.status, answer.body), (200, b"z" * 100_000))

    def test_stream_trailers_of_an_answer(self):
        def script(connection):
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                            "Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 900150983cd2\r\n\r\n")

        address = self.start(script)
        for _ in range(2):
            answer = self.ask(address, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
            self.assertEqual(answer.body, b"abc")
            self.assertIn(("x-sum", "900150983cd2"),
                          [(name.lower(), value) for name, value in answer.trailers])

    def test_stream_trailers_of_a_request(self):
        def script(connection):
            message = connection.request()
            self.origin.seen.put(message)
            connection.send(wire.ok(b"x"))

        address = self.start(script)
        self.ask(address, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                          "Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1234\r\n\r\n")
        seen = self.origin.saw()
        self.assertEqual(seen.body, b"abc")
        self.assertIn(("x-sum", "1234"), [(name.lower(), value) for name, value in seen.trailers])

    def test_stream_short_length_is_not_whole(self):
        for ending in ("close", "reset"):
            with self.subTest(ending=ending):
                self.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500, ending)

    def test_stream_missing_last_chunk_is_not_whole(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for ending in ("close", "reset"):
            for body in (b"5\r\nhello\r\n", b"5\r\nhel", b"5\r\nhello\r\n0\r\n"):
                with self.subTest(ending=ending, body=body):
                    self.cut(head + body, ending)

    def test_stream_reset_of_an_unlimited_body_is_not_whole(self):
        self.cut(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500, "reset")

    def cut(self, answer, ending):
        """The origin ends within the body; the client must see it, and no cache may keep it."""
        got_head = threading.Event()

        def script(connection):
            connection.request()
            connection.send(answer.replace(b"OK\r\n", b"OK\r\nCache-Control: max-age=60\r\n"))
            # The end comes after the client has the head, so that it cannot become a 502.
            got_head.wait(wire.TIMEOUT_SECONDS)
            if ending == "reset":
                connection.reset()

        address = self.start(script)
        for _ in range(2):
            got_head.clear()
            with wire.client(address) as client:
                client.send(GET)
                head = client.answer_head()
                self.assertEqual(head.status, 200)
                got_head.set()
                with self.assertRaises(wire.Incomplete):
                    # Without length and chunks only a reset tells; a clean end would be a lie.
                    client.body_of(head)
                    self.fail("taken for whole")
        self.assertGreaterEqual(self.origin.accepted, 2, "a part was served from the store")

    def test_stream_half_closed_client_gets_its_answer(self):
        go = threading.Event()

        def script(connection):
            connection.request()
            go.wait(wire.TIMEOUT_SECONDS)
            connection.send(wire.ok(b"late but whole"))

        address = self.start(script)
        with wire.client(address) as client:
            client.send(GET)
            client.finish()
            go.set()
            self.assertEqual(client.answer().body, b"late but whole")

    def test_stream_client_that_leaves_harms_nobody(self):
        def script(connection):
            while True:
                connection.request()
                connection.send(wire.ok(b"y" * 200_000))

        address = self.start(script)
        for _ in range(20):
            client = wire.connect(address)
            client.send(GET)
            client.answer_head()
            client.reset()
        self.assertEqual(self.ask(address, GET).body, b"y" * 200_000)

    def test_stream_dead_origin_is_a_502(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")

        address = self.start(script)
        self.assertEqual(self.ask(address, GET).status, 200)
        self.origin.close()
        for method in ("GET", "POST"):
            request = f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            answer = self.ask(address, request)
            self.assertEqual(answer.status, 502)
            self.assertEqual(answer.get("content-type"), "application/problem+json")
            self.assertEqual(answer.get("cache-control"), "no-store")
