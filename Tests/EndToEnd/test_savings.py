"""What answers cost and saved is told in log, metrics, status and admin page, and a day's money is not overrun."""

import json
import subprocess
import threading

import pytest

from gateway import BINARY, Gateway
from wire import Reader, post
from wire_http import HTTPHandler, HTTPProvider

USAGES = {
    "/v1/chat/completions": {
        "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 800},
    },
    "/v1/responses": {
        "input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 800},
    },
    # Anthropic tells apart what was cached.
    "/v1/messages": {
        "input_tokens": 150, "output_tokens": 100, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 50,
    },
}
# 200 tokens at 1, 800 at 0.1 and 100 at 2 millionths; the dear one asks 3 and 15.
SPENT = 0.00048
BY_PROMPT, BY_TIER = 0.00072, 0.0033
PRICES = "{ input: 1, output: 2, cached_input: 0.1 }"


class Teller(HTTPProvider):
    """A provider whose answers tell their usage."""

    def __init__(self):
        self.gate, self.usages = None, True
        super().__init__(Handler)


class Handler(HTTPHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.gate:
            self.server.gate.wait(30)
        usage = USAGES[self.path] if self.server.usages else None
        kind = "application/json"
        if not body.get("stream"):
            text = json.dumps({"object": "x", "choices": [{"message": {"content": "hi"}}], "usage": usage})
        else:
            kind = "text/event-stream"
            if self.path == "/v1/messages":
                first = {k: v for k, v in usage.items() if k != "output_tokens"}
                events = [
                    {"type": "message_start", "message": {"usage": {**first, "output_tokens": 1}}},
                    {"type": "content_block_delta", "delta": {"text": "hi"}},
                    {"type": "message_delta", "delta": {}, "usage": {"output_tokens": usage["output_tokens"]}},
                    {"type": "message_stop"},
                ]
            elif self.path == "/v1/responses":
                events = [
                    {"type": "response.output_text.delta", "delta": "hi"},
                    {"type": "response.completed", "response": {"usage": usage}},
                ]
            else:
                events = [{"choices": [{"delta": {"content": "hi"}}]}, {"choices": [], "usage": usage}]
            text = "".join(f"data: {json.dumps(e)}\n\n" for e in events)
            if self.path == "/v1/chat/completions":
                text += "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def teller(start):
    return start(Teller)


def ask(reader, path="/v1/chat/completions", more="", **body):
    reader.socket.sendall(post(json.dumps({"model": "m", "messages": [], **body}), path, more))
    return reader.read()


def get(at, path, token="t"):
    reader = Reader(at.connect())
    reader.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return reader.read()[1].decode()


def two(start, teller, more=""):
    return start(
        Gateway,
        f"""admin: {{ token: t }}
{more}providers:
  cheap: {{ type: openai, endpoint: "http://{teller.address}/v1", key: k, models: [m], cost: {PRICES} }}
  dear: {{ type: openai, endpoint: "http://{teller.address}/v1", key: k, tier: 1, models: [m], cost: {{ input: 3, output: 15 }} }}
""",
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", USAGES)
def test_every_form_tells(start, teller, path, stream):
    at = two(start, teller)
    assert ask(Reader(at.connect()), path, stream=stream)[0].status == 200
    record = at.record()
    assert (record["tokens_in"], record["tokens_cached"], record["tokens_out"]) == ("1000", "800", "100")
    assert float(record["cost_usd"]) == SPENT and float(record["saved_usd"]) == round(BY_PROMPT + BY_TIER, 9)


def test_savings_are_told_everywhere(start, teller):
    at = two(start, teller, "cache: { enabled: true }\n")
    reader = Reader(at.connect())
    for _ in range(3):
        ask(reader, temperature=0)
    records = [at.record() for _ in range(3)]
    assert [r["cache"] for r in records] == ["miss", "hit", "hit"]
    assert [float(r["cost_usd"]) for r in records] == [SPENT, 0, 0]
    assert float(records[1]["saved_usd"]) == 0.0045
    health = json.loads(get(at, "/admin/health"))
    assert health["savings"] == {
        "spent": SPENT, "responseCache": 0.009, "coalescing": 0, "promptCache": BY_PROMPT, "tiers": BY_TIER,
    }
    cheap = health["providers"][0]
    assert cheap["tokens"] == {"input": 1000, "cached": 800, "output": 100}
    assert cheap["spent"] == {"total": SPENT, "today": SPENT, "limit": None}
    saved = json.loads(get(at, "/admin/activity"))["saved"]
    assert (saved["dollars"], saved["spent"]) == (0.01302, SPENT)
    metrics = get(at, "/metrics")
    assert 'synaxis_provider_cached_input_tokens_total{provider="cheap"} 800' in metrics
    assert 'synaxis_provider_spent_usd_total{provider="cheap"} 0.00048' in metrics
    assert 'synaxis_saved_usd_total{by="response_cache"} 0.009' in metrics
    assert 'synaxis_saved_usd_total{by="tiers"} 0.0033' in metrics
    told = subprocess.run([BINARY, "status", "--url", at.url, "--token", "t"], capture_output=True, text=True, check=True)
    assert "spent $0.0005, saved $0.0130 (tiers $0.0033, prompt caches $0.0007, cache $0.0090); 80.0 % of the input was cached" in told.stdout


def test_who_joins_saves_what_an_answer_is_worth(start, teller):
    at = two(start, teller, "cache: { enabled: true }\n")
    teller.gate = threading.Event()
    readers = [Reader(at.connect()) for _ in range(3)]
    for reader in readers:
        reader.socket.sendall(post('{"model":"m","temperature":0,"messages":[]}'))
        # The next one comes when the gateway has had this one.
        get(at, "/admin/health")
    teller.gate.set()
    for reader in readers:
        assert reader.read()[0].status == 200
    assert sorted(at.record()["cache"] for _ in readers) == ["coalesced", "coalesced", "miss"]
    assert json.loads(get(at, "/admin/health"))["savings"]["coalescing"] == 0.009


def test_a_providers_day(start, teller):
    # An answer costs 0.00048, an estimate about 0.0002.
    at = start(
        Gateway,
        f"""admin: {{ token: t }}
providers:
  a: {{ type: openai, endpoint: "http://{teller.address}/v1", key: k, models: [m], cost: {PRICES}, spend: {{ day: 0.001 }} }}
""",
    )
    reader = Reader(at.connect())
    answers = [ask(reader, max_tokens=100) for _ in range(4)]
    assert [head.status for head, _ in answers] == [200, 200, 429, 429]
    head, body = answers[3]
    assert 0 < int(head["retry-after"]) <= 86400
    assert "has spent what its `spend.day` allows until midnight UTC" in json.loads(body)["error"]["message"]
    spent = json.loads(get(at, "/admin/health"))["providers"][0]["spent"]
    assert spent == {"total": 0.00096, "today": 0.00096, "limit": 0.001}


def test_a_burst_does_not_overrun(start, teller):
    at = start(
        Gateway,
        f"""admin: {{ token: t }}
providers:
  a: {{ type: openai, endpoint: "http://{teller.address}/v1", key: k, models: [m], cost: {PRICES}, spend: {{ day: 0.001 }} }}
""",
    )
    teller.gate = threading.Event()
    readers = [Reader(at.connect()) for _ in range(12)]
    for reader in readers:
        reader.socket.sendall(post('{"model":"m","max_tokens":250,"messages":[]}'))
        get(at, "/admin/health")
    teller.gate.set()
    statuses = [reader.read()[0].status for reader in readers]
    assert 1 <= statuses.count(200) <= 2 and set(statuses) <= {200, 429}


def test_what_is_not_told_costs_what_is_likely(start, teller):
    at = two(start, teller, "clients: [{ name: poor, key: p, spend: { day: 0.01 } }]\n")
    teller.usages = False
    reader = Reader(at.connect())
    # 1000 tokens of an answer at 2 millionths; at the dearest 0.015, which is more than a whole day's.
    statuses = [ask(reader, more="Authorization: Bearer p\r\n", max_tokens=1000, stream=True)[0].status for _ in range(3)]
    assert statuses == [200, 429, 429]


def test_a_clients_day(start, teller):
    at = two(
        start,
        teller,
        """clients:
  - { name: poor, key: p, spend: { day: 0.01 } }
  - { name: rich, key: r }
""",
    )
    reader = Reader(at.connect())
    # Estimated at the dearest: 100 tokens of an answer at 15 millionths, and a few of the prompt.
    statuses = [ask(reader, more="Authorization: Bearer p\r\n", max_tokens=100)[0].status for _ in range(24)]
    paid = statuses.index(429)
    assert statuses == [200] * paid + [429] * (24 - paid) and 17 <= paid <= 20
    head, body = ask(reader, more="Authorization: Bearer p\r\n")
    assert head.status == 429 and 0 < int(head["retry-after"]) <= 86400
    assert "`spend` of `clients`" in json.loads(body)["error"]["message"]
    assert ask(reader, more="Authorization: Bearer r\r\n")[0].status == 200


def test_what_costs_nothing_is_had_at_the_limit(start, teller):
    """A client whose day is spent still gets what is stored, and what another's call brings."""
    at = two(
        start,
        teller,
        """cache: { enabled: true, vary: [] }
clients:
  - { name: poor, key: p, spend: { day: 0.002 } }
  - { name: rich, key: r }
""",
    )
    poor, rich = "Authorization: Bearer p\r\n", "Authorization: Bearer r\r\n"
    reader, other = Reader(at.connect()), Reader(at.connect())
    assert ask(reader, more=poor, max_tokens=1, temperature=0)[0]["X-Synaxis-Cache"] == "miss"
    numbers = iter(range(2, 100))
    while ask(reader, more=poor, max_tokens=next(numbers), temperature=0)[0].status == 200:
        pass
    head, _ = ask(reader, more=poor, max_tokens=1, temperature=0)
    assert (head.status, head["X-Synaxis-Cache"]) == (200, "hit")
    teller.gate = threading.Event()
    for one, key in ((other, rich), (reader, poor)):
        one.socket.sendall(post('{"model":"m","temperature":0,"messages":["new"]}', more=key))
        get(at, "/metrics")
    teller.gate.set()
    assert other.read()[0].status == 200
    head, _ = reader.read()
    assert (head.status, head["X-Synaxis-Cache"]) == (200, "coalesced")
    assert ask(reader, more=poor, max_tokens=200, temperature=0)[0].status == 429
