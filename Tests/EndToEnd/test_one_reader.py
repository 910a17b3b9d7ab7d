"""An answer is read alike over http:// and https://: what one takes, so does the other."""

import pytest

from gateway import Gateway
from wire import Provider, Reader, post, tls_context

BODY = b'{"id":"a"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: 10\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

TAKEN = {
    "length": OK + LENGTH + b"\r\n" + BODY,
    "lengths that agree": OK + LENGTH + LENGTH + b"\r\n" + BODY,
    "lf": (OK + LENGTH + b"\r\n").replace(b"\r", b"") + BODY,
    "no reason": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n" + BODY,
    "chunks": OK + CHUNKED + b"\r\n4\r\n" + BODY[:4] + b"\r\n6\r\n" + BODY[4:] + b"\r\n0\r\n\r\n",
    "padded": OK + CHUNKED + b"\r\na  \r\n" + BODY + b"\r\n0 \r\n\r\n",
    "padded before an extension": OK + CHUNKED + b"\r\na ;x=y\r\n" + BODY + b"\r\n0\r\n\r\n",
    "text behind a size": OK + CHUNKED + b"\r\na b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "lf in chunks": OK + CHUNKED + b"\r\na\n" + BODY + b"\n0\n\n",
    "zeros": OK + CHUNKED + b"\r\n000000000000000a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "trailer": OK + CHUNKED + b"\r\na\r\n" + BODY + b"\r\n0\r\nX-Sum: 1\r\n\r\n",
    "length and chunks": OK + LENGTH + CHUNKED + b"\r\na\r\n" + BODY + b"\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "until close": OK + b"\r\n" + BODY,
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + LENGTH + b"\r\n" + BODY,
    "1.0": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    **{f"a field that looks like a status line of {status}": OK + b"HTTP/1.1: %d x\r\n" % status + LENGTH + b"\r\n" + BODY
       for status in (0, 100, 101, 204, 304, 500)},
    "blank before colon": OK + b"Content-Length : 10\r\n\r\n" + BODY,
}

REFUSED = {
    "lengths that differ": OK + LENGTH + b"Content-Length: 11\r\n\r\n" + BODY,
    "signed length": OK + b"Content-Length: +10\r\n\r\n" + BODY,
    "list of lengths": OK + b"Content-Length: 10, 10\r\n\r\n" + BODY,
    "empty length": OK + b"Content-Length:\r\n\r\n" + BODY,
    "length with a tail": OK + b"Content-Length: 10x\r\n\r\n" + BODY,
    "no colon": OK + b"what is this\r\n" + LENGTH + b"\r\n" + BODY,
    "folded": OK + b"X: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY,
    "nul": OK + b"X: a\0b\r\n" + LENGTH + b"\r\n" + BODY,
    "gzip coding": OK + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\na\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunked twice": OK + CHUNKED + CHUNKED + b"\r\na\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size of letters": OK + CHUNKED + b"\r\nzz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "blank before a size": OK + CHUNKED + b"\r\n a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "signed size": OK + CHUNKED + b"\r\n+a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "0x": OK + CHUNKED + b"\r\n0xa\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size too long": OK + CHUNKED + b"\r\n0000000000000000a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no end behind a chunk": OK + CHUNKED + b"\r\na\r\n" + BODY + b"0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + BODY,
    "two blanks": b"HTTP/1.1  200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "0.9": BODY,
    "cut chunks": OK + CHUNKED + b"\r\na\r\n" + BODY + b"\r\n0\r\n",
    "short": OK + b"Content-Length: 11\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", [*TAKEN, *REFUSED])
def test_answer(start, certificate, scheme, name):
    is_safe = scheme == "https"
    first, second = start(Provider, tls_context(certificate) if is_safe else None), start(Provider)
    at = start(Gateway, f"""timeouts: {{ first_token: 20s, request: 20s }}
providers:
  a: {{ type: openai, endpoint: "{scheme}://{first.address}/v1", tier: 0, models: [m] }}
  b: {second.entry(1)}
""", {"SSL_CERT_FILE": str(certificate)})
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m","messages":[]}'))
    first.read()
    first.current.send({**TAKEN, **REFUSED}[name])
    first.current.close()
    if name in REFUSED:
        second.read()
        second.current.send(OK + LENGTH + b"\r\n" + BODY.replace(b"a", b"b"))
    head, body = reader.read()
    assert head.status == 200 and body == (BODY if name in TAKEN else BODY.replace(b"a", b"b"))


@pytest.mark.parametrize("length", [5, 50, 3_000_000])
@pytest.mark.parametrize("path", ["/providers/a/x", "/v1/chat/completions"])
@pytest.mark.parametrize("coding", [CHUNKED, CHUNKED.replace(b":", b" :")])
def test_chunks_outweigh_a_length(start, provider, path, length, coding):
    """The client is told of chunks: a length that is not the body's would make the next answer a part of this one."""
    body = b'{"id":"' + b"y" * 2_000_000 + b'"}'
    at = start(Gateway, f'providers:\n  a: {provider.entry(more=", raw: true")}\n')
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m","messages":[]}', path))
    provider.read()
    provider.current.send(OK + b"Content-Length: %d\r\n" % length + coding + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    head, got = reader.read()
    assert head["content-length"] is None and got == body
    reader.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.read()[1] == b'{"status":"ok"}'
