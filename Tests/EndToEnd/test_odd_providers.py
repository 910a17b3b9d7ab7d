"""What a provider should never send: it costs the attempt, not the client, and nothing crashes."""

import json

import pytest

from wire import Cut, Provider, Reader, post

PLAIN = '{"model":"m","messages":[]}'
STREAM = '{"model":"m","stream":true,"messages":[]}'
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ANSWER = b'{"id":"b"}'

ODD = {
    "endless-head": JSON + b"X-A: 1\r\n" * 20_000,
    "long-field": JSON + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n{}",
    "status-text": b"HTTP/1.1 OK\r\n\r\n{}",
    "status-99": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "status-4-digits": b"HTTP/1.1 2000 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "http-0.9": b"{}",
    "http-3": b"HTTP/3.0 200 OK\r\n\r\n{}",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "negative-length": JSON + b"Content-Length: -1\r\n\r\n{}",
    "length-text": JSON + b"Content-Length: many\r\n\r\n{}",
    "chunk-overflow": JSON + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
    "chunk-without-end": JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
    "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "nul-bytes": JSON + b"Content-Length: 4\r\n\r\n\0\0\0\0",
    "deep-json": JSON + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
    "json-not-utf-8": JSON + b'Content-Length: 9\r\n\r\n{"a":"\xff',
    "gzip": JSON + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff",
}

ODD_STREAMS = {
    "no-line-end": EVENTS + b"\r\n" + b"x" * 200_000,
    "nul-events": EVENTS + b"\r\n" + b"\0\n\n" * 1000,
    "comments-only": EVENTS + b"\r\n" + b": x\n\n" * 1000,
    "no-colon": EVENTS + b"\r\n" + b"data\n\n" * 1000,
    "error-string": EVENTS + b'\r\ndata: {"error":"no"}\n\n',
    "error-event": EVENTS + b'\r\nevent: error\ndata: {"message":"no"}\n\n',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answer(gateway, start, name):
    check(gateway, start, PLAIN, ODD[name])


@pytest.mark.parametrize("name", [*ODD, *ODD_STREAMS])
def test_odd_stream(gateway, start, name):
    check(gateway, start, STREAM, {**ODD, **ODD_STREAMS}[name])


def check(gateway, start, body, odd):
    first, second = start(Provider), start(Provider)
    at = gateway(first, second)
    reader = Reader(at.connect())
    reader.socket.sendall(post(body))
    first.read()
    try:
        first.current.send(odd)
    except OSError:
        pass  # It was given up before all of it had been sent.
    first.current.close()
    second.read()
    if body == STREAM:
        text = b'data: {"choices":[{"delta":{"content":"b"}}]}\n\ndata: [DONE]\n\n'
        second.current.send(EVENTS + b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
    else:
        text = ANSWER
        second.current.send(JSON + b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
    head, got = reader.read()
    assert head.status == 200 and head["x-synaxis-provider"] == "b" and got == text
    assert at.record()["end"] == "complete"


def test_answer_before_the_body_is_sent(gateway, provider):
    """A provider that refuses a large body from its head alone is heard, though it never reads the rest."""
    at = gateway(provider)
    reader = Reader(at.connect())
    connection = reader.socket
    body = b'{"model":"m","pad":"' + b"x" * 20_000_000 + b'"}'
    connection.sendall(post(body))
    made = provider.accept()
    made.reader.read_head()
    text = b'{"error":{"message":"no","code":"bad"}}'
    made.send(b"HTTP/1.1 422 No\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
              % (len(text), text))
    head, got = reader.read()
    assert head.status == 422 and got == text


def test_silence_behind_the_finish_reason(gateway, provider):
    """Who says no more and closes nothing has said all: the client does not sit there for all of `stream_idle`."""
    at = gateway(provider, more="timeouts: { stream_idle: 10m }")
    reader = Reader(at.connect())
    reader.socket.sendall(post(STREAM))
    provider.read()
    text = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    provider.current.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n")
    provider.current.send_chunk(text)
    assert reader.read()[1] == text
    assert at.record()["end"] == "complete"


def test_interleaved_streams(gateway, provider):
    """Many streams at once, cut and whole: no client gets a byte of another's."""
    at = gateway(provider)
    readers = {}
    for number in range(30):
        readers[number] = Reader(at.connect())
        readers[number].socket.sendall(post(json.dumps({"model": "m", "stream": True, "n": number})))
    streams = {}
    for _ in readers:
        provider.read()
        streams[json.loads(provider.body)["n"]] = provider.current
        provider.current.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n")
    for step in range(5):
        for number, stream in streams.items():
            stream.send_chunk(b'data: {"choices":[{"delta":{"content":"%d/%d"}}]}\n\n' % (number, step))
    for number, stream in streams.items():
        if number % 3 == 0:
            stream.reset()
        else:
            stream.send_chunk(b"data: [DONE]\n\n")
            stream.send(b"0\r\n\r\n")
    for number, reader in readers.items():
        try:
            head, got = reader.read()
        except Cut as cut:
            raise AssertionError(f"{number} was cut") from cut
        text = b"".join(b'data: {"choices":[{"delta":{"content":"%d/%d"}}]}\n\n' % (number, s) for s in range(5))
        if number % 3:
            assert got == text + b"data: [DONE]\n\n"
        else:
            # A reset may overtake what was sent before it; what has come is the beginning, and then the error.
            events = got.split(b"\n\n")
            assert b'"error"' in events[-2] and b"[DONE]" not in got
            assert not events[:-2] or text.startswith(b"\n\n".join(events[:-2]))
