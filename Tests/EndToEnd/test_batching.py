"""Requests for embeddings are sent as one (`batch`), and nobody sees it but by the provider's count."""

import asyncio
import json
import random
import re
import socket
import struct
import threading
from base64 import b64decode

import openai
import pytest

from gateway import Gateway, eventually
from wire import Reader, post
from wire_http import HTTPHandler, HTTPProvider

PATH = "/v1/embeddings"
BATCH = ", batch: { window: 10s, size: %d }"


class Embedder(HTTPProvider):
    """Gives each input a vector of its own, lists in disorder, and says what it was asked."""

    def __init__(self):
        self.calls, self.lock = [], threading.Lock()
        super().__init__(Handler)

    def entry(self, more):
        return f'{{ type: openai, endpoint: "http://{self.address}/v1", models: [m]{more} }}'


class Handler(HTTPHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        with self.server.lock:
            self.server.calls.append(body["input"])
        if any("bad" in text for text in inputs):
            self.answer(400, {"error": {"message": "an input is bad", "type": "invalid_request_error"}})
        elif len(inputs) > 1 and any("long" in text for text in inputs):
            self.answer(413, {"error": {"message": "too large"}})
        elif len(inputs) > 1 and any("vast" in text for text in inputs):
            self.answer(200, {"data": [{"index": n, "embedding": "A" * (5 << 20)} for n in range(len(inputs))]})
        elif len(inputs) > 1 and any("wordy" in text for text in inputs):
            data = [{"index": n, "embedding": [1]} for n in range(len(inputs))]
            self.answer(200, {"data": data, "usage": {"prompt_tokens": 2}, "note": "x" * 20_000})
        else:
            data = [{"index": n, "embedding": [len(text), 0.1]} for n, text in enumerate(inputs)]
            random.Random(len(inputs)).shuffle(data)
            self.answer(200, {"object": "list", "data": data, "usage": self.usage(inputs)})

    def usage(self, inputs):
        return {"prompt_tokens": 7 * len(inputs), "total_tokens": 7 * len(inputs)}

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def begin(at, *inputs, more=""):
    """Clients that have asked, one for each input."""
    readers = [Reader(at.connect()) for _ in inputs]
    for reader, text in zip(readers, inputs):
        reader.socket.sendall(post(json.dumps({"model": "m", "input": text}), PATH, more))
    return readers


def answers(readers):
    read = [reader.read() for reader in readers]
    return [(head, json.loads(body)) for head, body in read]


@pytest.fixture
def embedder(start):
    return start(Embedder)


def entry(provider, size, more=""):
    return f"providers:\n  a: {provider.entry(more=BATCH % size + more)}\n"


@pytest.mark.parametrize("bad", ["bad", "long"])
def test_what_one_asks_is_told_to_that_one(start, embedder, bad):
    """A list that is refused is taken apart: each is asked alone, at the same provider."""
    at = start(Gateway, entry(embedder, 3))
    told = answers(begin(at, "one", bad, "three"))
    assert [head.status for head, _ in told] == [200, 400 if bad == "bad" else 200, 200]
    assert [body["data"][0]["embedding"] for head, body in told if head.status == 200][0] == [3, 0.1]
    assert told[2][1]["data"] == [{"index": 0, "embedding": [5, 0.1]}]
    if bad == "bad":
        assert told[1][1]["error"]["message"] == "an input is bad"
    assert len(embedder.calls) == 4 and len(embedder.calls[0]) == 3
    assert sorted(embedder.calls[1:]) == sorted(["one", bad, "three"])
    for head, _ in told:
        assert head["X-Synaxis-Attempts"].startswith("a=4")
    record = at.record()
    assert record["batch"] == "3"


@pytest.mark.parametrize("text", ["vast", "wordy"])
def test_an_answer_beyond_the_bound(start, embedder, text):
    """Of all, or of what stands beside the embeddings and would go to each."""
    at = start(Gateway, entry(embedder, 2))
    told = answers(begin(at, text, "two"))
    assert [body["data"][0]["embedding"] for _, body in told] == [[len(text), 0.1], [3, 0.1]]
    assert [len(call) for call in embedder.calls if isinstance(call, list)] == [2]
    assert told[0][0]["X-Synaxis-Attempts"].startswith("a=batch_taken_apart;")


def test_one_request_of_a_budget(start, embedder):
    """Six go as one where a minute has one request, and the seventh finds it used up."""
    at = start(Gateway, entry(embedder, 6, ", rpm: 1"))
    told = answers(begin(at, *"abcdef"))
    assert [head.status for head, _ in told] == [200] * 6
    assert len(embedder.calls) == 1
    assert sum(body["usage"]["total_tokens"] for _, body in told) == 42
    assert answers(begin(at, "g"))[0][0].status == 429


def test_who_waited_for_a_place_goes_together(start, provider):
    """A provider that takes one call at a time gets those that waited meanwhile with the next."""
    at = start(Gateway, f"providers:\n  a: {provider.entry(more=', concurrent: 1, batch: { window: 500ms, size: 4 }')}\n")

    def reply(count):
        data = json.dumps({"data": [{"index": n, "embedding": [n + 1]} for n in range(count)]}).encode()
        provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    first = begin(at, "a", "b", "c", "d")
    provider.read()
    later = begin(at, "e", "f", "g", "h")
    eventually(lambda: b"synaxis_exchanges_in_flight 8" in page(at), "all eight there")
    reply(4)
    provider.read()
    assert sorted(json.loads(provider.body)["input"]) == ["e", "f", "g", "h"]
    reply(4)
    assert [head.status for head, _ in answers(first + later)] == [200] * 8


def test_a_silent_host(start, embedder):
    """Nobody answers the one connection: each is tried alone beside it, and the next ones do not go there first."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        place = silent.getsockname()
        # Connections that nobody takes: from then on the kernel leaves those that come unanswered.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(place)
        entries = [f'{{ type: openai, endpoint: "http://127.0.0.1:{place[1]}/v1", models: [m]{BATCH % 3} }}']
        entries.append(embedder.entry(BATCH % 3 + ", tier: 1"))
        at = start(Gateway, "providers:\n" + "".join(f"  {name}: {entry}\n" for name, entry in zip("ab", entries)))
        for head, _ in answers(begin(at, "one", "two", "three")):
            assert head.status == 200
            assert re.fullmatch(r"a=race_lost;\d+ms, b=200;\d+ms", head["X-Synaxis-Attempts"])
        assert sorted(embedder.calls) == ["one", "three", "two"]
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    "other",
    [
        ('{"model":"m","input":"b","user":"u"}', ""),
        ('{"model":"m","input":"b"}', "OpenAI-Organization: o\r\n"),
        ('{"model":"m","input":"b"}', "Idempotency-Key: k\r\n"),
        ('{"model":"m","input":[1,2]}', ""),
        ('{"model":"m","input":["b","c"]}', ""),
        ('{"model":"m","input":{"text":"b"}}', ""),
        ('{"model":"a/m","input":"b"}', ""),
    ],
)
def test_what_differs_goes_apart(start, provider, other):
    at = start(Gateway, f"providers:\n  a: {provider.entry(more=', batch: { window: 100ms, size: 2 }')}\n")
    readers = [Reader(at.connect()) for _ in range(2)]
    readers[0].socket.sendall(post('{"model":"m","input":"a"}', PATH))
    readers[1].socket.sendall(post(other[0], PATH, other[1]))
    bodies = []
    for _ in range(2):
        provider.read()
        bodies.append(json.loads(provider.body)["input"])
        provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"data\":[]}")
    assert "a" in bodies
    assert json.loads(other[0])["input"] in bodies


def test_identical_ones_are_one_input(start, embedder):
    at = start(Gateway, "cache: on\n" + entry(embedder, 2))
    first = begin(at, "one", "one", "one")
    eventually(lambda: b"synaxis_exchanges_in_flight 1" in page(at), "one exchange of three clients")
    told = answers(first + begin(at, "two"))
    assert embedder.calls == [["one", "two"]]
    assert [body["data"][0]["embedding"][0] for _, body in told] == [3, 3, 3, 3]
    states = sorted(head["X-Synaxis-Cache"] for head, _ in told)
    assert states == ["coalesced", "coalesced", "miss", "miss"]
    # Each answer is stored under its own request.
    assert [head["X-Synaxis-Cache"] for head, _ in answers(begin(at, "one", "two"))] == ["hit", "hit"]
    assert len(embedder.calls) == 1


def page(at):
    reader = Reader(at.connect())
    reader.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader.read()[1]


def test_metrics(start, embedder):
    at = start(Gateway, entry(embedder, 4))
    answers(begin(at, *"abcdefgh"))
    text = page(at)
    assert b'synaxis_provider_batches_total{provider="a"} 2\n' in text
    assert b'synaxis_provider_batched_requests_total{provider="a"} 8\n' in text


def test_money_is_shared_out(start, embedder):
    more = ", cost: { input: 1000000, output: 0 }"
    at = start(Gateway, entry(embedder, 3, more))
    answers(begin(at, "a", "b", "cc"))
    # A dollar a token, and seven an input.
    assert sum(float(at.record()["cost_usd"]) for _ in range(3)) == 21
    assert b'synaxis_provider_spent_usd_total{provider="a"} 21' in page(at)


def test_a_reload_while_they_wait(start, embedder):
    """Who waits goes on with the file that it came under."""
    at = start(Gateway, entry(embedder, 2))
    waiting = begin(at, "one")
    eventually(lambda: b"synaxis_exchanges_in_flight 1" in page(at), "the first waiting")
    mark = len(at.lines)
    at.file.write_text(at.file.read_text().replace("size: 2", "size: 3"))
    at.signal(1)
    at.line(lambda text: "msg=reloaded" in text, mark)
    later = begin(at, "two", "three", "four")
    assert [head.status for head, _ in answers(later)] == [200] * 3
    assert [sorted(call) for call in embedder.calls] == [["four", "three", "two"]]
    waiting[0].socket.close()


def test_with_the_sdk(gateway, mock):
    """A hundred at once, in both encodings: each client has what it would have had alone."""
    texts = [f"text {n} " + "x" * (n % 7) for n in range(100)]
    plain = mock()
    alone = openai.OpenAI(base_url=f"http://{plain.address}/v1", api_key="k", max_retries=0)
    with alone:
        wanted = [alone.embeddings.create(model="m", input=text).data[0].embedding for text in texts]
    assert len({tuple(vector) for vector in wanted}) == 100
    behind = mock()
    at = gateway(behind, entry=", batch: { window: 50ms, size: 16 }")

    async def ask(**more):
        api = openai.AsyncOpenAI(base_url=at.url + "/v1", api_key="k", max_retries=0, timeout=60)
        async with api:
            return await asyncio.gather(*[api.embeddings.create(model="m", input=text, **more) for text in texts])

    usual = asyncio.run(ask())
    numbers = asyncio.run(ask(encoding_format="float"))
    coded = asyncio.run(ask(encoding_format="base64"))
    for n, vector in enumerate(wanted):
        assert usual[n].data[0].embedding == numbers[n].data[0].embedding == vector
        assert list(struct.unpack("<8f", b64decode(coded[n].data[0].embedding))) == vector
        assert [len(answer.data) for answer in (usual[n], numbers[n], coded[n])] == [1, 1, 1]
        assert usual[n].data[0].index == 0 and usual[n].model == "m"
    assert behind.stats["requests"] <= 150 and behind.stats["requests"] == behind.stats["completed"]
    tokens = sum(answer.usage.prompt_tokens for answer in usual)
    assert tokens == sum((len(text) + 2 + 3) // 4 for text in texts)
