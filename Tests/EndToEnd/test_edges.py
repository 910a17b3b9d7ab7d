"""Numbers at the edges of 31, 32 and 63 bits, from a client, a provider and the tier file: an answer, no crash."""

import json
import subprocess
import threading

import pytest

from gateway import BINARY, DEADLINE, Gateway
from wire import Cut, Provider, Reader, post

EDGES = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64]
PLAIN = '{"model":"m","messages":[]}'
ANSWER = b'{"id":"x"}'
JSON = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def served(at, provider):
    """The gateway goes on: one more exchange, on connections of its own."""
    reader = Reader(at.connect())
    reader.socket.sendall(post(PLAIN))
    provider.read()
    provider.current.send(f"{JSON}Content-Length: {len(ANSWER)}\r\n\r\n".encode() + ANSWER)
    assert reader.read()[1] == ANSWER
    reader.socket.close()
    assert at.is_running


@pytest.mark.parametrize("number", EDGES)
def test_request_length(gateway, provider, number):
    at = gateway(provider)
    for field, bad in ((f"Content-Length: {number}\r\n\r\n", number >= 2**63),
                       (f"Transfer-Encoding: chunked\r\n\r\n{number:x}\r\n", number >= 2**32)):
        reader = Reader(at.connect())
        reader.socket.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{field}".encode())
        assert reader.read()[0].status == (400 if bad else 413), field
    served(at, provider)


@pytest.mark.parametrize("number", EDGES)
def test_numbers_in_a_request(gateway, provider, number):
    at = gateway(provider, entry=", tpm: 1000000000, rpm: 1000", more="cache: { ttl: 1m }")
    for name in ("max_tokens", "max_completion_tokens", "n", "seed"):
        reader = Reader(at.connect())
        reader.socket.sendall(post(f'{{"model":"m","messages":["{name}"],"{name}":{number}}}',
                                   more=f"Cache-Control: max-age={number}\r\nRange: bytes={number}-\r\n"))
        provider.read()
        assert json.loads(provider.body)[name] == number
        provider.current.send(f"{JSON}Content-Length: {len(ANSWER)}\r\n\r\n".encode() + ANSWER)
        assert reader.read()[0].status == 200
        reader.socket.close()


@pytest.mark.parametrize("number", EDGES)
def test_provider_announces_a_length(start, gateway, number):
    """Ten bytes of so many: the client sees the answer cut, or another provider's, never a whole one."""
    for framing, piece in ((f"Content-Length: {number}", ""), ("Transfer-Encoding: chunked", f"{number:x}\r\n")):
        provider, at = one(start, gateway)
        reader = Reader(at.connect())
        reader.socket.sendall(post(PLAIN))
        provider.read()
        provider.current.send(f"{JSON}{framing}\r\n\r\n{piece}".encode() + ANSWER)
        provider.current.close()
        try:
            assert reader.read()[0].status >= 500
        except Cut:
            pass
        assert at.is_running


def one(start, gateway):
    provider = start(Provider)
    return provider, gateway(provider)


FIELDS = """Retry-After: {0}\r
Retry-After-Ms: {0}\r
x-ratelimit-remaining-requests: {0}\r
x-ratelimit-reset-requests: {0}\r
x-ratelimit-remaining-tokens: {0}\r
x-ratelimit-reset-tokens: {0}ms\r
Age: {0}\r
"""


@pytest.mark.parametrize("number", EDGES)
@pytest.mark.parametrize("status", ["200 OK", "429 Too Many Requests", "503 Service Unavailable"])
def test_numbers_in_an_answer(gateway, provider, status, number):
    at = gateway(provider, more="timeouts: { request: 1s }")
    reader = Reader(at.connect())
    reader.socket.sendall(post(PLAIN))
    provider.read()
    body = {"usage": {"prompt_tokens": number, "completion_tokens": number, "total_tokens": number}}
    if status[0] != "2":
        body["error"] = {"message": f"try again in {number}s"}
    text = json.dumps(body)
    head = JSON.replace("200 OK", status) + FIELDS.format(number)
    provider.current.send(f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode())
    assert reader.read()[0].status in ((200,) if status[0] == "2" else (429, 502, 503, 504))
    for path in ("/metrics", "/healthz", "/status", "/providers"):
        page_of(at, path)
    assert at.is_running


def page_of(at, path):
    with at.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        reader = Reader(connection)
        return reader.read()


@pytest.mark.parametrize("year", ["2037", "2038", "2106", "9999"])
def test_dates(start, gateway, year):
    provider, at = one(start, gateway)
    reader = Reader(at.connect())
    reader.socket.sendall(post(PLAIN))
    provider.read()
    provider.current.send(f"HTTP/1.1 429 No\r\nRetry-After: Fri, 31 Dec {year} 23:59:59 GMT\r\n"
                          "Content-Length: 2\r\n\r\n{}".encode())
    assert reader.read()[0].status == 429
    assert at.is_running


@pytest.mark.parametrize("number", EDGES)
def test_numbers_in_the_tier_file(tmp_path, number):
    """`check` takes it or says what is wrong with it."""
    provider = "providers: { a: { type: openai, endpoint: 'http://127.0.0.1:1/v1', key: k, models: [m] %s } }\n"
    settings = [f"{section}: {{ {key}: {number}{unit} }}\n" + provider % ""
                for section, keys in {
                    "limits": ("concurrent_requests", "queue", "connections", "request_body", "header", "memory"),
                    "cache": ("size", "ttl", "max_temperature"),
                    "timeouts": ("failover", "connect", "first_token", "stream_idle", "request", "drain")}.items()
                for key in keys for unit in ("", "ms", "h", "GiB", "kb")]
    settings += [provider % f", {key}: {number}" for key in ("rpm", "rpd", "tpm", "tpd", "concurrent", "tier", "weight")]
    settings += [provider % f", cost: {{ input: {number}, output: {number} }}"]
    file = tmp_path / "s.yaml"
    for text in settings:
        file.write_text(text)
        done = subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode in (0, 78), f"{done.returncode} for {text}\n{done.stderr}"


@pytest.mark.parametrize("framing, size", [("length", 5_000_000_000), ("chunked", 2_500_000_000)])
def test_an_answer_beyond_32_bits(gateway, provider, framing, size):
    """It streams through, every byte counted, in the log as well."""
    at = gateway(provider)
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m","input":"x"}', "/v1/audio/speech"))
    provider.read()
    block = b"x" * 5_000_000
    is_chunked = framing == "chunked"

    def send():
        head = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
        provider.current.send(f"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n{head}\r\n\r\n".encode())
        for _ in range(size // len(block)):
            provider.current.send_chunk(block) if is_chunked else provider.current.send(block)
        if is_chunked:
            provider.current.send(b"0\r\n\r\n")

    sender = threading.Thread(target=send)
    sender.start()
    head = reader.read_head()
    assert head.status == 200
    sum_of_pieces = 0
    while piece := reader.read_some():
        sum_of_pieces += len(piece)
    sender.join()
    assert sum_of_pieces == size
    _, line = at.line(lambda text: "bytes_out=" in text)
    assert int(line.split("bytes_out=")[1].split()[0]) >= size
    metrics = page_of(at, "/metrics")[1].decode()
    counted = next(line for line in metrics.splitlines() if line.startswith("synaxis_answer_body_bytes_total "))
    assert float(counted.split()[-1]) >= size


@pytest.mark.parametrize("settings", [
    "cache: { size: 64GiB }", "cache: { size: 17GiB }", "cache: { size: 16KiB }", "cache: { replay: paced, size: 64GiB }",
    "limits: { memory: 1TiB, request_body: 4GiB }", "limits: { memory: 1MiB, request_body: 1024, header: 1024 }",
    "limits: { connections: 1, concurrent_requests: 1, queue: 0 }"])
def test_limits_at_their_ends(gateway, provider, settings, tmp_path):
    """What `check` takes, a request survives; where the machine's words are short, `check` says so."""
    file = tmp_path / "s.yaml"
    file.write_text(settings + "\nproviders: { a: { type: openai, endpoint: 'http://127.0.0.1:1/v1', key: k, models: [m] } }\n")
    if subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, timeout=DEADLINE).returncode == 78:
        assert "GiB" in settings or "TiB" in settings
        return
    at = gateway(provider, more=settings)
    reader = Reader(at.connect())
    reader.socket.sendall(post('{"model":"m","temperature":0,"messages":[]}'))
    provider.read()
    provider.current.send(f"{JSON}Content-Length: {len(ANSWER)}\r\n\r\n".encode() + ANSWER)
    assert reader.read()[1] == ANSWER
    assert at.is_running


@pytest.mark.parametrize("count", [1, 63, 64, 65, 20_000])
def test_many_edited_places(gateway, provider, count):
    """Each element is edited; the rest of the body arrives byte for byte, however many pieces that makes."""
    at = gateway(provider, entry=', edits: [{ drop: "messages[].name" }, { rename: "messages[].a", to: bc }]')
    reader = Reader(at.connect())
    body = '{"model":"m","messages":[' + ",".join(f'{{"name":1,"a":{n}}}' for n in range(count)) + "]}"
    reader.socket.sendall(post(body))
    provider.read()
    assert provider.body.decode() == (
        '{"model":"m","messages":[' + ",".join(f'{{"bc":{n}}}' for n in range(count)) + "]}")
    provider.current.send(f"{JSON}Content-Length: {len(ANSWER)}\r\n\r\n".encode() + ANSWER)
    assert reader.read()[1] == ANSWER
