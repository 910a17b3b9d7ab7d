"""The end: SIGTERM, what finishes, what is cut, and what is told."""

import json
import signal
import time
from pathlib import Path

import pytest
from gateway import eventually
from wire import Cut, Reader, post

BODY = '{"model":"m","messages":[]}'
STREAM = '{"model":"m","stream":true,"messages":[]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"object":"a","b":1}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
READY = b"GET /health/readiness HTTP/1.1\r\nHost: localhost\r\n\r\n"


def event(text):
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text


def ended(process):
    """Waits for the end, and takes it as wanted: `stop` finds nothing to complain about."""
    status = process.wait()
    process.stop = lambda: process._directory.cleanup()
    return status


def begin_stream(gateway, provider):
    connection = gateway.connect()
    connection.sendall(post(STREAM))
    provider.read()
    provider.current.send(STREAM_HEAD)
    provider.current.send_chunk(event(b"a"))
    reader = Reader(connection)
    assert reader.read_head().status == 200
    assert reader.read_some() == event(b"a")
    return reader


def drained(gateway):
    gateway.signal(signal.SIGTERM)
    gateway.line(lambda line: "msg=" in line and "draining" in line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_process_ends_at_once_and_well(gateway, provider, number):
    gateway = gateway(provider)
    gateway.signal(number)
    assert ended(gateway) == 0


def test_streams_finish_and_readiness_says_so(gateway, provider):
    gateway = gateway(provider)
    keeper = gateway.connect()
    keeper.sendall(READY)
    head, _ = Reader(keeper).read()
    assert head.status == 200 and head["connection"] is None
    reader = begin_stream(gateway, provider)
    drained(gateway)
    # A connection that was there is told that all is over; a new one does not come in.
    keeper.sendall(READY)
    head, body = Reader(keeper).read()
    assert (head.status, head["connection"], json.loads(body)["status"]) == (503, "close", "draining")
    with pytest.raises(ConnectionRefusedError):
        gateway.connect()
    provider.current.send_chunk(event(b"b"))
    assert reader.read_some() == event(b"b")
    provider.current.send_chunk(b"data: [DONE]\n\n")
    provider.current.send(b"0\r\n\r\n")
    assert reader.read_rest() == b"data: [DONE]\n\n"
    assert reader.closes()
    assert ended(gateway) == 0
    assert gateway.record()["end"] == "complete"


def test_a_request_on_its_way_is_still_served(gateway, provider):
    """The client did not know yet: its request on an idle connection gets its answer, and is told to close."""
    gateway = gateway(provider)
    connection = gateway.connect()
    connection.sendall(READY)
    Reader(connection).read()
    drained(gateway)
    connection.sendall(post(BODY))
    provider.read()
    provider.current.send(ANSWER)
    reader = Reader(connection)
    head, _ = reader.read()
    assert (head.status, head["connection"]) == (200, "close")
    assert reader.closes()
    assert ended(gateway) == 0


def test_who_waits_in_the_backlog_is_served(gateway, provider):
    """The process is stopped while clients connect: they have been told that they are connected."""
    gateway = gateway(provider)
    gateway.signal(signal.SIGSTOP)
    waiting = [gateway.connect() for _ in range(20)]
    for connection in waiting:
        connection.sendall(READY)
    gateway.signal(signal.SIGTERM)
    gateway.signal(signal.SIGCONT)
    for connection in waiting:
        head, _ = Reader(connection).read()
        assert head.status in (200, 503) and (head["connection"] == "close" or head.status == 200)
    assert ended(gateway) == 0


def test_idle_connections_do_not_hold_the_end_up(gateway, provider):
    gateway = gateway(provider)
    connections = [gateway.connect() for _ in range(3)]
    for connection in connections:
        connection.sendall(READY)
        assert Reader(connection).read()[0].status == 200
    gateway.signal(signal.SIGTERM)
    assert ended(gateway) == 0
    assert all(Reader(connection).closes() for connection in connections)


def test_what_takes_too_long_is_cut_and_told(gateway, provider):
    gateway = gateway(provider, more="timeouts: { drain: 200ms }\n")
    reader = begin_stream(gateway, provider)
    plain = gateway.connect()
    plain.sendall(post(BODY))
    provider.read()
    drained(gateway)
    rest = reader.read_rest()
    assert b'"code":"draining"' in rest and b"[DONE]" not in rest
    head, body = Reader(plain).read()
    assert (head.status, json.loads(body)["error"]["code"]) == (503, "draining")
    assert ended(gateway) == 0
    assert {gateway.record()["end"], gateway.record()["end"]} == {"draining"}


def test_a_plain_answer_that_is_cut_shows_it(gateway, provider):
    gateway = gateway(provider, more="timeouts: { drain: 200ms }\n")
    connection = gateway.connect()
    connection.sendall(post(BODY))
    provider.read()
    size = 3 << 20
    provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size)
    provider.current.send(b'{"a":"' + b"x" * (2 << 20))
    reader = Reader(connection)
    assert reader.read_head().status == 200
    gateway.signal(signal.SIGTERM)
    with pytest.raises(Cut):
        reader.read_rest()
    assert ended(gateway) == 0


def test_a_second_signal_ends_at_once(gateway, provider):
    gateway = gateway(provider)
    reader = begin_stream(gateway, provider)
    drained(gateway)
    gateway.signal(signal.SIGTERM)
    with pytest.raises(Cut):
        reader.read_rest()
    assert ended(gateway) == 0


def test_the_admin_listener_tells_how_the_drain_goes(start, gateway, provider, tmp_path):
    import socket

    path = tmp_path / "admin"
    gateway = gateway(provider, more=f"listen: 127.0.0.1:0\nadmin: {{ listen: 'unix:{path}' }}\n")
    reader = begin_stream(gateway, provider)
    drained(gateway)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(READY)
        head, body = Reader(connection).read()
        assert (head.status, json.loads(body)["status"]) == (503, "draining")
    provider.current.send_chunk(b"data: [DONE]\n\n")
    provider.current.send(b"0\r\n\r\n")
    reader.read_rest()
    assert ended(gateway) == 0


def test_waiting_for_streams_costs_nothing(gateway, provider):
    at = gateway(provider)
    reader = begin_stream(at, provider)
    at.signal(signal.SIGTERM)
    at.line(lambda text: "draining" in text)

    def ticks():
        return sum(map(int, Path(f"/proc/{at.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    time.sleep(1.5)  # the grace of idle connections
    before = ticks()
    time.sleep(1)
    assert ticks() - before <= 5
    provider.current.send(b"0\r\n\r\n")
    reader.read_rest()
    assert ended(at) == 0
