"""Stored and shared answers: a client cannot tell them from fresh ones, but for what the header says."""

import asyncio
import json
import select

import openai
import pytest

from cached import DONE, MESSAGES, ON, ask, event, start_stream, states
from gateway import Gateway, eventually
from talk import PLAIN, STREAM
from wire import Reader, post


@pytest.mark.parametrize("stream", [False, True])
def test_sdk_cannot_tell(gateway, mock, stream):
    """A miss, a coalesced answer and a hit: the same objects; a shared answer has its own request id."""
    slow = mock("--think-ms 300 --gap-ms 1")
    at = gateway(slow, more=ON)

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=at.url + "/v1", api_key="k", max_retries=0, timeout=20) as api:

            async def one():
                raw = await api.chat.completions.with_raw_response.create(
                    model="m", messages=MESSAGES, stream=stream
                )
                parsed = raw.parse()
                objects = [part async for part in parsed] if stream else [parsed]
                return raw.headers, [part.model_dump_json() for part in objects]

            together = await asyncio.gather(*(one() for _ in range(3)))
            return [*together, await one()]

    answers = asyncio.run(all_of_them())
    assert sorted(headers["x-synaxis-cache"] for headers, _ in answers[:3]) == ["coalesced", "coalesced", "miss"]
    assert answers[3][0]["x-synaxis-cache"] == "hit" and "age" in answers[3][0]
    assert all(objects == answers[0][1] for _, objects in answers)
    assert len({headers["x-request-id"] for headers, _ in answers}) == 4
    assert slow.stats["requests"] == 1


@pytest.mark.parametrize("body", [PLAIN, STREAM])
def test_same_fields(gateway, mock, body):
    at = gateway(mock("--gap-ms 0"), more=ON)
    miss, first = ask(at, body)
    hit, second = ask(at, body)
    assert (miss["x-synaxis-cache"], hit["x-synaxis-cache"]) == ("miss", "hit")
    assert first == second and miss["age"] is None and int(hit["age"]) >= 0
    for name in ("content-type", "cache-control", "x-accel-buffering", "x-synaxis-provider", "openai-version"):
        assert miss[name] == hit[name], name


@pytest.mark.parametrize(
    "settings, requests, expected, calls",
    [
        ("", [PLAIN, PLAIN, STREAM, STREAM], "miss hit miss hit", 2),
        ("", [PLAIN, (PLAIN, "Cache-Control: no-cache\r\n"), PLAIN], "miss bypass hit", 2),
        ("", [PLAIN, (PLAIN, "Cache-Control: no-store\r\n"), PLAIN], "miss bypass hit", 2),
        ("", [(PLAIN, "Cache-Control: no-store\r\n"), PLAIN], "bypass miss", 2),
        ("", [PLAIN, (PLAIN, "Cache-Control: max-age=0\r\n")], "miss bypass", 2),
        ("", [PLAIN, (PLAIN, "Cache-Control: max-age=100\r\n")], "miss hit", 1),
        ("", [PLAIN, (PLAIN, "Cache-Control: x, No-Store\r\n")], "miss bypass", 2),
        ("", [PLAIN, (PLAIN, "X-Synaxis-Cache: off\r\n"), PLAIN], "miss bypass hit", 2),
        ("", [(PLAIN, "X-Synaxis-Cache: off\r\n"), PLAIN], "bypass miss", 2),
        ("", [(PLAIN, f"Authorization: Bearer {who}\r\n") for who in "aabab"], "miss hit miss hit hit", 2),
        ("", [(PLAIN, "Authorization: Bearer a\r\n"), PLAIN], "miss miss", 2),
        (", vary: []", [(PLAIN, f"Authorization: Bearer {who}\r\n") for who in "ab"], "miss hit", 1),
        (", vary: [x-tenant]", [(PLAIN, f"X-Tenant: {who}\r\n") for who in "aab"], "miss hit miss", 2),
        (
            ", max_temperature: 0.3",
            ['{"model":"m","messages":[],"temperature":%s}' % warmth for warmth in ("0.2", "0.2", "0.9", "0.9")]
            + [PLAIN, PLAIN],
            "miss hit bypass bypass bypass bypass",
            5,
        ),
        ("", ['{"model":"m","messages":[],"temperature":2}'] * 2, "miss hit", 1),
    ],
)
def test_who_wants_what(gateway, mock, settings, requests, expected, calls):
    quick = mock("--gap-ms 0")
    at = gateway(quick, more=f"cache: {{ enabled: true, sampled: true{settings} }}")
    assert " ".join(states(at, requests)) == expected
    assert quick.stats["requests"] == calls


def at_temperature(text, more=""):
    return '{"model":"m","messages":[],"temperature":%s%s}' % (text, more)


@pytest.mark.parametrize(
    "settings, requests, expected",
    [
        # The default temperature is 1: "regenerate" is to bring another answer.
        ("", [PLAIN, PLAIN], "bypass bypass"),
        ("", [STREAM, STREAM], "bypass bypass"),
        ("", [at_temperature(text) for text in ("0", "0")], "miss hit"),
        ("", [at_temperature(text) for text in ("0.0", "0.0", "-0", "-0", "0e3", "0e3")], "miss hit miss hit miss hit"),
        ("", [at_temperature("0", ',"stream":true')] * 2, "miss hit"),
        ("", [at_temperature(text) for text in ("0.01", "0.01", "null", "null", '"0"', '"0"', "-1", "-1")],
         "bypass " * 7 + "bypass"),
        # Which one counts is not known.
        ("", [at_temperature("1", ',"temperature":0')] * 2, "bypass bypass"),
        ("", [at_temperature("0", ',"Temperature":1')] * 2, "bypass bypass"),
        (", sampled: false", [PLAIN, PLAIN], "bypass bypass"),
        (", sampled: false, coalesce: true", [PLAIN, PLAIN], "bypass bypass"),
        (", max_temperature: 0.3", [at_temperature(text) for text in ("0.2", "0.2", "0", "0")], "bypass bypass miss hit"),
    ],
)
def test_only_what_is_meant_to_be_repeatable(gateway, mock, settings, requests, expected):
    at = gateway(mock("--gap-ms 0"), more=f"cache: {{ enabled: true{settings} }}")
    assert " ".join(states(at, requests)) == expected


def test_samples_at_once_are_not_one(gateway, mock):
    slow = mock("--think-ms 300 --gap-ms 0")
    at = gateway(slow, more="cache: { enabled: true }")
    for body, state, calls in ((PLAIN, "bypass", 3), (STREAM, "bypass", 6), (at_temperature("0"), None, 7)):
        readers = [Reader(at.connect()) for _ in range(3)]
        for reader in readers:
            reader.socket.sendall(post(body))
        found = [reader.read()[0]["x-synaxis-cache"] for reader in readers]
        assert sorted(found) == ([state] * 3 if state else ["coalesced", "coalesced", "miss"])
        assert slow.stats["requests"] == calls


CLIENTS = """clients:
  - { name: anna, key: a }
  - { name: bert, key: b }
  - { name: cheap, key: c, models: [n] }
"""


@pytest.mark.parametrize(
    "vary, expected",
    [
        ("[authorization]", "miss miss hit hit"),
        ("[]", "miss hit hit hit"),
        ("[x-tenant]", "miss hit hit hit"),
        ("[x-tenant, authorization]", "miss miss hit hit"),
    ],
)
@pytest.mark.parametrize("field", ["Authorization: Bearer {}\r\n", "x-api-key: {}\r\n", "api-key: {}\r\n"])
def test_whom_clients_share_with(gateway, mock, vary, expected, field):
    """Listed clients, and callers that nobody has listed, whose key goes nowhere."""
    for clients in (CLIENTS, ""):
        at = gateway(mock("--gap-ms 0 --models m,n"), models="[m, n]",
                     more=f"cache: {{ enabled: true, sampled: true, vary: {vary} }}\n{clients}")
        assert " ".join(states(at, [(PLAIN, field.format(who)) for who in "abab"])) == expected


def test_who_shares_gets_nothing_that_it_may_not_ask_for(gateway, mock):
    behind = mock("--gap-ms 0 --models m,n")
    at = gateway(behind, models="[m, n]", more=f"cache: {{ enabled: true, sampled: true, vary: [] }}\n{CLIENTS}")
    assert states(at, [(PLAIN, "x-api-key: a\r\n")]) == ["miss"]
    head, body = ask(at, PLAIN, "x-api-key: c\r\n")
    assert head.status == 403 and json.loads(body)["error"]["code"] == "model_not_allowed"
    allowed = PLAIN.replace('"m"', '"n"')
    assert states(at, [(allowed, f"x-api-key: {who}\r\n") for who in "cab"]) == ["miss", "hit", "hit"]


@pytest.mark.parametrize("failure", ["reset-after-chunks:3", "truncate", "500", "429", "401", "error-in-200"])
@pytest.mark.parametrize("body", [PLAIN, STREAM])
def test_failures_are_not_stored(gateway, mock, failure, body):
    failing = mock(f"--gap-ms 1 --fail {failure} --retry-after 0")
    at = gateway(failing, more=f"{ON}\nadmin: {{ token: t }}")
    for count in (1, 2):
        before = failing.stats["requests"]
        head, _ = ask(at, body)
        assert head["x-synaxis-cache"] == "miss"
        assert failing.stats["requests"] > before
        reset = Reader(at.connect())
        reset.socket.sendall(post("", path="/admin/providers/a/reset", more="Authorization: Bearer t\r\n"))
        assert reset.read()[0].status == 200


def test_clear(gateway, mock):
    quick = mock("--gap-ms 0")
    at = gateway(quick, more=f"{ON}\nadmin: {{ token: t }}")
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]
    operator = Reader(at.connect())
    operator.socket.sendall(post("", path="/admin/cache/clear", more="Authorization: Bearer t\r\n"))
    head, body = operator.read()
    assert head.status == 200 and json.loads(body)["cleared"] == 1
    assert states(at, [PLAIN]) == ["miss"] and quick.stats["requests"] == 2


@pytest.mark.parametrize("settings", ["", ", max_temperature: 0.3", ", sampled: true, max_temperature: 0.3"])
def test_other_endpoints_are_stored(gateway, mock, settings):
    """None of them draws by lot."""
    quick = mock()
    at = gateway(quick, more=f"cache: {{ enabled: true{settings} }}")
    paths = {"embeddings": "input", "moderations": "input", "rerank": "query"}
    for path, name in paths.items():
        for expected in ("miss", "hit"):
            reader = Reader(at.connect())
            reader.socket.sendall(post(json.dumps({"model": "m", name: "x"}), path=f"/v1/{path}"))
            assert reader.read()[0]["x-synaxis-cache"] == expected, path
    assert quick.stats["requests"] == len(paths)


def test_paced_replay(gateway, provider):
    """A stored stream comes with its gaps again: one event after the other, not all in one piece."""
    at = gateway(provider, more="cache: { enabled: true, sampled: true, replay: paced }")
    reader = Reader(at.connect())
    start_stream(provider, [reader], "one")
    for text in ("two", "three"):
        # The gap that is recorded: it is longer than any scheduling, and no assertion is about its length.
        select.select([], [], [], 0.3)
        provider.current.send_chunk(event(text))
        assert reader.read_some() == event(text)
    provider.current.send_chunk(DONE)
    provider.current.send(b"0\r\n\r\n")
    assert reader.read_rest() == DONE
    again = Reader(at.connect())
    again.socket.sendall(post(STREAM))
    assert again.read_head()["x-synaxis-cache"] == "hit"
    assert again.read_some() == event("one")
    # Another client is served between two events of the replay.
    other = Reader(at.connect())
    other.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert other.read()[0].status == 200
    assert again.read_some() == event("two")
    assert again.read_rest() == event("three") + DONE


def test_evicted_in_the_middle_of_a_replay(gateway, mock):
    """Who is being answered from an entry keeps it, whatever becomes of the entry."""
    big = mock("--gap-ms 0 --chunks 50 --body-bytes 3000000")
    at = gateway(big, more="cache: { enabled: true, sampled: true, size: 16MiB }\nadmin: { token: t }")
    _, expected = ask(at, STREAM)
    slow = Reader(at.connect(receive_buffer=4096))
    slow.socket.sendall(post(STREAM))
    assert slow.read_head()["x-synaxis-cache"] == "hit"
    begun = slow.read_some()
    # Pushed out by others, and what is left is cleared.
    for number in range(6):
        ask(at, '{"model":"m","stream":true,"messages":[],"seed":%d}' % number)
    operator = Reader(at.connect())
    operator.socket.sendall(post("", path="/admin/cache/clear", more="Authorization: Bearer t\r\n"))
    assert operator.read()[0].status == 200
    assert begun + slow.read_rest() == expected
    assert states(at, [STREAM]) == ["miss"]


def test_everybody_gets_a_failure_before_commit(gateway, provider):
    at = gateway(provider, more=ON)
    readers = [Reader(at.connect()) for _ in range(3)]
    readers[0].socket.sendall(post(PLAIN))
    provider.read()
    for reader in readers[1:]:
        reader.socket.sendall(post(PLAIN))
        # Its request has been taken when a later one of the same connection's owner is answered.
        probe = Reader(at.connect())
        probe.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        probe.read()
    provider.current.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    for reader in readers:
        head, body = reader.read()
        assert head.status == 502 and json.loads(body)["error"]["code"] == "upstream_routing_failure"
    assert not provider.has_request()


def test_not_shared_where_switched_off(start, mock):
    slow = mock("--think-ms 300 --gap-ms 0")
    at = start(Gateway, f"cache: {{ enabled: true, sampled: true, coalesce: false }}\nproviders:\n  a: {slow.provider()}\n")
    readers = [Reader(at.connect()) for _ in range(3)]
    for reader in readers:
        reader.socket.sendall(post(PLAIN))
    assert [reader.read()[0]["x-synaxis-cache"] for reader in readers] == ["miss"] * 3
    assert slow.stats["requests"] == 3
    eventually(lambda: states(at, [PLAIN]) == ["hit"], "the stored answer")


def test_models_and_aliases_that_keep_out(start, mock):
    """`cache: off` and `coalesce: false` of one model or one name leave the others as they are."""
    slow = mock("--think-ms 300 --gap-ms 0")
    at = start(Gateway, f"""cache: {{ enabled: true, sampled: true }}
providers:
  a:
    type: openai
    endpoint: "http://{slow.address}/v1"
    models: {{ m: m, fresh: {{ model: fresh, cache: off }}, alone: {{ model: alone, coalesce: false }} }}
aliases:
  new: {{ candidates: [a/m], cache: off }}
""")
    bodies = {name: json.dumps({"model": name, "messages": []}) for name in ("m", "fresh", "alone", "new")}
    for name, expected in {"m": ["miss", "hit"], "fresh": ["bypass"] * 2, "new": ["bypass"] * 2}.items():
        assert states(at, [bodies[name]] * 2) == expected, name
    readers = [Reader(at.connect()) for _ in range(2)]
    for reader in readers:
        reader.socket.sendall(post(bodies["alone"]))
    assert [reader.read()[0]["x-synaxis-cache"] for reader in readers] == ["miss"] * 2
    assert slow.stats["requests"] == 7
