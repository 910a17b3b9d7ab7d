"""What a provider should never say on an HTTP/2 connection (RFC 9113), as raw frames: it costs the attempt, not the client,
and nothing crashes."""

import contextlib
import socket
import struct
import threading

import pytest

from gateway import DEADLINE, Gateway, eventually
from test_http2_frames import ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY
from test_http2_frames import PUSH, RST, SETTINGS, WINDOW, frame, literal
from wire import Provider, Reader, post

BODY = b'{"id":"a"}'
TYPE = literal("content-type", "application/json")


def number(value):
    return struct.pack(">I", value)


def head(to, status="200", more=b"", flags=0):
    return frame(HEADERS, END_HEADERS | flags, to, literal(":status", status) + TYPE + more)


def data(to, body=BODY, flags=END_STREAM):
    return frame(DATA, flags, to, body)


def whole(to, **options):
    return head(to, **options) + data(to)


def big(name, size):
    """A field of that size, which stays in the table (RFC 7541 §6.2.1)."""
    name, rest = name.encode(), size - 127
    length = b"\x7f"
    while rest > 127:
        length, rest = length + bytes([rest & 127 | 128]), rest >> 7
    return b"\x40" + bytes([len(name)]) + name + length + bytes([rest]) + b"z" * size


# What is said on the stream `to`.
TAKEN = {
    "an answer": lambda to: whole(to),
    "an interim head": lambda to: head(to, "103") + whole(to),
    "trailers": lambda to: head(to) + data(to, flags=0) + frame(HEADERS, 5, to, literal("x-t", "y")),
    "padding": lambda to: head(to) + frame(DATA, END_STREAM | PADDED, to, b"\x09" + BODY + bytes(9)),
    "frames of unknown kinds": lambda to: frame(77, 255, to, b"x" * 100) * 1000 + whole(to),
    "ALTSVC": lambda to: frame(10, 0, 0, b"\0\1ah2") + whole(to),
    "the largest settings": lambda to: frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff\0\1\xff\xff\xff\xff\0\5\0\xff\xff\xff") + whole(to),
    "an empty DATA frame": lambda to: head(to) + data(to, b"", 0) + data(to),
    "a byte a frame": lambda to: head(to) + b"".join(data(to, bytes([b]), 0) for b in BODY) + data(to, b""),
}
REFUSED = {
    **{f"status {status}": lambda to, status=status: whole(to, status=status)
       for status in ("000", "099", "0", "20", "1000", "abc", "101", "+20")},
    "no status": lambda to: frame(HEADERS, END_HEADERS, to, literal("x", "y")) + data(to),
    "two statuses": lambda to: whole(to, more=literal(":status", "200")),
    "a request's fields": lambda to: whole(to, more=literal(":path", "/")),
    "a body without a head": data,
    "an interim head that ends": lambda to: head(to, "103", flags=END_STREAM),
    "a name that looks like a status line": lambda to: whole(to, more=literal("HTTP/1.1", "100")),
    "a line end in a value": lambda to: whole(to, more=literal("x", "a\r\nset-cookie: b\r\n\r\n")),
    "NUL in a value": lambda to: whole(to, more=literal("x", "a\0b")),
    "a connection's field": lambda to: whole(to, more=literal("transfer-encoding", "chunked")),
    **{f"a length of {length}": lambda to, length=length: whole(to, more=literal("content-length", length))
       for length in ("5", "50", "-1", "9223372036854775807", "9223372036854775808")},
    "a length where no body is": lambda to: whole(to, status="204", more=literal("content-length", "10")),
    "two heads": lambda to: head(to) + whole(to),
    "a status behind the body": lambda to: head(to) + data(to, flags=0) + head(to, "500", flags=END_STREAM),
    "a head that is too long": lambda to: whole(to, more=b"".join(big(f"x{k}", 3000) for k in range(5)) + b"\xbe" * 20),
    "heads of a few bytes": lambda to: head(to, "103", big("x", 3900)) + frame(HEADERS, END_HEADERS, to, b"\xbe" * 7) * 2000,
    "CONTINUATION without end": lambda to: frame(HEADERS, 0, to) + frame(CONTINUATION, 0, to) * 20_000,
    "PING without end": lambda to: frame(PING, 0, 0, bytes(8)) * 20_000,
    "SETTINGS without end": lambda to: frame(SETTINGS) * 20_000,
    "a window that is too large": lambda to: frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0") + whole(to),
    "windows that add up to too much": lambda to: frame(WINDOW, 0, 0, number(2**31 - 1)) + whole(to),
    "a push": lambda to: frame(PUSH, END_HEADERS, to, number(2) + literal(":method", "GET")) + whole(to),
    "another stream": lambda to: whole(to + 2),
    "a server's stream": lambda to: whole(2),
    "more than a frame may hold": lambda to: data(to, b"x" * 20_000),
    "padding beyond the frame": lambda to: head(to) + frame(DATA, END_STREAM | PADDED, to, b"\xff" + BODY),
    "PRIORITY inside a head": lambda to: frame(HEADERS, 0, to, literal(":status", "200")) + frame(PRIORITY, 0, to, b"\0\0\0\0\1"),
    "a block that cannot be decoded": lambda to: frame(HEADERS, END_HEADERS, to, b"\x40"),
    "a reset behind the body": lambda to: head(to) + data(to, flags=0) + frame(RST, 0, to, number(0)),
    "a reset with an unknown code": lambda to: frame(RST, 0, to, number(2**32 - 1)),
    "refused": lambda to: frame(RST, 0, to, number(7)),
    "GOAWAY before it": lambda to: frame(GOAWAY, 0, 0, number(0) + number(11) + b"\x1b[31m\n" * 1000),
    "HTTP/1.1": lambda to: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


class Odd:
    """A provider that speaks HTTP/2 without TLS and says the same to every request."""

    def __init__(self, said):
        self.said = said
        self.connections = self.ended = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                connection.settimeout(DEADLINE)
                threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        got = b""

        def read(count):
            nonlocal got
            while len(got) < count:
                piece = connection.recv(65536)
                if not piece:
                    raise OSError
                got += piece
            taken, got = got[:count], got[count:]
            return taken

        with contextlib.suppress(OSError), connection:
            assert read(len(PREFACE)) == PREFACE
            connection.sendall(frame(SETTINGS))
            while True:
                size = read(9)
                kind, flags, stream = size[3], size[4], int.from_bytes(size[5:], "big")
                read(int.from_bytes(size[:3], "big"))
                if kind == SETTINGS and not flags & ACK:
                    connection.sendall(frame(SETTINGS, ACK))
                elif kind in (HEADERS, DATA) and flags & END_STREAM:
                    connection.sendall(self.said(stream))
        self.ended += 1

    def stop(self):
        self.listener.close()


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("name", [*TAKEN, *REFUSED])
def test_odd_frames(start, name, stream):
    odd, good = start(Odd, {**TAKEN, **REFUSED}[name]), start(Provider)
    at = start(Gateway, f"""providers:
  a: {{ type: openai, endpoint: "http://{odd.address}/v1", http: 2, models: [m] }}
  b: {good.entry(1)}
""")
    reader = Reader(at.connect())
    reader.socket.sendall(post(f'{{"model":"m","stream":{stream},"messages":[]}}'))
    if name in REFUSED:
        good.read()
        good.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n" + BODY)
    answer, got = reader.read()
    assert answer.status == 200 and answer["x-synaxis-provider"] == ("b" if name in REFUSED else "a") and got == BODY


@pytest.mark.parametrize("when", ["with", "behind"])
def test_connections_without_streams(start, when):
    """Who lets a connection have no further streams makes every request need a new one: the old ones do not stay."""
    none = frame(SETTINGS, 0, 0, b"\0\3" + number(0))
    odd = start(Odd, lambda to: none + whole(to) if when == "with" else whole(to) + none)
    at = start(Gateway, f'providers:\n  a: {{ type: openai, endpoint: "http://{odd.address}/v1", http: 2, models: [m] }}\n')
    for asked in range(1, 11):
        reader = Reader(at.connect())
        reader.socket.sendall(post('{"model":"m","messages":[]}'))
        assert reader.read()[1] == BODY
        reader.socket.close()
        eventually(lambda: odd.ended == asked, f"connection {asked} of {odd.connections} ends")
