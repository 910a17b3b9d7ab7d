"""Whose body is read where memory is short."""

import json
import threading

from gateway import eventually
from pages import ask, samples, value
from test_admission import ANSWER, read, send
from wire import Reader, post


def announce(gateway, length, sent=b""):
    connection = gateway.connect()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n" + sent)
    return connection


SMALL_MEMORY = "limits: { memory: 2MiB, request_body: 1500KiB }\n"


def large(size, n=0):
    """A body of that many bytes."""
    start = b'{"model":"m","messages":[],"n":%d,"pad":"' % n
    return start + b"x" * (size - len(start) - 2) + b'"}'


def chunked(gateway):
    connection = gateway.connect()
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    return connection


def in_background(action, *arguments):
    """Runs it in a thread; a peer that closes is no fault of it."""

    def run():
        try:
            action(*arguments)
        except OSError:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_what_is_announced_takes_no_memory(gateway, provider):
    """Who announces and sends nothing is in nobody's way, however many do."""
    gateway = gateway(provider)
    before, space = gateway.status("VmRSS"), gateway.status("VmSize")
    flood = [announce(gateway, 32 << 20) for _ in range(64)]
    assert [Reader(connection).read_head().status for connection in flood] == [100] * 64
    assert gateway.status("VmRSS") - before < 16 << 20
    assert gateway.status("VmSize") - space < 256 << 20
    honest = announce(gateway, 20 << 20)
    reader = Reader(honest)
    assert reader.read_head().status == 100
    body = large(20 << 20)
    sender = in_background(honest.sendall, body)
    provider.read()
    sender.join()
    assert provider.body == body
    provider.current.send(ANSWER)
    assert reader.read()[0].status == 200


def test_uploads_that_do_not_fit_together_wait_for_each_other(gateway, mock):
    """Each is read when the ones before it have made room; none is refused, small requests pass, and no more is held
    than there may be."""
    gateway = gateway(mock("--think-ms 100"), more=SMALL_MEMORY)
    readers = []
    for n in range(8):
        connection = gateway.connect()
        readers.append(Reader(connection))
        body = large(1_200_000, n)
        if n % 2:
            text = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 50_000]), body[i : i + 50_000])
                            for i in range(0, len(body), 50_000)) + b"0\r\n\r\n"
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            in_background(connection.sendall, head + text)
        else:
            in_background(connection.sendall, post(body.decode()))
    assert read(send(gateway))[0].status == 200
    for reader in readers:
        assert value(samples(ask(gateway, "/metrics").body)[0], "synaxis_buffered_bytes") < 2 << 20
        assert reader.read()[0].status == 200


def test_who_holds_memory_and_sends_nothing_makes_room(gateway, mock):
    """A sends half and stops; B waits for the memory; A is told so, and B is served."""
    gateway = gateway(mock(), more=SMALL_MEMORY)
    slow = announce(gateway, 1_200_000, sent=b"x" * 600_000)
    slow_reader = Reader(slow)
    assert slow_reader.read_head().status == 100
    eventually(lambda: read(send(gateway))[0].status == 200, "small requests pass")
    honest = gateway.connect()
    in_background(honest.sendall, post(large(1_200_000).decode()))
    head, body = read_from(slow_reader)
    assert (head.status, body["error"]["code"], head["connection"]) == (408, "request_timeout", "close")
    assert read(honest)[0].status == 200


def read_from(reader):
    head, body = reader.read()
    return head, json.loads(body)


def test_who_waits_too_long_is_told_so(gateway, provider):
    """An exchange keeps its body for as long as the provider thinks: who finds no room gets 503 in the end."""
    gateway = gateway(provider, more=SMALL_MEMORY)
    first = gateway.connect()
    in_background(first.sendall, post(large(1_200_000).decode()))
    provider.read()
    second = gateway.connect()
    in_background(second.sendall, post(large(1_200_000).decode()))
    head, body = read(second)
    assert (head.status, body["error"]["code"], head["retry-after"]) == (503, "overloaded", "1")
    assert "limits.memory" in body["error"]["message"]
    assert gateway.record()["end"] == "overloaded"
    # What is under way goes on, and its memory is there again then.
    provider.current.send(ANSWER)
    assert read(first)[0].status == 200
    third = gateway.connect()
    in_background(third.sendall, post(large(1_200_000).decode()))
    provider.read()
    provider.current.send(ANSWER)
    assert read(third)[0].status == 200


def test_one_that_gives_up_its_upload_gives_the_bytes_back(gateway, mock):
    gateway = gateway(mock(), more=SMALL_MEMORY)
    for _ in range(20):
        leaver = announce(gateway, 1_400_000, sent=b"x" * 700_000)
        assert Reader(leaver).read_head().status == 100
        leaver.close()
        whole = gateway.connect()
        in_background(whole.sendall, post(large(1_400_000).decode()))
        assert read(whole)[0].status == 200


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
