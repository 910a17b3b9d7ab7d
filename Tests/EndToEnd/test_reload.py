"""SIGHUP: the tier file is read again, and taken over as a whole or not at all."""

import json
import os
import re
import signal
import socket

import pytest
from gateway import Gateway, eventually, fields, split_address
from wire import Provider, Reader, post

BODY = '{"model":"m","messages":[]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"object":"a","b":1}'


class Reloading:
    """A gateway whose tier file changes."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.seen = len(gateway.lines)

    def write(self, text):
        self.gateway.file.write_text(text)

    def signal(self, outcome):
        """Sends SIGHUP and waits for the line that says how it went."""
        self.gateway.signal(signal.SIGHUP)
        self.seen, line = self.gateway.line(lambda text: re.search(f'msg"?[=:]"?{outcome}', text), self.seen)
        self.seen += 1
        return line

    def take(self, text):
        self.write(text)
        return self.signal("reloaded")

    def keep(self, text):
        self.write(text)
        return self.signal("not reloaded")


@pytest.fixture
def two(start):
    """Two providers and a gateway in front of the first; `file(x, …)` is a tier file with the given entries."""
    a, b = start(Provider), start(Provider)

    def text(more="", **entries):
        lines = [more or "listen: 127.0.0.1:0", "cache: off", "providers:"]
        lines += [f"  {name}: {entry}" for name, entry in entries.items()]
        return "\n".join(lines) + "\n"

    return a, b, text, Reloading(start(Gateway, text(a=a.entry())))


def ask(gateway, provider, more="", address=None):
    connection = socket.create_connection(address or gateway.address, 20)
    with connection:
        connection.sendall(post(BODY, more=more))
        provider.read()
        provider.current.send(ANSWER)
        return Reader(connection).read()[0]


def status_of(gateway, data, address=None):
    with socket.create_connection(address or gateway.address, 20) as connection:
        connection.sendall(data)
        head, body = Reader(connection).read()
        return head.status, json.loads(body)


def test_providers_change_and_an_exchange_under_way_does_not(two):
    a, b, text, gateway = two
    old = gateway.gateway.connect()
    old.sendall(post(BODY))
    a.read()
    address = gateway.gateway.address
    gateway.take(text(b=b.entry()))
    assert gateway.gateway.address == address
    assert ask(gateway.gateway, b)["x-synaxis-provider"] == "b"
    a.current.send(ANSWER)
    head, _ = Reader(old).read()
    assert (head.status, head["x-synaxis-provider"]) == (200, "a")
    # The connection is the same one; the next request on it sees the new file.
    old.sendall(post(BODY))
    b.read()
    b.current.send(ANSWER)
    assert Reader(old).read()[0]["x-synaxis-provider"] == "b"


@pytest.mark.parametrize(
    "broken, message",
    [
        ("providers: [\n", "error"),
        ("listen: 127.0.0.1:0\nprovders: {}\n", "providers"),
        ("listen: 0.0.0.0:0\nproviders:\n  a: { type: groq, key: k, models: [m] }\n", "clients"),
        ("listen: 127.0.0.1:0\nproviders:\n  a: { type: groq, key: '${NOT_SET_ANYWHERE}', models: [m] }\n", "NOT_SET_ANYWHERE"),
    ],
)
def test_a_broken_file_changes_nothing(two, broken, message):
    a, b, text, gateway = two
    start = len(gateway.gateway.lines)
    gateway.keep(broken)
    told = [fields(line) for line in gateway.gateway.lines[start:] if line and "tier file" in line]
    assert any(message in line["detail"] for line in told), told
    assert ask(gateway.gateway, a)["x-synaxis-provider"] == "a"
    gateway.take(text(b=b.entry()))
    assert ask(gateway.gateway, b)["x-synaxis-provider"] == "b"


def test_an_address_that_cannot_be_had_changes_nothing(two):
    a, b, text, gateway = two
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = gateway.keep(text(f"listen: [127.0.0.1:0, 127.0.0.1:{port}]", b=b.entry()))
        assert str(port) in line
        assert ask(gateway.gateway, a)["x-synaxis-provider"] == "a"


def test_listeners_come_and_go(two, tmp_path):
    a, b, text, gateway = two
    path = tmp_path / "s"
    first = gateway.gateway.address
    kept = gateway.gateway.connect()
    gateway.take(text(f"listen: [127.0.0.1:0, unix:{path}]", a=a.entry()))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert Reader(connection).read()[0].status == 200
    assert ask(gateway.gateway, a, address=first).status == 200
    gateway.take(text(f"listen: unix:{path}", a=a.entry()))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(first, 20)
    # A connection that came by the old listener lives on.
    kept.sendall(post(BODY))
    a.read()
    a.current.send(ANSWER)
    assert Reader(kept).read()[0].status == 200
    gateway.take(text(a=a.entry()))
    assert not path.exists()


def test_what_was_learned_stays(two):
    """`a` has said 429 with an hour's wait: after a reload that changes something else it is still left alone."""
    a, b, text, gateway = two
    gateway.take(text(a=a.entry(), b=b.entry(tier=1)))
    connection = gateway.gateway.connect()
    connection.sendall(post(BODY))
    a.read()
    a.current.send(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")
    b.read()
    b.current.send(ANSWER)
    assert Reader(connection).read()[0]["x-synaxis-provider"] == "b"
    gateway.take(text("listen: 127.0.0.1:0\ntimeouts: { request: 100s }", a=a.entry(), b=b.entry(tier=1)))
    assert ask(gateway.gateway, b)["x-synaxis-attempts"].startswith("b=200")
    assert not a.has_request()


@pytest.mark.parametrize("asked", ["SIGHUP", "discover"])
def test_what_is_under_way_keeps_its_place_at_the_provider(two, start, mock, asked):
    """`concurrent: 1`, and one request is there: a reload, or another list of models, lets no second one in."""
    a, b, text, gateway = two
    one = a.entry(more=", concurrent: 1")
    gateway.take(text(a=one, b=b.entry(tier=1)))
    under_way = gateway.gateway.connect()
    under_way.sendall(post(BODY))
    a.read()
    if asked == "SIGHUP":
        gateway.take(text(a=one, b=b.entry(tier=1)))
    else:
        lists = mock("--models further --gap-ms 0").provider(tier=2, more=", discover: true")
        gateway.take(text(a=one, b=b.entry(tier=1), c=lists))
        eventually(lambda: "further" in str(status_of(gateway.gateway, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")),
                   "the list is taken in")
    assert ask(gateway.gateway, b)["x-synaxis-provider"] == "b"
    assert not a.has_request()
    a.current.send(ANSWER)
    assert Reader(under_way).read()[0]["x-synaxis-provider"] == "a"
    assert ask(gateway.gateway, a)["x-synaxis-provider"] == "a"


@pytest.mark.parametrize("status, more", [("429 Too Many Requests", "Retry-After: 3600\r\n"), ("401 Unauthorized", "")])
def test_what_comes_for_an_exchange_begun_before_is_learned(two, status, more):
    a, b, text, gateway = two
    entries = {"a": a.entry(), "b": b.entry(tier=1)}
    gateway.take(text(**entries))
    under_way = gateway.gateway.connect()
    under_way.sendall(post(BODY))
    a.read()
    gateway.take(text(**entries))
    a.current.send(f"HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n".encode())
    b.read()
    b.current.send(ANSWER)
    assert Reader(under_way).read()[0]["x-synaxis-provider"] == "b"
    assert ask(gateway.gateway, b)["x-synaxis-attempts"].startswith("b=200")
    assert not a.has_request()


def test_clients_limits_and_log_change_and_what_was_spent_stays(two):
    a, b, text, gateway = two
    listen = "listen: 127.0.0.1:0\n"
    clients = "clients:\n  - { name: app, key: %s, rpm: %d }\n"
    gateway.take(text(listen + clients % ("old", 3), a=a.entry()))
    key = "Authorization: Bearer %s\r\n"
    assert ask(gateway.gateway, a, key % "old")["x-ratelimit-remaining-requests"] == "2"
    gateway.take(text(listen + clients % ("new", 4) + "log: { format: json }", a=a.entry()))
    assert status_of(gateway.gateway, post(BODY, more=key % "old"))[0] == 401
    head = ask(gateway.gateway, a, key % "new")
    assert (head["x-ratelimit-limit-requests"], head["x-ratelimit-remaining-requests"]) == ("4", "2")
    _, line = gateway.gateway.line(lambda text: text.startswith("{") and '"exchange"' in text)
    assert json.loads(line)["client"] == "app"
    gateway.write(text(listen + "limits: { request_body: 2000, memory: 1MiB }", a=a.entry()))
    gateway.gateway.signal(signal.SIGHUP)
    eventually(
        lambda: status_of(gateway.gateway, post('{"model":"m","pad":"' + "x" * 3000 + '"}'))[0] == 413,
        "the new limit holds",
    )


def test_a_body_on_its_way_is_judged_by_the_file_of_its_end(two):
    """The client was taken out of the file while it sent: its exchange does not begin."""
    a, b, text, gateway = two
    listen = "listen: 127.0.0.1:0\n"
    gateway.take(text(listen + "clients:\n  - { name: app, key: k }\n  - { name: b, key: l }", a=a.entry()))
    connection = gateway.gateway.connect()
    request = post(BODY, more="Authorization: Bearer k\r\nExpect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    reader = Reader(connection)
    assert reader.read_head().status == 100
    gateway.take(text(listen + "clients:\n  - { name: b, key: l }", a=a.entry()))
    connection.sendall(body)
    assert reader.read()[0].status == 401
    assert not a.has_request()


def test_many_reloads_leave_nothing_behind(two):
    a, b, text, gateway = two
    def descriptors():
        return len(os.listdir(f"/proc/{gateway.gateway.pid}/fd"))

    gateway.take(text(a=a.entry()))
    assert ask(gateway.gateway, a).status == 200
    before = descriptors()
    for n in range(30):
        gateway.take(text(a=a.entry(), b=b.entry(tier=n % 3)))
    gateway.take(text(a=a.entry()))
    assert ask(gateway.gateway, a).status == 200
    eventually(lambda: descriptors() <= before, "no descriptor is left over")
