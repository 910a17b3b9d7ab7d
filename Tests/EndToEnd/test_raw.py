"""/providers/NAME/…: a provider's own API as it is, with its key added, streamed both ways."""

import hashlib
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from gateway import DEADLINE, Gateway, eventually, fields
from raw import ANSWER, JSON, KINDS, MEMORY, RAW, bulk, line, request, start_raw  # noqa: F401
from wire import Cut, Reader

SIZE = 200 << 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_large_bodies_both_ways(start, bulk, kind, framing):
    """200 MB up and 200 MB down take no memory to speak of, and arrive as they were sent."""
    size = SIZE if framing == "length" else SIZE // 4
    server = bulk(kind)
    at = start(Gateway, f"providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    client = at.connect()
    block = os.urandom(1 << 16)
    sent = hashlib.sha256()

    def send():
        if framing == "length":
            client.sendall(request("PUT", f"/providers/b/files/{size}", f"Content-Length: {size}\r\n"))
        else:
            client.sendall(request("PUT", f"/providers/b/files/{size}", "Transfer-Encoding: chunked\r\n"))
        for _ in range(size // len(block)):
            sent.update(block)
            client.sendall(block if framing == "length" else b"10000\r\n" + block + b"\r\n")
        if framing == "chunks":
            client.sendall(b"0\r\n\r\n")

    sender = threading.Thread(target=send)
    sender.start()
    reader = Reader(client)
    head = reader.read_head()
    assert head.status == 200 and head["etag"] == "x"
    got = 0
    while piece := reader.read_some():
        got += len(piece)
    sender.join()
    assert got == size and server.got == size and server.digest.digest() == sent.digest()
    assert at.status("VmHWM") - before < MEMORY
    logged = line(at)
    assert logged["end"] == "complete" and int(logged["bytes_in"]) == int(logged["bytes_out"]) == size
    assert logged["method"] == "PUT" and logged["path"] == f"files/{size}" and logged["provider"] == "b"


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_provider_holds_the_client_back(start, bulk, kind):
    server = bulk(kind)
    server.goes.clear()
    at = start(Gateway, f"providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    client = at.connect()
    client.settimeout(2)
    client.sendall(request("POST", "/providers/b/files/1", f"Content-Length: {SIZE}\r\n"))
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += client.send(bytes(1 << 16))
    assert sent < SIZE // 4
    assert at.status("VmHWM") - before < MEMORY
    # It goes on when the provider does.
    client.settimeout(DEADLINE)
    server.goes.set()
    while sent < SIZE:
        sent += client.send(bytes(min(1 << 16, SIZE - sent)))
    head, body = Reader(client).read()
    assert head.status == 200 and len(body) == 1 and server.got == SIZE


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_client_holds_the_provider_back(start, bulk, kind):
    server = bulk(kind)
    at = start(Gateway, f"providers:\n  b: {server.entry(RAW)}\n")
    before = at.status("VmHWM")
    client = at.connect(receive_buffer=1 << 16)
    client.sendall(request("GET", f"/providers/b/files/{SIZE // 4}"))
    reader = Reader(client)
    assert reader.read_head().status == 200
    time.sleep(1)
    assert at.status("VmHWM") - before < MEMORY
    got = 0
    while piece := reader.read_some():
        got += len(piece)
    assert got == SIZE // 4 and at.status("VmHWM") - before < MEMORY


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"])
def test_any_method(start, provider, method):
    """Path, query, fields and encoded bodies arrive as they were sent, with the provider's key for the client's."""
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    has_body = method in ("POST", "PUT", "PATCH")
    more = "Authorization: Bearer mine\r\nX-Api-Key: mine\r\nOpenAI-Beta: x\r\nContent-Encoding: zstd\r\nContent-Length: 3\r\n"
    for turn in range(2):
        reader.socket.sendall(request(method, "/providers/groq/files/a%20b//c?purpose=x&y", more if has_body else "", b"\x00\xff\x01" if has_body else b""))
        provider.read()
        assert provider.head.start == f"{method} /v1/files/a%20b//c?purpose=x&y HTTP/1.1"
        assert provider.head.all("authorization") == ["Bearer secret"] and not provider.head["x-api-key"]
        if has_body:
            assert provider.body == b"\x00\xff\x01" and provider.head["content-encoding"] == "zstd"
            assert provider.head["openai-beta"] == "x"
        provider.current.send(JSON + (b"" if method == "HEAD" else ANSWER))
        head, body = reader.read(bodyless=method == "HEAD")
        assert head.status == 200 and head["content-length"] == "10" and head["x-synaxis-provider"] == "groq"
        assert body == (b"" if method == "HEAD" else ANSWER)


def test_what_the_provider_says_goes_through(start, provider):
    """Statuses of any kind, none of them tried again; chunks, an answer without an end but the connection's."""
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    for status in (200, 206, 302, 304, 400, 404, 429, 500, 503):
        reader.socket.sendall(request("GET", "/providers/groq/files"))
        provider.read()
        body = b"" if status == 304 else b"abc"
        length = b"" if status == 304 else b"Content-Length: 3\r\n"
        provider.current.send(b"HTTP/1.1 %d X\r\nRetry-After: 7\r\n%s\r\n%s" % (status, length, body))
        head, got = reader.read()
        assert head.status == status and head["retry-after"] == "7" and got == body
    reader.socket.sendall(request("GET", "/providers/groq/files"))
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert reader.read_head()["transfer-encoding"] == "chunked" and reader.read_some() == b"abc"
    provider.current.send(b"0\r\n\r\n")
    assert reader.read_some() == b""
    reader.socket.sendall(request("GET", "/providers/groq/files"))
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    provider.current.close()
    assert reader.read()[1] == b"abc"
    # The provider still serves its models.
    assert not provider.has_request()


def test_pipelined_behind_a_body(start, provider):
    """The request behind a body that was passed on is one of its own."""
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    one = request("POST", "/providers/groq/a", "Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")
    reader.socket.sendall(one + request("POST", "/providers/groq/b", "Content-Length: 2\r\n", b"xy") + request("GET", "/providers/groq/c"))
    for path, body in (("a", b"abc"), ("b", b"xy"), ("c", b"")):
        provider.read()
        assert provider.head.start.split()[1] == f"/v1/{path}" and provider.body == body
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0].status == 200


def test_expect_continue(start, provider):
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", "/providers/groq/a", "Content-Length: 2\r\nExpect: 100-continue\r\n"))
    provider.accept()
    assert reader.read_head().status == 100
    reader.socket.sendall(b"xy")
    provider.read()
    assert provider.body == b"xy"
    provider.current.send(JSON + ANSWER)
    assert reader.read()[0].status == 200


TRICKS = [
    "..", "../x", "a/../../x", "a/..", ".", "./x", "a/./b", "..;/x", "..;a=b/x", ".;/x", "%2e%2e/x", "%2E%2E/x", ".%2e/x",
    "a/%2e%2e%2f%2e%2e/x", "a%2fb", "a%2Fb", "a%5cb", "a\\..\\x", "..\\x", "%252e%252e/x", "a%252fb", "a%00", "a%0d%0aX:y",
    "a%0A", "a%7f", "a%", "a%2", "a%zz", "%c0%ae%c0%ae%2fx", "%c0%ae%c0%ae/x", "a%C1%9cb",
]


@pytest.mark.parametrize("path", TRICKS)
def test_paths_stay_below_the_endpoint(start, provider, path):
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", f"/providers/groq/{path}"))
    head, body = reader.read()
    assert head.status == 400 and json.loads(body)["error"]["param"] == "path"
    assert not provider.has_request()


# What looks like another place, and is a path below the endpoint all the same.
BELOW = {
    "http://evil.test/x": "/v1/http://evil.test/x",
    "//evil.test/x": "/v1///evil.test/x",
    "@evil.test/x": "/v1/@evil.test/x",
    "a..b/...": "/v1/a..b/...",
    "?../x": "/v1/?../x",
    "": "/v1/",
}


@pytest.mark.parametrize("path", BELOW)
def test_paths_that_only_look_like_others(start, provider, path):
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", f"/providers/groq/{path}"))
    provider.read()
    assert provider.head.start == f"GET {BELOW[path]} HTTP/1.1" and provider.head["host"] == provider.address


def test_absolute_form(start, provider):
    """Its authority says who is asked, which is us: the provider is still the named one (RFC 9112 §3.2.2)."""
    at = start_raw(start, provider)
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", "http://localhost/providers/groq/x", host="localhost"))
    provider.read()
    assert provider.head.start == "GET /v1/x HTTP/1.1" and provider.head["host"] == provider.address
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", "http://evil.example.com/providers/groq/x"))
    assert reader.read()[0].status == 403
    assert not provider.has_request()


@pytest.mark.parametrize(
    "path, entry, status, code",
    [
        ("/providers/groq/files", "", 403, "raw_off"),
        ("/providers/groq/files", ", raw: false", 403, "raw_off"),
        ("/providers/other/files", RAW, 404, "provider_not_found"),
        ("/providers/groq", RAW, 404, "not_found"),
        ("/providers/", RAW, 404, "not_found"),
        ("/v1/providers/groq/files", RAW, 404, "not_found"),
    ],
)
def test_what_is_not_open(start, provider, path, entry, status, code):
    at = start_raw(start, provider, entry=entry)
    reader = Reader(at.connect())
    reader.socket.sendall(request("POST", path, "Content-Length: 2\r\n", b"{}"))
    head, body = reader.read()
    assert (head.status, json.loads(body)["error"]["code"]) == (status, code)
    assert not provider.has_request()


def test_a_refused_body_is_no_request(start, provider, tmp_path):
    """Where it is not served at all, its body is not taken for what comes next."""
    place = str(tmp_path / "admin.sock")
    start_raw(start, provider, f'listen: 127.0.0.1:0\nadmin: {{ listen: "unix:{place}" }}')
    admin = socket.socket(socket.AF_UNIX)
    admin.settimeout(DEADLINE)
    admin.connect(place)
    reader = Reader(admin)
    inside = request("GET", "/livez")
    reader.socket.sendall(request("POST", "/providers/groq/x", f"Content-Length: {len(inside)}\r\n", inside))
    head, _ = reader.read()
    assert head.status == 404 and head["connection"] == "close"
    assert reader.closes()


CLIENTS = "clients:\n  - { name: all, key: k1, rpm: 3 }\n  - { name: some, key: k2, models: [m] }\n"


def test_clients(start, provider):
    """A restricted client may not, an unknown one neither; what a client may is counted."""
    at = start_raw(start, provider, CLIENTS)
    for key, status, code in (("k2", 403, "raw_not_allowed"), ("k3", 401, "invalid_api_key")):
        reader = Reader(at.connect())
        reader.socket.sendall(request("GET", "/providers/groq/x", f"Authorization: Bearer {key}\r\n"))
        head, body = reader.read()
        assert (head.status, json.loads(body)["error"]["code"]) == (status, code)
    reader = Reader(at.connect())
    for _ in range(3):
        reader.socket.sendall(request("GET", "/providers/groq/x", "Authorization: Bearer k1\r\n"))
        provider.read()
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0].status == 200
    assert line(at)["client"] == "all"
    reader.socket.sendall(request("GET", "/providers/groq/x", "Authorization: Bearer k1\r\n"))
    assert reader.read()[0].status == 429
    assert not provider.has_request()


def test_errors_name_the_provider(start, provider):
    at = start_raw(start, provider)
    provider.refuse()
    reader = Reader(at.connect())
    reader.socket.sendall(request("GET", "/providers/groq/x"))
    head, body = reader.read()
    error = json.loads(body)["error"]
    assert head.status == 502 and error["code"] == "provider_failed" and "groq could not be asked: " in error["message"]
    logged = line(at)
    assert logged["end"] == "provider_failed" and logged["status"] == "502" and logged["reason"]


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
