"""The HTTP/1.1 server, byte by byte over plain sockets (RFC 9112)."""

import json
import socket

import pytest

from gateway import DEADLINE, Gateway, eventually
from talk import PLAIN, STREAM, error_code, exchange
from wire import Reader, post, reset

ANSWER = b'{"id":"x","choices":[]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def answer(provider, body=ANSWER):
    provider.current.send(HEAD % len(body) + body)


# Keep-alive and pipelining


def test_keep_alive(gateway, mock):
    at = gateway(mock())
    reader = Reader(at.connect())
    for number in range(20):
        reader.socket.sendall(post(PLAIN, more=f"X-Request-ID: n{number}\r\n"))
        head, body = reader.read()
        assert head.status == 200 and head["x-request-id"] == f"n{number}"
        assert json.loads(body)["object"] == "chat.completion"
        assert head["connection"] is None


def test_pipelining_in_one_write(gateway, mock):
    at = gateway(mock("--gap-ms 1 --chunks 5"))
    requests = []
    for number in range(12):
        more = f"X-Request-ID: n{number}\r\n"
        if number % 3 == 2:
            requests.append(f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
        else:
            requests.append(post(PLAIN if number % 3 else STREAM, more=more))
    reader = exchange(at, b"".join(requests))
    for number in range(12):
        head, body = reader.read()
        assert head.status == 200 and head["x-request-id"] == f"n{number}"
        assert (head["content-type"].startswith("text/event-stream")) == (number % 3 == 0)
        if number % 3 == 0:
            assert body.endswith(b"data: [DONE]\n\n")
    assert reader.raw == b""


def test_pipelined_request_waits_for_the_answer_before(gateway, provider):
    at = gateway(provider)
    reader = exchange(at, post(PLAIN) + post(PLAIN))
    provider.read()
    assert not provider.has_request()
    answer(provider, b'{"id":1}')
    provider.read()
    answer(provider, b'{"id":2}')
    assert [reader.read()[1], reader.read()[1]] == [b'{"id":1}', b'{"id":2}']


def test_pipelined_after_close(gateway, provider):
    """Nothing is answered behind a request that closes the connection (RFC 9112 §9.6)."""
    at = gateway(provider)
    reader = exchange(at, post(PLAIN, more="Connection: close\r\n") + post(PLAIN))
    provider.read()
    answer(provider)
    head, body = reader.read()
    assert body == ANSWER and head["connection"] == "close"
    assert reader.closes()
    assert not provider.has_request()


def test_request_in_single_bytes(gateway, provider):
    at = gateway(provider)
    reader = Reader(at.connect())
    for byte in post('{"model":"m","x":"é"}'):
        reader.socket.sendall(bytes([byte]))
    provider.read()
    assert provider.body == '{"model":"m","x":"é"}'.encode()
    answer(provider)
    assert reader.read()[1] == ANSWER


# Bodies


@pytest.mark.parametrize(
    "chunked",
    [
        b"1b\r\n%s\r\n0\r\n\r\n" % PLAIN.encode(),
        b"0001B;ext=1;name=\"v;\"\r\n%s\r\n000\r\n\r\n" % PLAIN.encode(),
        b"".join(b"1\r\n%c\r\n" % byte for byte in PLAIN.encode()) + b"0\r\n\r\n",
        b"5\r\n%s\r\n16\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (PLAIN.encode()[:5], PLAIN.encode()[5:]),
    ],
    ids=["one", "extensions", "single-bytes", "trailers"],
)
def test_chunked_request(gateway, provider, chunked):
    at = gateway(provider)
    start = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader = exchange(at, start + chunked + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    provider.read()
    assert provider.body == PLAIN.encode()
    assert provider.head["content-length"] == str(len(PLAIN))
    answer(provider)
    assert reader.read()[1] == ANSWER
    assert reader.read()[0].status == 200


def test_expect_continue(gateway, provider):
    at = gateway(provider)
    body = PLAIN.encode()
    head = post(body, more="Expect: 100-continue\r\n")[: -len(body)]
    reader = exchange(at, head)
    interim = reader.read_head()
    assert interim.status == 100
    reader.socket.sendall(body)
    provider.read()
    assert provider.body == body and provider.head["expect"] is None
    answer(provider)
    assert reader.read()[1] == ANSWER


def test_expect_continue_is_spared_a_body_that_is_too_large(gateway, provider):
    at = gateway(provider, more="limits: { request_body: 1KiB }")
    reader = exchange(at, b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                      b"Content-Length: 2000\r\n\r\n")
    head, body = reader.read()
    assert head.status == 413 and error_code(body) == "request_too_large"
    assert reader.closes()


def test_unknown_expectation(gateway, provider):
    reader = exchange(gateway(provider), post(PLAIN, more="Expect: miracles\r\n"))
    assert reader.read()[0].status == 417
    assert reader.closes()


def test_body_of_30_mb(gateway, provider):
    """Arrives byte for byte, with the provider's own name of the model in its place."""
    at = gateway(provider, models="{ m: vendor/other }", entry="")
    filler = bytes(range(32, 127)).replace(b'"', b"").replace(b"\\", b"") * 330_000
    body = b'{"messages":[{"role":"user","content":"' + filler[: 30_000_000] + b'"}],"model":"m"}'
    reader = Reader(at.connect())
    reader.socket.sendall(post(body))
    provider.read()
    assert provider.body == body[:-4] + b'"vendor/other"}'
    answer(provider)
    assert reader.read()[1] == ANSWER
    # What it needed is given back, and the bound of the time between was the body and little more.
    assert at.status("VmHWM") < 100 << 20


def test_chunked_body_over_the_limit(gateway, provider):
    at = gateway(provider, more="limits: { request_body: 1KiB }")
    reader = exchange(at, b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n")
    head, body = reader.read()
    assert head.status == 413 and error_code(body) == "request_too_large"
    assert reader.closes()


# HTTP/1.0


def test_http_1_0_stream_ends_with_the_connection(gateway, mock):
    at = gateway(mock("--gap-ms 1 --chunks 3"))
    reader = exchange(at, post(STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, body = reader.read()
    assert head.status == 200 and head["transfer-encoding"] is None and head["connection"] == "close"
    assert body.startswith(b"data: ") and body.endswith(b"data: [DONE]\n\n")


def test_http_1_0_plain(gateway, mock):
    at = gateway(mock())
    reader = exchange(at, post(PLAIN).replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, body = reader.read()
    assert head.status == 200 and len(body) == int(head["content-length"]) and head["connection"] == "close"
    assert reader.closes()


def test_http_1_0_keep_alive(gateway, mock):
    at = gateway(mock())
    reader = Reader(at.connect())
    for _ in range(2):
        reader.socket.sendall(post(PLAIN, more="Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _ = reader.read()
        assert head["connection"] == "keep-alive"


# Strict parsing

GET = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2, 3\r\n\r\n{}", 400),
        (POST + b"Content-Length: +2\r\n\r\n{}", 400),
        (POST + b"Content-Length: -2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
        (POST + b"Content-Length: \r\n\r\n{}", 400),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n{}", 400),
        (POST + b"Content-Length : 2\r\n\r\n{}", 400),
        (POST + b"X-A: 1\r\n folded\r\n\r\n", 400),
        (POST + b"X-A: 1\rX-B: 2\r\n\r\n", 400),
        (POST + b"X-A: 1\x00\r\n\r\n", 400),
        (POST + b"X A: 1\r\n\r\n", 400),
        (POST + b": 1\r\n\r\n", 400),
        (POST + b"no-colon\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}X\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n123456789a\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"Host: again\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/models\r\n\r\n", 400),
        (b"GET  /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
        (b"G(T /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/models HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /v1/models HTTP/1.2\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /v1/models HTTP/x\r\nHost: localhost\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (GET + b"X-A: " + b"a" * 40000 + b"\r\n\r\n", 431),
        (GET + b"X-A: 1\r\n" * 3000 + b"\r\n", 431),
        (GET + b"X-A: " + b"a" * 100000, 431),
    ],
    ids=lambda value: None if isinstance(value, int) else "",
)
def test_strict_parsing(gateway, provider, request_bytes, status):
    """A request that is not quite HTTP is refused, and nothing behind it is believed."""
    at = gateway(provider)
    reader = exchange(at, request_bytes)
    if status != 200:
        reader.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, body = reader.read()
    assert head.status == status, body
    if status != 200:
        assert head["connection"] == "close"
        assert json.loads(body)["error"]["type"] == "invalid_request_error"
        assert reader.closes()
    assert not provider.has_request()


def test_post_without_length(gateway, provider):
    """No length and no chunks: a body of no bytes (RFC 9112 §6.3), which is no JSON."""
    reader = exchange(gateway(provider), POST + b"\r\n")
    assert reader.read()[0].status == 400


@pytest.mark.parametrize(
    "body, code",
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ('{"model":"m"', "invalid_json"),
        ('{"model":"m"} x', "invalid_json"),
        ('{"model":"m",}', "invalid_json"),
        ('{"model":"m","x":' + "[" * 200 + "]" * 200 + "}", "invalid_json"),
        ('{"model":"m","x":"\x01"}', "invalid_json"),
        ('{"messages":[]}', "missing_required_field"),
    ],
)
def test_bad_bodies_keep_the_connection(gateway, provider, body, code):
    at = gateway(provider)
    reader = exchange(at, post(body) + post(PLAIN))
    head, text = reader.read()
    assert head.status == 400 and error_code(text) == code
    provider.read()
    answer(provider)
    assert reader.read()[0].status == 200


# Leaving


def test_disconnect_before_the_first_byte(gateway, mock):
    slow = mock("--fail hang")
    at = gateway(slow)
    reader = exchange(at, post(STREAM))
    eventually(lambda: slow.stats["requests"] == 1, "the request at the provider")
    reader.socket.close()
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")
    assert at.record()["end"] == "client_left"


def test_many_disconnects(gateway, mock):
    slow = mock("--fail hang")
    at = gateway(slow)
    readers = [exchange(at, post(STREAM)) for _ in range(40)]
    eventually(lambda: slow.stats["requests"] == 40, "the requests at the provider")
    for number, reader in enumerate(readers):
        reset(reader.socket) if number % 2 else reader.socket.close()
    eventually(lambda: slow.stats["cancelled"] == 40, "the provider being cancelled")
    assert [at.record()["end"] for _ in readers] == ["client_left"] * 40


def test_half_close_gets_every_pipelined_answer(gateway, mock):
    at = gateway(mock("--gap-ms 1 --chunks 5"))
    reader = exchange(at, post(STREAM) + post(PLAIN))
    reader.socket.shutdown(socket.SHUT_WR)
    assert reader.read()[1].endswith(b"data: [DONE]\n\n")
    assert json.loads(reader.read()[1])["object"] == "chat.completion"
    assert reader.closes()


def test_half_close_in_the_middle_of_a_request(gateway, provider):
    at = gateway(provider)
    reader = exchange(at, post(PLAIN)[:-5])
    reader.socket.shutdown(socket.SHUT_WR)
    assert reader.closes() or reader.raw.startswith(b"HTTP/1.1 400")
    assert not provider.has_request()

# Listeners


def test_unix_socket(start, mock, tmp_path):
    path = tmp_path / "api.sock"
    at = start(Gateway, f'listen: ["unix:{path}", 127.0.0.1:0]\nproviders:\n  a: {mock("--gap-ms 1").provider()}\n')
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE)
    connection.connect(str(path))
    with connection:
        reader = Reader(connection)
        connection.sendall(post(STREAM) + post(PLAIN))
        assert reader.read()[1].endswith(b"data: [DONE]\n\n")
        assert reader.read()[0].status == 200
        connection.shutdown(socket.SHUT_WR)
        assert reader.closes()
    assert exchange(at, post(PLAIN)).read()[0].status == 200


def test_unix_socket_disconnect(start, mock, tmp_path):
    path = tmp_path / "api.sock"
    slow = mock("--fail hang")
    start(Gateway, f'listen: "unix:{path}"\nproviders:\n  a: {slow.provider()}\n')
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(post(PLAIN))
        eventually(lambda: slow.stats["requests"] == 1, "the request at the provider")
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")


def test_ipv6(start, mock):
    at = start(Gateway, f'listen: "[::1]:0"\nproviders:\n  a: {mock().provider()}\n')
    with socket.create_connection(("::1", int(at.addresses[0].rsplit(":", 1)[1])), DEADLINE) as connection:
        connection.sendall(post(PLAIN))
        assert Reader(connection).read()[0].status == 200
