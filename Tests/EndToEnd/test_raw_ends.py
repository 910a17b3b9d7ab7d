"""/providers/NAME/…: how requests end that do not end well, and what is counted of them."""

import hashlib
import json
import os
import signal
import ssl

import pytest

from gateway import Gateway, eventually, fields
from raw import ANSWER, JSON, KINDS, MEMORY, RAW, SIZE, bulk, line, request, start_raw  # noqa: F401
from wire import Cut, Reader


def test_silence(start, provider):
    at = start_raw(start, provider, entry=RAW + ", stream_idle: 300ms")
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", "/providers/groq/x", "Content-Length: 2\r\n", b"{}"))
    provider.read()
    head, body = reader.read()
    assert head.status == 504 and "from it" in json.loads(body)["error"]["message"]
    assert line(at)["end"] == "provider_stalled"
    provider.current.waits_for_close()
    # Within an answer it is cut.
    reader.socket.sendall(request("GET", "/providers/groq/x"))
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    with pytest.raises(Cut):
        reader.read()
    # A client that sends nothing is told that it is its own doing.
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", "/providers/groq/x", "Content-Length: 2\r\n", b"{"))
    assert reader.read()[0].status == 408


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dead_pooled_connection(start, provider, method):
    """A question is asked again on a new connection; what may be done once only never goes over an old one."""
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    for turn in range(2):
        reader.socket.sendall(request(method, "/providers/groq/x", "" if method == "GET" else "Content-Length: 2\r\n", b"" if method == "GET" else b"{}"))
        assert provider.read() or method == "GET"
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0].status == 200
    if method == "GET":
        connection = provider.current
        reader.socket.sendall(request("GET", "/providers/groq/x"))
        provider.read()
        assert provider.current is connection
        provider.current.close()
        provider.read()
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0].status == 200
        # But once.
        reader.socket.sendall(request("GET", "/providers/groq/x"))
        provider.read()
        provider.current.close()
        provider.read()
        provider.current.close()
        assert reader.read()[0].status == 502


def test_an_answer_before_the_body_s_end(start, provider):
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", "/providers/groq/x", "Content-Length: 1000\r\n", b"a"))
    provider.accept().reader.read_head()
    provider.current.send(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
    assert reader.read()[0].status == 413
    assert reader.closes()


def test_leaving(start, provider):
    """A client that goes in its body, and one that goes in the answer, are given up at the provider."""
    at = start_raw(start, provider)
    for is_answering in (False, True):
        client = at.connect()
        client.sendall(request("POST", "/providers/groq/x", "Content-Length: 9\r\n", b"123456789" if is_answering else b"1234"))
        if is_answering:
            provider.read()
            provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            Reader(client).read_head()
        else:
            provider.accept().reader.read_head()
            assert provider.current.reader.read_some() == b"1234"
        client.close()
        while provider.current.reader._receive():
            pass
        provider.current.close()
    eventually(
        lambda: [fields(text)["end"] for text in at.lines if "msg=passed" in text] == ["client_left"] * 2, "two lines"
    )


def test_a_provider_that_dies(start, provider):
    at = start_raw(start, provider)
    for chunked in (False, True):
        reader = Reader(at.connect())
        reader.socket.sendall(request("GET", "/providers/groq/x"))
        provider.read()
        provider.current.send(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" if chunked else b"Content-Length: 9\r\n\r\nabc"))
        assert reader.read_head().status == 200 and reader.read_some() == b"abc"
        provider.current.close()
        with pytest.raises(Cut):
            reader.read_rest()


def test_drain_waits(start, provider):
    at = start_raw(start, provider, "timeouts: { drain: 20s }")
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", "/providers/groq/x", "Content-Length: 4\r\n", b"ab"))
    provider.accept().reader.read_head()
    at.signal(signal.SIGTERM)
    at.line(lambda text: "draining" in text)
    reader.socket.sendall(b"cd")
    while len(provider.current.reader.read_some()) < 1:
        pass
    provider.current.send(JSON + ANSWER)
    head, body = reader.read()
    assert head.status == 200 and body == ANSWER
    assert at.wait() == 0 and line(at)["end"] == "complete"
    at.stop = lambda: None


def test_drain_is_over(start, provider):
    at = start_raw(start, provider, "timeouts: { drain: 100ms }")
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", "/providers/groq/x"))
    provider.read()
    at.signal(signal.SIGTERM)
    assert reader.read()[0].status == 503
    assert at.wait() == 0 and line(at)["end"] == "draining"
    at.stop = lambda: None


def test_over_tls(start, bulk, certificate):
    """A client over TLS: both bodies whole, and held back as in the clear."""
    size = SIZE // 4
    server = bulk("http")
    listen = f'listen: [{{ address: "127.0.0.1:0", tls: {{ cert: {certificate} }} }}]\n'
    at = start(Gateway, f"{listen}providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    context = ssl.create_default_context(cafile=certificate)
    client = context.wrap_socket(at.connect(), server_hostname="127.0.0.1")
    client.sendall(request("PUT", f"/providers/b/files/{size}", f"Content-Length: {size}\r\n"))
    block = os.urandom(1 << 16)
    for _ in range(size // len(block)):
        client.sendall(block)
    head, body = Reader(client).read()
    assert head.status == 200 and len(body) == size and server.got == size
    assert server.digest.digest() == hashlib.sha256(block * (size // len(block))).digest()
    assert at.status("VmHWM") - before < MEMORY


def test_each_is_counted(start, provider):
    """One has its place among the exchanges until it is over, and the metrics tell how it ended."""
    at = start_raw(start, provider, "limits: { concurrent_requests: 1 }")
    first, second = Reader(at.connect()), Reader(at.connect())
    first.socket.sendall(request("GET", "/providers/groq/x"))
    provider.read()
    second.socket.sendall(request("GET", "/providers/groq/x"))
    head, body = second.read()
    assert head.status == 503 and json.loads(body)["error"]["code"] == "overloaded"
    provider.current.send(JSON + ANSWER)
    assert first.read()[1] == ANSWER
    for _ in range(2):
        first.socket.sendall(request("GET", "/providers/groq/x"))
        provider.read()
        provider.current.send(JSON + ANSWER)
        assert first.read()[1] == ANSWER
    third = Reader(at.connect())
    third.socket.sendall(request("GET", "/metrics"))
    assert b'synaxis_passed_total{provider="groq",end="complete"} 3\n' in third.read()[1]
