"""Bodies larger than any memory one would give a proxy: one GiB in each direction, and readers and
origins that are slow. The proxy's resident memory stays bounded throughout."""

import os
import threading
import zlib

import wire
from behind import Behind

SIZE = int(os.environ.get("TRANSPARENCY_LARGE_BYTES", 1 << 30))
PIECE = os.urandom(1 << 20)
# The default L1 takes up to 256 MB, but nothing of this size belongs into it: what is left is the
# program, its buffers, and the sockets'.
MEMORY_MB_MAX = 200
# What may be on its way between an origin and a client that does not read: kernel buffers on four
# sockets and what the proxy holds.
IN_FLIGHT_BYTES_MAX = 64 << 20


class Tally:
    """Length and checksum of what went by."""

    def __init__(self):
        self.length = 0
        self.sum = 0

    def add(self, data):
        self.length += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def told(self):
        return f"{self.length} {self.sum}"


def pieces():
    """The same GiB every time, in pieces of a MiB that differ at their beginning."""
    for at in range(SIZE // len(PIECE)):
        yield at.to_bytes(8, "big") + PIECE[8:]


def expected():
    tally = Tally()
    for piece in pieces():
        tally.add(piece)
    return tally.told()


EXPECTED = expected()


def read_length(connection, length):
    tally = Tally()
    while tally.length < length:
        if not connection.buffer and not connection.more():
            raise wire.Incomplete(f"{tally.length} of {length}")
        tally.add(connection.buffer[: length - tally.length])
        connection.buffer = b""
    return tally.told()


def read_chunks(connection):
    tally = Tally()
    for data in connection.chunks():
        tally.add(data)
    return tally.told()


def send_length(connection):
    for piece in pieces():
        connection.send(piece)


def send_chunks(connection):
    for piece in pieces():
        connection.send(wire.chunk(piece))
    connection.send("0\r\n\r\n")


class Large(Behind):
    """Streams."""

    def assert_bounded(self):
        peak = self.cistern.memory_peak_mb()
        self.assertLess(peak, MEMORY_MB_MAX, f"the proxy held {peak:.0f} MB at its peak")

    def download(self, head, send, read):
        def script(connection):
            connection.request()
            connection.send(head)
            send(connection)

        address = self.start(script)
        with wire.client(address) as client:
            client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            client.answer_head()
            self.assertEqual(read(client), EXPECTED)
        self.assert_bounded()

    def upload(self, head, send, read):
        def script(connection):
            connection.head()
            connection.send(wire.ok(read(connection).encode()))

        address = self.start(script)
        with wire.client(address) as client:
            client.send(f"PUT /big HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")
            send(client)
            self.assertEqual(client.answer().body.decode(), EXPECTED)
        self.assert_bounded()

    def test_large_download_with_a_length(self):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"
        self.download(head, send_length, lambda client: read_length(client, SIZE))

    def test_large_download_in_chunks_that_may_be_stored(self):
        head = ("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"big\"\r\n"
                "Transfer-Encoding: chunked\r\n\r\n")
        self.download(head, send_chunks, read_chunks)

    def test_large_upload_with_a_length(self):
        self.upload(f"Content-Length: {SIZE}", send_length,
                    lambda connection: read_length(connection, SIZE))

    def test_large_upload_in_chunks(self):
        self.upload("Transfer-Encoding: chunked", send_chunks, read_chunks)

    def test_large_download_waits_for_a_reader_that_does_not_read(self):
        sent = Tally()
        stalled = threading.Event()

        def script(connection):
            connection.request()
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
            connection.sock.settimeout(2)
            try:
                for piece in pieces():
                    connection.send(piece)
                    sent.length += len(piece)
            except TimeoutError:
                stalled.set()

        address = self.start(script)
        with wire.client(address) as client:
            client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.answer_head().status, 200)
            self.assertTrue(stalled.wait(60), "the origin was never held back")
        self.assertLess(sent.length, IN_FLIGHT_BYTES_MAX)
        self.assert_bounded()

    def test_large_upload_waits_for_an_origin_that_does_not_read(self):
        done = threading.Event()

        def script(connection):
            connection.head()
            done.wait(60)

        address = self.start(script)
        sent = 0
        with wire.client(address) as client:
            client.send(f"PUT /big HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")
            client.sock.settimeout(2)
            try:
                for piece in pieces():
                    client.send(piece)
                    sent += len(piece)
                self.fail("the client was never held back")
            except TimeoutError:
                pass
            finally:
                # The origin goes before the proxy does: a write is followed until it is answered.
                done.set()
        self.assertLess(sent, IN_FLIGHT_BYTES_MAX)
        self.assert_bounded()
