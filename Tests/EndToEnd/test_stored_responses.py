"""Responses that a provider keeps are asked for, continued and deleted where they were made."""

import json

import pytest

from gateway import Gateway
from wire import Reader, post
from wire_http import HTTPHandler, HTTPProvider


class Keeper(HTTPProvider):
    """A provider that keeps each account's responses apart, as OpenAI does."""

    def __init__(self, name):
        self.name, self.kept, self.asked, self.refuses, self.error = name, {}, [], 0, None
        super().__init__(Handler)


class Handler(HTTPHandler):
    def answer(self, status, body, kind="application/json", **fields):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(text), **fields}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(text)

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.headers["Authorization"]
        self.server.asked.append((self.command, self.path, key))
        kept = self.server.kept.setdefault(key, [])
        if self.server.refuses:
            return self.answer(429, {"error": {"message": "slow down"}}, Retry_After=self.server.refuses)
        if self.command == "POST" and self.path == "/v1/responses":
            return self.make(json.loads(body), kept)
        name = self.path.split("?")[0].split("/")[3]
        if name not in kept:
            return self.answer(404, {"error": {"message": f"Response with id '{name}' not found."}})
        if self.command == "DELETE":
            kept.remove(name)
        status = "failed" if self.server.error else "completed"
        usage = {"input_tokens": 7, "output_tokens": 9}
        told = {"id": name, "object": "response", "status": status, "error": self.server.error, "usage": usage}
        if not self.path.endswith("?stream=true"):
            return self.answer(200, told)
        kinds = ("response.created", "response.failed")
        text = "".join(f"event: {kind}\ndata: {json.dumps({'type': kind, 'response': told})}\n\n" for kind in kinds)
        self.answer(200, text.encode(), "text/event-stream")

    do_GET = do_POST = do_DELETE = do

    def make(self, request, kept):
        before = request.get("previous_response_id")
        if before and before not in kept:
            message = f"Previous response with id '{before}' not found."
            return self.answer(400, {"error": {"message": message, "code": "previous_response_not_found"}})
        name = f"resp_{self.server.name}_{len(self.server.asked)}"
        kept.append(name)
        made = {"id": name, "object": "response", "output": [{"type": "message", "content": "hi"}]}
        if not request.get("stream"):
            return self.answer(200, made)
        events = [
            {"type": "response.created", "response": {"id": name, "object": "response", "usage": None}},
            {"type": "response.output_text.delta", "delta": "hi"},
            {"type": "response.completed", "response": made},
        ]
        text = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
        self.answer(200, text, "text/event-stream")


@pytest.fixture
def keepers(start):
    return [start(Keeper, "a"), start(Keeper, "b")]


@pytest.fixture
def at(start, keepers):
    """Two equals with two keys each. Prompt caches shall not decide where requests go."""
    entries = [
        f'  {k.name}: {{ type: openai, endpoint: "http://{k.address}/v1", keys: [{k.name}1, {k.name}2], models: [m] }}\n'
        for k in keepers
    ]
    return start(Gateway, "affinity: off\nproviders:\n" + "".join(entries))


def ask(reader, method, path):
    reader.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, body = reader.read()
    return head, json.loads(body)


def make(reader, stream=False, **more):
    reader.socket.sendall(post(json.dumps({"model": "m", "input": "x", "stream": stream, **more}), "/v1/responses"))
    head, body = reader.read()
    if stream and head.status == 200:
        return head, json.loads(body.split(b"data: ")[1].split(b"\n")[0])["response"]
    return head, json.loads(body)


def asked(keepers):
    return sum(len(k.asked) for k in keepers)


@pytest.mark.parametrize("stream", [False, True])
def test_each_is_asked_for_where_it_was_made(at, keepers, stream):
    reader = Reader(at.connect())
    names = [make(reader, stream)[1]["id"] for _ in range(16)]
    assert all(len(kept) > 0 for k in keepers for kept in k.kept.values()) and len(keepers[1].kept) == 2
    for name in names:
        before = asked(keepers)
        for method, tail in (("GET", ""), ("GET", "/input_items?limit=2"), ("POST", "/cancel")):
            head, body = ask(reader, method, f"/v1/responses/{name}{tail}")
            assert (head.status, body["id"]) == (200, name)
        assert keepers["ab".index(name[5])].asked[-1][:2] == ("POST", f"/v1/responses/{name}/cancel")
        head, body = make(reader, stream, previous_response_id=name)
        assert head.status == 200
        assert ask(reader, "GET", f"/v1/responses/{body['id']}")[0].status == 200
        assert ask(reader, "DELETE", f"/v1/responses/{name}")[0].status == 200
        assert asked(keepers) - before == 6, "each at once"
    records = [at.record() for _ in range(16 + 16 * 6)]
    assert {r["endpoint"] for r in records} == {"responses", "responses/{id}"}
    # They were counted when it was made.
    assert not any("tokens_in" in r for r in records if r["endpoint"] == "responses/{id}")


def test_those_whose_maker_is_not_known_are_found(at, keepers):
    reader = Reader(at.connect())
    for keeper in keepers:
        for key in (f"Bearer {keeper.name}1", f"Bearer {keeper.name}2"):
            keeper.kept[key] = [f"resp_{key[-2:]}_{n}" for n in range(8)]
    for name in [name for keeper in keepers for kept in keeper.kept.values() for name in list(kept)]:
        if name[-1] in "0123":
            assert ask(reader, "GET", f"/v1/responses/{name}")[0].status == 200
        else:
            assert make(reader, previous_response_id=name)[0].status == 200
    # That one does not know a response is no fault.
    assert not [line for line in at.lines if "left alone" in line]


def test_one_that_nobody_has(at, keepers):
    reader = Reader(at.connect())
    head, body = ask(reader, "GET", "/v1/responses/resp_none")
    assert head.status == 404 and "resp_none" in body["error"]["message"]
    assert asked(keepers) == 4
    head, body = make(reader, previous_response_id="resp_none")
    assert head.status == 400 and body["error"]["code"] == "previous_response_not_found"
    assert asked(keepers) == 8
    assert make(reader)[0].status == 200


@pytest.mark.parametrize("method, tail", [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")])
def test_a_body_is_none_of_the_next_request(at, keepers, method, tail):
    """A body is framed whatever the method, or the provider reads it as the next request of that connection."""
    reader = Reader(at.connect())
    body, wanted = "GET /v1/responses/resp_else HTTP/1.1\r\nX-Swallows: ", {"/v1/responses"}
    for _ in range(6):
        name = make(reader)[1]["id"]
        reader.socket.sendall(
            f"{method} /v1/responses/{name}{tail} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        head, answer = reader.read()
        assert (head.status, json.loads(answer)["id"]) == (200, name)
        wanted.add(f"/v1/responses/{name}{tail}")
    assert {path for keeper in keepers for _, path, _ in keeper.asked} == wanted


@pytest.mark.parametrize("stream", [False, True])
def test_one_that_failed_is_told_as_it_is(at, keepers, stream):
    """What became of a response is its provider's answer, and no fault of the provider's now."""
    reader = Reader(at.connect())
    for keeper in keepers:
        keeper.error = {"code": "server_error", "message": "An error occurred"}
    name = make(reader)[1]["id"]
    for _ in range(6):
        reader.socket.sendall(f"GET /v1/responses/{name}{'?stream=true' * stream} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, body = reader.read()
        kept = json.loads(body.split(b"data: ")[-1])["response"] if stream else json.loads(body)
        assert (head.status, kept["status"], kept["error"]) == (200, "failed", keepers[0].error)
    assert asked(keepers) == 7
    assert not [line for line in at.lines if "cooling down" in line]


def test_nobody_else_is_asked_while_its_maker_cannot_be(at, keepers):
    reader = Reader(at.connect())
    name = make(reader)[1]["id"]
    maker = keepers["ab".index(name[5])]
    maker.refuses = 30
    for head, _ in (ask(reader, "GET", f"/v1/responses/{name}"), make(reader, previous_response_id=name)):
        assert head.status == 429 and 0 < int(head["retry-after"]) <= 30
    assert asked(keepers) == 2


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("PUT", "resp_1", 405),
        ("POST", "resp_1", 405),
        ("GET", "resp_1/cancel", 405),
        ("DELETE", "resp_1/input_items", 405),
        ("GET", "resp_1/output", 404),
        ("GET", "../models", 404),
        ("GET", "..", 404),
        ("GET", "a%2f..", 404),
        ("GET", "x" * 300, 404),
    ],
)
def test_nothing_else_is_reached_that_way(at, keepers, method, path, status):
    assert ask(Reader(at.connect()), method, f"/v1/responses/{path}")[0].status == status
    assert asked(keepers) == 0
