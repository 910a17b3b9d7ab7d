"""/providers/NAME/… for clients over HTTP/2, whose bodies say nothing of their length before their end has come."""

import hashlib
import json
import os
import signal
import threading

import pytest

from gateway import DEADLINE, Gateway
from test_http2_frames import DATA, END_HEADERS, END_STREAM, HEADERS, RST, Client, fields, frame, get, literal
from raw import ANSWER, JSON, KINDS, MEMORY, RAW, bulk, line, request, start_raw  # noqa: F401
from wire_h2_client import H2Client

CHUNKED = "Transfer-Encoding: chunked\r\n"
CANCEL = b"\0\0\0\x08"


def upload(stream=1, *more):
    block = fields(*more, method="POST", path="/providers/groq/files")
    return frame(HEADERS, END_HEADERS, stream, block)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", ["length", "none"])
def test_large_bodies_both_ways(start, bulk, kind, framing):  # noqa: F811
    size = 16 << 20
    server = bulk(kind)
    at = start(Gateway, f"providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    client = H2Client(at.connect())
    block = os.urandom(1 << 16)
    client.sendall(request("PUT", f"/providers/b/files/{size}", CHUNKED if framing == "none" else f"Content-Length: {size}\r\n"))
    for _ in range(size // len(block)):
        client.sendall(b"10000\r\n" + block + b"\r\n" if framing == "none" else block)
    if framing == "none":
        client.sendall(b"0\r\n\r\n")
    assert client.read_head().status == 200
    got = 0
    while piece := client.read_some():
        got += len(piece)
    assert got == size and server.got == size
    assert server.digest.digest() == hashlib.sha256(block * (size // len(block))).digest()
    assert at.status("VmHWM") - before < MEMORY
    logged = line(at)
    assert logged["end"] == "complete" and int(logged["bytes_in"]) == int(logged["bytes_out"]) == size


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_provider_holds_its_stream_back(start, bulk, kind):  # noqa: F811
    """And no other one of the connection."""
    server = bulk(kind)
    server.goes.clear()
    at = start(Gateway, f"providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    client = H2Client(at.connect())
    client.sendall(request("POST", "/providers/b/files/1", CHUNKED))
    slow, client.left = client.stream, 0
    block, sent = bytes(1 << 14), 0
    # What the kernel keeps for a provider that does not read is megabytes; then no window is opened any more.
    client.plain.settimeout(2)
    with pytest.raises(TimeoutError):
        while True:
            if client.h2.local_flow_control_window(slow) < len(block):
                client.hear()
                continue
            client.h2.send_data(slow, block)
            client.flush()
            sent += len(block)
    assert at.status("VmHWM") - before < MEMORY
    client.plain.settimeout(DEADLINE)
    client.sendall(request("GET", "/livez"))
    client.asked.remove(slow)
    assert client.read_head().status == 200 and client.read_rest()
    server.goes.set()
    client.h2.end_stream(slow)
    client.flush()
    client.asked.append(slow)
    assert client.read_head().status == 200 and len(client.read_rest()) == 1 and server.got == sent


@pytest.mark.parametrize(
    "frames, body",
    [
        ([frame(DATA, END_STREAM, 1)], b""),
        ([frame(DATA, END_STREAM, 1, b"one")], b"one"),
        ([frame(DATA, 0, 1, b"one"), frame(DATA, END_STREAM, 1)], b"one"),
        ([frame(DATA, 0, 1, b"one"), frame(DATA, 0, 1), frame(DATA, END_STREAM, 1, b"two")], b"onetwo"),
        ([frame(DATA, 0, 1, b"one"), frame(HEADERS, END_HEADERS | END_STREAM, 1, literal("x", "y"))], b"one"),
    ],
)
def test_where_a_body_ends(start, provider, frames, body):
    """However its end comes: with bytes, alone, or with trailers, which are left out."""
    at = start_raw(start, provider)
    client = Client(at)
    client.send(upload())
    for piece in frames:
        client.send(piece)
    provider.read()
    assert provider.body == body and provider.head.all("transfer-encoding") == ["chunked"]
    assert not provider.head["content-length"]
    provider.current.send(JSON + ANSWER)
    assert client.outcome() == ("answer", 1)
    assert client.read()[3] == ANSWER
    assert line(at)["bytes_in"] == str(len(body))


def test_a_client_that_leaves_in_its_body(start, provider):
    at = start_raw(start, provider)
    client = Client(at)
    client.send(upload(), frame(DATA, 0, 1, b"one"))
    provider.accept()
    assert provider.current.reader.read_head()
    assert provider.current.reader.read_some() == b"one"
    client.send(frame(RST, 0, 1, CANCEL))
    # No last chunk: what has come must not be taken for all.
    provider.current.waits_for_close()
    assert line(at)["end"] == "client_left"
    client.send(get(3))
    assert client.outcome() == ("answer", 3)


def test_an_answer_before_the_body_s_end(start, provider):
    """It goes out, and the rest of the body is asked for no more (RFC 9113 §8.1)."""
    at = start_raw(start, provider)
    client = Client(at)
    client.send(upload(), frame(DATA, 0, 1, b"one"))
    provider.accept()
    assert provider.current.reader.read_head()
    provider.current.send(JSON.replace(b"200 OK", b"413 Content Too Large") + ANSWER)
    assert client.outcome() == ("answer", 1)
    assert client.read()[3] == ANSWER
    seen = client.read()
    while seen[0] != RST:
        seen = client.read()
    assert seen[2:] == (1, b"\0\0\0\0")
    assert line(at)["status"] == "413"


def test_refused_without_a_length(start, provider):
    at = start_raw(start, provider, entry="")
    client = Client(at)
    client.send(upload(), frame(DATA, 0, 1, b"one"), frame(DATA, END_STREAM, 1, b"two"))
    assert client.outcome() == ("answer", 1)
    kind, _, _, body = client.read()
    assert kind == DATA and json.loads(body)["error"]["code"] == "raw_off"
    assert not provider.has_request()


def test_a_drain_waits(start, provider):
    at = start_raw(start, provider)
    client = Client(at)
    client.send(upload(), frame(DATA, 0, 1, b"one"))
    answered = threading.Thread(target=lambda: (provider.read(), provider.current.send(JSON + ANSWER)))
    answered.start()
    # Its end is awaited once the request is on its way.
    client.send(frame(6, 0, 0, b"12345678"))
    assert client.outcome()[0] == "pong"
    at.signal(signal.SIGTERM)
    while client.read()[0] != 7:
        pass
    client.send(frame(DATA, END_STREAM, 1, b"two"))
    assert client.outcome() == ("answer", 1)
    answered.join(DEADLINE)
    assert provider.body == b"onetwo"
    while client.read():
        pass
    assert at.wait() == 0
    at.stop = lambda: None
