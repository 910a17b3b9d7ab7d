"""What clients may not do on an HTTP/2 connection (RFC 9113), as raw frames with the error code that has to come: the
parts of h2spec's generic, HPACK and HTTP/2 sections that a server can be asked."""

import json
import socket
import struct

import pytest

from gateway import Gateway
from wire import Reader

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 32
PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, COMPRESSION, CALM = 1, 3, 5, 6, 7, 9, 11
CONFIG = 'providers:\n  a: { endpoint: "http://127.0.0.1:9/v1", models: [m] }\n'


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A field that is not to be indexed, without Huffman codes (RFC 7541 §6.2.2)."""
    name, value = name.encode(), value.encode()
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def fields(*more, method="GET", path="/livez", scheme="http", authority="localhost"):
    given = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
    return b"".join(literal(name, value) for name, value in given if value is not None) + b"".join(
        literal(*field) for field in more
    )


GET = fields()
POST = fields(method="POST", path="/v1/chat/completions")


def get(stream=1, block=GET, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block)


def open_post(stream=1, *more):
    return frame(HEADERS, END_HEADERS, stream, POST + b"".join(literal(*field) for field in more))


class Client:
    def __init__(self, at):
        self.socket = at.connect()
        self.buffer = b""
        self.socket.sendall(PREFACE + frame(SETTINGS))

    def send(self, *frames):
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:
            pass

    def read(self):
        """The next frame; None: the connection has ended."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                piece = self.socket.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                return None
            self.buffer += piece
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9 : 9 + size], self.buffer[9 + size :]
        return kind, flags, stream, payload

    def outcome(self):
        """The first word on what was wrong: ("connection", code), ("stream", code), or ("status", stream)."""
        while got := self.read():
            kind, _, stream, payload = got
            if kind == GOAWAY:
                return "connection", struct.unpack(">I", payload[4:8])[0]
            if kind == RST:
                return "stream", struct.unpack(">I", payload)[0]
            if kind == HEADERS:
                return "answer", stream
            if kind == PING:
                return "pong", payload
        return "connection", None


@pytest.fixture(scope="module")
def at(request):
    gateway = Gateway(CONFIG)
    yield gateway
    gateway.stop()


def connection(code):
    return "connection", code


def stream(code):
    return "stream", code


ANSWER = ("answer", 1)
TABLE = {
    # 3, 4: starting, frames
    "a request": (get(), ANSWER),
    "unknown frame types are ignored": (frame(0x16, 0, 0, b"12345678") + get(), ANSWER),
    "undefined flags are ignored": (frame(PING, 0x16, 0, b"12345678"), ("pong", b"12345678")),
    "the reserved bit is ignored": (frame(PING, 0, 1 << 31, b"12345678"), ("pong", b"12345678")),
    "DATA beyond SETTINGS_MAX_FRAME_SIZE": (open_post() + frame(DATA, 0, 1, b"x" * 16385), connection(SIZE)),
    "HEADERS beyond it": (frame(HEADERS, 5, 1, b"x" * 16385), connection(SIZE)),
    # 4.3: field section compression
    "a block that cannot be decoded": (get(block=b"\x40"), connection(COMPRESSION)),
    "an index beyond the tables": (get(block=GET + b"\xff\x80\x01"), connection(COMPRESSION)),
    "index 0": (get(block=GET + b"\x80"), connection(COMPRESSION)),
    "a table size beyond the bound": (get(block=b"\x3f\xe1\x7f" + GET), connection(COMPRESSION)),
    "a table size behind a field": (get(block=GET + b"\x20"), connection(COMPRESSION)),
    "Huffman padding of more than 7 bits": (get(block=GET + b"\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"), connection(COMPRESSION)),
    "PRIORITY inside a block": (frame(HEADERS, END_STREAM, 1, GET) + frame(PRIORITY, 0, 1, b"\0\0\0\0\1"), connection(PROTOCOL)),
    "another stream's HEADERS inside a block": (frame(HEADERS, END_STREAM, 1, GET) + get(3), connection(PROTOCOL)),
    # 5.1: stream states
    "idle: DATA": (frame(DATA, END_STREAM, 1, b"x"), connection(PROTOCOL)),
    "idle: RST_STREAM": (frame(RST, 0, 1, b"\0\0\0\x08"), connection(PROTOCOL)),
    "idle: WINDOW_UPDATE": (frame(WINDOW, 0, 1, b"\0\0\0\x64"), connection(PROTOCOL)),
    "idle: CONTINUATION": (frame(CONTINUATION, END_HEADERS, 1, GET), connection(PROTOCOL)),
    "half-closed: DATA": (
        frame(HEADERS, 5, 1, fields(path="/v1/chat/completions")) + frame(DATA, END_STREAM, 1, b"x"),
        (stream(CLOSED), connection(CLOSED), ANSWER),
    ),
    "half-closed: HEADERS": (get() + get(), (stream(CLOSED), connection(CLOSED), ANSWER)),
    "closed: HEADERS are overlooked": (
        open_post() + frame(RST, 0, 1, b"\0\0\0\x08") + get() + frame(PING, 0, 0, b"12345678"), ("pong", b"12345678"),
    ),
    "an even stream": (get(2), connection(PROTOCOL)),
    "a smaller stream": (get(5) + get(3), (connection(PROTOCOL), ("answer", 5))),
    # 6: frames
    "DATA on stream 0": (frame(DATA, 0, 0, b"x"), connection(PROTOCOL)),
    "DATA with too much padding": (open_post() + frame(DATA, PADDED | END_STREAM, 1, b"\x05ab"), connection(PROTOCOL)),
    "HEADERS on stream 0": (get(0), connection(PROTOCOL)),
    "HEADERS with too much padding": (frame(HEADERS, 5 | PADDED, 1, b"\xff" + GET), connection(PROTOCOL)),
    "HEADERS with padding": (frame(HEADERS, 5 | PADDED, 1, b"\x03" + GET + b"\0\0\0"), ANSWER),
    "HEADERS with a priority": (frame(HEADERS, 5 | PRIO, 1, b"\0\0\0\0\x0f" + GET), ANSWER),
    "PRIORITY on stream 0": (frame(PRIORITY, 0, 0, b"\0\0\0\0\1"), connection(PROTOCOL)),
    "PRIORITY of another length": (frame(PRIORITY, 0, 1, b"\0\0\0\0"), (stream(SIZE), connection(SIZE))),
    "RST_STREAM on stream 0": (frame(RST, 0, 0, b"\0\0\0\x08"), connection(PROTOCOL)),
    "RST_STREAM of another length": (open_post() + frame(RST, 0, 1, b"\0\0\x08"), connection(SIZE)),
    "SETTINGS ACK with a payload": (frame(SETTINGS, ACK, 0, b"\0\0\0\0\0\0"), connection(SIZE)),
    "SETTINGS on a stream": (frame(SETTINGS, 0, 1), connection(PROTOCOL)),
    "SETTINGS of another length": (frame(SETTINGS, 0, 0, b"\0\x03\0"), connection(SIZE)),
    "ENABLE_PUSH of 2": (frame(SETTINGS, 0, 0, b"\0\x02\0\0\0\x02"), connection(PROTOCOL)),
    "INITIAL_WINDOW_SIZE beyond 2^31-1": (frame(SETTINGS, 0, 0, b"\0\x04\x80\0\0\0"), connection(FLOW)),
    "MAX_FRAME_SIZE below 2^14": (frame(SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff"), connection(PROTOCOL)),
    "MAX_FRAME_SIZE beyond 2^24-1": (frame(SETTINGS, 0, 0, b"\0\x05\x01\0\0\0"), connection(PROTOCOL)),
    "an unknown setting": (frame(SETTINGS, 0, 0, b"\0\xff\0\0\0\1") + get(), ANSWER),
    "PUSH_PROMISE": (frame(PUSH, END_HEADERS, 1, b"\0\0\0\2" + GET), connection(PROTOCOL)),
    "PING on a stream": (frame(PING, 0, 1, b"12345678"), connection(PROTOCOL)),
    "PING of another length": (frame(PING, 0, 0, b"123456"), connection(SIZE)),
    "PING ACK is no question": (frame(PING, ACK, 0, b"invalid!") + frame(PING, 0, 0, b"12345678"), ("pong", b"12345678")),
    "GOAWAY on a stream": (frame(GOAWAY, 0, 1, b"\0" * 8), connection(PROTOCOL)),
    "WINDOW_UPDATE of 0": (frame(WINDOW, 0, 0, b"\0" * 4), connection(PROTOCOL)),
    "WINDOW_UPDATE of 0 on a stream": (open_post() + frame(WINDOW, 0, 1, b"\0" * 4), (stream(PROTOCOL), connection(PROTOCOL))),
    "WINDOW_UPDATE of another length": (frame(WINDOW, 0, 0, b"\0\0\1"), connection(SIZE)),
    "a window beyond 2^31-1": (frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2, connection(FLOW)),
    "a stream's window beyond 2^31-1": (open_post() + frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff") * 2, stream(FLOW)),
    "CONTINUATION": (frame(HEADERS, END_STREAM, 1, GET[:10]) + frame(CONTINUATION, END_HEADERS, 1, GET[10:]), ANSWER),
    "CONTINUATION on stream 0": (frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 4, 0, b""), connection(PROTOCOL)),
    "CONTINUATION behind END_HEADERS": (get(flags=END_HEADERS) + frame(CONTINUATION, 4, 1, b""), connection(PROTOCOL)),
    "CONTINUATION behind DATA": (open_post() + frame(DATA, 0, 1, b"x") + frame(CONTINUATION, 4, 1, b""), connection(PROTOCOL)),
    # 8.1, 8.2, 8.3: requests
    "an upper-case name": (get(block=fields(("X-Test", "a"))), stream(PROTOCOL)),
    "an unknown pseudo-header field": (get(block=fields((":test", "a"))), stream(PROTOCOL)),
    "an answer's pseudo-header field": (get(block=fields((":status", "200"))), stream(PROTOCOL)),
    "a pseudo-header field behind others": (get(block=literal("x", "y") + GET), stream(PROTOCOL)),
    "a pseudo-header field in trailers": (
        open_post() + frame(HEADERS, 5, 1, literal(":method", "GET")), stream(PROTOCOL),
    ),
    "trailers without END_STREAM": (open_post() + frame(HEADERS, 4, 1, literal("x", "y")), (stream(PROTOCOL), connection(PROTOCOL))),
    "connection": (get(block=fields(("connection", "keep-alive"))), stream(PROTOCOL)),
    "transfer-encoding": (get(block=fields(("transfer-encoding", "chunked"))), stream(PROTOCOL)),
    "te of something else than trailers": (get(block=fields(("te", "gzip"))), stream(PROTOCOL)),
    "te: trailers": (get(block=fields(("te", "trailers"))), ANSWER),
    "an empty path": (get(block=fields(path="")), stream(PROTOCOL)),
    "no method": (get(block=fields(method=None)), stream(PROTOCOL)),
    "no scheme": (get(block=fields(scheme=None)), stream(PROTOCOL)),
    "no path": (get(block=fields(path=None)), stream(PROTOCOL)),
    "a method twice": (get(block=literal(":method", "GET") + GET), stream(PROTOCOL)),
    "a path twice": (get(block=literal(":path", "/") + GET), stream(PROTOCOL)),
    "a line end in a value": (get(block=fields(("x", "a\r\nb: c"))), stream(PROTOCOL)),
    "a NUL in a value": (get(block=fields(("x", "a\0b"))), stream(PROTOCOL)),
    "a content-length that is not the body's": (
        open_post(1, ("content-length", "1")) + frame(DATA, END_STREAM, 1, b"two"), stream(PROTOCOL),
    ),
    "a content-length and no body": (get(block=fields(("content-length", "1"))), stream(PROTOCOL)),
    # 8.5, RFC 8441: tunnels
    "CONNECT": (get(block=fields(method="CONNECT", scheme=None, path=None)), ANSWER),
    "CONNECT with a path": (get(block=fields(method="CONNECT")), stream(PROTOCOL)),
    "a WebSocket, which was not offered": (
        open_post(1) + frame(HEADERS, END_HEADERS, 3, fields((":protocol", "websocket"), method="CONNECT", path="/v1/realtime?model=m")),
        stream(PROTOCOL),
    ),
    # 10.5: what costs
    "more CONTINUATION frames than a head has use for": (
        frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 0, 1, b"") * 100, (connection(CALM), connection(None)),
    ),
    "a head beyond all measure": (
        b"".join([frame(HEADERS, END_STREAM, 1, GET)] + [frame(CONTINUATION, 0, 1, literal("x", "y" * 120) * 120) for _ in range(12)]),
        (connection(CALM), connection(None)),
    ),
    "one field a thousand times by its index": (
        get(block=GET + b"\x40\x01x\x7f\x00" + b"y" * 127 + b"\xbe" * 3000), (connection(CALM), connection(None)),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_frames(at, name):
    sent, expected = TABLE[name]
    client = Client(at)
    client.send(sent)
    client.socket.settimeout(10)
    found = client.outcome()
    assert found == expected or found in (expected if isinstance(expected[0], tuple) else ()), found


def test_a_preface_that_is_none(at):
    for data in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: x\r\n\r\n"):
        with at.connect() as connection:
            connection.sendall(data)
            head, body = Reader(connection).read()
            assert head.status in (400, 505) and json.loads(body)["error"]
    # The preface is a connection's first word (RFC 9113 §3.4).
    with at.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reader = Reader(connection)
        assert reader.read()[0].status == 200
        connection.sendall(PREFACE)
        assert reader.read()[0].status == 505


def test_a_preface_in_pieces(at):
    connection = at.connect()
    for at_byte in range(len(PREFACE)):
        connection.sendall(PREFACE[at_byte : at_byte + 1])
    client = Client.__new__(Client)
    client.socket, client.buffer = connection, b""
    client.send(frame(SETTINGS), get())
    assert client.outcome() == ANSWER


def test_settings_come_first_and_are_acknowledged(at):
    client = Client(at)
    kind, flags, number, payload = client.read()
    assert (kind, flags, number) == (SETTINGS, 0, 0)
    settings = dict(struct.iter_unpack(">HI", payload))
    assert settings[3] == 100 and settings[6] == 32768 and settings[9] == 1
    # SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3): with it browsers would bring their WebSockets here.
    assert 8 not in settings
    while (got := client.read())[:2] != (SETTINGS, ACK):
        assert got


def test_what_floods(at):
    """Resets and frames that bring nothing are counted; other clients do not notice."""
    floods = {
        "resets": lambda i: get(i * 2 + 1, block=POST, flags=END_HEADERS) + frame(RST, 0, i * 2 + 1, b"\0\0\0\x08"),
        "PING": lambda i: frame(PING, 0, 0, b"12345678"),
        "SETTINGS": lambda i: frame(SETTINGS),
        "PRIORITY": lambda i: frame(PRIORITY, 0, 1, b"\0\0\0\0\1"),
        "empty DATA": lambda i: frame(DATA, 0, 1) if i else open_post(),
    }
    for name, make in floods.items():
        client = Client(at)
        client.socket.settimeout(10)
        for first in range(0, 4000, 100):
            client.send(*(make(i) for i in range(first, first + 100)))
        while (found := client.outcome())[0] in ("pong", "answer"):
            pass
        assert found in (connection(CALM), connection(None)), (name, found)
    ok = Client(at)
    ok.send(get())
    assert ok.outcome() == ANSWER


@pytest.mark.parametrize("has_agreed", [False, True])
def test_more_streams_than_agreed(at, has_agreed):
    """Who does not know the bound yet gets that stream back, which it may send again; who has acknowledged it has no
    excuse, and may be sent away (RFC 9113 §5.1.2, §5.4.2)."""
    client = Client(at)
    if has_agreed:
        while (got := client.read())[:2] != (SETTINGS, ACK):
            assert got
        client.send(frame(SETTINGS, ACK))
    client.send(*(open_post(i * 2 + 1) for i in range(101)))
    if has_agreed:
        assert client.outcome() == connection(PROTOCOL)
        return
    while (got := client.read())[0] != RST:
        assert got[0] in (SETTINGS, WINDOW)
    assert got[2:] == (201, b"\0\0\0\x07")
    # The hundred others go on, and so does the connection.
    client.send(frame(RST, 0, 1, b"\0\0\0\x08"), get(203))
    assert client.outcome() == ("answer", 203)


def test_a_client_that_does_not_read(at):
    """What waits for it has a bound, also where each frame asks for an answer: it is sent away long before that is memory."""
    before = at.status("VmRSS")
    client = Client(at)
    sent = 0
    with pytest.raises(OSError):
        while sent < 1 << 20:
            client.socket.sendall(b"".join(get(i * 2 + 1, block=fields(("X", "y"))) for i in range(sent, sent + 1000)))
            sent += 1000
    assert at.status("VmRSS") - before < 16 << 20
    ok = Client(at)
    ok.send(get())
    assert ok.outcome() == ANSWER


def test_heads_of_a_few_bytes(at):
    """An index of one byte stands for a field of kilobytes (RFC 7541 §6.1): connections do not keep what such heads took."""
    block = GET + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    before = at.status("VmRSS")
    clients = []
    for _ in range(30):
        client = Client(at)
        client.send(get(1, block), *(get(i * 2 + 1, GET + b"\xbe" * 7) for i in range(1, 100)))
        answers = 0
        while answers < 100:
            answers += client.read()[0] == HEADERS
        clients.append(client)
    # They would keep 3 MB each.
    assert at.status("VmRSS") - before < 24 << 20


def test_a_head_that_is_too_large(at):
    client = Client(at)
    block = GET + literal("x", "y" * 120) * 300
    client.send(frame(HEADERS, END_STREAM, 1, block[:16000]), frame(CONTINUATION, 0, 1, block[16000:32000]), frame(CONTINUATION, END_HEADERS, 1, block[32000:]))
    assert client.outcome() == ANSWER
    kind, _, _, payload = client.read()
    assert kind == DATA and json.loads(payload)["error"]["code"] == "header_too_large"
