"""Equal requests at once: one call, and each client reads at its own pace."""

import json
import threading

import pytest

from cached import DONE, ON, ask, event, same_but_for_the_cache, start_stream
from talk import PLAIN, STREAM
from wire import Reader, post


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
