"""How the cost of one input grows with its size: at most in proportion, in processor time and memory, and never so that
the others wait.

Processor time is the process' own (schedstat), not the wall's. `/livez` is asked all the while: what the process has
computed between such a question and its answer is what it did at a stretch. The best of some rounds counts, since what
else runs on the machine can only add.
"""

import json
import threading
from pathlib import Path

import pytest
from gateway import BINARY, IS_EMULATED, Gateway
from wire import Provider, Reader, post

JSON = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
OK = b'{"object":"a","choices":[]}'
SCALES = (1, 4, 16)
ROUNDS = 3
# A stretch of the loop that nobody notices, in nanoseconds.
STRETCH = 50_000_000
# Sixteen times the size may cost this many times what four times the size does: 4 in proportion, 16 to its square.
MOST = 8

pytestmark = pytest.mark.skipif("debug" in Path(BINARY).parts, reason="a debug build is many times slower")


def body(inner):
    return b'{"model":"m","messages":[' + inner + b"]}"


def answered(payload, head=JSON, more=""):
    return f"{head}{more}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


def chunked(pieces):
    head = f"{STREAM}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"abc"}}]}\n\n'
DONE = b"data: [DONE]\n\n"

# What a client sends, by its size.
BODIES = {
    "one long text": lambda n: body(b'{"content":"' + b"x" * (n * 400_000) + b'"}'),
    "a text of escapes": lambda n: body(b'{"content":"' + b"\\u00e9" * (n * 50_000) + b'"}'),
    "tiny elements that are edited": lambda n: body(b",".join([b'{"name":1}'] * (n * 20_000))),
    "tiny elements": lambda n: body(b",".join([b"{}"] * (n * 60_000))),
    "members": lambda n: body(b"") [:-1] + b"".join(b',"k%d":1' % k for k in range(n * 20_000)) + b"}",
    "members of one name": lambda n: body(b"")[:-1] + b',"temperature":1' * (n * 10_000) + b"}",
    "empty space": lambda n: body(b" " * (n * 400_000)),
    "nesting, again and again": lambda n: body(b",".join([b"[" * 100 + b"]" * 100] * (n * 1_000))),
    "numbers": lambda n: body(b",".join([b"-1.5e-7"] * (n * 50_000))),
    "no end of a text": lambda n: b'{"model":"m","messages":["' + b"x" * (n * 400_000),
}

# What a provider answers.
ANSWERS = {
    "one long text": lambda n: answered(b'{"object":"a","x":"' + b"y" * (n * 50_000) + b'"}'),
    "more than is held": lambda n: answered(b'{"object":"a","x":"' + b"y" * (n * 400_000) + b'"}'),
    "tiny elements": lambda n: answered(b'{"object":"a","x":[' + b",".join([b"{}"] * (n * 15_000)) + b"]}"),
    "events": lambda n: chunked([EVENT * 20] * (n * 100) + [DONE]),
    "an event a chunk": lambda n: chunked([EVENT] * (n * 1_000) + [DONE]),
    "a byte a chunk": lambda n: chunked([bytes([b]) for b in EVENT * (n * 40)] + [DONE]),
    "one long event": lambda n: chunked([b'data: {"choices":[{"delta":{"content":"', b"z" * (n * 100_000), b'"}}]}\n\n', DONE]),
    "comments before content": lambda n: chunked([b": wait\n\n" * 100] * (n * 40) + [EVENT, DONE]),
    "empty lines": lambda n: chunked([b"\n" * 1000] * (n * 40) + [EVENT, DONE]),
    "an error": lambda n: answered(
        b'{"error":{"message":"' + b"no " * (n * 4_000) + b'"}}', "HTTP/1.1 400 No\r\nContent-Type: application/json\r\n"),
    "a page instead": lambda n: answered(b"<p>" * (n * 20_000), "HTTP/1.1 400 No\r\nContent-Type: text/html\r\n"),
    "header fields": lambda n: answered(OK, more="".join(f"X-Field-{k}: v\r\n" for k in range(n * 12))),
    "one long field": lambda n: answered(OK, more="X-Field: " + "v" * (n * 1_800) + "\r\n"),
}

# A head, whose request is the same besides.
HEADS = {
    "fields": lambda n: "".join(f"X-Field-{k}: v\r\n" for k in range(n * 5)),
    "one long field": lambda n: "X-Field: " + "v" * (n * 1_800) + "\r\n",
    "one field again and again": lambda n: "Accept: application/json\r\n" * (n * 5),
    "a list": lambda n: "Accept: " + "a/b;q=0.5," * (n * 150) + "*/*\r\n",
    "a trace": lambda n: "traceparent: " + "0" * (n * 1_800) + "\r\n",
}


class Asking:
    """Asks `/livez` again and again, and keeps the longest stretch between question and answer."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.longest = 0
        self.stopping = False
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        reader = Reader(self.gateway.connect())
        while not self.stopping:
            before = computed(self.gateway)
            reader.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            reader.read()
            self.longest = max(self.longest, computed(self.gateway) - before)
        reader.socket.close()

    def stop(self):
        self.stopping = True
        self.thread.join()


def computed(gateway):
    """Nanoseconds of processor time."""
    return int(Path(f"/proc/{gateway.pid}/schedstat").read_text().split()[0])


def cost(gateway, act):
    """Processor time of one act, the best of some, and the peak of memory beyond what there was before."""
    times, peaks = [], []
    for _ in range(ROUNDS):
        Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")
        resident = gateway.status("VmRSS")
        before = computed(gateway)
        act()
        times.append(computed(gateway) - before)
        peaks.append(gateway.status("VmHWM") - resident)
    return min(times), min(peaks)


def stretch(gateway, act):
    stretches = []
    for _ in range(ROUNDS):
        asking = Asking(gateway)
        act()
        asking.stop()
        stretches.append(asking.longest)
    return min(stretches)


def grows(gateway, acts):
    """`acts`: the same of 1, 4 and 16 times the size."""
    for act in acts:
        act()
    (_, (four, less), (sixteen, more)) = [cost(gateway, act) for act in acts]
    assert sixteen <= MOST * four + 2_000_000, f"{four / 1e6:.2f} ms for 4, {sixteen / 1e6:.2f} ms for 16"
    assert more <= MOST * less + (4 << 20), f"{less >> 10} KiB for 4, {more >> 10} KiB for 16"
    longest = stretch(gateway, acts[-1])
    assert longest <= STRETCH, f"{longest / 1e6:.1f} ms at a stretch"


class Play:
    """A provider that answers each request with the same bytes."""

    def __init__(self):
        self.provider = Provider()
        self.answer = answered(OK)
        self.stopping = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            while True:
                self.provider.read()
                self.provider.current.send(self.answer)
        except (AssertionError, OSError, ValueError):
            pass

    def stop(self):
        self.provider.stop()


@pytest.fixture
def play(start):
    return start(Play)


LIMITS = "limits: { memory: 256MiB, request_body: 32MiB }\n"


@pytest.fixture
def one(start, play):
    """A gateway in front of it, with edits that look at each message."""
    entry = play.provider.entry(more=', edits: [{ drop: "messages[].name" }]')
    return start(Gateway, f"{LIMITS}providers:\n  a: {entry}\n")


def exchange(gateway, request):
    with gateway.connect() as connection:
        reader = Reader(connection)
        sender = threading.Thread(target=connection.sendall, args=(request,), daemon=True)
        sender.start()
        head, _ = reader.read()
        sender.join()
    return head.status


@pytest.mark.parametrize("kind", BODIES)
def test_of_a_body(one, kind):
    requests = [post(BODIES[kind](n)) for n in SCALES]
    grows(one, [lambda request=request: exchange(one, request) for request in requests])


@pytest.mark.parametrize("kind", ANSWERS)
def test_of_an_answer(one, play, kind):
    stream = "true" if kind in ("events", "an event a chunk", "a byte a chunk", "one long event", "comments before content", "empty lines") else "false"
    request = post('{"model":"m","stream":%s,"messages":[]}' % stream)

    def ask(n):
        play.answer = ANSWERS[kind](n)
        return lambda answer=play.answer: (setattr(play, "answer", answer), exchange(one, request))

    grows(one, [ask(n) for n in SCALES])


@pytest.mark.parametrize("kind", HEADS)
def test_of_a_head(one, kind):
    requests = [post('{"model":"m","messages":[]}', more=HEADS[kind](n)) for n in SCALES]
    grows(one, [lambda request=request: [exchange(one, request) for _ in range(20)] for request in requests])


@pytest.mark.parametrize("stream", ["true", "false"])
def test_of_those_who_share(start, stream):
    """Many wait for one large answer: it reaches all of them, byte for byte, and nobody else waits for that."""
    count = 40 if IS_EMULATED else 400
    text = b"y" * 900_000
    if stream == "true":
        text = (b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text[:1000]) * 900 + DONE
        answer = f"{STREAM}Content-Length: {len(text)}\r\n\r\n".encode() + text
    else:
        text = b'{"id":"' + text + b'"}'
        answer = answered(text)
    stretches = []
    for number in range(ROUNDS):
        provider = start(Provider)
        at = start(Gateway, "cache: { size: 32MiB }\nlimits: { connections: 1000, concurrent_requests: 1000, memory: 256MiB }\n"
                   f"providers:\n  a: {provider.entry()}\n")
        readers = [Reader(at.connect()) for _ in range(count)]
        for reader in readers:
            reader.socket.sendall(post('{"model":"m","temperature":0,"stream":%s,"messages":[]}' % stream))
        provider.read()
        asking = Asking(at)
        threading.Thread(target=provider.current.send, args=[answer], daemon=True).start()
        got = [reader.read() for reader in readers]
        asking.stop()
        assert all(head.status == 200 and body == text for head, body in got)
        assert not provider.has_request()
        for reader in readers:
            reader.socket.close()
        stretches.append(asking.longest)
    assert min(stretches) <= STRETCH, f"{min(stretches) / 1e6:.1f} ms at a stretch"


def test_of_those_who_ask_for_what_is_stored(start, play):
    """Many ask at once for one large answer of the cache."""
    count = 40 if IS_EMULATED else 300
    play.answer = answered(b'{"id":"' + b"y" * 1_900_000 + b'"}')
    at = start(Gateway, "cache: { size: 16MiB }\nlimits: { connections: 1000 }\n"
               f"providers:\n  a: {play.provider.entry()}\n")
    request = post('{"model":"m","temperature":0,"messages":[]}')
    assert exchange(at, request) == 200

    def ask():
        readers = [Reader(at.connect()) for _ in range(count)]
        for reader in readers:
            reader.socket.sendall(request)
        for reader in readers:
            head, body = reader.read()
            assert head["x-synaxis-cache"] == "hit" and len(body) == 1_900_009
            reader.socket.close()

    longest = stretch(at, ask)
    assert longest <= STRETCH, f"{longest / 1e6:.1f} ms at a stretch"


NAMES = {
    "models": ("GET", "/v1/models", lambda n, at: f"  a: {at(models=[f'model-{k}' for k in range(n * 60)])}\n"),
    "providers": ("GET", "/metrics", lambda n, at: "".join(f"  p{k}: {at(models=['m'])}\n" for k in range(n * 4))),
    "an unknown model": ("POST", "x", lambda n, at: f"  a: {at(models=[f'model-{k}' for k in range(n * 60)])}\n"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_of_what_is_configured(start, play, kind):
    method, path, entries = NAMES[kind]

    def act(n):
        written = entries(n, lambda models: play.provider.entry(models=json.dumps(models)))
        gateway = start(Gateway, f"admin: {{ token: t }}\n{LIMITS}providers:\n{written}")
        request = (post('{"model":"modell","messages":[]}') if method == "POST" else
                   f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n".encode())
        return gateway, lambda: [exchange(gateway, request) for _ in range(5)]

    made = [act(n) for n in SCALES]
    for gateway, ask in made:
        ask()
    (_, four, sixteen) = [cost(gateway, ask)[0] for gateway, ask in made]
    assert sixteen <= MOST * four + 2_000_000, f"{four / 1e6:.2f} ms for 4, {sixteen / 1e6:.2f} ms for 16"
    assert stretch(*made[-1]) <= STRETCH
