"""A conversation stays with the provider that answered its last turn, in every form that it can have."""

import json
import random
import signal

import pytest

from gateway import Gateway, fields
from wire import Reader, post

EQUALS = "abc"


@pytest.fixture
def equals(start, mock):
    """A gateway before three equal providers with two keys each."""

    def begin(more=""):
        entries = [f"  {name}: {mock().provider(more=', keys: [k-one, k-two]')}" for name in EQUALS]
        return start(Gateway, f"{more}providers:\n" + "\n".join(entries) + "\n")

    return begin


def chat(name, turns):
    messages = [{"role": "system", "content": "be short"}, {"role": "user", "content": f"I am {name}"}]
    for n in range(turns):
        messages += [{"role": "assistant", "content": f"{n}"}, {"role": "user", "content": f"go on {n}"}]
    return "/v1/chat/completions", {"model": "m", "messages": messages}, ""


def large(name, turns):
    path, body, more = chat(name, turns)
    body["messages"][1]["content"] = [
        {"type": "text", "text": f"I am {name}"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}},
    ]
    return path, body, more


def messages(name, turns):
    """As Anthropic's clients send them: the mark is always on the last turn."""
    told = [f"I am {name}", *[f"{n}" for n in range(2 * turns)]]
    said = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(told)]
    said[-1]["content"] = [{"type": "text", "text": told[-1], "cache_control": {"type": "ephemeral"}}]
    return "/v1/messages", {"model": "m", "max_tokens": 9, "system": "be short", "messages": said}, ""


def responses(name, turns):
    items = [{"role": "user", "content": [{"type": "input_text", "text": f"I am {name}"}]}]
    for n in range(turns):
        items.append({"type": "function_call_output", "call_id": f"c{n}", "output": "42"})
    return "/v1/responses", {"model": "m", "instructions": "be short", "input": items}, ""


def keyed(name, turns):
    return "/v1/responses", {"model": "m", "prompt_cache_key": name, "input": f"{turns}"}, ""


def session(name, turns):
    path, body, _ = chat(f"turn {turns}", 0)
    return path, body, f"X-Session-ID: {name}\r\n"


def ask(at, reader, form, name, turns):
    path, body, more = form(name, turns)
    reader.socket.sendall(post(json.dumps(body), path, more))
    answer = reader.read()
    assert answer[0].status == 200, answer
    return at.record()["provider"]


def moves(at, form, conversations, turns):
    """How often a later turn went elsewhere than the one before, and where they all went."""
    reader = Reader(at.connect())
    dice = random.Random(17)
    known, moved = {}, 0
    left = [f"{form.__name__}-{n}" for n in range(conversations) for _ in range(turns)]
    dice.shuffle(left)
    seen = {}
    for name in left:
        seen[name] = seen.get(name, -1) + 1
        went = ask(at, reader, form, name, seen[name])
        moved += went != known.get(name, went)
        known[name] = went
    return moved, known


@pytest.mark.parametrize("form", [chat, messages, responses, keyed, session])
def test_no_turn_moves(equals, form):
    at = equals()
    moved, homes = moves(at, form, 24, 5)
    assert moved == 0
    assert set(homes.values()) == set(EQUALS), "new conversations spread"


def test_no_turn_of_large_bodies_moves(equals):
    moved, _ = moves(equals(), large, 6, 4)
    assert moved == 0


def test_off(equals):
    moved, _ = moves(equals("affinity: off\n"), chat, 10, 6)
    assert moved > 10


def test_what_is_no_conversation_spreads(equals):
    at = equals()
    reader = Reader(at.connect())
    went = set()
    for _ in range(40):
        reader.socket.sendall(post('{"model":"m","input":"the same"}', "/v1/embeddings"))
        assert reader.read()[0].status == 200
        went.add(at.record()["provider"])
    assert went == set(EQUALS)


def test_a_reload_moves_nothing(equals):
    at = equals()
    reader = Reader(at.connect())
    homes = {n: ask(at, reader, chat, n, 0) for n in range(12)}
    at.file.write_text(at.file.read_text().replace("providers:", "hedge: 30s\nproviders:"))
    mark = len(at.lines)
    at.signal(signal.SIGHUP)
    at.line(lambda text: fields(text).get("msg") == "reloaded", mark)
    assert {n: ask(at, reader, chat, n, 1) for n in range(12)} == homes
