"""A local server over a unix socket, as nginx spells it: http://unix:PATH:/v1."""

import time

from gateway import Gateway
from wire import Provider, Reader, post

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
ANSWER = b'{"id":"a"}'


def ask(reader, body='{"model":"m"}'):
    reader.socket.sendall(post(body))


def test_requests_take_the_socket_and_keep_the_connection(gateway, provider, tmp_path):
    provider.move_to(tmp_path / "llama.sock")
    at = gateway(provider)
    reader = Reader(at.connect())
    for turn in range(3):
        ask(reader)
        assert provider.read() == (turn == 0)
        assert provider.head.start == "POST /v1/chat/completions HTTP/1.1" and provider.head["host"] == "localhost"
        provider.current.send(JSON + ANSWER)
        head, body = reader.read()
        assert head.status == 200 and body == ANSWER
    # A closed pooled connection is made anew.
    provider.current.close()
    ask(reader)
    assert provider.read()
    provider.current.send(JSON + ANSWER)
    assert reader.read()[0].status == 200


def test_one_that_thinks_is_not_left(gateway, start, tmp_path):
    """What was written to a socket of this machine has arrived: silence is thinking."""
    provider, other = start(Provider), start(Provider)
    provider.move_to(tmp_path / "llama.sock")
    at = gateway(provider, other)
    reader = Reader(at.connect())
    for _ in range(2):
        ask(reader)
        provider.read()
        time.sleep(0.4)  # Five times `failover`.
        assert not other.has_request()
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0]["x-synaxis-attempts"].startswith("a=200;")


def test_one_that_is_gone_is_left_at_once(gateway, start, tmp_path):
    provider, other = start(Provider), start(Provider)
    provider.move_to(tmp_path / "llama.sock")
    at = gateway(provider, other)
    (tmp_path / "llama.sock").unlink()
    reader = Reader(at.connect())
    ask(reader)
    other.read()
    other.current.send(JSON + ANSWER)
    assert reader.read()[0]["x-synaxis-attempts"].startswith("a=unreachable;")


def test_two_sockets_are_two_servers(start, tmp_path):
    """Nothing that one learned or pooled is the other's, though both are localhost to HTTP."""
    one, two = start(Provider), start(Provider)
    one.move_to(tmp_path / "one.sock")
    two.move_to(tmp_path / "two.sock")
    at = start(Gateway, f"providers:\n  a: {one.entry(models='[x]')}\n  b: {two.entry(models='[y]')}\n")
    reader = Reader(at.connect())
    for model, provider in (("x", one), ("y", two), ("x", one)):
        ask(reader, '{"model":"%s"}' % model)
        provider.read()
        provider.current.send(JSON + ANSWER)
        assert reader.read()[0].status == 200
