"""Clients over HTTP/2: each stream is a request as any other, and none holds up its neighbours."""

import json
import signal
import shutil
import subprocess
import threading

import httpx
import openai
import pytest

from gateway import DEADLINE, Gateway
from test_http2_frames import DATA, END_STREAM, GOAWAY, Client, frame, get, open_post
from wire import Provider, post
from wire_h2_client import H2Client

STREAM = '{"model":"m","stream":true,"messages":[]}'
BODY = '{"model":"m","messages":[]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def event(text):
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()


@pytest.fixture
def one(gateway, provider):
    return gateway(provider), provider


class Frames(H2Client):
    """Opens no windows unless it is told to, and keeps what comes."""

    def __init__(self, connection):
        super().__init__(connection)
        self.opens = True
        self.h2_acknowledge = self.h2.acknowledge_received_data
        self.h2.acknowledge_received_data = lambda *more: self.h2_acknowledge(*more) if self.opens else None


def ask(client, body=BODY):
    client.sendall(post(body))
    return client.stream


def test_an_exchange_says_its_version(one):
    at, provider = one
    client = H2Client(at.connect())
    ask(client)
    provider.read()
    provider.current.send(PLAIN)
    head = client.read_head()
    assert head.status == 200 and client.read_rest() == b"{}"
    assert not head.all("connection") and not head.all("transfer-encoding")
    assert head.fields == [(name.lower(), value) for name, value in head.fields]
    record = at.record()
    assert record["proto"] == "h2" and record["bytes_in"] == str(len(BODY))
    assert record["id"] == head["x-request-id"]


def test_head_and_first_event_are_one_segment(one):
    at, provider = one
    plain = at.connect()
    client = H2Client(plain)
    ask(client, STREAM)
    provider.read()
    while client.stream not in client.heads:
        if not client.bodies[client.stream] and not provider.current.reader.raw and not getattr(provider, "told", False):
            provider.told = True
            provider.current.send(HEAD)
            provider.current.send_chunk(event("one"))
        assert client.hear()
    # What was read together with the head has the event.
    assert client.bodies[client.stream] == event("one")


def test_a_slow_stream_holds_up_nobody(one):
    """One stream's window is used up, and the provider held back; another one of the same connection goes on."""
    at, provider = one
    client = Frames(at.connect())
    client.opens = False
    slow = ask(client, STREAM)
    provider.read()
    provider.current.send(HEAD)
    feeding = provider.current
    many = event("x" * 1000) * 60  # in all somewhat less than a stream's window
    feeding.send_chunk(many)
    feeding.send_chunk(many)
    while len(client.bodies[slow]) < 65535:
        assert client.hear()
    # The connection's window is opened, the stream's is not.
    client.h2.increment_flow_control_window(1 << 20)
    client.flush()
    quick = ask(client)
    provider.read()
    provider.current.send(PLAIN)
    while quick not in client.ended:
        assert client.hear()
    assert client.bodies[quick] == b"{}" and len(client.bodies[slow]) == 65535
    client.h2.increment_flow_control_window(1 << 20, slow)
    client.flush()
    feeding.send_chunk(b"data: [DONE]\n\n")
    feeding.send(b"0\r\n\r\n")
    while slow not in client.ended:
        assert client.hear()
    assert client.bodies[slow] == many + many + b"data: [DONE]\n\n"


def test_an_end_waits_for_the_socket(one):
    """The end of an answer alone, all bytes of which are out, when the connection's socket is full of another's."""
    at, provider = one
    client = H2Client(at.connect(receive_buffer=1 << 14))
    first = ask(client, STREAM)
    provider.read()
    ending = provider.current
    ending.send(HEAD)
    whole = event("one") + b"data: [DONE]\n\n"
    ending.send_chunk(whole)
    while client.bodies[first] != whole:
        assert client.hear()
    ask(client)
    client.h2.increment_flow_control_window(1 << 28)
    client.h2.increment_flow_control_window(1 << 28, client.stream)
    client.flush()
    provider.read()
    large = b'{"a":"%s"}' % (b"x" * (8 << 20))
    feeding = provider.current
    feeding.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(large))
    sender = threading.Thread(target=feeding.send, args=(large,))
    sender.start()
    # The provider is held back: the socket has been full for long.
    sender.join(1)
    ending.send(b"0\r\n\r\n")
    assert at.record()["stream"] == "true"
    while client.stream not in client.ended:
        assert client.hear()
    while first not in client.ended:
        assert client.hear()
    assert client.ended[first] and client.bodies[first] == whole and client.bodies[client.stream] == large
    sender.join(DEADLINE)


def test_a_client_that_gives_up_a_stream(one):
    at, provider = one
    client = H2Client(at.connect())
    ask(client, STREAM)
    provider.read()
    provider.current.send(HEAD)
    provider.current.send_chunk(event("one"))
    client.read_head()
    assert client.read_some() == event("one")
    client.asked.append(client.stream)
    client.close()
    provider.current.waits_for_close()
    assert at.record()["end"] == "client_left"
    # The connection is as good as before.
    client.is_closed = False
    client.asked.clear()
    ask(client)
    provider.read()
    provider.current.send(PLAIN)
    assert client.read_head().status == 200


def test_same_requests_on_one_connection_share_a_call(gateway, provider):
    at = gateway(provider, more="cache: { enabled: true }")
    client = H2Client(at.connect())
    body = '{"model":"m","temperature":0,"messages":[]}'
    streams = [ask(client, body) for _ in range(3)]
    provider.read()
    provider.current.send(PLAIN)
    while not all(number in client.ended for number in streams):
        assert client.hear()
    states = sorted(client.heads[number]["x-synaxis-cache"] for number in streams)
    assert states == ["coalesced", "coalesced", "miss"]
    assert not provider.has_request()


def test_an_answer_that_is_cut_is_a_reset(one):
    at, provider = one
    client = H2Client(at.connect())
    ask(client)
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n" + b'{"a":"' + b"x" * 1200000)
    head = client.read_head()
    provider.current.close()
    while client.reading not in client.ended:
        assert client.hear()
    assert head.status == 200 and client.ended[client.reading] is False


def test_a_drain_says_goodbye_and_lets_streams_finish(one):
    at, provider = one
    client = Client(at)
    client.send(open_post(), frame(DATA, END_STREAM, 1, STREAM.encode()))
    provider.read()
    provider.current.send(HEAD)
    provider.current.send_chunk(event("one"))
    while client.read()[0] != DATA:
        pass
    at.signal(signal.SIGTERM)
    kind, _, _, payload = client.read()
    # All streams up to the last possible one: further ones may come for a moment (RFC 9113 §6.8).
    assert (kind, payload) == (GOAWAY, b"\x7f\xff\xff\xff\0\0\0\0")
    client.send(get(3))
    assert client.outcome() == ("answer", 3)
    provider.current.send_chunk(b"data: [DONE]\n\n")
    provider.current.send(b"0\r\n\r\n")
    seen = []
    while got := client.read():
        seen.append(got)
    assert (DATA, END_STREAM, 1) in [(kind, flags & END_STREAM, number) for kind, flags, number, _ in seen]
    assert seen[-1][0] == GOAWAY and seen[-1][3] == b"\0\0\0\3\0\0\0\0"
    assert at.wait() == 0
    at.child.poll = lambda: None
    at.signal = lambda number: None


def test_a_refused_body_is_not_waited_for(gateway, provider):
    at = gateway(provider, more="limits: { request_body: 64KiB }")
    client = H2Client(at.connect())
    client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n")
    assert client.read_head().status == 413
    assert json.loads(client.read_rest())["error"]["code"] == "request_too_large"
    client.left = 0
    client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.read_head().status == 200


def test_the_page_and_large_pages(gateway, provider):
    at = gateway(provider, more="admin: { token: t }")
    client = H2Client(at.connect())
    for path in ("/", "/metrics", "/admin/health"):
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n".encode())
        assert client.read_head().status == 200 and len(client.read_rest()) > 100


@pytest.fixture
def secure(start, certificate, provider):
    return start(
        Gateway,
        f"listen: ['[::1]:0', {{ address: '127.0.0.1:0', tls: {{ cert: {certificate} }} }}]\nproviders:\n  a: {provider.entry()}\n",
    )


def serve(provider, count):
    def loop():
        for _ in range(count):
            provider.read()
            provider.current.send(
                HEAD + b"%x\r\n%s\r\n" % (len(event("hi")), event("hi")) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
            )

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def test_httpx_and_the_openai_sdk(secure, certificate, provider):
    url = "https://" + secure.addresses[1]
    with httpx.Client(http1=False, http2=True, verify=str(certificate)) as client:
        thread = serve(provider, 2)
        answer = client.post(f"{url}/v1/chat/completions", content=STREAM)
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        sdk = openai.OpenAI(base_url=f"{url}/v1", api_key="x", http_client=client, max_retries=0)
        stream = sdk.chat.completions.create(model="m", messages=[], stream=True)
        assert "".join(chunk.choices[0].delta.content for chunk in stream) == "hi"
        thread.join(DEADLINE)


@pytest.mark.parametrize("way", ["--http2-prior-knowledge", "--http2"])
def test_curl(secure, certificate, way):
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    url = "https://" + secure.addresses[1] if way == "--http2" else "http://" + secure.addresses[0]
    done = subprocess.run(
        ["curl", "-s", way, "--cacert", certificate, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", f"{url}/v1/models"],
        capture_output=True, text=True,
    )
    assert done.stdout == "2 200"


# All streams together are within `limits.connections`; a client that would like more of one connection than it gets waits.
@pytest.mark.parametrize("clients, streams", [("8", "20"), ("2", "200")])
def test_h2load(secure, clients, streams):
    if not shutil.which("h2load"):
        pytest.skip("no h2load here")
    done = subprocess.run(
        ["h2load", "-n", "2000", "-c", clients, "-m", streams, f"https://{secure.addresses[1]}/v1/models"], capture_output=True, text=True
    )
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout
