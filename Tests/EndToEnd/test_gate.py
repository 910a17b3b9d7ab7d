"""Who may call: keys, models, a client's own limits, and what a browser must not do."""

import hashlib
import json
import re
import socket

import pytest
from wire import Reader, post

BODY = '{"model":"m","messages":[]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"object":"a","b":1}'
KEYS = "clients:\n  - { name: app, key: sk-app }\n  - { name: other, key_sha256: %s }\n" % (
    hashlib.sha256(b"sk-other").hexdigest()
)


def ask(connection, data):
    connection.sendall(data)
    reader = Reader(connection)
    head, body = reader.read()
    return head, json.loads(body) if body else None


def get(path, more="", host="localhost"):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def bearer(key):
    return f"Authorization: Bearer {key}\r\n"


def code(answer):
    head, body = answer
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return head.status, error["type"], error["code"]


class Serving:
    """A provider that answers each request that comes, step by step."""

    def __init__(self, gateway, provider):
        self.gateway, self.provider = gateway, provider

    def ask(self, data, answer=ANSWER, connection=None):
        connection = connection or self.gateway.connect()
        connection.sendall(data)
        self.provider.read()
        self.provider.current.send(answer)
        head, body = Reader(connection).read()
        return head, body


@pytest.fixture
def serving(gateway, provider):
    return lambda more="", models="[m, n]": Serving(gateway(provider, more=more, models=models), provider)


# MARK: - Keys


@pytest.mark.parametrize(
    "fields, name",
    [
        (bearer("sk-app"), "app"),
        ("authorization: bearer   sk-app  \r\n", "app"),
        ("x-api-key: sk-app\r\n", "app"),
        ("api-key: sk-app\r\n", "app"),
        (bearer("sk-other"), "other"),
        (bearer("wrong") + "x-api-key: sk-other\r\n", "other"),
    ],
)
def test_a_listed_key_is_let_in_and_named_in_the_log(serving, fields, name):
    serving = serving(KEYS)
    head, body = serving.ask(post(BODY, more=fields))
    assert head.status == 200 and body.startswith(b'{"object"')
    assert serving.provider.head["authorization"] is None
    assert serving.provider.head["x-api-key"] is None
    assert serving.gateway.record()["client"] == name


@pytest.mark.parametrize(
    "fields",
    ["", bearer("sk-ap"), bearer("sk-appp"), bearer("SK-APP"), bearer(""), "Authorization: Basic sk-app\r\n",
     bearer(hashlib.sha256(b"sk-other").hexdigest()), "x-api-key: \r\n"],
)
def test_any_other_key_is_refused(gateway, provider, fields):
    gateway = gateway(provider, more=KEYS)
    answer = ask(gateway.connect(), post(BODY, more=fields))
    assert code(answer) == (401, "authentication_error", "invalid_api_key")
    assert answer[0]["www-authenticate"] == "Bearer"
    record = gateway.record()
    assert (record["status"], record["end"]) == ("401", "invalid_api_key")
    assert not provider.has_request()
    assert code(ask(gateway.connect(), get("/v1/models", fields)))[0] == 401


def test_health_needs_no_key(gateway, provider):
    gateway = gateway(provider, more=KEYS)
    for path in ("/health", "/health/liveness", "/health/readiness", "/livez", "/readyz"):
        assert ask(gateway.connect(), get(path))[0].status == 200


def test_anybody_may_call_where_the_file_says_so(serving):
    serving = serving(KEYS + "allow_anonymous: true\n")
    assert serving.ask(post(BODY))[0].status == 200
    assert serving.gateway.record()["client"] == "-"
    assert serving.ask(post(BODY, more=bearer("sk-app")))[0].status == 200
    assert serving.gateway.record()["client"] == "app"


def test_a_refused_caller_sends_no_body(gateway, provider):
    """32 MiB are announced: the refusal comes instead of 100, and the connection is not believed any further."""
    gateway = gateway(provider, more=KEYS)
    connection = gateway.connect()
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33554432\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    reader = Reader(connection)
    head, body = reader.read()
    assert head.status == 401 and head["connection"] == "close"
    assert reader.closes()
    with gateway.connect() as other:
        other.sendall(post(BODY, more=bearer("sk-app")))
        provider.read()
        provider.current.send(ANSWER)
        assert Reader(other).read()[0].status == 200


def test_an_unread_body_is_never_taken_for_a_request(gateway, provider):
    gateway = gateway(provider, more=KEYS)
    connection = gateway.connect()
    smuggled = post(BODY, more=bearer("sk-app"))
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(smuggled))
    reader = Reader(connection)
    assert reader.read()[0].status == 401
    connection.sendall(smuggled)
    assert reader.closes()
    assert not provider.has_request()


def test_a_refused_request_that_is_complete_keeps_the_connection(gateway, provider):
    gateway = gateway(provider, more=KEYS)
    connection = gateway.connect()
    assert ask(connection, post(BODY))[0].status == 401
    connection.sendall(post(BODY, more=bearer("sk-app")))
    provider.read()
    provider.current.send(ANSWER)
    assert Reader(connection).read()[0].status == 200


# MARK: - Models and limits


def test_a_client_keeps_to_its_models(serving):
    serving = serving("clients:\n  - { name: app, key: k, models: [m] }\n")
    answer = ask(serving.gateway.connect(), post('{"model":"n"}', more=bearer("k")))
    assert code(answer) == (403, "permission_error", "model_not_allowed")
    answer = ask(serving.gateway.connect(), post('{"model":"unheard-of"}', more=bearer("k")))
    assert code(answer)[2] == "model_not_allowed" and "Did you mean" not in answer[1]["error"]["message"]
    assert serving.ask(post(BODY, more=bearer("k")))[0].status == 200
    assert serving.ask(post('{"model":"a/m"}', more=bearer("k")))[0].status == 200


def test_a_client_sees_its_models(gateway, provider):
    gateway = gateway(provider, models="[m, n, o]", more="""aliases: { fast: [a/n], best: [a/o, a/m] }
clients:
  - { name: app, key: k, models: [m, fast] }
  - { name: one, key: o, models: [a/n] }
  - { name: free, key: f }
""")

    def listed(key):
        head, body = ask(gateway.connect(), get("/v1/models", bearer(key)))
        assert head.status == 200
        return [model["id"] for model in body["data"]]

    assert listed("f") == ["fast", "best", "m", "n", "o"]
    assert listed("k") == ["m", "fast"]
    assert listed("o") == ["a/n"]
    assert ask(gateway.connect(), get("/v1/models/a/n", bearer("o")))[1]["id"] == "a/n"
    for name, seen in {"m": 200, "fast": 200, "n": 404, "best": 404, "mm": 404}.items():
        head, body = ask(gateway.connect(), get(f"/v1/models/{name}", bearer("k")))
        assert head.status == seen, name
        if seen == 404:
            # What is like it, but of its own only.
            assert body["error"]["code"] == "model_not_found"
            assert not {"`n`", "`o`", "`best`"} & set(body["error"]["message"].split("Did you mean")[-1].split())
        assert ask(gateway.connect(), get(f"/v1/models/{name}", bearer("f")))[0].status == (404 if name == "mm" else 200)


@pytest.mark.parametrize("body", ['{"model":"m","Model":"n"}', '{"Model":"n","model":"m"}', '{"model":"m","MODEL":"m"}',
                                  '{"model":"m","mod\\u0045l":"n"}', '{"model":"m","model":"n"}'])
def test_a_client_cannot_name_two_models(serving, body):
    """Servers differ in which one counts: some take the last, in any case."""
    serving = serving("clients:\n  - { name: app, key: k, models: [m] }\n")
    answer = ask(serving.gateway.connect(), post(body, more=bearer("k")))
    assert code(answer)[0] == 400 and answer[1]["error"]["param"] == "model"
    assert not serving.provider.has_request()


def test_requests_per_minute_are_counted_and_told(serving):
    serving = serving("clients:\n  - { name: app, key: k, rpm: 2 }\n  - { name: free, key: f }\n")
    upstream = ANSWER.replace(b"Content-Length", b"x-ratelimit-limit-requests: 9\r\nx-ratelimit-limit-tokens: 7\r\nContent-Length")
    for left in ("1", "0"):
        head, _ = serving.ask(post(BODY, more=bearer("k")), upstream)
        assert head.all("x-ratelimit-limit-requests") == ["2"]
        assert head.all("x-ratelimit-remaining-requests") == [left]
        assert re.fullmatch(r"(\d+m)?\d+s", head["x-ratelimit-reset-requests"])
        assert head["x-ratelimit-limit-tokens"] == "7"
    head, body = answer = ask(serving.gateway.connect(), post(BODY, more=bearer("k")))
    assert code(answer) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(head["retry-after"]) <= 60
    assert head["x-ratelimit-remaining-requests"] == "0"
    head, _ = serving.ask(post(BODY, more=bearer("f")), upstream)
    assert head.all("x-ratelimit-limit-requests") == ["9"]
    assert serving.gateway.record()["client"] == "app"


def test_a_client_has_so_many_answers_at_a_time(gateway, provider):
    gateway = gateway(provider, more="clients:\n  - { name: app, key: k, concurrent: 1 }\n")
    first, second = gateway.connect(), gateway.connect()
    first.sendall(post(BODY, more=bearer("k")))
    provider.read()
    head, body = answer = ask(second, post(BODY, more=bearer("k")))
    assert code(answer)[0] == 429 and head["retry-after"] == "1"
    provider.current.send(ANSWER)
    assert Reader(first).read()[0].status == 200
    second.sendall(post(BODY, more=bearer("k")))
    provider.read()
    second.close()  # a client that leaves gives its place back too
    provider.current.waits_for_close()
    first.sendall(post(BODY, more=bearer("k")))
    provider.read()
    provider.current.send(ANSWER)
    assert Reader(first).read()[0].status == 200


# MARK: - Browsers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1"])
def test_a_web_page_may_not_call(gateway, provider, origin):
    """What `fetch` sends for a simple request: no preflight, an Origin, and a body that could be JSON."""
    gateway = gateway(provider)
    request = post(BODY, more=f"Origin: {origin}\r\nSec-Fetch-Mode: no-cors\r\n").replace(
        b"application/json", b"text/plain"
    )
    answer = ask(gateway.connect(), request)
    assert code(answer) == (403, "permission_error", "origin_not_allowed")
    assert answer[0]["access-control-allow-origin"] is None
    preflight = f"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    head, _ = ask(gateway.connect(), preflight.encode())
    assert head.status == 403 and head["access-control-allow-origin"] is None
    assert not provider.has_request()


def test_an_allowed_page_asks_first_and_then_calls(serving):
    serving = serving('cors: { origins: ["http://localhost:3000", "https://app.example"] }\n' + KEYS)
    connection = serving.gateway.connect()
    head, body = ask(
        connection,
        b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: https://app.example\r\n"
        b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"
        b"Access-Control-Request-Private-Network: true\r\n\r\n",
    )
    assert (head.status, body) == (204, None)
    assert head["access-control-allow-origin"] == "https://app.example"
    assert "POST" in head["access-control-allow-methods"]
    assert head["access-control-allow-headers"] == "authorization,content-type"
    assert head["access-control-allow-private-network"] == "true"
    assert "Origin" in head.all("vary")
    assert head["access-control-allow-credentials"] is None
    upstream = ANSWER.replace(b"Content-Length", b"Access-Control-Allow-Origin: *\r\nContent-Length")
    head, _ = serving.ask(
        post(BODY, more="Origin: https://app.example\r\n" + bearer("sk-app")), upstream, connection=connection
    )
    assert head.status == 200
    assert head.all("access-control-allow-origin") == ["https://app.example"]
    assert "X-Request-ID" in head["access-control-expose-headers"]
    # A page can read why it was refused; one that is not allowed cannot.
    head, _ = ask(connection, post(BODY, more="Origin: https://app.example\r\n"))
    assert (head.status, head["access-control-allow-origin"]) == (401, "https://app.example")
    head, _ = ask(connection, post(BODY, more="Origin: https://app.example.evil\r\n" + bearer("sk-app")))
    assert (head.status, head["access-control-allow-origin"]) == (403, None)
    two = "Origin: https://app.example\r\nOrigin: https://evil.example\r\n"
    head, _ = ask(connection, post(BODY, more=two + bearer("sk-app")))
    assert (head.status, head["access-control-allow-origin"]) == (403, None)
    head, _ = ask(connection, get("/v1/models", bearer("sk-app")))
    assert (head.status, head["access-control-allow-origin"], head["vary"]) == (200, None, "Origin")


GOOD_HOSTS = ["localhost", "LOCALHOST:8080", "localhost.", "app.localhost:1", "127.0.0.1", "127.1.2.3:99", "[::1]:8080", "gateway.example", "Gateway.EXAMPLE:8080", "other.example:1", "synaxis", "host.docker.internal:8080", "pi.local", "nas.lan", "0.0.0.0", "10.0.0.1", "[::2]"]
BAD_HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost.example:80", "127.0.0", "127.0.0.1.", "[::1", "not.localhost.example", "gateway.example.evil", "other.example:2", "synaxis.example"]


def test_a_rebound_name_does_not_reach_a_loopback_listener(gateway, provider):
    gateway = gateway(provider, more='hosts: [gateway.example, "other.example:1"]\n')
    for host in GOOD_HOSTS:
        assert ask(gateway.connect(), get("/v1/models", host=host))[0].status == 200, host
    for host in BAD_HOSTS:
        if host in ("127.0.0.1.",):  # the same address with the root's dot
            assert ask(gateway.connect(), get("/v1/models", host=host))[0].status == 200
            continue
        answer = ask(gateway.connect(), get("/v1/models", host=host))
        if answer[0].status != 400:
            assert code(answer) == (403, "permission_error", "host_not_allowed"), host
    # The absolute form says the same (RFC 9112 §3.2.2).
    head, _ = ask(gateway.connect(), b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert head.status == 403


def test_a_unix_socket_knows_no_hosts(gateway, provider, tmp_path):
    path = tmp_path / "s"
    gateway = gateway(provider, more=f"listen: [127.0.0.1:0, unix:{path}]\n")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        assert ask(connection, get("/v1/models", host="whatever"))[0].status == 200


def test_only_the_last_answer_carries_fields_of_its_client(gateway, provider):
    """What one request was told about its limit and origin does not show in the next one's answer."""
    gateway = gateway(
        provider,
        more='cors: { origins: ["https://a.example"] }\nclients:\n  - { name: app, key: k, rpm: 5 }\n',
    )
    connection = gateway.connect()
    connection.sendall(post(BODY, more="Origin: https://a.example\r\n" + bearer("k")))
    provider.read()
    provider.current.send(ANSWER)
    head, _ = Reader(connection).read()
    assert head["x-ratelimit-limit-requests"] == "5"
    connection.sendall(b"GET / HTTP/9.9\r\n\r\n")
    head, _ = Reader(connection).read()
    assert head.status in (400, 505)
    assert head["x-ratelimit-limit-requests"] is None and head["access-control-allow-origin"] is None
