"""The admin pages: who may see them, what they say, and what they change."""

import datetime
import json
import shutil
import subprocess

import pytest

from gateway import Gateway
from pages import ask, complete

TOKEN = "the-admin-token"
PAGES = ["/admin/health", "/admin/providers", "/admin/providers/a/status"]
WITH_TOKEN = f"admin: {{ token: {TOKEN} }}"


def test_off(gateway, mock):
    """With neither token nor listener the pages are off, and say how to turn them on."""
    at = gateway(mock())
    for path in [*PAGES, "/admin/nothing"]:
        page = ask(at, path)
        assert page.status == 403 and page.json["error"]["code"] == "admin_off"
        assert "admin.token" in page.body and "admin.listen" in page.body
        assert ask(at, path, token="x").status == 403
    assert ask(at, "/admin/providers/a/reset", "POST").status == 403


@pytest.mark.parametrize("shown", [None, "", TOKEN[:-1], TOKEN + "x", TOKEN * 2, TOKEN.upper(), "x", "x" * 4000])
def test_wrong_token(gateway, mock, shown):
    page = ask(gateway(mock(), more=WITH_TOKEN), "/admin/health", token=shown)
    assert page.status == 401 and page.head["www-authenticate"] == "Bearer"
    assert TOKEN not in page.body


def test_token(gateway, mock):
    at = gateway(mock(), more=WITH_TOKEN)
    for path in PAGES:
        assert ask(at, path, token=TOKEN).status == 200
        assert ask(at, path, "HEAD", token=TOKEN).body == ""
    assert ask(at, "/admin/health", more=f"Authorization: bearer   {TOKEN} \r\n").status == 200
    assert ask(at, "/admin/health", more=f"Authorization: Basic {TOKEN}\r\n").status == 401
    # What is not there is no news for somebody without the token.
    assert ask(at, "/admin/nothing").status == 401
    assert ask(at, "/admin/nothing", token=TOKEN).status == 404


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_listener(start, mock, tmp_path, kind):
    """The admin listener needs no token, and is no second way to the providers."""
    own = f"unix:{tmp_path}/admin.sock" if kind == "unix" else "[::1]:0"
    text = f'listen: 127.0.0.1:0\nadmin: {{ listen: "{own}" }}\nproviders:\n  a: {mock().provider()}\n'
    at = start(Gateway, text)
    admin = at.addresses[1]
    for path in [*PAGES, "/metrics", "/health/readiness", "/livez"]:
        assert ask(admin, path).status == 200, path
    assert ask(admin, "/v1/models").status == 404
    assert ask(admin, "/v1/chat/completions", "POST").status == 404
    assert ask(admin, "/admin/providers/a/reset", "POST").status == 200
    # The listener for clients has no token to ask for.
    assert ask(at, "/admin/health").status == 403
    assert complete(at)[0] == 200


def test_origin(start, mock):
    """A page in the operator's browser is not the operator."""
    text = f'listen: 127.0.0.1:0\ncors: {{ origins: [https://mine.example] }}\nadmin: {{ token: {TOKEN}, listen: "[::1]:0" }}\n'
    at = start(Gateway, text + f"providers:\n  a: {mock().provider()}\n")
    foreign, own = "Origin: https://evil.example\r\n", "Origin: https://mine.example\r\n"
    for address, token in [(at, TOKEN), (at.addresses[1], None)]:
        assert ask(address, "/admin/providers/a/reset", "POST", token, foreign).status == 403
        assert ask(address, "/admin/providers/a/reset", "POST", token, own).status == 200


def test_shape(gateway, mock):
    more = f"admin: {{ token: {TOKEN} }}"
    at = gateway(mock(), mock(), more=more, models="[m, n]", entry=", rpm: 30")
    assert complete(at)[0] == 200
    health = ask(at, "/admin/health", token=TOKEN)
    assert health.head["content-type"] == "application/json"
    assert health.json["overallStatus"] == "healthy"
    datetime.datetime.fromisoformat(health.json["timestamp"])
    assert {"proxy", "cache"} == {service["name"] for service in health.json["services"]}
    a, b = health.json["providers"]
    assert list(a) == [
        "name", "status", "tier", "latency", "successRate", "inFlight", "cooldownUntil", "reason", "quota",
        "tokens", "spent", "models", "lastChecked",
    ]
    assert (a["name"], a["status"], a["tier"], a["successRate"], a["inFlight"]) == ("a", "online", 0, 1, 0)
    assert a["latency"] > 0 and a["quota"] == {"requests": 29, "tokens": None} and a["models"] == ["m", "n"]
    assert datetime.datetime.fromisoformat(a["lastChecked"])
    assert (b["tier"], b["latency"], b["successRate"], b["lastChecked"]) == (1, None, None, None)
    providers = ask(at, "/admin/providers/", token=TOKEN).json["providers"]
    assert [provider["name"] for provider in providers] == ["a", "b"]
    assert ask(at, "/admin/providers/b/status", token=TOKEN).json == b
    missing = ask(at, "/admin/providers/c/status", token=TOKEN)
    assert missing.status == 404 and missing.json["error"]["code"] == "not_found"


@pytest.mark.skipif(not shutil.which("jq") or not shutil.which("curl"), reason="jq and curl are not there")
def test_jq(gateway, mock):
    at = gateway(mock(), mock("--fail 500"), more=WITH_TOKEN)
    pipe = f"curl -sf -H 'Authorization: Bearer {TOKEN}' {at.url}/admin/health"
    pipe += """ | jq -r '.providers[] | select(.status == "online") | .name'"""
    assert subprocess.check_output(["sh", "-c", pipe], text=True).split() == ["a", "b"]


def test_cooling_and_reset(gateway, mock):
    limited = mock("--fail 429 --retry-after 1800")
    at = gateway(limited, mock(), more=WITH_TOKEN)
    assert complete(at)[0] == 200
    health = ask(at, "/admin/health", token=TOKEN).json
    a, b = health["providers"]
    assert (health["overallStatus"], a["status"], a["reason"], b["status"]) == (
        "degraded", "cooling", "is at its rate limit (429: Rate limit reached: the mock was asked to say so)", "online")
    left = datetime.datetime.fromisoformat(a["cooldownUntil"]) - datetime.datetime.fromisoformat(
        health["timestamp"])
    assert 1700 < left.total_seconds() <= 1801
    assert complete(at)[0] == 200 and limited.stats["requests"] == 1

    refused = ask(at, "/admin/providers/a/reset", token=TOKEN)
    assert refused.status == 405 and refused.head["allow"] == "POST"
    assert ask(at, "/admin/health", "POST", token=TOKEN).status == 405
    assert ask(at, "/admin/providers/c/reset", "POST", token=TOKEN).status == 404
    done = ask(at, "/admin/providers/a/reset", "POST", token=TOKEN)
    assert done.status == 200 and (done.json["status"], done.json["cooldownUntil"]) == ("online", None)
    assert complete(at)[0] == 200 and limited.stats["requests"] == 2


def test_offline_and_disabled(start, mock, provider):
    """A rejected key takes a provider offline; one that is switched off is listed too."""
    text = f"""{WITH_TOKEN}
providers:
  a: {mock("--fail 401").provider()}
  b.c: {mock().provider(tier=1)}
  off: {{ type: openai, endpoint: "http://127.0.0.1:9/v1", models: [m], enabled: false }}
"""
    at = start(Gateway, text)
    assert complete(at)[0] == 200
    states = {each["name"]: each["status"] for each in ask(at, "/admin/providers", token=TOKEN).json["providers"]}
    assert states == {"a": "offline", "b.c": "online", "off": "disabled"}
    assert ask(at, "/admin/providers/%62%2ec/status", token=TOKEN).json["name"] == "b.c"
    assert ask(at, "/admin/providers/off/status", token=TOKEN).json["status"] == "disabled"


def test_clear_cache(gateway, mock):
    behind = mock()
    at = gateway(behind, more=WITH_TOKEN + "\ncache: { enabled: true, sampled: true }")
    for _ in range(3):
        assert complete(at)[0] == 200
    assert behind.stats["requests"] == 1
    cache = next(s for s in ask(at, "/admin/health", token=TOKEN).json["services"] if s["name"] == "cache")
    assert cache.pop("bytes") > 0
    assert cache == {
        "name": "cache", "status": "healthy", "entries": 1, "hit": 2, "miss": 1, "coalesced": 0, "bypass": 0,
        "evicted": 0, "callsSaved": 2}
    cleared = ask(at, "/admin/cache/clear", "POST", token=TOKEN).json
    assert cleared == {"cleared": 1, "cache": "enabled"}
    assert ask(at, "/admin/cache/clear", "POST", token=TOKEN).json["cleared"] == 0
    assert complete(at)[0] == 200 and behind.stats["requests"] == 2


def test_no_cache_to_clear(gateway, mock):
    at = gateway(mock(), more=WITH_TOKEN + "\ncache: { enabled: false }")
    assert ask(at, "/admin/cache/clear", "POST", token=TOKEN).json == {"cleared": 0, "cache": "disabled"}


def test_keep_alive(gateway, mock):
    """A page leaves the connection in order, a command with a body too."""
    from wire import Reader

    at = gateway(mock(), more=WITH_TOKEN)
    with at.connect() as connection:
        reader = Reader(connection)
        auth = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        command = f"POST /admin/providers/a/reset HTTP/1.1\r\n{auth}Content-Length: 7\r\n\r\n{{\"a\":1}}"
        connection.sendall((command + f"GET /admin/health HTTP/1.1\r\n{auth}\r\n").encode())
        assert json.loads(reader.read()[1])["name"] == "a"
        assert json.loads(reader.read()[1])["overallStatus"] == "healthy"
