"""What the tests of stored and shared answers have in common."""

from talk import STREAM
from wire import Reader, post

MESSAGES = [{"role": "user", "content": "Hello"}]
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ON = "cache: { enabled: true, sampled: true }"


def event(text):
    return b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()


DONE = b"data: [DONE]\n\n"


def ask(at, body, more=""):
    """One request on a connection of its own: head and body."""
    reader = Reader(at.connect())
    reader.socket.sendall(post(body, more=more))
    head, answer = reader.read()
    reader.socket.close()
    return head, answer


def states(at, bodies):
    """What the cache did for each request, one after the other; a body may have fields beside it."""
    found = []
    for body in bodies:
        body, more = body if isinstance(body, tuple) else (body, "")
        found.append(ask(at, body, more)[0]["x-synaxis-cache"])
    return found


def same_but_for_the_cache(heads):
    """Names and values of the fields, without those that differ from answer to answer."""
    ours = {"x-request-id", "x-synaxis-cache", "x-synaxis-attempts", "server-timing", "age", "date"}
    seen = [sorted(field for field in head.fields if field[0] not in ours) for head in heads]
    assert all(one == seen[0] for one in seen), seen


def start_stream(provider, readers, *texts):
    """Every reader asks for the same stream, which has begun; its first event has reached all of them."""
    readers[0].socket.sendall(post(STREAM))
    provider.read()
    provider.current.send(STREAM_HEAD)
    for text in texts:
        provider.current.send_chunk(event(text))
    expected = b"".join(map(event, texts))
    for reader in readers:
        if reader is not readers[0]:
            reader.socket.sendall(post(STREAM))
        reader.read_head()
        got = b""
        while len(got) < len(expected):
            got += reader.read_some()
        assert got == expected
