"""Stored and shared answers: a client cannot tell them from fresh ones, but for what the header says."""

import asyncio
import json
import select
import threading

import openai
import pytest

from gateway import Gateway, eventually
from wire import Reader, post

MESSAGES = [{"role": "user", "content": "Hello"}]
PLAIN = '{"model":"m","messages":[]}'
STREAM = '{"model":"m","stream":true,"messages":[]}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ON = "cache: { enabled: true, sampled: true }"


def event(text):
    return b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()


DONE = b"data: [DONE]\n\n"


def ask(at, body, more=""):
    """One request on a connection of its own: head and body."""
    reader = Reader(at.connect())
    reader.socket.sendall(post(body, more=more))
    head, answer = reader.read()
    reader.socket.close()
    return head, answer


def states(at, bodies):
    """What the cache did for each request, one after the other; a body may have fields beside it."""
    found = []
    for body in bodies:
        body, more = body if isinstance(body, tuple) else (body, "")
        found.append(ask(at, body, more)[0]["x-synaxis-cache"])
    return found


def same_but_for_the_cache(heads):
    """Names and values of the fields, without those that differ from answer to answer."""
    ours = {"x-request-id", "x-synaxis-cache", "x-synaxis-attempts", "server-timing", "age", "date"}
    seen = [sorted(field for field in head.fields if field[0] not in ours) for head in heads]
    assert all(one == seen[0] for one in seen), seen


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


def test_a_hundred_streams(gateway, mock):
    """Started together they cost one call, and end with the same bytes."""
    slow = mock("--gap-ms 20 --chunks 50 --think-ms 500")
    at = gateway(slow, more=ON)
    readers = [Reader(at.connect()) for _ in range(100)]
    for reader in readers:
        reader.socket.sendall(post(STREAM))
    heads, bodies = zip(*(reader.read() for reader in readers))
    assert slow.stats["requests"] == 1
    assert len(set(bodies)) == 1 and bodies[0].endswith(DONE)
    assert sorted(head["x-synaxis-cache"] for head in heads) == ["coalesced"] * 99 + ["miss"]
    same_but_for_the_cache(heads)


def start_stream(provider, readers, *texts):
    """Every reader asks for the same stream, which has begun; its first event has reached all of them."""
    readers[0].socket.sendall(post(STREAM))
    provider.read()
    provider.current.send(STREAM_HEAD)
    for text in texts:
        provider.current.send_chunk(event(text))
    expected = b"".join(map(event, texts))
    for reader in readers:
        if reader is not readers[0]:
            reader.socket.sendall(post(STREAM))
        reader.read_head()
        got = b""
        while len(got) < len(expected):
            got += reader.read_some()
        assert got == expected


def test_the_first_leaves(gateway, provider):
    at = gateway(provider, more=ON)
    first, second = Reader(at.connect()), Reader(at.connect())
    start_stream(provider, [first, second], "one")
    first.socket.close()
    assert at.record()["end"] == "client_left"
    provider.current.send_chunk(event("two") + DONE)
    provider.current.send(b"0\r\n\r\n")
    assert second.read_rest() == event("two") + DONE
    assert at.record()["end"] == "complete"
    head, body = ask(at, STREAM)
    assert head["x-synaxis-cache"] == "hit" and body == event("one") + event("two") + DONE


def test_the_last_leaves(gateway, provider):
    """The provider is cancelled, nothing is stored, and the next one asks anew."""
    at = gateway(provider, more=ON)
    first, second = Reader(at.connect()), Reader(at.connect())
    start_stream(provider, [first, second], "one")
    first.socket.close()
    at.record()
    second.socket.close()
    at.record()
    provider.current.waits_for_close()
    third = Reader(at.connect())
    start_stream(provider, [third], "new")
    assert third.head["x-synaxis-cache"] == "miss"


def flood(provider, count):
    """Sends so many events of 2 KB; what they are."""
    events = [event("%06d " % number + "x" * 2000) for number in range(count)]
    upstream = provider.current
    upstream.socket.settimeout(30)
    data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*events, DONE]) + b"0\r\n\r\n"
    thread = threading.Thread(target=upstream.send, args=(data,))
    thread.start()
    return thread, b"".join(events) + DONE


def test_slow_follower_of_what_is_stored(gateway, provider):
    """The answer is kept whole: who reads late has it all from there, and nobody waits for him."""
    at = gateway(provider, more="cache: { enabled: true, sampled: true, size: 64MiB }")
    fast, slow = Reader(at.connect()), Reader(at.connect(receive_buffer=4096))
    start_stream(provider, [fast, slow], "one")
    thread, expected = flood(provider, 4000)
    assert fast.read_rest() == expected
    thread.join()
    assert at.record()["end"] == "complete"
    assert slow.read_rest() == expected
    assert at.record()["end"] == "complete"


def test_slow_follower_of_what_is_not_stored(gateway, provider):
    """Too large to be kept: who lies behind too far is told so, alone."""
    at = gateway(provider, more="cache: { enabled: true, sampled: true, size: 256KiB }")
    fast, slow = Reader(at.connect()), Reader(at.connect(receive_buffer=4096))
    start_stream(provider, [fast, slow], "one")
    before = at.status("VmRSS")
    thread, expected = flood(provider, 10_000)
    assert fast.read_rest() == expected
    thread.join()
    assert at.status("VmRSS") - before < 12 << 20
    body = slow.read_rest()
    kept, _, last = body.removesuffix(b"\n\n").rpartition(b"\n\n")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "reader_too_slow"
    assert expected.startswith(kept.rstrip(b"\n")) and DONE not in body
    ends = {at.record()["end"], at.record()["end"]}
    assert ends == {"complete", "reader_too_slow"}


@pytest.mark.parametrize("kind", [PLAIN, STREAM])
def test_answer_larger_than_is_kept(gateway, mock, kind):
    """The whole of it was held before commit, more than the cache keeps: a slow reader gets it all the same."""
    at = gateway(mock("--gap-ms 0 --chunks 4 --body-bytes 900000"), more="cache: { enabled: true, sampled: true, size: 256KiB }")
    for _ in range(2):
        reader = Reader(at.connect(receive_buffer=4096))
        reader.socket.sendall(post(kind))
        head, body = reader.read()
        assert head.status == 200 and head["x-synaxis-cache"] == "miss" and len(body) > 900_000
        reader.socket.close()
        assert at.record()["end"] == "complete"


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
