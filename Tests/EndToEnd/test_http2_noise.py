"""Connections of HTTP/2 on which anything may come: frames in an order that is right for a while, bytes changed on the way,
pieces of any size, and an end at any time. Whatever it is, the process lives and does not grow, nobody else notices, and
each request ends once."""

import random
import select
import socket
import ssl
import threading

import pytest

from gateway import DEADLINE, IS_EMULATED, Gateway, eventually, fields, split_address
from test_http2_frames import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, PUSH, RST
from test_http2_frames import CONTINUATION, SETTINGS, WINDOW, fields as request_fields, frame, literal
from wire import Reader, post, tls_context

ROUNDS = 6 if IS_EMULATED else 25
BODY = b'{"model":"m","stream":%s,"messages":[]}'
# What the process may grow by: buffers of a few connections.
GROWTH = 24 << 20


class Noise:
    """What one side says. `asked`: streams that a server has been asked something on."""

    def __init__(self, seed, asked=None):
        self.dice = random.Random(seed)
        self.is_server = asked is not None
        self.unanswered = list(asked or [])
        self.open = []
        self.next = 1

    def number(self, *values):
        return self.dice.choice(values).to_bytes(4, "big")

    def stream(self):
        if not self.open or self.dice.random() < 0.01:
            return self.dice.choice([0, 1, 2, self.next, (1 << 31) - 1])
        return self.dice.choice(self.open)

    def whole(self):
        """A request or an answer as it should be."""
        stream = b"true" if self.dice.random() < 0.5 else b"false"
        if not self.is_server:
            to, self.next = self.next, self.next + 2
            head = request_fields(method="POST", path="/v1/chat/completions")
            return frame(HEADERS, END_HEADERS, to, head) + frame(DATA, END_STREAM, to, BODY % stream)
        if not self.unanswered:
            return b""
        to = self.unanswered.pop(0)
        head = literal(":status", "200") + literal("content-type", "application/json")
        return frame(HEADERS, END_HEADERS, to, head) + frame(DATA, END_STREAM, to, b'{"choices":[{"message":{"content":"a"}}]}')

    def close(self, stream):
        if stream in self.open:
            self.open.remove(stream)
        return stream

    def head(self):
        ends = self.dice.random() < 0.4
        if self.is_server:
            if not self.unanswered:
                return frame(HEADERS, END_HEADERS | END_STREAM, self.close(self.stream()), literal("x", "y"))
            to, status = self.unanswered[0], self.dice.choice(["200", "200", "404", "500", "103", "100"])
            block = literal(":status", status) + literal("content-type", self.dice.choice(["application/json", "text/event-stream"]))
            ends = ends and status[0] != "1"
            if status[0] != "1":
                self.unanswered.pop(0)
        else:
            to, self.next = self.next, self.next + 2
            path = self.dice.choice(["/v1/chat/completions", "/v1/embeddings", "/livez", "/metrics", "/v1/models", "/x", "/providers/a/y"])
            block = request_fields(method=self.dice.choice(["POST", "POST", "GET"]), path=path)
        if self.dice.random() < 0.1:
            block += literal("content-length", str(self.dice.randrange(60)))
        if self.dice.random() < 0.1:
            block += b"\x40\x01x" + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * self.dice.randrange(9)
        if not ends and (not self.is_server or status[0] != "1"):
            self.open.append(to)
        if self.dice.random() < 0.8:
            return frame(HEADERS, END_HEADERS | ends, to, block)
        at = self.dice.randrange(len(block))
        return frame(HEADERS, ends, to, block[:at]) + frame(CONTINUATION, END_HEADERS, to, block[at:])

    def data(self):
        if not self.open:
            return self.head()
        to, ends = self.stream(), self.dice.random() < 0.4
        payload = self.dice.choice([
            BODY % b"true", BODY % b"false", b"", b"x" * self.dice.randrange(16000), b'{"choices":[{"message":{"content":"a"}}]}',
            b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b"data: [DONE]\n\n",
        ])
        if ends:
            self.close(to)
        if self.dice.random() < 0.1:
            return frame(DATA, PADDED | ends, to, b"\x03" + payload + bytes(3))
        return frame(DATA, END_STREAM if ends else 0, to, payload)

    def other(self):
        match self.dice.randrange(6 if self.open else 4):
            case 0: return frame(PING, self.dice.randrange(2), 0, b"12345678")
            case 1:
                setting, values = self.dice.choice([(1, (0, 100, 4096)), (3, (0, 1, 100)), (4, (0, 99, 65535)), (5, (16384, 99999)), (6, (1, 99999))])
                return frame(SETTINGS, 0, 0, bytes([0, setting]) + self.number(*values))
            case 2: return frame(WINDOW, 0, 0, self.number(1, 1000, 65535))
            case 3: return frame(self.dice.randrange(10, 256), self.dice.randrange(256), self.stream(), self.dice.randbytes(20))
            case 4: return frame(WINDOW, 0, self.stream(), self.number(1, 1000, 65535))
            case _: return frame(RST, 0, self.close(self.stream()), self.number(0, 1, 7, 8))

    def wild(self):
        match self.dice.randrange(6):
            case 0: return frame(PRIORITY, 0, self.stream(), b"\0\0\0\0\1") + frame(SETTINGS, ACK)
            case 1: return frame(GOAWAY, 0, 0, self.number(0, 1, 2**31 - 1) + self.number(0, 1))
            case 2: return frame(PUSH, END_HEADERS, self.stream(), b"\0\0\0\2" + self.dice.randbytes(9))
            case 3: return frame(WINDOW, 0, self.stream(), self.number(0, 2**31 - 1))
            case 4: return frame(HEADERS, 5, self.next, self.dice.randbytes(40))
            case _: return frame(self.dice.randrange(12), self.dice.randrange(256), self.stream(), self.dice.randbytes(30))

    def bytes(self):
        kinds = [self.whole, self.head, self.data, self.other, self.wild]
        count = self.dice.randrange(80)
        said = frame(SETTINGS) + b"".join(self.dice.choices(kinds, [4, 3, 6, 4, 0.2])[0]() for _ in range(count))
        if self.dice.random() < 0.3:
            changed = bytearray(said)
            for _ in range(self.dice.randrange(1, 6)):
                changed[self.dice.randrange(len(changed))] = self.dice.randrange(256)
            said = bytes(changed)
        return said

    def say(self, connection):
        """In pieces, reading what comes meanwhile, or not; then it leaves, or waits to be left."""
        said, reads = self.bytes(), self.dice.random() < 0.7
        connection.settimeout(0.5)
        try:
            while said:
                size = self.dice.choice([2, 9, 100, 5000, 100000])
                connection.sendall(said[:size])
                said = said[size:]
                while reads and select.select([connection], [], [], 0)[0]:
                    if not connection.recv(1 << 16):
                        return
            if self.dice.random() < 0.3:
                while connection.recv(1 << 16):
                    pass
        except OSError:
            pass


def figures(at):
    """Exchanges under way, and clients' connections besides the one that asks."""
    connection = at.connect()
    with connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n")
        text = Reader(connection).read()[1].decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    return sum(float(value) for name, value in lines.items() if name.startswith("synaxis_exchanges_in_flight"))


def ends_once(at):
    """Nothing is under way, and each exchange has one line: how many."""
    eventually(lambda: figures(at) == 0, "nothing is under way")
    # The log's last line.
    with at.connect() as connection:
        connection.sendall(b"GET /the-last-page HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert Reader(connection).read()[0].status == 404
    at.line(lambda text: "path=/the-last-page" in text)
    ids = [fields(line)["id"] for line in at.lines if line and "msg=exchange " in line]
    assert len(ids) == len(set(ids))
    return len(ids)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_secure", [False, True])
def test_clients(start, mock, certificate, seed, is_secure):
    listen = f", {{ address: '[::1]:0', tls: {{ cert: {certificate} }} }}" if is_secure else ""
    entry = mock("--chunks 4 --gap-ms 1").provider(more=", raw: true")
    at = start(Gateway, f"listen: [127.0.0.1:0{listen}]\nadmin: {{ token: t }}\ncache: {{ enabled: true }}\nproviders:\n  a: {entry}\n")
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["h2"])
    context.check_hostname = False
    place = split_address(at.addresses[-1])
    before = None
    for number in range(ROUNDS):
        plain = socket.create_connection(place, DEADLINE)
        connection = context.wrap_socket(plain) if is_secure else plain
        with connection:
            try:
                connection.sendall(PREFACE)
                Noise(seed * 1000 + number).say(connection)
            except OSError:
                pass
        # Nobody else notices.
        with at.connect() as other:
            other.sendall(post((BODY % b"false").decode(), more="Cache-Control: no-store\r\n"))
            assert Reader(other).read()[0].status == 200
        before = before or at.status("VmRSS")
    # The noise has asked something too.
    assert ends_once(at) > ROUNDS
    assert at.status("VmRSS") - before < GROWTH


class NoisyProvider(threading.Thread):
    """Accepts, hears what is asked, and says anything."""

    def __init__(self, seed, context=None):
        super().__init__(daemon=True)
        self.seed, self.context, self.count = seed, context, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                plain = self.listener.accept()[0]
            except OSError:
                return
            self.count += 1
            dice = random.Random(self.seed * 1000 + self.count)
            try:
                plain.settimeout(1)
                with self.context.wrap_socket(plain, server_side=True) if self.context else plain as connection:
                    if dice.random() < 0.9:
                        connection.recv(1 << 16)
                    Noise(dice.random(), [1, 3, 5]).say(connection)
            except OSError:
                plain.close()

    def stop(self):
        self.listener.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_secure", [False, True])
def test_providers(start, mock, certificate, seed, is_secure):
    """Whatever a provider says, its clients are answered, by it or by the one behind it."""
    context = tls_context(certificate) if is_secure else None
    if context:
        context.set_alpn_protocols(["h2"])
    noisy = start(NoisyProvider, seed, context)
    tls = f", tls: {{ ca_file: {certificate} }}" if is_secure else ""
    entry = f'{{ endpoint: "http{"s" if is_secure else ""}://{noisy.address}/v1", models: [m], http: 2{tls} }}'
    behind = mock("--chunks 4").provider(tier=1)
    at = start(Gateway, f"admin: {{ token: t }}\ntimeouts: {{ first_token: 1s, stream_idle: 1s }}\nproviders:\n  a: {entry}\n  b: {behind}\n")
    before, seen = None, 0
    for number in range(ROUNDS):
        clients = [at.connect() for _ in range(3)]
        for place, client in enumerate(clients):
            client.sendall(post((BODY % [b"true", b"false"][place % 2]).decode()))
        for client in clients:
            with client:
                head = Reader(client).read_head()
                assert head["x-request-id"] and head["x-synaxis-provider"]
                seen += "a=" in head["x-synaxis-attempts"]
        with at.connect() as operator:
            operator.sendall(b"POST /admin/providers/a/reset HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\nContent-Length: 0\r\n\r\n")
            assert Reader(operator).read()[0].status == 200
        before = before or at.status("VmRSS")
    assert ends_once(at) == ROUNDS * 3 and seen > ROUNDS and noisy.count > ROUNDS // 4
    assert at.status("VmRSS") - before < GROWTH
