"""For every way to fail: what the user reads in the SDK's exception, in the log, and in `status`.

Each names the provider, the reason in its own words or in those of the way to it, and when it is tried again; and a
second request, for which the provider is left alone, is told the same.
"""

import re
import signal
import socket
import ssl
import subprocess
import threading

import openai
import pytest

from certificates import make
from gateway import BINARY, Gateway, fields

TOKEN = "the-admin-token"
SECRET = "gsk_4711veryverysecretkey4711"


class Answering:
    """A provider that says the same to everybody; None: it closes without a word. `least`: the bytes it waits for."""

    def __init__(self, said, context=None, least=None):
        self.said = said
        self.least = least
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            got = b""
            while not self._has_enough(got):
                part = connection.recv(65536)
                if not part:
                    return
                got += part
            if self.said is not None:
                connection.sendall(self.said)
        except OSError:
            pass
        finally:
            connection.close()

    def _has_enough(self, got):
        if self.least is not None:
            return len(got) >= self.least
        return b"\r\n\r\n" in got and len(got) - got.index(b"\r\n\r\n") > 20

    def stop(self):
        self.listener.close()


def answer(status, body, more=""):
    kind = "application/json" if body[:1] in "{[" else "text/html"
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return (head + body).encode()


def error(status, message, more=""):
    return answer(status, '{"error":{"message":"%s","type":"x","code":null}}' % message, more)


def ask(at):
    with openai.OpenAI(base_url=at.url + "/v1", api_key="sk-client", max_retries=0, timeout=20) as api:
        with pytest.raises(openai.APIStatusError) as raised:
            api.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
    return raised.value


def status_row(at):
    done = subprocess.run([BINARY, "status", "--url", at.url, "--token", TOKEN], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("prov"))


# What the provider does; the status that the client gets; what is said of the provider; whether that stays said.
ROWS = {
    "wrong key": (error(401, "Incorrect API key provided: %s." % SECRET), 502,
                  "rejected its key (401: Incorrect API key provided: ***); next try in 60 min", True),
    "forbidden": (error(403, "Your project has no access"), 502,
                  "rejected its key (403: Your project has no access); next try in 60 min", True),
    "rate": (error(429, "Rate limit reached for x", "Retry-After: 40\r\n"), 429,
             "is at its rate limit (429: Rate limit reached for x); next try in ", True),
    "quota": (error(429, "You exceeded your current quota, please check your plan and billing details"), 429,
              "is out of quota or credit (429: You exceeded your current quota, please check your plan and billing "
              "details); next try in 60 min", True),
    "credit": (error(402, "Insufficient credits"), 429,
               "is out of quota or credit (402: Insufficient credits); next try in 60 min", True),
    "failing": (error(500, "The server had an error"), 502, "failed (500: The server had an error)", True),
    "a page of a proxy": (answer(502, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>x</body></html>"), 502,
                          "failed (502 Bad Gateway)", True),
    "overloaded": (error(529, "Overloaded"), 502, "is overloaded (529: Overloaded)", True),
    "error in a 200": (answer(200, '{"error":{"message":"something broke"}}'), 502, "sent an error (something broke)", True),
    "a captive portal": (answer(200, "<html><title>Welcome to our WiFi</title>Log in</html>"), 502,
                         "sent what is no answer of an OpenAI API (Welcome to our WiFi)", True),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", 502, "sent what is no answer of an OpenAI API (what came is no HTTP", True),
    "closes": (None, 502, "dropped the connection (", True),
    "broken off": (answer(200, '{"id":').replace(b"Length: 6", b"Length: 60"), 502, "broke its answer off (", True),
    "empty": (answer(200, " "), 502, "sent", True),
}


@pytest.mark.parametrize("name", ROWS)
def test_answers(start, name):
    said, status, words, stays = ROWS[name]
    provider = start(Answering, said)
    entry = f'{{ type: openai, endpoint: "http://{provider.address}/v1", key: {SECRET}, start_wait: 0, models: [m] }}'
    at = start(Gateway, f"admin: {{ token: {TOKEN} }}\nproviders:\n  prov: {entry}\n")
    check(at, status, words, stays)


def check(at, status, words, stays):
    """`words` follow the provider's name, in every place."""
    raised = ask(at)
    assert raised.status_code == status and f"prov {words}" in raised.message, raised.message
    record = at.record()
    assert f"prov {words}" in record["reason"], record
    assert record["model"] == "m" and record["status"] == str(status)
    row = status_row(at)
    reason = re.sub(r"; next try in .*", "", words)
    if stays:
        assert reason in row, row
        later = ask(at)
        assert f"prov {reason}" in later.message, later.message
        record = at.record()
        assert f"prov {reason}" in record["reason"] and record["client"] == "-"
    assert SECRET not in at.output() + raised.message + row


def test_refused(start):
    provider = start(Answering, None)
    provider.listener.shutdown(socket.SHUT_RDWR)
    at = of_endpoint(start, f"http://{provider.address}/v1")
    check(at, 502, f"cannot be reached ({provider.address} refuses connections: nothing listens there)", True)


def test_name_not_found(start):
    at = of_endpoint(start, "http://no-such-host.invalid/v1")
    check(at, 502, "cannot be reached (the name no-such-host.invalid is not found", True)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_not_found(start, scheme):
    text = f'providers:\n  prov: {{ type: openai, endpoint: "{scheme}://127.0.0.1:1/v1", proxy: "http://us:pass@no-such-proxy.invalid:1", models: [m] }}\n'
    at = start(Gateway, f"admin: {{ token: {TOKEN} }}\n{text}")
    check(at, 502, "cannot be reached (the proxy's name is not found", True)
    assert "us:pass" not in at.output()


def test_no_connection(start):
    """A listener whose backlog is full: the kernel drops what comes after."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = "127.0.0.1:%d" % full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        at = of_endpoint(start, f"http://{address}/v1", "timeouts: { connect: 300ms }\n")
        check(at, 502, f"cannot be reached (no connection to {address} within 300 ms)", True)
        for one in crowd:
            one.close()


def test_silent(start, mock):
    at = start(
        Gateway,
        f"admin: {{ token: {TOKEN} }}\ntimeouts: {{ first_token: 200ms }}\nproviders:\n  prov: {mock('--fail hang').provider()}\n")
    check(at, 502, "sent nothing in time", True)


def of_endpoint(start, endpoint, more="", environment=None):
    text = f"admin: {{ token: {TOKEN} }}\n{more}providers:\n  prov: {{ type: openai, endpoint: \"{endpoint}\", start_wait: 0, models: [m] }}\n"
    return start(Gateway, text, environment=environment)


# The certificate's options, what the client trusts, what is to be found in what is said.
CERTIFICATES = {
    "wrong host": ({"names": "DNS:other.example"}, "itself", r"127\.0\.0\.1"),
    "expired": ({"end": "20210101000000Z"}, "itself", r"expired"),
    "self-signed": ({}, "nobody", r"self.signed|signed by itself"),
    "unknown authority": ({"issuer": True}, "nobody", r"issuer|authority"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(start, tmp_path, name):
    options, trusted, words = CERTIFICATES[name]
    authority = make(tmp_path / "authority", "authority")
    if options.get("issuer"):
        options = {"issuer": authority}
    file = make(tmp_path / "provider", **options)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    provider = start(Answering, error(500, "never said"), context)
    anchor = {"itself": file, "nobody": make(tmp_path / "stranger")}[trusted]
    at = of_endpoint(start, f"https://{provider.address}/v1", environment={"SSL_CERT_FILE": str(anchor)})
    for told in everywhere(at):
        assert re.search(rf"prov\w* .*cannot be reached by TLS \(.*({words})", told), told


def test_a_port_in_the_clear(start):
    """https:// where no TLS is spoken: the first bytes make no request."""
    provider = start(Answering, error(400, "Bad request"), least=1)
    at = of_endpoint(start, f"https://{provider.address}/v1")
    for told in everywhere(at):
        assert re.search(r"prov\w* .*cannot be reached by TLS \(.*does not speak TLS on this port", told), told


NGINX = "<html>\r\n<head><title>400 {0}</title></head>\r\n<body><center><h1>400 Bad Request</h1></center>\r\n<center>{0}</center></body></html>\r\n"

# What servers say whose port wants TLS, or a certificate in it.
MISDIRECTED = {
    "nginx": (NGINX.format("The plain HTTP request was sent to HTTPS port"), "400 The plain HTTP request was sent to HTTPS port"),
    "nginx, certificate": (NGINX.format("No required SSL certificate was sent"), "400 No required SSL certificate was sent"),
    "Go": ("Client sent an HTTP request to an HTTPS server.\n", "400: Client sent an HTTP request to an HTTPS server"),
    "Apache": ("<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<p>Reason: You're speaking plain HTTP to an SSL-enabled "
               "server port.<br /></p></body></html>\n", "400 Bad Request"),
}


@pytest.mark.parametrize("name", MISDIRECTED)
def test_a_400_that_is_about_the_way(start, mock, name):
    """It is the provider's operator who can mend it, not the client: the next provider takes over."""
    body, words = MISDIRECTED[name]
    provider = start(Answering, answer(400, body))
    check(of_endpoint(start, f"http://{provider.address}/v1"), 502, f"cannot be reached by TLS ({words})", True)
    text = f'providers:\n  prov: {{ type: openai, endpoint: "http://{provider.address}/v1", models: [m] }}\n  good: {mock().provider(tier=1)}\n'
    at = start(Gateway, text)
    with openai.OpenAI(base_url=at.url + "/v1", api_key="x", max_retries=0) as api:
        assert api.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}]).choices


def test_http_to_a_port_with_tls(start):
    """The server answers with an alert (RFC 8446 section 6), which is no HTTP."""
    provider = start(Answering, b"\x15\x03\x01\x00\x02\x02\x46")
    at = of_endpoint(start, f"http://{provider.address}/v1")
    for told in everywhere(at):
        assert f"{provider.address} speaks TLS on this port: https:// is meant" in told, told


def test_authorities_that_are_not_there(start, tmp_path):
    """Said at the start and by `check`, and by the first who needs them."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(make(tmp_path / "provider"))
    provider = start(Answering, None, context)
    at = of_endpoint(start, f"https://{provider.address}/v1", environment={"SSL_CERT_FILE": "/nonexistent"})
    _, line = at.line(lambda line: "msg=certificates" in line)
    doubt = "SSL_CERT_FILE=/nonexistent: No such file or directory; nothing vouches for the certificates of prov"
    assert fields(line)["detail"] == doubt and "level=warning" in line
    for told in everywhere(at):
        assert re.search(r"prov\w* .*cannot be reached by TLS \(/nonexistent cannot be used", told), told
    for arguments, code in ([], 0), (["--strict"], 78):
        for name, value in ("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", str(tmp_path)):
            done = subprocess.run(
                [BINARY, "check", "-c", str(at.file), *arguments], capture_output=True, text=True, env={name: value})
            assert done.returncode == code and f"{name}" in done.stderr and "of prov" in done.stderr, done.stderr
    # Where nobody has a certificate to be checked, nothing is amiss.
    plain = of_endpoint(start, f"http://{provider.address}/v1", environment={"SSL_CERT_FILE": "/nonexistent"})
    assert "certificates" not in plain.output()


def everywhere(at):
    """What the client reads, the exchange's line, `status`, and what the next client reads."""
    raised = ask(at)
    assert raised.status_code == 502
    yield raised.message
    yield at.record()["reason"]
    yield status_row(at)
    yield ask(at).message


REFUSALS = [
    ({"Host": "evil.example"}, "m", {"end": "host_not_allowed", "host": "evil.example", "status": "403"}),
    ({"Origin": "https://evil.example"}, "m", {"end": "origin_not_allowed", "origin": "https://evil.example"}),
    ({"Authorization": "Bearer wrong"}, "m", {"end": "invalid_api_key", "client": "-", "status": "401"}),
    ({"Authorization": "Bearer k"}, "dear", {"end": "model_not_allowed", "client": "app", "model": "dear"}),
    ({"Authorization": "Bearer k"}, "left", {"end": "model_not_found", "client": "app", "model": "left"}),
    ({"Authorization": "Bearer k"}, "m", {"end": "rate_limit_exceeded", "client": "app", "status": "429"}),
]


def test_refusals(start, mock):
    """The line of a request that never became an exchange: who, what, from where, and the words of the answer."""
    at = start(
        Gateway,
        f"""clients: [{{ name: app, key: k, models: [m, left], rpm: 2 }}]
providers:
  prov: {mock().provider(models="[m, dear]")}
  gone: {{ type: groq, key: "${{NO_SUCH_KEY}}", models: [left] }}
""",
    )
    for fields, model, expected in REFUSALS:
        with openai.OpenAI(base_url=at.url + "/v1", api_key="x", max_retries=0, default_headers=fields) as api:
            with pytest.raises(openai.APIStatusError) as raised:
                api.chat.completions.create(model=model, messages=[])
        record = at.record()
        assert {key: record[key] for key in expected} == expected
        assert record["path"] == "/v1/chat/completions" and record["reason"] == raised.value.body["message"]
        if model == "left":
            assert record["reason"] == "The model `left` is nowhere but at what is left out. gone: NO_SUCH_KEY is not set."


def test_an_alias_of_what_is_left_out(start, mock):
    text = f"""providers:
  prov: {mock().provider()}
  gone: {{ type: groq, key: "${{NO_SUCH_KEY}}", models: [a] }}
  lost: {{ type: cerebras, key: "${{NO_OTHER_KEY}}", models: [b] }}
aliases: {{ both: [gone/a, lost/b], some: [gone/a, prov/m] }}
"""
    at = start(Gateway, text)
    for model in ("both", "gone/whatever", "lost/b"):
        with openai.OpenAI(base_url=at.url + "/v1", api_key="x", max_retries=0) as api:
            with pytest.raises(openai.NotFoundError) as raised:
                api.chat.completions.create(model=model, messages=[])
        assert ("gone: NO_SUCH_KEY is not set." in raised.value.message) == (model != "lost/b")
        assert ("lost: NO_OTHER_KEY is not set." in raised.value.message) == (model != "gone/whatever")


def test_the_start_says_what_is_used(start, mock):
    """One line for each provider, in the order of the tiers, and again after a reload."""
    text = f"""providers:
  second: {mock().provider(tier=1, models="[a, b, '*']", more=", keys: [sk-4711-one, sk-4711-two]")}
  first: {mock().provider()}
  gone: {{ type: groq, key: "${{NO_SUCH_KEY}}", models: [left] }}
  off: {{ type: ollama, models: [m], enabled: false }}
"""
    at = start(Gateway, text)
    at.signal(signal.SIGHUP)
    at.line(lambda line: "reloaded" in line)
    at.line(lambda line: "provider=off" in line, next(n for n, line in enumerate(at.lines) if "reloaded" in line))
    told = [fields(line) for line in at.lines if line and re.search(r"msg=(provider|\"provider left out\") ", line)]
    assert told[:4] == [{**one, "ts": two["ts"]} for one, two in zip(told[4:], told)]
    first, second, gone, off = told[:4]
    assert (first["provider"], second["provider"]) == ("first", "second")
    assert (second["tier"], second["models"], second["keys"]) == ("1", "a, b, *", "2")
    assert second["endpoint"].startswith("http://127.0.0.1:")
    assert (gone["level"], gone["provider"], gone["reason"]) == ("warning", "gone", "NO_SUCH_KEY is not set")
    assert (off["level"], off["provider"], off["reason"]) == ("info", "off", "enabled: false")
    assert "4711" not in at.output()


def test_failover_tells_why(start, mock):
    """The client sees nothing; the line of its exchange has what the first one said."""
    bad = start(Answering, error(500, "The server had an error"))
    text = f'providers:\n  prov: {{ type: openai, endpoint: "http://{bad.address}/v1", models: [m] }}\n  good: {mock().provider(tier=1)}\n'
    at = start(Gateway, text)
    with openai.OpenAI(base_url=at.url + "/v1", api_key="x", max_retries=0) as api:
        assert api.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}]).choices
    record = at.record()
    assert record["reason"] == "prov failed (500: The server had an error)." and record["end"] == "complete"
