"""WebSockets: routed and failed over like a request until a provider agrees, then a pipe."""

import json
import os
import signal
import struct
import threading
import time

import pytest
import websockets.exceptions
import websockets.sync.client
from openai import OpenAI

from gateway import DEADLINE, Gateway, eventually
from websocket_peers import KEY, MEMORY, Echo, accept, agreed, answer, connect, frame, one, upgrade
from wire import Provider, Reader, reset, tls_context


@pytest.mark.parametrize("kind", ["http", "https"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_both_ways(start, certificate, kind, compression):
    """Of all sizes, with and without the extension that compresses; pings and the closing pass."""
    tls = None
    if kind == "https":
        tls = tls_context(certificate)
        tls.set_alpn_protocols(["h2", "http/1.1"])
    echo = start(Echo, tls, compression=compression)
    at = one(start, echo, scheme=kind, more=f", tls: {{ ca_file: {certificate} }}" if tls else "")
    with connect(at, compression=compression) as client:
        assert (client.response.headers.get("sec-websocket-extensions") is not None) == (compression is not None)
        for size in (0, 1, 125, 126, 65535, 65536, 3 << 20):
            message = os.urandom(size)
            client.send(message)
            assert client.recv(DEADLINE) == message
        client.send("text")
        assert client.recv(DEADLINE) == "text"
        assert client.ping().wait(DEADLINE)
    request = echo.requests[0]
    assert request.path == "/v1/realtime?model=m" and request.headers["authorization"] == "Bearer secret"
    record = at.record()
    assert (record["endpoint"], record["model"], record["provider"]) == ("realtime", "m", "a")
    assert (record["status"], record["end"]) == ("101", "complete")
    assert int(record["bytes_in"]) > 3 << 20 or compression
    assert int(record["bytes_out"]) > 3 << 20 or compression


def test_the_openai_client(start):
    """realtime.connect() and responses.connect()."""

    def handle(connection):
        connection.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}))
        for message in connection:
            asked = json.loads(message)
            connection.send(json.dumps({"type": "error", "event_id": "e", "error": {"type": "x", "message": asked["type"]}}))

    echo = start(Echo, handler=handle)
    at = one(start, echo)
    client = OpenAI(base_url=f"{at.url}/v1", api_key="mine")
    with client.realtime.connect(model="m") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "instructions": "x"})
        assert connection.recv().error.message == "session.update"
    with client.responses.connect(extra_query={"model": "m"}) as connection:
        connection.recv()
        connection.response.create(input="x", model="m")
        assert connection.recv().type == "error"
    assert [request.path for request in echo.requests] == ["/v1/realtime?model=m", "/v1/responses?model=m"]
    assert [request.headers["authorization"] for request in echo.requests] == ["Bearer secret"] * 2
    assert [at.record()["endpoint"] for _ in range(2)] == ["realtime", "responses (socket)"]


def test_the_provider_s_name_of_the_model(start):
    echo = start(Echo)
    at = start(Gateway, f"providers:\n  a: {echo.entry(models='{ m: their/own name }')}\naliases: {{ voice: [a/m] }}\n")
    with connect(at, "/v1/realtime?a=b&model=voice&c") as connection:
        connection.send("x")
        connection.recv()
    assert echo.requests[0].path == "/v1/realtime?a=b&model=their%2fown%20name&c"


@pytest.mark.parametrize("offered, seen", [
    ("realtime, openai-insecure-api-key.k1, openai-beta.realtime-v1", "realtime, openai-beta.realtime-v1"),
    ("openai-insecure-api-key.k1", None),
])
def test_a_browser_s_key(start, provider, offered, seen):
    """A key among the protocols is the client's, and never reaches a provider."""
    at = start(Gateway, f"clients: [{{ name: page, key: k1 }}]\nproviders:\n  a: {provider.entry(more=', key: secret')}\n")
    reader = Reader(at.connect())
    reader.socket.sendall(upgrade(more=f"Sec-WebSocket-Protocol: {offered.replace('k1', 'wrong')}\r\n"))
    assert reader.read()[0].status == 401
    reader.socket.sendall(upgrade(more=f"Sec-WebSocket-Protocol: {offered}\r\n"))
    provider.read()
    assert provider.head["sec-websocket-protocol"] == seen and provider.head["authorization"] == "Bearer secret"
    provider.current.send(agreed(more="Sec-WebSocket-Protocol: realtime\r\n"))
    head = reader.read_head()
    assert head.status == 101 and head["sec-websocket-protocol"] == "realtime"
    assert head["sec-websocket-accept"] == accept(KEY) and head["upgrade"] == "websocket"


FAULTS = ["refuses", "503", "401", "404", "426", "200", "wrong accept", "no accept", "silent", "closes"]


@pytest.mark.parametrize("fault", FAULTS)
def test_failover(start, fault):
    """Whatever the first provider does but agree, the next one is asked, and the client knows nothing of it."""
    first, second = start(Provider), start(Echo)
    at = start(Gateway, f"timeouts: {{ stream_idle: 2s, first_token: 300ms }}\nproviders:\n  a: {first.entry()}\n  b: {second.entry(tier=1)}\n")
    if fault == "refuses":
        first.refuse()

    def fail():
        first.read()
        if fault.isdigit():
            first.current.send(answer(int(fault), b'{"error":{"message":"no"}}'))
        elif fault == "closes":
            first.current.close()
        elif fault == "wrong accept":
            first.current.send(agreed(key="AAAAAAAAAAAAAAAAAAAAAA=="))
        elif fault == "no accept":
            first.current.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    thread = threading.Thread(target=fail if fault != "refuses" else lambda: None)
    thread.start()
    with connect(at) as client:
        client.send("hello")
        assert client.recv(DEADLINE) == "hello"
        assert client.response.headers["x-synaxis-provider"] == "b"
    thread.join()
    record = at.record()
    assert record["attempts"].startswith("a=") and ", b=101;" in record["attempts"] and record["end"] == "complete"


def test_the_client_s_own_fault(start, provider):
    at = one(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(upgrade())
    provider.read()
    provider.current.send(answer(400, b'{"error":{"message":"bad session"}}'))
    head, body = reader.read()
    assert head.status == 400 and b"bad session" in body
    # The connection goes on.
    reader.socket.sendall(upgrade("/v1/realtime?model=nobody"))
    assert reader.read()[0].status == 404


def test_nobody_agrees(start, provider):
    at = one(start, provider, more=", start_wait: 0")
    reader = Reader(at.connect())
    provider.refuse()
    reader.socket.sendall(upgrade())
    head, body = reader.read()
    assert head.status == 502 and json.loads(body)["error"]["code"] == "upstream_routing_failure"


def test_an_endpoint_that_is_missing_leaves_the_others(start, provider):
    """A provider that has no socket at /v1/responses still has the requests there."""
    at = one(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(upgrade("/v1/responses?model=m"))
    provider.read()
    provider.current.send(answer(404, b'{"error":{"message":"Not Found"}}'))
    assert reader.read()[0].status == 404
    reader.socket.sendall(b'POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"model":"m"}')
    provider.read()
    provider.current.send(answer(200, b'{"id":"a"}'))
    assert reader.read()[0].status == 200


@pytest.mark.parametrize("request_, status, param", [
    (upgrade("/v1/realtime"), 400, "model"),
    (upgrade("/v1/responses"), 400, "model"),
    (upgrade("/v1/realtime?model=m&mod%65l=other"), 400, "model"),
    (upgrade(key="short"), 400, "Sec-WebSocket-Key"),
    (upgrade(version="8"), 400, "Sec-WebSocket-Version"),
    (upgrade("/v1/chat/completions?model=m"), 405, None),
    (b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: localhost\r\n\r\n", 426, None),
    (b"POST /v1/realtime?model=m HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 426, None),
    (b"GET /v1/responses?model=m HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, None),
])
def test_refused(start, provider, request_, status, param):
    at = one(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request_)
    head, body = reader.read()
    assert head.status == status and json.loads(body)["error"]["param"] == param
    assert not provider.has_request()


def test_clients(start, provider):
    """Models, rates and how many at once hold for sockets too."""
    clients = "clients:\n  - { name: a, key: k1, models: [m], concurrent: 1 }\n  - { name: b, key: k2, models: [n] }\n"
    at = one(start, provider, clients, models="[m, n]")
    other = Reader(at.connect())
    other.socket.sendall(upgrade(more="Authorization: Bearer k2\r\n"))
    assert other.read()[0].status == 403
    reader = Reader(at.connect())
    reader.socket.sendall(upgrade(more="Authorization: Bearer k1\r\n"))
    provider.read()
    provider.current.send(agreed())
    assert reader.read_head().status == 101
    other.socket.sendall(upgrade(more="Authorization: Bearer k1\r\n"))
    assert other.read()[0].status == 429
    reader.socket.close()
    provider.current.waits_for_close()
    eventually(lambda: at.record()["end"] == "client_left", "its line")


def test_what_is_sent_at_once(start, provider):
    """Frames right behind the provider's head, and the client's that did not wait for it."""
    at = one(start, provider)
    reader = Reader(at.connect())
    early = frame(b"early", mask=b"1234")
    reader.socket.sendall(upgrade() + early)
    provider.read()
    provider.current.send(agreed() + frame(b"first"))
    reader.read_head()
    while len(reader.raw) < len(frame(b"first")):
        reader._receive()
    assert reader.raw == frame(b"first")
    while len(provider.current.reader.raw) < len(early):
        provider.current.reader._receive()
    assert provider.current.reader.raw == early


def test_slow_readers_hold_back(start):
    """Neither side's bytes are kept: who sends waits until the other reads."""
    goes = threading.Event()

    def handle(connection):
        goes.wait(DEADLINE)
        got = sum(len(connection.recv()) for _ in range(1024))
        connection.send(str(got))
        for _ in range(64):
            connection.send(bytes(1 << 20))

    echo = start(Echo, handler=handle)
    at = one(start, echo)
    before = at.status("VmHWM")
    client = at.connect(receive_buffer=1 << 16)
    reader = Reader(client)
    client.sendall(upgrade())
    assert reader.read_head().status == 101
    size = 64 << 20
    client.settimeout(2)
    data = memoryview(frame(bytes(1 << 16), 2, b"\0\0\0\0") * 1024)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < size:
            sent += client.send(data[sent : sent + (1 << 16)])
    assert sent < size // 2 and at.status("VmHWM") - before < MEMORY
    goes.set()
    client.settimeout(DEADLINE)
    client.sendall(data[sent:])
    while len(reader.raw) < 10:
        reader._receive()
    assert reader.raw[2:10] == str(size).encode()
    time.sleep(1)
    assert at.status("VmHWM") - before < MEMORY
    got = len(reader.raw)
    while got < (64 << 20) + 64 * 10 + 10:
        got += len(client.recv(1 << 20))
    assert at.status("VmHWM") - before < MEMORY


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_client_that_leaves(start, provider, how):
    at = one(start, provider)
    client = at.connect()
    client.sendall(upgrade())
    provider.read()
    provider.current.send(agreed())
    Reader(client).read_head()
    if how == "resets":
        reset(client)
    else:
        client.close()
    provider.current.waits_for_close()
    assert at.record()["end"] == "client_left"


def test_a_provider_that_dies(start, provider):
    """Between two frames the client is told (1011); within one the end of its connection tells."""
    at = one(start, provider)
    for within in (False, True):
        reader = Reader(at.connect())
        reader.socket.sendall(upgrade())
        provider.read()
        provider.current.send(agreed() + (frame(b"hello")[:4] if within else frame(b"hello")))
        reader.read_head()
        if within:
            reader.socket.sendall(frame(b"x", mask=b"1234"))
        provider.current.reset()
        while reader._receive():
            pass
        if within:
            assert reader.raw == frame(b"hello")[:4]
        else:
            assert reader.raw.startswith(frame(b"hello") + b"\x88")
            assert reader.raw[len(frame(b"hello")) + 2 :][:2] == struct.pack(">H", 1011)
        assert at.record()["end"] in ("upstream_cut", "cut")


def test_closing(start, provider):
    """Either side may close: the other's word passes, and that is a good end."""
    at = one(start, provider)
    closing, masked = frame(struct.pack(">H", 1000), 8), frame(struct.pack(">H", 1000), 8, b"\0\0\0\0")
    for first in ("client", "provider"):
        reader = Reader(at.connect())
        reader.socket.sendall(upgrade())
        provider.read()
        provider.current.send(agreed())
        reader.read_head()
        there = provider.current.reader
        if first == "client":
            reader.socket.sendall(masked)
            while len(there.raw) < len(masked):
                there._receive()
        provider.current.send(closing)
        while len(reader.raw) < len(closing):
            reader._receive()
        assert reader.raw == closing
        if first == "provider":
            reader.socket.sendall(masked)
            while len(there.raw) < len(masked):
                there._receive()
        provider.current.close()
        assert not reader._receive()
        assert at.record()["end"] == "complete"


def test_silence(start):
    """A pipe through which nothing goes ends; pings are something, from whichever side."""
    echo = start(Echo, ping_interval=None)
    at = one(start, echo, "timeouts: { stream_idle: 400ms }")
    with connect(at, ping_interval=0.1) as client:
        time.sleep(1.5)
        client.send("still here")
        assert client.recv(DEADLINE) == "still here"
    assert at.record()["end"] == "complete"
    with connect(at, ping_interval=None) as client:
        with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
            client.recv(DEADLINE)
    assert closed.value.rcvd.code == 1011
    assert at.record()["end"] in ("upstream_stalled", "stalled")


def test_drain(start):
    """Sockets may go on until the drain's time is over; then both sides are told (1001)."""
    told = []

    def handle(connection):
        try:
            for message in connection:
                connection.send(message)
        except websockets.exceptions.ConnectionClosed as closed:
            told.append(closed.rcvd)
        else:
            told.append(connection.protocol.close_rcvd)

    echo = start(Echo, handler=handle)
    at = one(start, echo, "timeouts: { drain: 700ms }")
    with connect(at) as client:
        client.send("one")
        assert client.recv(DEADLINE) == "one"
        at.signal(signal.SIGTERM)
        at.line(lambda text: "draining" in text)
        client.send("two")
        assert client.recv(DEADLINE) == "two"
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            client.recv(DEADLINE)
    assert closed.value.rcvd.code == 1001
    assert at.record()["end"] == "draining"
    assert at.wait() == 0
    at.stop = lambda: None
    eventually(lambda: told, "the provider's end")
    assert told[0].code == 1001


def test_over_tls(start, certificate):
    import ssl

    echo = start(Echo)
    at = start(Gateway, f"listen: [{{ address: '127.0.0.1:0', tls: {{ cert: {certificate} }} }}]\nproviders:\n  a: {echo.entry()}\n")
    context = ssl.create_default_context(cafile=certificate)
    host, port = at.address
    with websockets.sync.client.connect(f"wss://{host}:{port}/v1/realtime?model=m", ssl=context, proxy=None, max_size=None) as client:
        for size in (1, 1 << 20):
            message = os.urandom(size)
            client.send(message)
            assert client.recv(DEADLINE) == message
    assert at.record()["end"] == "complete"
