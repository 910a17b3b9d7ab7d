"""HTTP/1.1 by hand: messages read from a socket byte-exactly, and a provider that does as it is told."""

import select
import socket
import ssl
import struct
import time

from gateway import DEADLINE


class Cut(Exception):
    """The connection ended before the message did."""


class Message:
    """One message's head."""

    def __init__(self, raw):
        lines = raw.split(b"\r\n")
        self.start = lines[0].decode("latin-1")
        self.fields = []
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.fields.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def __getitem__(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def status(self):
        return int(self.start.split()[1])


class Reader:
    """Reads messages from a socket; what has come of a body is given out as it is asked for."""

    def __init__(self, connection):
        self.socket = connection
        self.raw = b""
        self.ended = False
        self.head = None
        self._put_back = b""

    def _receive(self):
        """More bytes. False: the peer has closed or reset."""
        if self.ended:
            return False
        try:
            got = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            got = b""
        if not got:
            self.ended = True
            return False
        self.raw += got
        return True

    def read_head(self, bodyless=False):
        """The next head. `bodyless`: the answer to a HEAD request."""
        while b"\r\n\r\n" not in self.raw:
            if not self._receive():
                raise Cut(f"in the head: {self.raw!r}")
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        self.head = Message(head)
        is_answer = self.head.start.startswith("HTTP/")
        self._chunked = (self.head["transfer-encoding"] or "").lower() == "chunked"
        self._left = 0  # of the body, or of the chunk that is being read
        self._until_close = False
        self.is_complete = False
        if bodyless or (is_answer and (self.head.status < 200 or self.head.status in (204, 304))):
            self.is_complete = True
        elif not self._chunked:
            length = self.head["content-length"]
            if length is not None:
                self._left = int(length)
                self.is_complete = self._left == 0
            elif is_answer:
                self._until_close = True
            else:
                self.is_complete = True
        return self.head

    def read_some(self):
        """The next bytes of the body, as they have come. Empty: its clean end."""
        if self._put_back:
            piece, self._put_back = self._put_back, b""
            return piece
        if self.is_complete:
            return b""
        if self._chunked and self._left == 0:
            while b"\r\n" not in self.raw:
                self._more()
            size, _, self.raw = self.raw.partition(b"\r\n")
            self._left = int(size, 16)
            if self._left == 0:
                while len(self.raw) < 2:
                    self._more()
                assert self.raw[:2] == b"\r\n", f"trailers are not expected: {self.raw!r}"
                self.raw = self.raw[2:]
                self.is_complete = True
                return b""
        if not self.raw and not self._receive():
            if self._until_close:
                self.is_complete = True
                return b""
            raise Cut("in the body")
        if self._until_close:
            piece, self.raw = self.raw, b""
            return piece
        piece, self.raw = self.raw[: self._left], self.raw[self._left :]
        self._left -= len(piece)
        if self._left == 0:
            if self._chunked:
                while len(self.raw) < 2:
                    self._more()
                assert self.raw[:2] == b"\r\n", f"no end of the chunk: {self.raw[:20]!r}"
                self.raw = self.raw[2:]
            else:
                self.is_complete = True
        return piece

    def put_back(self, piece):
        """Bytes of the body that are to be read again."""
        self._put_back = piece

    def has_bytes(self):
        """Something has come that was not read. Waits for it, or for the end."""
        return bool(self.raw) or self._receive()

    def _more(self):
        if not self._receive():
            raise Cut("between chunks")

    def read_rest(self):
        """The body's rest up to its clean end."""
        pieces = []
        while piece := self.read_some():
            pieces.append(piece)
        return b"".join(pieces)

    def read(self, bodyless=False):
        """A whole message: head and body."""
        head = self.read_head(bodyless)
        return head, self.read_rest()

    def closes(self):
        """Whether the peer closes without sending anything further."""
        while self._receive():
            pass
        return self.raw == b""


def post(body, path="/v1/chat/completions", more=""):
    """A request's bytes."""
    if isinstance(body, str):
        body = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class ProviderConnection:
    """One connection to a scripted provider."""

    def __init__(self, connection):
        connection.settimeout(DEADLINE)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.reader = Reader(connection)
        self.is_open = True

    def send(self, data):
        self.socket.sendall(data)

    def send_chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def close(self):
        self.is_open = False
        if isinstance(self.socket, ssl.SSLSocket):
            # An end in good form says so before the FIN; the other side's word is not waited for.
            self.socket.settimeout(0)
            try:
                self.socket.unwrap()
            except (OSError, ValueError):
                pass
        self.socket.close()

    def reset(self):
        self.is_open = False
        reset(self.socket)

    def waits_for_close(self):
        """Returns when the peer has closed; bytes that still come are a fault."""
        assert self.reader.closes(), f"bytes instead of a close: {self.reader.raw[:200]!r}"
        self.close()


def tls_context(certificate):
    """What a server over https needs. `certificate`: a file in PEM with its key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


class Provider:
    """A provider on a free port of 127.0.0.1 that does what it is told, one step after the other."""

    tells_connections = True

    def __init__(self, tls=None):
        """`tls`: the server's context where it speaks https."""
        self.tls = tls
        self.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.connections = []
        self.current = None

    def move_to(self, path):
        """Listens on a unix socket instead."""
        self.listener.close()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.listener.settimeout(DEADLINE)
        self.address = f"unix:{path}:"

    def entry(self, tier=0, models="[m]", more=""):
        """Its entry in a tier file."""
        return f'{{ type: openai, endpoint: "http://{self.address}/v1", tier: {tier}, models: {models} {more} }}'

    def bind(self, place):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(place)
        self.listener.settimeout(DEADLINE)

    def refuse(self):
        """Listens no more; the port stays ours."""
        place = self.listener.getsockname()
        self.listener.close()
        self.bind(place)

    def listen(self):
        """Listens again."""
        self.listener.listen(64)

    def accept(self):
        accepted = self.listener.accept()[0]
        if self.tls:
            accepted.settimeout(DEADLINE)
            try:
                accepted = self.tls.wrap_socket(accepted, server_side=True)
            except OSError:
                # Given up in the handshake: the plain socket is left, and at its end.
                pass
        self.current = ProviderConnection(accepted)
        self.connections.append(self.current)
        return self.current

    def read(self):
        """The next request on any connection, old or new. Returns whether the connection is new."""
        end = time.monotonic() + DEADLINE
        while True:
            places = [c.socket for c in self.connections if c.is_open]
            ready = select.select([self.listener, *places], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, "no request came"
            for connection in self.connections:
                if connection.is_open and connection.socket in ready:
                    break
            else:
                # It may have been opened to lose a race, and idle from then on: bytes are waited for from all.
                self.accept()
                continue
            self.current = connection
            if not connection.reader.has_bytes():
                connection.close()
                continue
            is_new = connection.reader.head is None
            self.head, self.body = connection.reader.read()
            return is_new

    def has_request(self):
        """A request waits that no step has read."""
        while select.select([self.listener], [], [], 0)[0]:
            try:
                self.accept()
            except OSError:  # it refuses
                break
        for connection in self.connections:
            if connection.is_open and select.select([connection.socket], [], [], 0)[0]:
                if connection.reader.has_bytes():
                    return True
        return False

    def stop(self):
        for connection in self.connections:
            if connection.is_open:
                connection.close()
        self.listener.close()


def pass_events(reader, provider, count):
    """A stream whose head the provider has sent: each event is sent only when the one before it has come through."""
    for number in range(count):
        event = b'data: {"choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % number
        provider.current.send_chunk(event)
        if number == 0:
            assert reader.read_head().status == 200
        got = b""
        while len(got) < len(event):
            got += reader.read_some()
        assert got == event
    provider.current.send_chunk(b"data: [DONE]\n\n")
    provider.current.send(b"0\r\n\r\n")
    assert reader.read_rest() == b"data: [DONE]\n\n"
