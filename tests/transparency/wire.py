"""HTTP/1.1 by hand: a connection that reads and writes exact bytes, an origin whose answers are
scripts, and a client that can be as odd as the network is."""

import contextlib
import dataclasses
import queue
import re
import socket
import struct
import threading

# Nothing here takes this long unless something waits for ever.
TIMEOUT_SECONDS = 20
READ_BYTES = 1 << 18


class Incomplete(Exception):
    """A message ended, or the connection was reset, before the message's end."""


@dataclasses.dataclass
class Message:
    """A request or an answer as it came: first line, field lines, body, trailers."""

    first: str
    fields: list
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    interim: list = dataclasses.field(default_factory=list)
    raw_head: bytes = b""

    @property
    def status(self):
        return int(self.first.split(" ", 2)[1])

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return ", ".join(values) if values else None


class Connection:
    """A socket with a buffer."""

    def __init__(self, sock):
        sock.settimeout(TIMEOUT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def more(self):
        """Reads what there is; False at the end. A reset is an end that tells that it is one."""
        try:
            data = self.sock.recv(READ_BYTES)
        except ConnectionResetError as error:
            raise Incomplete("reset") from error
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise Incomplete(f"ended after {self.buffer[-200:]!r}, waiting for {mark!r}")
        data, _, self.buffer = self.buffer.partition(mark)
        return data + mark

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise Incomplete(f"{len(self.buffer)} of {count} bytes")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def to_end(self):
        """Everything until the other side says that it has no more."""
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def ended(self):
        """Whether the other side ends the connection, with or without a reset, and sends none."""
        try:
            return not self.buffer and not self.more()
        except Incomplete:
            return True

    def head(self):
        """The next head, whatever is before its empty line."""
        raw = self.until(b"\r\n\r\n")
        lines = raw[:-4].decode("latin-1").split("\r\n")
        fields = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.append((name, value.strip(" \t")))
        return Message(lines[0], fields, raw_head=raw)

    def request(self):
        """A whole request with its body."""
        message = self.head()
        self.body_of(message, bodiless=not (
            message.get("content-length") or message.get("transfer-encoding")))
        return message

    def answer(self, method="GET"):
        """A whole final answer; the interim ones before it are kept beside it."""
        message = self.answer_head()
        status = message.status
        bodiless = method == "HEAD" or status in (204, 304) or status == 101
        self.body_of(message, bodiless)
        return message

    def answer_head(self):
        """The head of the final answer, with the interim answers that came before it."""
        interim = []
        while True:
            message = self.head()
            if message.status == 101 or message.status >= 200:
                message.interim = interim
                return message
            interim.append(message)

    def body_of(self, message, bodiless=False):
        """Reads the body that a head announces into its message."""
        if bodiless:
            return
        if "chunked" in (message.get("transfer-encoding") or "").lower():
            message.body = b"".join(self.chunks())
            message.trailers = self.trailers
        elif message.get("content-length") is not None:
            message.body = self.exactly(int(message.get("content-length")))
        else:
            message.body = self.to_end()

    def chunks(self):
        """The data of each chunk as it comes; afterwards `trailers` holds what stood at the end."""
        while True:
            size = int(self.until(b"\r\n").split(b";")[0].strip(), 16)
            if size == 0:
                break
            data = self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Incomplete("a chunk without its end")
            yield data
        self.trailers = []
        while (line := self.until(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers.append((name, value.strip()))

    def finish(self):
        """Says that no more will be sent, and goes on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection the rude way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


def connect(address):
    """A client's connection to `host:port`."""
    host, _, port = address.rpartition(":")
    return Connection(socket.create_connection((host, int(port)), TIMEOUT_SECONDS))


@contextlib.contextmanager
def client(address):
    """A connection that is closed at the end of the block."""
    connection = connect(address)
    try:
        yield connection
    finally:
        connection.close()


class Origin:
    """A server that plays `script(connection)` on each connection it accepts.

    What a script notes with `seen.put` the test reads with `saw()`. An error inside a script is the
    test's: `close` raises it.
    """

    def __init__(self, script):
        self.script = script
        self.seen = queue.Queue()
        self.wrong = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._play, args=(sock,), daemon=True).start()

    def _play(self, sock):
        connection = Connection(sock)
        try:
            self.script(connection)
        except (Incomplete, BrokenPipeError, ConnectionResetError, OSError):
            # The other side went away; whether it may is for the test to say.
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(error)
        finally:
            connection.close()

    def saw(self):
        """The next thing a script noted."""
        return self.seen.get(timeout=TIMEOUT_SECONDS)

    def close(self):
        """No more connections; raises what went wrong inside a script."""
        with contextlib.suppress(OSError):
            # Closing alone would leave the thread that accepts, and with it the port.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self.wrong:
            raise self.wrong[0]


def answering(answer, seen=None):
    """A script that reads whole requests and gives each the same bytes, keeping the connection."""

    def script(connection):
        while True:
            message = connection.request()
            if seen is not None:
                seen.put(message)
            connection.send(answer)

    return script


def ok(body, *fields):
    """A plain 200 with a length."""
    lines = "".join(f"{field}\r\n" for field in fields)
    head = f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def chunk(data):
    """One chunk."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def field_names(message):
    """The names of a message's field lines, lower case, in order."""
    return [name.lower() for name, _ in message.fields]


def is_word(text):
    """Whether a text is a token, as names of fields and methods must be."""
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text) is not None
