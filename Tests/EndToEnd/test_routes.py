"""Our own endpoints over plain sockets: which there are, and what they say of what they do not take."""

import json

import pytest

from gateway import Gateway
from talk import PLAIN, error_code, exchange
from wire import post


def get(gateway, path, method="GET", more=""):
    reader = exchange(gateway, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
    return reader, *reader.read(bodyless=method == "HEAD")


@pytest.mark.parametrize("path", ["/health/liveness", "/livez", "/healthz", "/health", "/health/readiness", "/readyz"])
def test_health(gateway, provider, path):
    _, head, body = get(gateway(provider), path)
    assert head.status == 200 and json.loads(body)["status"] == "ok"


def test_readiness_without_a_usable_provider(gateway, mock):
    at = gateway(mock("--fail 401"))
    exchange(at, post(PLAIN)).read()
    _, head, body = get(at, "/readyz")
    assert head.status == 503 and json.loads(body)["status"] == "unavailable"
    assert get(at, "/livez")[1].status == 200


def test_readiness_degraded(gateway, mock):
    at = gateway(mock("--fail 401"), mock())
    exchange(at, post(PLAIN)).read()
    _, head, body = get(at, "/readyz")
    assert head.status == 200 and json.loads(body)["status"] == "degraded"


def test_models(start, provider):
    at = start(
        Gateway,
        f"""
providers:
  a: {provider.entry(0, "[small, shared]")}
  b: {provider.entry(1, "{ shared: vendor-name, org/big: x }")}
aliases: {{ fast: [a/small] }}
""",
    )
    _, head, body = get(at, "/v1/models")
    listed = json.loads(body)
    assert head["content-type"] == "application/json" and listed["object"] == "list"
    names = [model["id"] for model in listed["data"]]
    assert len(names) == len(set(names)) and {"small", "shared", "org/big", "fast"} <= set(names)
    assert all(model["object"] == "model" and "provider" in model and "tier" in model for model in listed["data"])
    for path in ["/v1/models/small", "/openai/v1/models/small", "/v1/models/org/big", "/v1/models/org%2Fbig"]:
        _, head, body = get(at, path)
        assert head.status == 200 and json.loads(body)["id"] == ("small" if "small" in path else "org/big")
    _, head, body = get(at, "/v1/models/smal")
    assert head.status == 404 and error_code(body) == "model_not_found"
    assert "small" in json.loads(body)["error"]["message"]


def test_head(gateway, provider):
    at = gateway(provider)
    reader = exchange(at, b"HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _ = reader.read(bodyless=True)
    assert head.status == 200 and int(head["content-length"]) > 10
    # What follows is the next answer, not a body.
    host = b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader.socket.sendall(b"HEAD /nothing" + host + b"GET /livez" + host)
    assert reader.read(bodyless=True)[0].status == 404
    assert json.loads(reader.read()[1])["status"] == "ok"


@pytest.mark.parametrize("path", ["/x", "/v1", "/v1/nothing", "/v2/models", "/v1/chat"])
def test_unknown_paths(gateway, provider, path):
    _, head, body = get(gateway(provider), path)
    assert head.status in (404, 405)
    assert error_code(body) in ("not_found", "method_not_allowed")


@pytest.mark.parametrize(
    "method, path, allow",
    [("GET", "/v1/chat/completions", "POST"), ("DELETE", "/v1/models", "GET, HEAD"), ("PUT", "/livez", "GET, HEAD")],
)
def test_wrong_method(gateway, provider, method, path, allow):
    reader, head, body = get(gateway(provider), path, method)
    assert head.status == 405 and head["allow"] == allow and error_code(body) == "method_not_allowed"
    # What providers have beyond that is told, but not of what is ours alone.
    assert (b"/providers/NAME/" in body) == path.startswith("/v1/")
    reader.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.read()[0].status == 200


def test_request_ids(gateway, provider):
    at = gateway(provider)
    assert get(at, "/livez", more="X-Request-ID: mine_1-2.3\r\n")[1]["x-request-id"] == "mine_1-2.3"
    first, second = (get(at, "/livez")[1]["x-request-id"] for _ in range(2))
    assert first.startswith("req_") and first != second
    for bad in ["a b", "x" * 300, 'a"b', "é"]:
        assert get(at, "/livez", more=f"X-Request-ID: {bad}\r\n")[1]["x-request-id"].startswith("req_")


def test_hidden_headers(gateway, mock):
    at = gateway(mock(), more="expose_headers: false")
    head, _ = exchange(at, post(PLAIN)).read()
    assert head["x-request-id"]
    assert not [name for name, _ in head.fields if name.startswith("x-synaxis") or name == "server-timing"]
