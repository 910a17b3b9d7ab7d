"""How much at a time: exchanges, the line of those that wait, and descriptors; memory: `test_memory.py`."""

import json
import os
import resource
import select
import shlex
import socket
import subprocess
import threading

import pytest
from gateway import BINARY, Gateway, eventually, fields
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


@pytest.fixture
def many_descriptors():
    """As many as the system lets this process have, and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """A provider that answers nobody before `expected` requests are there."""

    def __init__(self, expected):
        self.expected = expected
        self.arrived = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        waiting = {}
        poll = select.epoll()
        poll.register(self.listener, select.EPOLLIN)
        while self.arrived < self.expected:
            for place, _ in poll.poll():
                if place != self.listener.fileno():
                    waiting[place][1] += waiting[place][0].recv(1 << 16)
                    if waiting[place][1].endswith(BODY.encode()):
                        self.arrived += 1
                        poll.unregister(place)
                    continue
                try:
                    while True:
                        peer = self.listener.accept()[0]
                        waiting[peer.fileno()] = [peer, b""]
                        poll.register(peer, select.EPOLLIN)
                except BlockingIOError:
                    pass
        for peer, _ in waiting.values():
            peer.sendall(ANSWER.replace(b"Length: 20\r\n", b"Length: 20\r\nConnection: close\r\n"))
            peer.close()
        poll.close()

    def stop(self):
        self.listener.close()


def test_the_limit_of_requests_is_the_only_one(start, many_descriptors):
    """At the largest that the tier file takes, as many run at once as there are descriptors for."""
    count = min(1300, many_descriptors // 2 - 100)
    crowd = start(Crowd, count)
    limits = "limits: { concurrent_requests: 100000, connections: 1000000, queue: 0 }\n"
    gateway = start(
        Gateway, f'{limits}providers: {{ a: {{ type: openai, endpoint: "http://{crowd.address}/v1", models: [m] }} }}\n'
    )
    clients = [send(gateway) for _ in range(count)]
    statuses = [Reader(client).read()[0].status for client in clients]
    assert statuses == [200] * count and crowd.arrived == count
    ends = {gateway.record()["end"] for _ in range(count)}
    assert ends == {"complete"}


def test_fewer_descriptors_than_the_limits_take_are_told(tmp_path, mock):
    file = tmp_path / "synaxis.yaml"
    file.write_text(f"listen: 127.0.0.1:0\nproviders:\n  a: {mock().provider()}\n")
    run = f"ulimit -n 300; exec {shlex.quote(BINARY)} run -c {shlex.quote(str(file))}"
    with subprocess.Popen(["sh", "-c", run], stderr=subprocess.PIPE, text=True) as child:
        first = fields(child.stderr.readline())
        child.terminate()
    assert (first["level"], first["msg"]) == ("warning", "few descriptors")
    assert "take 676, this process may have 300" in first["detail"]


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
    figures = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(figures[11]) + int(figures[12])


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


def test_no_descriptor_for_a_provider_is_not_the_providers_fault(start, provider):
    gateway = start(Gateway, f"providers:\n  a: {provider.entry()}\n")
    highest = max(map(int, os.listdir(f"/proc/{gateway.pid}/fd")))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (highest + 2, hard))
    client = gateway.connect()
    for _ in range(4):
        client.sendall(post(BODY))
        head, body = Reader(client).read()
        assert (head.status, head["retry-after"], body and json.loads(body)["error"]["code"]) == (503, "1", "overloaded")
        assert "LimitNOFILE" in json.loads(body)["error"]["message"]
        record = gateway.record()
        assert record["end"] == "overloaded" and "no_room" in record["attempts"]
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (hard, hard))
    # Three failures would have been an outage.
    client.sendall(post(BODY))
    provider.read()
    provider.current.send(ANSWER)
    assert Reader(client).read()[0].status == 200
