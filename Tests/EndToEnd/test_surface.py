"""Every path that clients post with a model in the body reaches the provider's own path, and what has none is explained."""

import json

import pytest

from gateway import Gateway
from wire import Provider, Reader, post

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
ANSWER = b'{"id":"a"}'

# Sent by the clients of OpenAI, Anthropic, Mistral, Cohere and vLLM's users; what arrives behind a base URL of
# http://HOST/v1.
PATHS = {
    "/v1/messages/count_tokens": "/v1/messages/count_tokens",
    "/v1/responses/compact": "/v1/responses/compact",
    "/v1/responses/input_tokens": "/v1/responses/input_tokens",
    "/v1/decisions": "/v1/decisions",
    "/v1/fim/completions": "/v1/fim/completions",
    "/v1/ocr": "/v1/ocr",
    "/v1/classifications": "/v1/classifications",
    "/v1/chat/classifications": "/v1/chat/classifications",
    "/v1/chat/moderations": "/v1/chat/moderations",
    "/v1/score": "/v1/score",
    "/score": "/v1/score",
    "/v1/videos": "/v1/videos",
    "/v1/videos/edits": "/v1/videos/edits",
    "/v1/videos/extensions": "/v1/videos/extensions",
    "/v2/chat": "/v2/chat",
    "/v2/embed": "/v2/embed",
    "/v2/rerank": "/v2/rerank",
    "/v2/parse": "/v2/parse",
    "/v1/rerank": "/v1/rerank",
    "/openai/deployments/other/chat/completions?api-version=2024-10-21": "/v1/chat/completions?api-version=2024-10-21",
}


@pytest.mark.parametrize("path", PATHS)
def test_path(gateway, start, path):
    provider = start(Provider)
    at = gateway(provider)
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m","input":"x"}', path))
    provider.read()
    assert provider.head.start == f"POST {PATHS[path]} HTTP/1.1"
    provider.current.send(JSON + ANSWER)
    head, body = reader.read()
    assert head.status == 200 and body == ANSWER


def test_beside_cohere_s_compatible_api(start):
    """Cohere's base URL for OpenAI's clients ends in /compatibility/v1; its own API stands beside that."""
    provider = start(Provider)
    entry = provider.entry().replace("/v1", "/compatibility/v1")
    at = start(Gateway, f"providers:\n  a: {entry}\n")
    for path, wanted in (("/v2/rerank", "/v2/rerank"), ("/v1/embeddings", "/compatibility/v1/embeddings")):
        reader = Reader(at.connect())
        reader.socket.sendall(post('{"model":"m"}', path))
        provider.read()
        assert provider.head.start == f"POST {wanted} HTTP/1.1"


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/fine_tuning/jobs", "/v1/audio/voices"])
def test_without_a_model(gateway, start, path):
    at = gateway(start(Provider))
    reader = Reader(at.connect())
    reader.socket.sendall(post("{}", path))
    head, body = reader.read()
    error = json.loads(body)["error"]
    assert head.status == 404 and error["code"] == "not_found"
    assert "routed by the `model` in their body" in error["message"]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "parent, trace",
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01-more", None),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-00f067aa0ba902b7", None),
        (f"00_{TRACE}_00f067aa0ba902b7_01", None),
        ("", None),
    ],
)
def test_trace(gateway, start, parent, trace):
    """The application's trace passes as it came, and the log line joins it; without one none is made."""
    provider = start(Provider)
    at = gateway(provider)
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m"}', "/v1/embeddings", more=f"traceparent: {parent}\r\n" if parent else ""))
    provider.read()
    assert provider.head["traceparent"] == (parent or None)
    provider.current.send(JSON + ANSWER)
    assert reader.read()[0].status == 200
    assert at.record().get("trace_id") == trace
