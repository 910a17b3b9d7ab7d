"""Transcripts: a whole conversation in one file, and what runs it.

A file begins with a sentence about the behaviour. Then come steps, one after the other, each with its content
up to the next step's line. Nothing is concurrent on this side: the order of the steps is the barrier.

    == config                   providers and all else of a tier file; $a to $f are addresses of providers
    == client sends             a request, or further bytes of one
    == client reads             the answer's head and then this much of its body, or further bytes of the body
    == client sees end          the body is complete, and nothing follows
    == client sees close        the connection is closed, without a byte between
    == client sees cut          the connection is closed before the body is complete
    == client closes | resets | half-closes | reconnects
    == other …                  the same for a second client
    == a refuses | listens      connections are refused from here on, or taken again
    == a reads [new|same]       a request arrives, on a new connection or on the one used last; its first line and
                                the fields given here are the request's (`Name: -`: not there), and the body is equal
    == a sends                  bytes
    == a sends chunk            bytes as one HTTP chunk
    == a ends                   the last chunk
    == a closes | resets
    == a sees close             the connection is closed by the gateway
    == log                      the line of the exchange has these fields
    == note                     a line of the log has these fields; notes come in this order
    == providers are idle       no provider has got a request that no step has read (also looked at in the end)

A content that begins like an HTTP message gets CRLF up to its first empty line. `$length` in it is the body's length.
`${200*ab}` stands for many bytes, `$in(90)` for the HTTP date 90 s from now, `$at(90)` for the same as in
`2026-08-17 02:56:15`, UTC; `\\r`, `\\n`, `\\xNN` at need. In expectations `$n` is a number, `$near(90)` one of 60 to 90,
and `$any` any text. The content is exact: a body ends with the newline before the next
step, unless a backslash stands before it.
"""

import re
import socket
import ssl
import time
from email.utils import formatdate

from gateway import DEADLINE, Gateway, fields
from wire import Cut, Provider, Reader, reset, tls_context

DEFAULT_CONFIG = """\
providers:
  a: { type: openai, endpoint: "http://$a/v1", tier: 0, models: [m] }
  b: { type: openai, endpoint: "http://$b/v1", tier: 1, models: [m] }
"""


class Step:
    def __init__(self, line, number):
        self.words = line[2:].split()
        self.number = number
        self.content = ""


def parse(text):
    steps = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith("=="):
            steps.append(Step(line, number))
        elif steps:
            steps[-1].content += line
        else:
            assert line.startswith("#") or not line.strip(), f"line {number}: what is this before the first step?"
    return steps


def unescaped(text):
    text = re.sub(r"\$in\((\d+)\)", lambda m: formatdate(time.time() + int(m[1]), usegmt=True), text)
    text = re.sub(
        r"\$at\((\d+)\)", lambda m: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + int(m[1]))), text
    )
    text = re.sub(r"\$\{(\d+)\*([^}]*)\}", lambda m: m[2] * int(m[1]), text)
    data = text.encode()
    if b"\\" not in data:
        return data
    names = {b"r": b"\r", b"n": b"\n", b"\\": b"\\", b"\n": b""}
    return re.sub(
        rb"\\(r|n|\\|\n|x([0-9a-f]{2}))",
        lambda m: bytes([int(m[2], 16)]) if m[2] else names[m[1]],
        data,
    )


def is_message(text):
    return bool(re.match(r"HTTP/1\.[01] |[A-Z]+ \S+ HTTP/", text))


def composed(text):
    """The bytes of a step's content."""
    if not is_message(text):
        return unescaped(text)
    head, _, body = text.partition("\n\n")
    body = unescaped(body)
    head = head.rstrip("\n").replace("$length", str(len(body)))
    return unescaped(head.replace("\n", "\r\n")) + b"\r\n\r\n" + body


def pattern(text):
    """A text with placeholders as a regular expression."""
    names = {"$n": r"\d+(?:\.\d+)?", "$any": r"(?s:.*?)"}

    def piece(part):
        if near := re.fullmatch(r"\$near\((\d+)\)", part):
            return f"(?:{'|'.join(str(n) for n in range(int(near[1]) - 30, int(near[1]) + 1))})"
        return names.get(part, re.escape(part))

    return "".join(piece(part) for part in re.split(r"(\$near\(\d+\)|\$n|\$any)", text))


def expect(text, found, what):
    assert re.fullmatch(pattern(text), found), f"{what}: expected {text!r}, found {found!r}"


def half_close(connection):
    if isinstance(connection, ssl.SSLSocket):
        # TLS wants it said first (RFC 8446 §6.1); what comes is read on.
        connection.settimeout(0)
        try:
            connection.unwrap()
        except ssl.SSLWantReadError:
            connection.settimeout(DEADLINE)
    socket.socket.shutdown(connection, socket.SHUT_WR)


class Run:
    """One transcript at work."""

    def __init__(self, text, start, certificate=None, provider=Provider, listener=None, client=Reader):
        """`certificate`: its providers speak https and show this one, a file in PEM with its key. `provider`: what they
        are. `listener`: such a file for the gateway itself. `client`: what its clients are."""
        self.steps = parse(text)
        self.start = start
        self.certificate = certificate
        self.kind = provider
        self.tls = tls_context(certificate) if certificate else None
        self.client = client
        self.listener = listener
        self.client_tls = ssl.create_default_context(cafile=listener) if listener else None
        if listener and client is not Reader:
            self.client_tls.set_alpn_protocols(["h2"])
        self.providers = {}
        self.clients = {}
        self.noted = 0
        # What HTTP/2 does not say in fields (RFC 9113 §8.2.2).
        self.untold = set() if client is Reader else {"connection", "transfer-encoding"}

    def provider(self, name):
        if name not in self.providers:
            self.providers[name] = self.start(self.kind, self.tls)
        return self.providers[name]

    def execute(self):
        assert self.steps, "a transcript without steps"
        if self.steps[0].words != ["config"]:
            self.configure(DEFAULT_CONFIG)
        for step in self.steps:
            try:
                self.perform(step)
            except (AssertionError, Cut, OSError) as fault:
                output = self.gateway.output()
                raise AssertionError(f"line {step.number}: {' '.join(step.words)}: {fault}\n{output}") from fault
        self.check_idle()

    def configure(self, text):
        text = re.sub(r"\$([a-f])\b", lambda m: self.provider(m[1]).address, text)
        environment = {}
        if self.certificate:
            text = text.replace("http://", "https://")
            environment = {"SSL_CERT_FILE": str(self.certificate)}
        # A connection, a handshake and the look at a path take two processes that a busy machine may keep waiting, and an
        # emulated one does: nobody else is asked for that.
        patient = "timeouts: { failover: 1s"
        text = text.replace("timeouts: {", patient + ",") if "timeouts: {" in text else f"{patient} }}\n{text}"
        if self.listener:
            text = f"listen: {{ address: '127.0.0.1:0', tls: {{ cert: {self.listener} }} }}\n{text}"
        self.gateway = self.start(Gateway, text, environment)

    def connect(self, name):
        if name in self.clients:
            self.clients[name].socket.close()
        self.clients[name] = self.client(self.gateway.connect(tls=self.client_tls))

    def check_idle(self):
        for name, provider in self.providers.items():
            assert not provider.has_request(), f"{name} got a request that nobody expected"

    def perform(self, step):
        match step.words:
            case ["config"]:
                self.configure(step.content)
            case ["client" | "other" as name, *rest]:
                if name not in self.clients:
                    self.connect(name)
                self.perform_client(name, rest, step.content)
            case ["log"]:
                self.check_record(self.gateway.record(), step.content)
            case ["note"]:
                self.check_note(step.content)
            case ["providers", "are", "idle"]:
                self.check_idle()
            case [name, *rest] if re.fullmatch("[a-f]", name):
                self.perform_provider(self.provider(name), rest, step.content)
            case _:
                raise AssertionError("unknown step")

    # The client's side

    def perform_client(self, name, words, content):
        client = self.clients[name]
        match words:
            case ["sends"]:
                client.socket.sendall(composed(content))
            case ["reads"]:
                self.read_answer(client, content)
            case ["sees", "end"]:
                rest = client.read_rest()
                assert rest == b"" and client.raw == b"", f"more than expected: {rest + client.raw!r}"
            case ["sees", "close"]:
                rest = client.read_rest()
                assert rest == b"", f"more than expected: {rest!r}"
                assert client.closes(), f"bytes before the close: {client.raw!r}"
            case ["sees", "cut"]:
                try:
                    rest = client.read_rest()
                except Cut:
                    return
                raise AssertionError(f"the body has a clean end after {rest[-200:]!r}")
            case ["closes"]:
                client.socket.close()
            case ["resets"]:
                reset(client.socket)
            case ["half-closes"]:
                half_close(client.socket)
            case ["reconnects"]:
                self.connect(name)
            case _:
                raise AssertionError("unknown step")

    def read_answer(self, client, content):
        body = content
        if is_message(content):
            head, _, body = content.partition("\n\n")
            lines = head.rstrip("\n").split("\n")
            found = client.read_head()
            if found.status >= 400 and str(found.status) not in lines[0]:
                raise AssertionError(f"expected {lines[0]!r}, found {found.start!r} {client.read_rest()!r}")
            expect(lines[0], found.start, "status line")
            self.check_fields(lines[1:], found)
        if re.search(r"\$(n|any)", body):
            expect(body.rstrip("\n"), client.read_rest().decode().rstrip("\n"), "body")
            return
        wanted = unescaped(body)
        got = b""
        while len(got) < len(wanted):
            piece = client.read_some()
            if not piece:
                break
            got += piece
            if len(got) > len(wanted):
                client.put_back(got[len(wanted) :])
                got = got[: len(wanted)]
        if len(wanted) < 2000:
            assert got == wanted, f"expected {wanted!r}, found {got!r}"
        else:
            assert got == wanted, f"expected {len(wanted)} bytes, found {len(got)} or other ones"

    def check_fields(self, lines, found):
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() in self.untold:
                continue
            values = found.all(name)
            if value.strip() == "-":
                assert not values, f"{name} should not be there: {values}"
            else:
                assert len(values) == 1, f"{name}: found {values} in {found.start!r} {found.fields}"
                expect(value.strip(), values[0], name)

    def check_record(self, record, content):
        for line in content.split("\n"):
            if line.strip():
                name, _, value = line.partition("=")
                assert name in record, f"no {name} in {record}"
                expect(value, record[name], name)

    def check_note(self, content):
        def matches(text):
            try:
                self.check_record(fields(text), content)
            except AssertionError:
                return False
            return True

        number, _ = self.gateway.line(matches, self.noted)
        self.noted = number + 1

    # A provider's side

    def perform_provider(self, provider, words, content):
        match words:
            case ["refuses"]:
                provider.refuse()
            case ["listens"]:
                provider.listen()
            case ["reads", *which]:
                before = provider.current
                is_new = provider.read()
                if not provider.tells_connections:
                    pass
                elif which == ["new"]:
                    assert is_new, "the request came on a connection that was open before"
                elif which == ["same"]:
                    assert provider.current is before, "the request came on another connection"
                self.check_request(provider, content)
            case ["sends"]:
                provider.current.send(composed(content))
            case ["sends", "chunk"]:
                provider.current.send_chunk(unescaped(content))
            case ["ends"]:
                provider.current.send(b"0\r\n\r\n")
            case ["closes"]:
                provider.current.close()
            case ["resets"]:
                provider.current.reset()
            case ["sees", "close"]:
                provider.current.waits_for_close()
            case _:
                raise AssertionError("unknown step")

    def check_request(self, provider, content):
        if not content.strip():
            return
        head, _, body = content.partition("\n\n")
        lines = head.rstrip("\n").split("\n")
        expect(lines[0], provider.head.start, "request line")
        self.check_fields(lines[1:], provider.head)
        assert provider.body == unescaped(body), f"expected {unescaped(body)!r}, found {provider.body!r}"

