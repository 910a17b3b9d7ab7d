"""The page for people, and what it asks for: what happened lately, at once and as it happens."""

import base64
import hashlib
import json
import re
import signal
import socket
import time

import pytest

from gateway import Gateway, eventually
from pages import ask, complete
from wire import Reader, post

TOKEN = "the-admin-token"
WITH_TOKEN = f"admin: {{ token: {TOKEN} }}"


# MARK: the document


def test_document(gateway, mock):
    at = gateway(mock())
    page = ask(at, "/")
    assert page.status == 200 and page.head["content-type"] == "text/html; charset=utf-8"
    assert int(page.head["content-length"]) == len(page.body.encode()) < 40_000
    policy = page.head["content-security-policy"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page.body, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert len(text) > 1000 and f"{directive} 'sha256-{digest}';" in policy
    # Nothing is fetched from elsewhere, and nothing runs that has no hash.
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', page.body) == []
    assert not re.search(r'<[^>]* (style|on\w+)=', page.body)
    assert set(re.findall(r"https?://[^'\"` <]*", page.body)) == {"http://www.w3.org/2000/svg"}

    again = ask(at, "/", more=f"If-None-Match: W/\"x\", {page.head['etag']}\r\n")
    assert (again.status, again.body, again.head["etag"]) == (304, "", page.head["etag"])
    assert ask(at, "/", more='If-None-Match: "other"\r\n').status == 200
    head = ask(at, "/", "HEAD")
    assert (head.status, head.body, head.head["content-length"]) == (200, "", page.head["content-length"])
    wrong = ask(at, "/", "POST")
    assert wrong.status == 405 and wrong.head["allow"] == "GET, HEAD"


def test_document_wants_no_key(start, mock, tmp_path):
    """It says nothing about this machine: what it shows it asks for with the token."""
    text = f'listen: 127.0.0.1:0\nadmin: {{ listen: "unix:{tmp_path}/admin.sock" }}\nclients: [{{ name: c, key: k }}]\n'
    at = start(Gateway, text + f"providers:\n  a: {mock().provider()}\n")
    assert ask(at, "/").status == ask(at.addresses[1], "/").status == 200
    assert ask(at, "/nothing").status == 401
    assert ask(at.addresses[1], "/admin/activity").status == 200


# MARK: the state


@pytest.mark.parametrize("path", ["/admin/activity", "/admin/events"])
def test_wants_the_token(gateway, mock, path):
    assert ask(gateway(mock()), path).json["error"]["code"] == "admin_off"
    at = gateway(mock(), more=WITH_TOKEN)
    assert ask(at, path).status == 401 and ask(at, path, token="x").status == 401
    assert ask(at, path, "POST", token=TOKEN).status == 405


def test_activity(gateway, mock):
    at = gateway(mock("--fail 429 --retry-after 1800"), mock(), more=WITH_TOKEN + "\ncache: { enabled: true }")
    empty = ask(at, "/admin/activity", token=TOKEN).json
    assert (empty["bins"], empty["exchanges"], empty["firstToken"]) == ([], [], [None, None])
    secret = "never to be shown"
    body = json.dumps({"model": "m", "temperature": 0, "stream": True, "stream_options": {"include_usage": True},
                       "messages": [{"role": "user", "content": secret}]})
    for _ in range(2):
        assert complete(at, body)[0] == 200
    assert complete(at, '{"model":"nobody","messages":[]}')[0] == 404
    page = ask(at, "/admin/activity", token=TOKEN)
    assert secret not in page.body and page.head["content-type"] == "application/json"
    told = page.json
    assert told["overallStatus"] == "degraded" and told["inFlight"] == 0
    assert told["saved"].pop("bytes") > 0 and told["saved"].pop("tokens") > 0
    assert told["saved"] == {"calls": 1, "hits": 1, "coalesced": 0, "dollars": 0, "spent": 0, "cache": "enabled", "entries": 1}
    assert [each["name"] for each in told["providers"]] == ["a", "b"]
    assert [each["status"] for each in told["providers"]] == ["cooling", "online"]
    assert list(told["providers"][0]) == list(ask(at, "/admin/providers/a/status", token=TOKEN).json)
    hit, miss = told["exchanges"]
    assert (hit["n"], hit["cache"], hit["provider"], hit["attempts"], hit["tries"]) == (2, "hit", None, [], 0)
    assert (miss["n"], miss["cache"], miss["provider"], miss["model"]) == (1, "miss", "b", "m")
    assert (miss["status"], miss["end"], miss["tries"]) == (200, "complete", 2)
    assert [attempt[:3] for attempt in miss["attempts"]] == [["a", 429, "rate_limited"], ["b", 200, None]]
    assert 0 < miss["first"] <= miss["total"]
    # The bins are ten seconds each, and the two may lie on both sides of a bound.
    bins = told["bins"]
    assert sum(bin[1] for bin in bins) == 2 and sum(bin[2] for bin in bins) == 0
    assert all(bin[0] % told["bin"] == 0 for bin in bins)
    assert sum(bin[5] for bin in bins) > 0 and sum(bin[6] for bin in bins) > 0
    assert told["firstToken"][0] > 0


def test_what_counts_as_failed(gateway, mock, provider):
    """What a provider or we could not do, not what the client did wrong or gave up."""
    at = gateway(mock("--fail 500"), more=WITH_TOKEN)
    assert complete(at)[0] == 502
    bad = gateway(provider, more=WITH_TOKEN)
    with bad.connect() as connection:
        connection.sendall(post('{"model":"m","messages":1}'))
        provider.read()
        provider.current.send(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        assert Reader(connection).read()[0].status == 400
    for gate, failed, end in ((at, 1, "upstream_routing_failure"), (bad, 0, "relayed")):
        told = ask(gate, "/admin/activity", token=TOKEN).json
        assert [sum(bin[n] for bin in told["bins"]) for n in (1, 2)] == [1, failed]
        assert told["exchanges"][0]["end"] == end


def test_many_exchanges(gateway, mock):
    """The last fifty are kept, and of many attempts the last four."""
    at = gateway(*[mock("--fail 500") for _ in range(5)], mock(), more=WITH_TOKEN, models='["*"]')
    assert complete(at)[0] == 200
    first = ask(at, "/admin/activity", token=TOKEN).json["exchanges"][0]
    assert first["tries"] == 6 and [attempt[0] for attempt in first["attempts"]] == ["c", "d", "e", "f"]
    for _ in range(60):
        assert complete(at, '{"model":"%s","messages":[]}' % ("m" * 500))[0] == 200
    told = ask(at, "/admin/activity", token=TOKEN).json["exchanges"]
    assert [each["n"] for each in told] == list(range(61, 11, -1))
    assert told[0]["model"] == "m" * 64


# MARK: the events


class Watcher:
    """One open stream of events."""

    def __init__(self, at, version="1.1", receive_buffer=None):
        self.connection = at.connect(receive_buffer)
        self.connection.sendall(
            f"GET /admin/events HTTP/{version}\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        self.reader = Reader(self.connection)
        self.head = self.reader.read_head()
        self.rest = b""

    def event(self):
        """The next one's name, data, and size. None at the end. Signs of life without any event are passed over."""
        for _ in range(8):
            held = bytearray(self.rest)
            end = held.find(b"\n\n")
            while end < 0:
                piece = self.reader.read_some()
                if not piece:
                    return None
                held += piece
                end = held.find(b"\n\n", max(0, len(held) - len(piece) - 1))
            event, self.rest = held[:end].decode(), bytes(held[end + 2:])
            if event.startswith(":"):
                continue
            lines = dict(line.split(": ", 1) for line in event.split("\n"))
            return lines.get("event"), json.loads(lines["data"]), len(event)
        raise AssertionError("nothing has happened")

    def ends(self):
        while self.event():
            pass
        return True


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_events(gateway, mock, version):
    at = gateway(mock("--fail 429:2 --retry-after 1800"), mock(), more=WITH_TOKEN)
    watcher = Watcher(at, version)
    assert watcher.head.status == 200 and watcher.head["content-type"].startswith("text/event-stream")
    name, everything, _ = watcher.event()
    assert name == "all" and everything["exchanges"] == []
    assert everything.keys() == ask(at, "/admin/activity", token=TOKEN).json.keys()
    seen, providers = [], {each["name"]: each for each in everything["providers"]}
    for _ in range(3):
        assert complete(at)[0] == 200
    while len(seen) < 3 or providers["a"]["status"] == "online":
        name, told, _ = watcher.event()
        assert name is None
        seen = told["exchanges"] + seen
        providers.update({each["name"]: each for each in told["providers"]})
    assert [each["n"] for each in seen] == [3, 2, 1]
    assert providers["a"]["reason"] .startswith("is at its rate limit (429: ")
    # A button of the page, as the browser sends it.
    host, own = "%s:%d" % at.address, "Origin: http://localhost\r\n"
    assert ask(at, "/admin/providers/a/reset", "POST", TOKEN, own).json["status"] == "online"
    while providers["a"]["status"] != "online":
        providers.update({each["name"]: each for each in watcher.event()[1]["providers"]})


def test_events_stay_small(gateway, mock):
    """However much happens, an event has its bound: exchanges are left out, providers come later."""
    names = "abcdef"
    at = gateway(*[mock() for _ in names], more=WITH_TOKEN, models='["*"]', entry=", rpm: 60000, tpm: 60000000")
    watcher = Watcher(at)
    assert watcher.event()[0] == "all"
    for number in range(90):
        complete(at, '{"model":"%s/%s","messages":[]}' % (names[number % 6], "ä" * 300))
    sizes, seen, told_of = [], [0], set()
    while seen[-1] < 90 or told_of < set(names):
        _, told, size = watcher.event()
        sizes.append(size)
        seen += sorted(each["n"] for each in told["exchanges"])
        told_of |= {each["name"] for each in told["providers"]}
    assert max(sizes) < 2048, sizes
    assert seen == sorted(set(seen)) and len(seen) < 90


def test_looking_costs_little(gateway, mock):
    """Whoever looks takes at most 300 KB, however much happens, and no event comes before its time."""
    at = gateway(mock(), more=WITH_TOKEN)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 300}]})

    def ask_many():
        with at.connect() as connection:
            reader = Reader(connection)
            for _ in range(300):
                connection.sendall(post(body))
                assert reader.read()[0].status == 200

    for _ in range(3):
        ask_many()
    before, began = at.status("RssAnon"), time.monotonic()
    watcher = Watcher(at)
    watcher.event()
    sizes = []
    for _ in range(3):
        ask_many()
        sizes.append(watcher.event()[2])
    assert at.status("RssAnon") - before < 300 << 10
    # One event in two seconds, each bounded: 1 KB/s. What the first may hold was due before anybody looked.
    assert len(sizes) <= (time.monotonic() - began) / 2 + 1 and max(sizes) < 2048


def test_who_reads_late(gateway, mock):
    """Of many providers the whole comes in pieces; who has missed something gets the whole again."""
    many = ", ".join(f"{'m' * 200}{n}" for n in range(200))
    lines = "".join(f"  p{n}: {{ <<: *one }}\n" for n in range(200))
    one = f"x-one: &one {{ type: openai, endpoint: 'http://127.0.0.1:9/v1', models: [{many}] }}\n"
    at = gateway(mock(), more=f"{WITH_TOKEN}\n{one}", entry="}\n" + lines + "  last: { <<: *one")
    watcher = Watcher(at, receive_buffer=4096)
    quick = Watcher(at)
    assert len(quick.event()[1]["providers"]) == 202
    assert complete(at)[0] == 200
    assert [each["n"] for each in quick.event()[1]["exchanges"]] == [1]
    watcher.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    first, again = watcher.event(), watcher.event()
    assert first[0] == again[0] == "all" and len(first[1]["providers"]) == len(again[1]["providers"]) == 202
    assert [each["n"] for each in again[1]["exchanges"]] == [1]
    assert complete(at)[0] == 200
    assert [each["n"] for each in watcher.event()[1]["exchanges"]] == [2]


def test_watchers_have_a_bound(gateway, mock):
    at = gateway(mock(), more=WITH_TOKEN)
    watchers = [Watcher(at) for _ in range(8)]
    assert all(each.event()[0] == "all" for each in watchers)
    assert ask(at, "/admin/events", token=TOKEN).status == 503
    assert ask(at, "/admin/events", "HEAD", token=TOKEN).status == 405
    # Who leaves makes room, and the others go on.
    watchers.pop().connection.close()
    eventually(lambda: Watcher(at).head.status == 200, "a place for another watcher")
    assert complete(at)[0] == 200
    assert all(each.event()[1]["exchanges"][0]["n"] == 1 for each in watchers)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_watchers_hold_nothing_up(gateway, mock, number):
    """A reload ends the streams, since the token may be another; a drain does not wait for them."""
    at = gateway(mock(), more=WITH_TOKEN)
    watcher = Watcher(at)
    assert watcher.event()[0] == "all"
    if number == signal.SIGHUP:
        at.file.write_text(at.file.read_text().replace(TOKEN, "another-token"))
        at.signal(number)
        assert watcher.ends()
        watcher.connection.sendall(post('{"model":"m","messages":[]}'))
        assert watcher.reader.read()[0].status == 200
        assert ask(at, "/admin/events", token=TOKEN).status == 401
    else:
        at.signal(number)
        assert watcher.ends()
        assert at.wait() == 0
        at.stop = lambda: None


def test_own_origin(start, mock):
    """The page's own origin may press buttons, and nothing else; another port of this machine may not even that."""
    text = f"{WITH_TOKEN}\nproviders:\n  a: {mock().provider()}\n"
    at = start(Gateway, text)
    for origin, status in (("http://localhost", 200), ("https://localhost", 200), ("http://localhost:1", 403),
                           ("http://localhost.evil.example", 403), ("localhost", 403), ("null", 403), ("http://", 403)):
        assert ask(at, "/admin/providers/a/reset", "POST", TOKEN, f"Origin: {origin}\r\n").status == status, origin
    assert ask(at, "/v1/models", more="Origin: http://localhost\r\n").status == 403
    twice = "Origin: http://localhost\r\nOrigin: http://evil.example\r\n"
    assert ask(at, "/admin/providers/a/reset", "POST", TOKEN, twice).status == 403
