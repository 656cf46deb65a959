"""Connections that change their protocol: a WebSocket server of a few lines behind the proxy, and a
client of a few lines before it."""

import base64
import hashlib
import os
import threading

import wire
from behind import Behind

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload, masked):
    """One WebSocket frame (RFC 6455, 5.2), never fragmented."""
    head = bytes([0x80 | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([mask_bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([mask_bit | 127]) + len(payload).to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def read_frame(connection):
    """The next frame as (opcode, payload)."""
    first, second = connection.exactly(2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(connection.exactly(2), "big")
    elif length == 127:
        length = int.from_bytes(connection.exactly(8), "big")
    mask = connection.exactly(4) if second & 0x80 else None
    payload = connection.exactly(length)
    return first & 0x0F, payload if mask is None else _masked(payload, mask)


def _masked(payload, mask):
    wide = (mask * (len(payload) // 4 + 1))[: len(payload)]
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")
    return whole.to_bytes(len(payload), "big")


def accept_key(key):
    """What the server answers to a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


def echo_server(connection):
    """Speaks first, then gives every frame back; leaves when it is told to."""
    request = connection.head()
    if (request.get("upgrade") or "").lower() != "websocket":
        connection.send(wire.ok(b"not an upgrade"))
        return
    connection.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(request.get('sec-websocket-key'))}\r\n"
        f"X-Protocol: {request.get('sec-websocket-protocol')}\r\n\r\n")
    connection.send(frame(TEXT, b"welcome", masked=False))
    while True:
        opcode, payload = read_frame(connection)
        connection.send(frame(PONG if opcode == PING else opcode, payload, masked=False))
        if opcode == CLOSE:
            return


class Upgrade(Behind):
    """Tunnels."""

    KEY = base64.b64encode(b"0123456789abcdef").decode()

    def handshake(self, early=b""):
        head = (f"GET /chat?room=1 HTTP/1.1\r\nHost: api.example\r\nUpgrade: websocket\r\n"
                f"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: {self.KEY}\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
        return head.encode() + early

    def open(self, address, early=b""):
        client = wire.connect(address)
        self.addCleanup(client.close)
        client.send(self.handshake(early))
        answer = client.answer_head()
        self.assertEqual(answer.status, 101)
        self.assertEqual(answer.get("sec-websocket-accept"), accept_key(self.KEY))
        self.assertEqual(answer.get("upgrade").lower(), "websocket")
        self.assertIn("upgrade", answer.get("connection").lower())
        self.assertEqual(answer.get("x-protocol"), "chat")
        self.assertEqual(read_frame(client), (TEXT, b"welcome"))
        return client

    def test_upgrade_echoes(self):
        client = self.open(self.start(echo_server))
        for size in (0, 1, 125, 126, 70_000, 3_000_000):
            payload = os.urandom(size)
            sender = threading.Thread(target=client.send, args=(frame(BINARY, payload, True),))
            sender.start()
            self.assertEqual(read_frame(client), (BINARY, payload))
            sender.join()
        client.send(frame(PING, b"p", True))
        self.assertEqual(read_frame(client), (PONG, b"p"))
        client.send(frame(CLOSE, b"", True))
        self.assertEqual(read_frame(client), (CLOSE, b""))
        self.assertTrue(client.ended(), "the end of the origin is not passed on")

    def test_upgrade_bytes_behind_the_handshake(self):
        # A client may not speak before the 101, but what it sent in one segment must not be lost.
        client = self.open(self.start(echo_server), early=frame(TEXT, b"early", True))
        self.assertEqual(read_frame(client), (TEXT, b"early"))

    def test_upgrade_many_at_once(self):
        address = self.start(echo_server)
        clients = [self.open(address) for _ in range(30)]
        for at, client in enumerate(clients):
            client.send(frame(TEXT, b"%d" % at, True))
        for at, client in reversed(list(enumerate(clients))):
            self.assertEqual(read_frame(client), (TEXT, b"%d" % at))

    def test_upgrade_client_that_leaves_is_noticed(self):
        gone = threading.Event()

        def script(connection):
            try:
                echo_server(connection)
            except wire.Incomplete:
                gone.set()

        client = self.open(self.start(script))
        client.close()
        self.assertTrue(gone.wait(wire.TIMEOUT_SECONDS), "the origin still waits")

    def test_upgrade_half_closed_tunnel_still_carries(self):
        def script(connection):
            request = connection.head()
            connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: shout\r\n"
                            "Connection: Upgrade\r\n\r\n")
            self.assertEqual(request.get("upgrade"), "shout")
            connection.send(connection.to_end().upper())

        with wire.client(self.start(script)) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                        "Upgrade: shout\r\n\r\n")
            self.assertEqual(client.answer_head().status, 101)
            client.send(b"all of it")
            client.finish()
            self.assertEqual(client.to_end(), b"ALL OF IT")

    def test_upgrade_that_is_refused_is_an_answer(self):
        def script(connection):
            while True:
                message = connection.request()
                self.origin.seen.put(message)
                connection.send(wire.ok(b"no"))

        address = self.start(script)
        with wire.client(address) as client:
            client.send(self.handshake())
            answer = client.answer()
            self.assertEqual((answer.status, answer.body), (200, b"no"))
            self.assertIsNone(answer.get("upgrade"))
        self.assertEqual(self.ask(address, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n").body, b"no")

    def test_upgrade_that_is_refused_smuggles_nothing(self):
        asked = []

        def script(connection):
            while True:
                message = connection.head()
                asked.append(message.first)
                connection.send(wire.ok(b"no"))

        address = self.start(script)
        with wire.client(address) as client:
            client.send(self.handshake(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
            self.assertEqual(client.answer().status, 200)
            # The bytes behind may be a pipelined request of this client, through the proxy and with
            # its marks, or nothing; raw at the origin they must never arrive.
            try:
                client.answer()
            except wire.Incomplete:
                pass
        self.assertEqual(asked[0], "GET /chat?room=1 HTTP/1.1")
        self.assertLessEqual(len(asked), 2)

    def test_upgrade_is_never_stored(self):
        address = self.start(echo_server)
        self.open(address)
        plain = self.ask(address, "GET /chat?room=1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
        self.assertEqual(plain.body, b"not an upgrade")
