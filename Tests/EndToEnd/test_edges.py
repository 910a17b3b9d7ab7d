"""Numbers at the edges of 31, 32, 53 and 63 bits and beyond, from a client, a provider and the tier file, in every field
that is read: an answer, no crash."""

import http.server
import json
import subprocess
import threading

import pytest

from gateway import BINARY, DEADLINE, Gateway
from wire import Cut, Provider, Reader, post

EDGES = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64]
# As they are written, negative ones and some that no integer holds among them.
NUMBERS = [*EDGES, -1, -(2**31), -(2**63), "1e308", "1e309", "-1e308", "0.5", "9" * 63, "9" * 200]
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


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_in_a_request(gateway, provider, number):
    at = gateway(provider, entry=", tpm: 1000000000, rpm: 1000", more="cache: { ttl: 1m }")
    for name in ("max_tokens", "max_completion_tokens", "n", "seed"):
        reader = Reader(at.connect())
        reader.socket.sendall(post(f'{{"model":"m","messages":["{name}"],"{name}":{number}}}',
                                   more=f"Cache-Control: max-age={number}\r\nRange: bytes={number}-\r\n"))
        provider.read()
        assert f'"{name}":{number}}}' in provider.body.decode()
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


def counted(number):
    """What is made of a count: nothing of a negative one and of more than 63 bytes, a fraction cut off, 2^40 at most."""
    if len(str(number)) > 63:
        return None
    try:
        value = int(number)
    except ValueError:
        value = float(number)
    return None if value < 0 else int(min(value, 2**40))


def usage(number, *names):
    return "{" + ",".join(f'"{name}":{number}' for name in names) + "}"


OPENAI = ("prompt_tokens", "completion_tokens")
NEWER = ("input_tokens", "output_tokens")
# Path, names of the counts, a plain answer, a streamed one.
DIALECTS = {
    "chat": ("/v1/chat/completions", OPENAI, '{"choices":[],"usage":%s}',
             'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: {"choices":[],"usage":%s}\n\ndata: [DONE]\n\n'),
    "completions": ("/v1/completions", OPENAI, '{"choices":[],"usage":%s}',
                    'data: {"choices":[{"text":"x"}],"usage":%s}\n\ndata: [DONE]\n\n'),
    "groq": ("/v1/chat/completions", OPENAI, '{"choices":[],"x_groq":{"usage":%s}}',
             'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: {"x_groq":{"usage":%s}}\n\ndata: [DONE]\n\n'),
    "responses": ("/v1/responses", NEWER, '{"object":"response","usage":%s}',
                  'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'
                  'event: response.completed\ndata: {"type":"response.completed","response":{"usage":%s}}\n\n'),
    "messages": ("/v1/messages", NEWER, '{"type":"message","usage":%s}',
                 'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"x"}}\n\n'
                 'event: message_delta\ndata: {"type":"message_delta","usage":%s}\n\n'
                 'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    "messages' start": ("/v1/messages", NEWER, '{"usage":%s}',
                        'event: message_start\ndata: {"type":"message_start","message":{"usage":%s}}\n\n'
                        'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"x"}}\n\n'
                        'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    "embeddings": ("/v1/embeddings", ("prompt_tokens",), '{"data":[],"usage":%s}', None),
}
ADMIN = "admin: { token: t }\n"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_numbers_in_usage(gateway, provider, dialect):
    """Plain and streamed, each count alone, all, with the total and the total alone: the answer passes as it is, log and
    metrics have what was told, and further exchanges add to it."""
    path, names, plain, stream = DIALECTS[dialect]
    at = gateway(provider, more=ADMIN)
    reader = Reader(at.connect())
    sums = {"input": 0, "output": 0}
    for number in NUMBERS:
        for shape in {names, *((name,) for name in names), (*names, "total_tokens"), ("total_tokens",)}:
            for answer, wants, kind in ((plain, "", "application/json"), (stream, ',"stream":true', "text/event-stream")):
                if not answer:
                    continue
                answer = (answer % usage(number, *shape)).encode()
                reader.socket.sendall(post(f'{{"model":"m","input":"x"{wants}}}', path))
                provider.read()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
                provider.current.send(head.encode() + answer)
                head, body = reader.read()
                assert (head.status, body) == (200, answer)
                record = at.record()
                for name, field, kind_of_count in zip(names, ("tokens_in", "tokens_out"), sums):
                    told = counted(number) if name in shape else None
                    assert record.get(field) == (None if told is None else str(told)), (shape, answer)
                    sums[kind_of_count] += told or 0
    pages = page_of(at, "/metrics")[1].decode().splitlines()
    for kind_of_count, expected in sums.items():
        found = [line.split()[-1] for line in pages if line.startswith("gen_ai_client_token_usage_sum{")
                 and f'gen_ai_token_type="{kind_of_count}"' in line]
        assert sum(int(text) for text in found) == expected
    assert json.loads(page_of(at, "/admin/health")[1])["overallStatus"] == "healthy"


# What a field may hold besides the number itself.
FORMS = ["{0}", "{0}ms", "{0}s", "{0}h{0}m", "{0}.{0}"]
FIELDS = ["Retry-After", "retry-after-ms", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
          "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-remaining",
          "anthropic-ratelimit-tokens-reset", "ratelimit-remaining", "ratelimit-reset", "Age", "openai-processing-ms"]


class Parrot(http.server.ThreadingHTTPServer):
    """A provider that says the same whatever it is asked."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(self.server.answer)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("status", ["200 OK", "429 Too Many Requests", "503 Service Unavailable"])
def test_numbers_in_an_answers_head(start, status, number):
    """Two keys are told the same; the budgets of the file are the largest."""
    parrot = start(Parrot)
    most = 2**40
    at = start(Gateway, ADMIN + "timeouts: { request: 300ms, connect: 300ms }\nproviders:\n  a: { type: groq, models: [m], "
               f'keys: [k, l], endpoint: "http://127.0.0.1:{parrot.server_port}/v1", rpm: {most}, rpd: {most}, '
               f"tpm: {most}, tpd: {most} }}\n")
    body = '{"usage":%s%s}' % (usage(number, *OPENAI, "total_tokens"), "" if status[0] == "2" else (
        f',"error":{{"message":"try again in {number}s","details":[{{"retryDelay":"{number}s"}}]}}'))
    for form in FORMS:
        # What was learned of the former one is forgotten.
        assert page_of(at, "/admin/providers/a/reset", "POST")[0].status == 200
        fields = "".join(f"{name}: {form.format(number)}\r\n" for name in FIELDS)
        parrot.answer = (
            f"{JSON.replace('200 OK', status)}{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        for _ in range(2):
            reader = Reader(at.connect())
            reader.socket.sendall(post(PLAIN))
            # The keys may be used up by what the first answer has told.
            assert reader.read()[0].status in ((200, 429, 504) if status[0] == "2" else (429, 502, 503, 504))
            reader.socket.close()
        health = json.loads(page_of(at, "/admin/health")[1])
        for left in health["providers"][0]["quota"].values():
            assert 0 <= left <= 2 * most
        assert b"synaxis_provider_quota_remaining" in page_of(at, "/metrics")[1]
        assert page_of(at, "/livez")[0].status == 200
    assert at.is_running


def page_of(at, path, method="GET"):
    with at.connect() as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           "Authorization: Bearer t\r\n\r\n".encode())
        return Reader(connection).read()


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
