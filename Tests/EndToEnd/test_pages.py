"""Large pages: written in pieces as their client takes them, whole and consistent, and holding nobody else up."""

import json
import signal

import pytest

from gateway import Gateway, eventually
from pages import ask, samples, value
from test_drain import ended
from wire import Cut, Reader, post

COUNT = 250
# Long names, so that the page is larger than what the kernel buffers.
NAMES = [f"model-{n}-{'x' * 150}" for n in range(COUNT)]
LIST = f"[{', '.join(NAMES)}]"
DURATION = "gen_ai_client_operation_duration_seconds"
PIECE = 16 * 1024


@pytest.fixture
def busy(gateway, mock):
    """A gateway that has counted each of many models."""

    def begin(more=""):
        at = gateway(mock(), models=LIST, more=more)
        with at.connect() as connection:
            reader = Reader(connection)
            for name in NAMES:
                connection.sendall(post(json.dumps({"model": name, "messages": []})))
                assert reader.read()[0].status == 200
        return at

    return begin


def slow(at, path="/metrics", version="1.1"):
    """A client that has asked and does not read."""
    connection = at.connect(receive_buffer=4096)
    connection.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
    return Reader(connection)


def buffered(at):
    return value(samples(ask(at, "/metrics").body)[0], "synaxis_buffered_bytes")


def check(text):
    """Every series is there, and its rows agree."""
    found, _ = samples(text)
    for name in NAMES:
        count = value(found, DURATION + "_count", gen_ai_request_model=name)
        assert count == value(found, DURATION + "_bucket", gen_ai_request_model=name, le="+Inf") == 1
    assert value(found, "process_open_fds") > 0


def test_a_large_page(busy):
    at = busy()
    page = ask(at, "/metrics")
    assert page.head["transfer-encoding"] == "chunked" and page.head["content-length"] is None
    assert len(page.body) > 20 * PIECE
    check(page.body)
    # A small one has its length, and so has one that was made before, whatever its size.
    assert ask(at, "/livez").head["content-length"]
    models = ask(at, "/v1/models")
    assert int(models.head["content-length"]) == len(models.body) > PIECE
    assert [model["id"] for model in models.json["data"]] == NAMES


def test_the_connection_goes_on(busy):
    at = busy()
    with at.connect() as connection:
        reader = Reader(connection)
        ask_twice = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2
        connection.sendall(ask_twice + b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(reader.read()[1].decode())
        check(reader.read()[1].decode())
        head, body = reader.read(bodyless=True)
        # What only writing the page would tell may be left out (RFC 9110 §9.3.2).
        assert (head.status, head["transfer-encoding"], head["content-length"], body) == (200, None, None, b"")
        connection.sendall(post(json.dumps({"model": NAMES[0], "messages": []})))
        assert reader.read()[0].status == 200


def test_http_1_0_reads_to_the_end(busy):
    at = busy()
    with at.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        head, body = Reader(connection).read()
        assert (head["transfer-encoding"], head["content-length"], head["connection"]) == (None, None, "close")
        check(body.decode())


def test_slow_readers_hold_no_memory(busy):
    at = busy()
    readers = [slow(at) for _ in range(16)]
    for reader in readers:
        assert reader.read_head().status == 200
    # Each holds a piece at most, and everybody else is served.
    assert buffered(at) < 16 * 2 * PIECE
    with at.connect() as connection:
        connection.sendall(post(json.dumps({"model": NAMES[0], "messages": [], "n": 1})))
        assert Reader(connection).read()[0].status == 200
    readers.pop().socket.close()
    for reader in readers[:4]:
        found, _ = samples(reader.read_rest().decode())
        assert sum(value(found, DURATION + "_count", gen_ai_request_model=name) for name in NAMES) in (COUNT, COUNT + 1)
    for reader in readers[4:]:
        reader.socket.close()
    eventually(lambda: buffered(at) < PIECE, "what was held for those that left is gone")


def test_a_reload_cuts_what_it_makes_wrong(busy):
    """The places in the tables mean other names now: an unfinished page ends without its end."""
    at = busy()
    reader = slow(at)
    assert reader.read_head().status == 200
    at.file.write_text(at.file.read_text().replace(NAMES[0], "another"))
    at.signal(signal.SIGHUP)
    at.line(lambda text: "reloaded" in text)
    with pytest.raises(Cut):
        reader.read_rest()
    names = {model["id"] for model in ask(at, "/v1/models").json["data"]}
    assert "another" in names and NAMES[0] not in names


def test_a_drain_lets_a_page_finish(busy):
    at = busy("timeouts: { drain: 20s }")
    readers = [slow(at), slow(at, version="1.0")]
    for reader in readers:
        assert reader.read_head().status == 200
    at.signal(signal.SIGTERM)
    at.line(lambda text: "draining" in text)
    for reader in readers:
        check(reader.read_rest().decode())
    assert ended(at) == 0


def test_the_state_of_many_providers(start):
    """Names and models in their order, whatever the pieces; each provider's object is whole."""
    more = "\n".join(f"  z{n}: {{ type: openai, endpoint: 'http://127.0.0.1:1/v1', key: k, tier: 5, models: {LIST} }}"
                     for n in range(10))
    text = f"admin: {{ token: t }}\nproviders:\n{more}\n  off: {{ type: openai, enabled: false, models: [m] }}\n"
    at = start(Gateway, text)
    for path in ("/admin/health", "/admin/providers"):
        page = ask(at, path, token="t")
        assert page.head["transfer-encoding"] == "chunked"
        states = page.json["providers"]
        assert [state["name"] for state in states] == [f"z{n}" for n in range(10)] + ["off"]
        assert all(state["models"] == NAMES for state in states[:10]) and states[10]["models"] == []
        assert list(states[0])[-3:] == ["spent", "models", "lastChecked"]
    one = ask(at, "/admin/providers/z3/status", token="t")
    assert (one.json["name"], one.json["models"]) == ("z3", NAMES)

