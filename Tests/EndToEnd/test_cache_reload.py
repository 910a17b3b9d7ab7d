"""SIGHUP changes the whole `cache` section of a running process."""

import json

import pytest

from gateway import Gateway, eventually
from pages import ask as page
from test_cache import PLAIN, STREAM, ask, states
from test_reload import Reloading
from wire import Reader, post

WARM = '{"model":"m","messages":[],"temperature":1.9}'


def numbered(count):
    return ['{"model":"m","messages":[],"seed":%d}' % number for number in range(count)]


@pytest.fixture
def cached(start, mock):
    """A provider, its gateway, and `take(cache, …)`, which reloads with another `cache` section."""
    behind = mock("--gap-ms 0 --models m,n")

    def text(cache, provider=behind.provider(), more=""):
        return f"listen: 127.0.0.1:0\nadmin: {{ token: t }}\ncache: {cache}\nproviders:\n  a: {provider}\n{more}"

    at = start(Gateway, text("{ sampled: true, size: 16MiB }"))
    reloading = Reloading(at)
    return behind, at, lambda *a, **k: reloading.take(text(*a, **k))


def facts(at):
    services = page(at, "/admin/health", token="t").json["services"]
    return next(service for service in services if service["name"] == "cache")


def test_an_unchanged_section_keeps_the_answers(cached):
    behind, at, take = cached
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]
    take("{ sampled: true, size: 16MiB, replay: paced }")
    assert states(at, [PLAIN]) == ["hit"]


def test_a_smaller_size_keeps_the_latest(cached):
    behind, at, take = cached
    bodies = numbered(300)
    assert set(states(at, bodies)) == {"miss"}
    take("{ sampled: true, size: 64KiB }")
    eventually(lambda: facts(at)["bytes"] <= 64 << 10, "what is too much has gone")
    assert states(at, bodies[-1:] + bodies[:1]) == ["hit", "miss"]
    take("{ sampled: true, size: 16MiB }")
    assert "miss" in states(at, bodies)
    assert states(at, bodies) == ["hit"] * 300


def test_off_gives_everything_back_and_on_begins_anew(cached):
    behind, at, take = cached
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]
    take("off")
    assert facts(at)["status"] == "disabled"
    assert states(at, [PLAIN, PLAIN]) == ["bypass", "bypass"]
    take("{ sampled: true, size: 16MiB }")
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]


def test_a_shorter_ttl_holds_for_what_is_stored(cached):
    behind, at, take = cached
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]
    take("{ sampled: true, size: 16MiB, ttl: 1s }")
    eventually(lambda: states(at, [PLAIN]) == ["miss"], "it is too old now")


def test_vary_temperature_and_coalescing(cached):
    behind, at, take = cached
    anna, bert = ((PLAIN, f"Authorization: Bearer {who}\r\n") for who in "ab")
    assert states(at, [anna, bert]) == ["miss", "miss"]
    take("{ sampled: true, size: 16MiB, vary: [], max_temperature: 1.5 }")
    # What one client was answered under the former rule is not given to another.
    assert states(at, [anna, bert, WARM]) == ["miss", "hit", "bypass"]
    take("{ sampled: true, size: 16MiB }")
    assert states(at, [anna, bert, WARM, WARM]) == ["hit", "hit", "miss", "hit"]


def test_what_is_sampled_is_forgotten_when_it_is_not_wanted(cached):
    behind, at, take = cached
    assert states(at, [PLAIN, PLAIN]) == ["miss", "hit"]
    take("{ size: 16MiB }")
    assert states(at, [PLAIN, PLAIN]) == ["bypass", "bypass"]


def test_a_name_that_means_another_model_is_asked_anew(cached):
    behind, at, take = cached
    aliased = '{"model":"smart","messages":[]}'
    models = behind.provider(models="[m, n]")
    take("{ sampled: true, size: 16MiB }", provider=models, more="aliases: { smart: [a/m] }\n")
    assert states(at, [aliased, aliased]) == ["miss", "hit"]
    take("{ sampled: true, size: 16MiB }", provider=models, more="aliases: { smart: [a/n] }\n")
    assert states(at, [aliased, aliased]) == ["miss", "hit"]


def test_a_replay_under_way_goes_on(start, mock):
    big = mock("--gap-ms 0 --chunks 50 --body-bytes 3000000")

    def text(cache):
        return f"listen: 127.0.0.1:0\ncache: {cache}\nproviders:\n  a: {big.provider()}\n"

    at = start(Gateway, text("{ sampled: true, size: 16MiB }"))
    _, expected = ask(at, STREAM)
    slow = Reader(at.connect(receive_buffer=4096))
    slow.socket.sendall(post(STREAM))
    assert slow.read_head()["x-synaxis-cache"] == "hit"
    begun = slow.read_some()
    Reloading(at).take(text("off"))
    assert begun + slow.read_rest() == expected
    assert states(at, [STREAM]) == ["bypass"]
