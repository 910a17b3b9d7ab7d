"""Slow, many and stubborn clients: memory stays bounded, bytes stay the same, others are served meanwhile."""

import hashlib
import json
import resource
import select
import threading

from gateway import Gateway, eventually
from wire import Reader, post

PLAIN = '{"model":"m","messages":[]}'
STREAM = '{"model":"m","stream":true,"messages":[]}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

# As providers send it: tool calls, comments, CRLF between LF, escapes, and characters of two to four bytes.
RECORDED = (
    ": OPENROUTER PROCESSING\n\n"
    'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Grüße, 世界 🌍🏽!"}}]}\r\n\r\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"\\u00e9\\ud83d\\ude00 \\"q\\" \\\\n"}}]}\n\n'
    'event: ping\ndata: {}\nid: 7\nretry: 10\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":'
    '{"name":"f","arguments":"{\\"ß\\":"}}]}}]}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
    "data: [DONE]\n\n"
).encode()


def test_stream_cut_at_every_position(gateway, provider):
    at = gateway(provider)
    reader = Reader(at.connect())
    committed = RECORDED.index("Grüße".encode())
    for cut in range(1, len(RECORDED)):
        reader.socket.sendall(post(STREAM))
        provider.read()
        provider.current.send(STREAM_HEAD)
        provider.current.send_chunk(RECORDED[:cut])
        got = b""
        if cut > committed + 40:
            # It has been committed: the first part is out before the second one is sent.
            reader.read_head()
            while len(got) < cut:
                got += reader.read_some()
            assert got == RECORDED[:cut]
        provider.current.send_chunk(RECORDED[cut:])
        provider.current.send(b"0\r\n\r\n")
        if not got:
            reader.read_head()
        got += reader.read_rest()
        assert got == RECORDED, f"cut at {cut}"
        assert at.record()["end"] == "complete", f"cut at {cut}"


def test_stream_in_single_bytes(gateway, provider):
    at = gateway(provider)
    reader = Reader(at.connect())
    reader.socket.sendall(post(STREAM))
    provider.read()
    provider.current.send(STREAM_HEAD)
    for byte in RECORDED:
        provider.current.send_chunk(bytes([byte]))
    provider.current.send(b"0\r\n\r\n")
    assert reader.read()[1] == RECORDED
    record = at.record()
    assert record["end"] == "complete" and record["tokens_in"] == "1" and record["tokens_out"] == "2"


def test_500_slow_clients(gateway, mock):
    """Each sends its request byte by byte; a fast client is answered between any two of their bytes.

    The beginning goes out at once: a head that takes 10 s is refused, and this is no test of the machine's speed.
    """
    at = gateway(mock("--gap-ms 0 --chunks 2"), more="limits: { connections: 600, concurrent_requests: 600 }")
    before = at.status("VmRSS")
    slow = [Reader(at.connect()) for _ in range(500)]
    fast = Reader(at.connect())
    request = post(PLAIN)
    begin = request.index(b"\r\n\r\n") - 4
    pieces = [request[:begin], *(bytes([byte]) for byte in request[begin:])]
    for piece in pieces:
        for reader in slow:
            reader.socket.sendall(piece)
        fast.socket.sendall(post(PLAIN))
        assert fast.read()[0].status == 200
    for reader in slow:
        assert reader.read()[0].status == 200
    assert at.status("VmHWM") - before < 48 << 20


def test_client_that_stops_reading(gateway, provider):
    """In the middle of 50 MB: the provider is held back, memory stays bounded, and nothing is lost."""
    at = gateway(provider)
    reader = Reader(at.connect(receive_buffer=64 << 10))
    reader.socket.sendall(post(STREAM))
    provider.read()
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"%06d ' + b"x" * 1900 + b'"}}]}\n\n'
    events = [piece % number for number in range(26_000)]
    total = sum(map(len, events))
    assert total > 50_000_000
    stream = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
    tail = b"data: [DONE]\n\n"
    stream = STREAM_HEAD + stream + b"%x\r\n%s\r\n0\r\n\r\n" % (len(tail), tail)
    upstream = provider.current.socket
    upstream.setblocking(False)
    sent = upstream.send(stream[:65536])
    reader.read_head()
    got = reader.read_some()
    idle = at.status("VmRSS")
    # Until nothing more is taken: half a second is what is called stalled here, and it matters to no assertion.
    while select.select([], [upstream], [], 0.5)[1]:
        sent += upstream.send(stream[sent : sent + (1 << 20)])
    assert sent < 30_000_000, "nobody holds the provider back"
    assert at.status("VmRSS") - idle < 8 << 20
    # Others are served meanwhile.
    other = Reader(at.connect())
    other.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert other.read()[0].status == 200

    upstream.settimeout(20)
    sender = threading.Thread(target=lambda: upstream.sendall(stream[sent:]))
    sender.start()
    seen = hashlib.sha256(got)
    count = len(got)
    while piece := reader.read_some():
        seen.update(piece)
        count += len(piece)
    sender.join()
    assert count == total + len(tail)
    assert seen.digest() == hashlib.sha256(b"".join(events) + tail).digest()
    assert at.status("VmHWM") - idle < 16 << 20
    assert at.record()["end"] == "complete"


def test_client_that_never_reads_a_pipelined_flood(gateway, mock):
    """Requests without end and no answer read: at the bound it is the client who waits."""
    at = gateway(mock("--gap-ms 0 --body-bytes 100000"))
    before = at.status("VmRSS")
    flood = at.connect(receive_buffer=4096)
    flood.setblocking(False)
    request = post(PLAIN, more="X-Pad: " + "x" * 1000 + "\r\n")
    while select.select([], [flood], [], 0.5)[1]:
        flood.send(request)
    assert at.status("VmRSS") - before < 16 << 20
    other = Reader(at.connect())
    other.socket.sendall(post(PLAIN))
    assert other.read()[0].status == 200


def test_connections_over_the_limit_wait(gateway, mock):
    at = gateway(mock(), more="limits: { connections: 8 }")
    readers = [Reader(at.connect()) for _ in range(20)]
    for reader in readers:
        reader.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert reader.read()[0].status == 200
        reader.socket.close()


def test_out_of_descriptors(start, mock):
    """Who was there is served, and others when there is room again."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    at = start(Gateway, f"limits: {{ connections: 500 }}\nproviders:\n  a: {mock().provider()}\n")
    resource.prlimit(at.pid, resource.RLIMIT_NOFILE, (40, hard[1]))
    crowd = [at.connect() for _ in range(100)]
    first = Reader(crowd[0])
    first.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert first.read()[0].status == 200
    for connection in crowd:
        connection.close()

    def is_served():
        with at.connect() as connection:
            reader = Reader(connection)
            connection.sendall(post(PLAIN))
            return reader.read()[0].status == 200

    # Who comes before the crowd's descriptors are free is told to try again.
    eventually(is_served, "a request being served")


def test_over_the_concurrency_limit(gateway, mock):
    """One runs, one waits, the third is told that it is too many."""
    slow = mock("--fail hang")
    at = gateway(slow, more="limits: { concurrent_requests: 1, queue: 1 }")
    readers = []
    for number in range(2):
        readers.append(Reader(at.connect()))
        readers[-1].socket.sendall(post(PLAIN))
    eventually(lambda: slow.stats["requests"] == 1, "one request at the provider")
    third = Reader(at.connect())
    third.socket.sendall(post(PLAIN))
    head, body = third.read()
    assert head.status == 503 and head["retry-after"] and json.loads(body)["error"]["code"] == "overloaded"
    assert slow.stats["requests"] == 1
    readers[0].socket.close()
    eventually(lambda: slow.stats["requests"] == 2, "the waiting request at the provider")


def test_what_takes_long(gateway, mock):
    """The two waits that no tier file shortens: 10 s for a head, 15 s up to the first comment."""
    at = gateway(mock("--fail hang"), more="timeouts: { request: 17s }")
    half = Reader(at.connect())
    half.socket.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")
    silent = Reader(at.connect())
    stream = Reader(at.connect())
    stream.socket.sendall(post(STREAM))
    head, body = half.read()
    assert head.status == 408 and json.loads(body)["error"]["code"] == "request_timeout"
    assert half.closes()
    assert silent.closes()
    head = stream.read_head()
    assert head.status == 200 and head["content-type"].startswith("text/event-stream")
    comment, event = stream.read_rest().split(b"\n\n")[:2]
    assert comment == b": keep-alive"
    assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == "deadline_exceeded"
    assert at.record()["end"] == "request_timeout"
    assert at.record()["end"] == "deadline_exceeded"
