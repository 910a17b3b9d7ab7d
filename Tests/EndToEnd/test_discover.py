"""What providers are asked besides clients' requests: their models, and whether they are back. And hedging."""

from gateway import Gateway, eventually
from pages import ask, dial
from wire import Reader


def models(gateway):
    return [model["id"] for model in ask(gateway, "/v1/models").json["data"]]


def complete(gateway, model):
    body = '{"model":"%s","messages":[]}' % model
    more = f"Content-Type: application/json\r\nX-Synaxis-Cache: off\r\nContent-Length: {len(body)}\r\n"
    with dial("%s:%d" % gateway.address) as connection:
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{more}\r\n{body}".encode())
        head, _ = Reader(connection).read()
    return head


def test_discovered_models_are_listed_and_served(start, mock):
    listed = mock("--models m,other/one,two --gap-ms 0")
    quiet = mock("--models m,hidden --gap-ms 0")
    text = f"""listen: 127.0.0.1:0
providers:
  a: {listed.provider(more=", discover: true")}
  b: {quiet.provider(tier=1)}
"""
    gateway = start(Gateway, text)
    eventually(lambda: "two" in models(gateway), "the provider's own list is taken in")
    assert models(gateway) == ["m", "other/one", "two"]
    assert complete(gateway, "other/one").status == 200
    assert complete(gateway, "hidden").status == 404
    # Asking for models is no completion.
    assert listed.stats["requests"] == 1 and quiet.stats["requests"] == 0


def test_discovery_that_fails_takes_nothing_away(start, mock):
    dead = 'type: openai, endpoint: "http://127.0.0.1:1/v1", tier: 0, models: [m], discover: true'
    text = f"""listen: 127.0.0.1:0
providers:
  a: {{ {dead} }}
  b: {mock("--models m --gap-ms 0").provider(tier=1)}
"""
    gateway = start(Gateway, text)
    assert complete(gateway, "m").status == 200
    assert models(gateway) == ["m"]


def test_a_probe_is_no_completion(start, mock):
    asked = mock("--models m --gap-ms 0")
    gateway = start(Gateway, f"listen: 127.0.0.1:0\nproviders:\n  a: {asked.provider(more=', probe: true')}\n")
    eventually(lambda: asked.stats["connections"] > 1, "the provider is asked at the start")
    assert asked.stats["requests"] == 0
    assert complete(gateway, "m").status == 200
    assert asked.stats["requests"] == 1


def test_hedge_asks_the_next_one_and_cancels_the_slow_one(start, mock):
    slow = mock("--models m --think-ms 60000")
    quick = mock("--models m --gap-ms 0")
    text = f"""listen: 127.0.0.1:0
hedge: 100ms
providers:
  slow: {slow.provider()}
  quick: {quick.provider(tier=1)}
"""
    gateway = start(Gateway, text)
    head = complete(gateway, "m")
    assert head.status == 200
    assert head["x-synaxis-provider"] == "quick"
    eventually(lambda: slow.stats["cancelled"] == 1, "the slow one is cancelled")
    assert slow.stats["requests"] == 1 and quick.stats["requests"] == 1
