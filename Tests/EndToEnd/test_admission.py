"""How much at a time: exchanges, the line of those that wait, memory, and descriptors."""

import json
import os
import resource
import socket

import pytest
from gateway import Gateway, eventually
from wire import Reader, post

BODY = '{"model":"m","messages":[]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"object":"a","b":1}'


def send(gateway, body=BODY, more=""):
    connection = gateway.connect()
    connection.sendall(post(body, more=more))
    return connection


def read(connection):
    head, body = Reader(connection).read()
    return head, json.loads(body) if body else None


def next_body(provider):
    provider.read()
    return json.loads(provider.body)


def numbered(n):
    return '{"model":"m","messages":[],"n":%d}' % n


# MARK: - Exchanges


def test_those_over_the_limit_wait_in_order_and_those_over_the_queue_are_refused(gateway, provider):
    gateway = gateway(provider, more="limits: { concurrent_requests: 1, queue: 2 }\n")
    first = send(gateway, numbered(0))
    assert next_body(provider)["n"] == 0
    # One after the other: each is read before the next is sent, as a page that is answered shows.
    waiting = []
    for n in (1, 2):
        waiting.append(send(gateway, numbered(n)))
        waiting[-1].sendall(b"")
        probe = gateway.connect()
        probe.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read(probe)[0].status == 200
    head, body = read(send(gateway, numbered(3)))
    assert (head.status, body["error"]["code"]) == (503, "overloaded")
    assert head["retry-after"] == "1"
    assert gateway.record()["end"] == "overloaded"
    assert not provider.has_request()
    # What is under way goes on, then the line moves, the first one first.
    for connection, n in ((first, 0), (waiting[0], 1), (waiting[1], 2)):
        if n:
            assert next_body(provider)["n"] == n
        provider.current.send(ANSWER)
        assert read(connection)[0].status == 200


def test_one_that_leaves_the_line_frees_its_place(gateway, provider):
    gateway = gateway(provider, more="limits: { concurrent_requests: 1, queue: 1 }\n")
    first = send(gateway, numbered(0))
    assert next_body(provider)["n"] == 0
    leaver = send(gateway, numbered(1))
    eventually(lambda: read(send(gateway, numbered(9)))[0].status == 503, "the queue is full")
    leaver.close()
    end = lambda: [line for line in gateway.lines if line and "end=client_left" in line]
    eventually(end, "the one that left is noticed")
    second = send(gateway, numbered(2))
    provider.current.send(ANSWER)
    assert read(first)[0].status == 200
    assert next_body(provider)["n"] == 2
    provider.current.send(ANSWER)
    assert read(second)[0].status == 200


def test_who_waits_has_its_own_deadline(gateway, provider):
    gateway = gateway(
        provider,
        more="limits: { concurrent_requests: 1, queue: 1 }\ntimeouts: { request: 300ms, first_token: 60s }\n",
    )
    stream = gateway.connect()
    stream.sendall(post('{"model":"m","stream":true,"messages":[]}'))
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    provider.current.send_chunk(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    reader = Reader(stream)
    assert reader.read_head().status == 200
    head, body = read(send(gateway))
    assert (head.status, body["error"]["code"]) == (504, "deadline_exceeded")
    # The stream goes on, whatever became of the other.
    provider.current.send_chunk(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    provider.current.send(b"0\r\n\r\n")
    assert reader.read_rest().endswith(b"data: [DONE]\n\n")


def test_no_queue_at_all(gateway, provider):
    gateway = gateway(provider, more="limits: { concurrent_requests: 1, queue: 0 }\n")
    first = send(gateway)
    provider.read()
    # A large body is refused before it is sent.
    connection = gateway.connect()
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    head, body = read(connection)
    assert (head.status, body["error"]["code"], head["connection"]) == (503, "overloaded", "close")
    assert read(send(gateway))[0].status == 503
    provider.current.send(ANSWER)
    assert read(first)[0].status == 200


def test_who_is_turned_away_keeps_its_connection(gateway, provider):
    gateway = gateway(provider, more="limits: { concurrent_requests: 1, queue: 0 }\n")
    first = send(gateway)
    provider.read()
    other = send(gateway)
    for _ in range(2):
        head, body = read(other)
        assert (head.status, body["error"]["code"], head["connection"]) == (503, "overloaded", None)
        other.sendall(post(BODY))
    assert read(other)[0].status == 503
    provider.current.send(ANSWER)
    assert read(first)[0].status == 200


def test_what_is_stored_or_under_way_needs_no_room(gateway, provider):
    gateway = gateway(
        provider, more="cache: { enabled: true, sampled: true }\nlimits: { concurrent_requests: 1, queue: 0 }\n"
    )
    first = send(gateway, numbered(0))
    assert next_body(provider)["n"] == 0
    second = send(gateway, numbered(0))
    eventually(lambda: read(send(gateway, numbered(1)))[0].status == 503, "an exchange of its own is refused")
    provider.current.send(ANSWER)
    assert read(first)[0]["x-synaxis-cache"] == "miss"
    assert read(second)[0]["x-synaxis-cache"] == "coalesced"
    other = send(gateway, numbered(2))
    assert next_body(provider)["n"] == 2
    assert read(send(gateway, numbered(0)))[0]["x-synaxis-cache"] == "hit"
    provider.current.send(ANSWER)
    assert read(other)[0].status == 200


# MARK: - Memory


def announce(gateway, length, sent=b""):
    connection = gateway.connect()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n" + sent)
    return connection


def test_bodies_are_counted_before_they_come(gateway, provider):
    gateway = gateway(provider, more="limits: { memory: 2MiB, request_body: 1500KiB }\n")
    large = announce(gateway, 1_200_000)
    reader = Reader(large)
    assert reader.read_head().status == 100
    head, body = read(announce(gateway, 1_200_000))
    assert (head.status, body["error"]["code"]) == (503, "overloaded")
    assert head["retry-after"] == "1" and head["connection"] == "close"
    # Small ones still fit, and what is under way goes on.
    small = send(gateway)
    provider.read()
    provider.current.send(ANSWER)
    assert read(small)[0].status == 200
    body = b'{"model":"m","messages":[],"pad":"'
    body += b"x" * (1_200_000 - len(body) - 2) + b'"}'
    large.sendall(body)
    provider.read()
    assert provider.body == body
    # The body is held until the exchange is over, and then its bytes are there again.
    assert read(announce(gateway, 1_200_000))[0].status == 503
    provider.current.send(ANSWER)
    reader.read_rest()
    assert reader.read()[0].status == 200
    again = Reader(announce(gateway, 1_200_000))
    assert again.read_head().status == 100


def test_one_that_gives_up_its_upload_gives_the_bytes_back(gateway, provider):
    gateway = gateway(provider, more="limits: { memory: 2MiB, request_body: 1500KiB }\n")
    first = announce(gateway, 1_200_000)
    assert Reader(first).read_head().status == 100
    assert read(announce(gateway, 1_200_000))[0].status == 503
    first.close()

    def fits():
        with announce(gateway, 1_200_000) as connection:
            return Reader(connection).read_head().status == 100

    eventually(fits, "the bytes are free again")


def test_chunked_bodies_are_counted_as_they_grow(gateway, provider):
    gateway = gateway(provider, more="limits: { memory: 2MiB, request_body: 1500KiB }\n")
    holder = announce(gateway, 1_200_000)
    assert Reader(holder).read_head().status == 100
    connection = gateway.connect()
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"x" * 100_000
    try:
        for _ in range(12):
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    except (BrokenPipeError, ConnectionResetError):
        pass
    head, body = read(connection)
    assert (head.status, body["error"]["code"]) == (503, "overloaded")


def test_a_stream_does_not_keep_its_prompt(gateway, provider):
    """Once an answer has begun nobody sends the request again: its memory is free for the next one."""
    gateway = gateway(provider, more="limits: { memory: 2MiB, request_body: 1500KiB }\n")
    large = '{"model":"m","stream":true,"x":"' + "x" * (1 << 20) + '"}'
    clients = []
    for _ in range(4):
        client = Reader(gateway.connect())
        client.socket.sendall(post(large))
        provider.read()
        provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        provider.current.send_chunk(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
        assert client.read_head().status == 200
        assert client.read_some()
        clients.append((client, provider.current))
    for client, upstream in clients:
        upstream.send_chunk(b"data: [DONE]\n\n")
        upstream.send(b"0\r\n\r\n")
        assert client.read_rest().endswith(b"[DONE]\n\n")


def test_many_announced_bodies_do_not_become_memory(gateway, provider):
    """A flood of 32 MiB announcements: two fit into 64 MiB, the others are told so."""
    gateway = gateway(provider)
    before = gateway.status("VmRSS")
    flood = [announce(gateway, 32 << 20) for _ in range(64)]
    answers = [Reader(connection).read_head().status for connection in flood]
    assert answers.count(100) == 2 and answers.count(503) == 62
    assert gateway.status("VmRSS") - before < 16 << 20


# MARK: - Descriptors


@pytest.fixture
def few_descriptors(start, provider):
    """A gateway whose process may have only so many descriptors."""

    def begin(count):
        text = f"providers:\n  a: {provider.entry()}\n"
        gateway = start(Gateway, text)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (count, count))
        return gateway

    return begin


def cpu_ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_out_of_descriptors(few_descriptors, provider):
    held = len(os.listdir("/proc/self/fd"))
    gateway = few_descriptors(24)
    idle = []

    def answers():
        connection = gateway.connect()
        try:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, _ = Reader(connection).read()
        finally:
            idle.append(connection)
        return head

    heads = [answers() for _ in range(40)]
    served = [head for head in heads if head.status == 200]
    refused = [head for head in heads if head.status == 503]
    assert len(served) + len(refused) == 40 and refused and served
    assert all(head["retry-after"] == "1" and head["connection"] == "close" for head in refused)
    # Nothing spins meanwhile: a turn takes no time worth counting.
    before = cpu_ticks(gateway.pid)
    assert answers().status == 503
    assert cpu_ticks(gateway.pid) - before <= 2
    # Who is in can go on, and who goes makes room.
    idle[0].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert Reader(idle[0]).read()[0].status == 200
    for connection in idle:
        connection.close()

    def serves():
        with send(gateway) as connection:
            head_seen = []
            import threading

            def reply():
                try:
                    provider.read()
                    provider.current.send(ANSWER)
                except (AssertionError, OSError):
                    pass

            worker = threading.Thread(target=reply, daemon=True)
            worker.start()
            status = Reader(connection).read()[0].status
            worker.join()
            head_seen.append(status)
            return status == 200

    eventually(lambda: answers().status == 200, "accepting goes on")
    for connection in idle:
        connection.close()
    assert serves()
