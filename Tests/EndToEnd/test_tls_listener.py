"""Clients over TLS."""

import json
import re
import signal
import ssl
import subprocess
import time

import certificates
import pytest

from gateway import BINARY, Gateway, fields
from wire import Provider, Reader, post
from wire_h2_client import H2Client

BODY = '{"model":"m","messages":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PROVIDER = 'providers:\n  a: { endpoint: "http://127.0.0.1:9/v1", models: [m] }\n'


def listen(tls, more=""):
    return f"listen: {{ address: '127.0.0.1:0', tls: {{ {tls} }} }}\n{more}{PROVIDER}"


def trusting(file, own=None, protocols=None):
    context = ssl.create_default_context(cafile=file)
    if own:
        context.load_cert_chain(own)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def get(connection, path="/v1/models"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return Reader(connection).read()


@pytest.fixture
def secure(start, certificate):
    return start(Gateway, listen(f"cert: {certificate}"))


def test_the_version_is_agreed_on(secure, certificate):
    with secure.connect(tls=trusting(certificate, protocols=["http/1.1"])) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1" and connection.version() == "TLSv1.3"
        assert get(connection)[0].status == 200
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        secure.connect(tls=trusting(certificate, protocols=["h3"])).recv(1)


def test_tls_1_2_is_spoken_and_nothing_older(secure, certificate):
    context = trusting(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with secure.connect(tls=context) as connection:
        assert connection.version() == "TLSv1.2" and get(connection)[0].status == 200
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        secure.connect(tls=context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(secure, certificate, version):
    context = trusting(certificate)
    context.minimum_version = context.maximum_version = version
    with secure.connect(tls=context) as connection:
        get(connection)
        session = connection.session
    plain = secure.connect()
    with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection:
        assert connection.session_reused and get(connection)[0].status == 200


def test_a_request_in_the_clear_is_told_so(secure):
    head, body = get(secure.connect())
    assert head.status == 400 and head["connection"] == "close"
    assert "https://" in json.loads(body)["error"]["message"]
    assert secure.record()["end"] == "bad_request"


def test_what_is_no_tls_is_logged(secure):
    with secure.connect() as connection:
        connection.sendall(b"\x05\x01\x00 this is no hello")
        while connection.recv(100):
            pass
    _, line = secure.line(lambda text: "TLS handshake failed" in text)
    assert "does not speak TLS" in fields(line)["detail"]


def test_clients_show_certificates(start, certificate, tmp_path):
    authority = certificates.make(tmp_path / "a", "authority", signs=True)
    own = certificates.make(tmp_path / "own", "own", issuer=authority)
    stranger = certificates.make(tmp_path / "b", "stranger")
    at = start(Gateway, listen(f"cert: {certificate}, client_ca: {authority}"))
    with at.connect(tls=trusting(certificate, own=own)) as connection:
        assert get(connection)[0].status == 200
    for other in (None, stranger):
        # In TLS 1.3 the client is done before it is judged (RFC 8446 §4.4).
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            at.connect(tls=trusting(certificate, own=other)).recv(1)
    failed = lambda text: "TLS handshake failed" in text
    first, line = at.line(failed)
    assert "did not return a certificate" in line
    assert "signed by itself" in at.line(failed, first + 1)[1]


def test_small_records_and_large_bodies(start, certificate):
    """A body comes in records of any size, and an answer larger than a record or a socket's buffer goes out whole."""
    provider = start(Provider)
    at = start(Gateway, f"listen: {{ address: '127.0.0.1:0', tls: {{ cert: {certificate} }} }}\nproviders:\n  a: {provider.entry()}\n")
    body = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 300_000 + b'"}]}'
    with at.connect(tls=trusting(certificate), receive_buffer=4096) as connection:
        request = post(body)
        for at_byte in range(0, 300, 3):
            connection.sendall(request[at_byte : at_byte + 3])
        connection.sendall(request[300:])
        provider.read()
        assert provider.body == body
        answer = b'{"a":"' + b"y" * 900_000 + b'"}'
        provider.current.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        )
        head, got = Reader(connection).read()
        assert head.status == 200 and got == answer


def test_requests_behind_one_another(secure, certificate):
    with secure.connect(tls=trusting(certificate)) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        reader = Reader(connection)
        assert [reader.read()[0].status for _ in range(20)] == [200] * 20


def test_the_end_is_said(secure, certificate):
    """An answer that ends with its connection ends with a close_notify (RFC 8446 §6.1), and so does an idle one's."""
    with secure.connect(tls=trusting(certificate)) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
        data = b""
        while piece := connection.recv(65536):  # raises where it is not said
            data += piece
    assert data.startswith(b"HTTP/1.1 200")
    idle = secure.connect(tls=trusting(certificate))
    get(idle)
    secure.signal(signal.SIGTERM)
    assert idle.recv(10) == b""
    assert secure.wait() == 0
    secure.child.poll = lambda: None
    secure.signal = lambda number: None


def test_a_handshake_has_its_time(start, certificate):
    """Whoever connects and says nothing is let go like one that sends half a head."""
    at = start(Gateway, listen(f"cert: {certificate}"))
    before = time.monotonic()
    with at.connect() as silent, at.connect() as slow:
        hello = ssl.MemoryBIO()
        half = trusting(certificate).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            half.do_handshake()
        slow.sendall(hello.read()[:50])
        assert silent.recv(1) == b"" and slow.recv(1) == b""
    assert time.monotonic() - before >= 9


def test_certificates_change_on_sighup(start, tmp_path):
    """Connections go on; new ones see the new certificate; one that cannot be used leaves the former in force."""
    first = certificates.make(tmp_path / "a", "first")
    second = certificates.make(tmp_path / "b", "second")
    shown = tmp_path / "shown.pem"
    shown.write_bytes(first.read_bytes())
    at = start(Gateway, listen(f"cert: {shown}"))
    old = at.connect(tls=trusting(first))
    assert get(old)[0].status == 200

    def hang_up(outcome, seen):
        at.signal(signal.SIGHUP)
        return at.line(lambda text: re.search(f'msg="?{outcome}', text), seen)[0] + 1

    shown.write_bytes(second.read_bytes())
    seen = hang_up("reloaded", 0)
    assert get(at.connect(tls=trusting(second)))[0].status == 200
    with pytest.raises(ssl.SSLError):
        at.connect(tls=trusting(first))
    shown.write_text("nonsense")
    hang_up("not reloaded", seen)
    assert get(at.connect(tls=trusting(second)))[0].status == 200
    assert get(old)[0].status == 200


@pytest.mark.parametrize("said", ["GET /livez HT", "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_an_end_that_comes_with_the_last_bytes(start, tmp_path, said):
    """TLS' own word for it, with no FIN behind it: half a request is given up at once, a whole one is answered."""
    file = tmp_path / "a" / "a.pem"
    certificates.make(tmp_path / "a", "a")
    at = start(Gateway, f"listen: [{{ address: '127.0.0.1:0', tls: {{ cert: {file} }} }}]\n{PROVIDER}")
    plain = at.connect()
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(file).wrap_bio(inward, outward, server_hostname="127.0.0.1")

    def until(act, *arguments):
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                plain.sendall(outward.read())
                inward.write(plain.recv(1 << 16))

    until(client.do_handshake)
    plain.sendall(outward.read())
    client.write(said.encode())
    with pytest.raises(ssl.SSLWantReadError):
        client.unwrap()
    plain.sendall(outward.read())
    if said.endswith("\r\n\r\n"):
        assert until(client.read).startswith(b"HTTP/1.1 200")
        return
    while data := plain.recv(1 << 16):
        inward.write(data)
    # Not even a 408: there is nobody who would want it.
    assert at.output().count("msg=refused") == 0
    with at.connect(tls=trusting(file)) as other:
        assert get(other)[0].status == 200


@pytest.mark.parametrize(
    "tls, problem",
    [
        ("{}", "13: error: listen.tls: no cert"),
        ("{ key: k.pem }", "13: error: listen.tls: no cert"),
        ("{ cert: none.pem }", "21: error: listen.tls.cert: cannot read the file: No such file or directory"),
        ("{ cert: c.pem, key: other.pem }", "33: error: listen.tls.key: the key does not fit the certificate"),
        ("{ cert: c.pem, key: bare.pem }", "33: error: listen.tls.key: the key cannot be used:"),
        ("{ cert: c.pem, client_ca: other.pem }", ""),
        ("{ cert: c.pem, client_ca: key.pem }", "39: error: listen.tls.client_ca: the clients' authorities cannot be used:"),
        ("{ cert: old.pem }", "21: warning: listen.tls.cert: the certificate expired"),
        ("{ cert: key.pem }", "21: error: listen.tls.cert: the certificate cannot be used:"),
        ("{ cart: c.pem }", "15: error: unknown key"),
    ],
)
def test_what_is_wrong_with_files_is_told(tmp_path, tls, problem):
    for name in ("c", "other"):
        certificates.make(tmp_path / name, name)
        (tmp_path / f"{name}.pem").write_bytes((tmp_path / name / f"{name}.pem").read_bytes())
    certificates.make(tmp_path / "o", "old", end="20210101000000Z")
    (tmp_path / "old.pem").write_bytes((tmp_path / "o/old.pem").read_bytes())
    text = (tmp_path / "c.pem").read_text()
    key, bare = re.split(r"(?<=-----END PRIVATE KEY-----\n)", text)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "bare.pem").write_text(bare)
    file = tmp_path / "synaxis.yaml"
    file.write_text(f"listen:\n- address: 8443\n  tls:      {tls}\n{PROVIDER}")
    done = subprocess.run([BINARY, "check", "-c", file], capture_output=True, text=True)
    said = done.stdout + done.stderr
    if problem:
        assert f"synaxis.yaml:3:{problem}" in said, said
    assert done.returncode == (78 if "error" in problem else 0), said
    if done.returncode == 0:
        assert "127.0.0.1:8443 (TLS" in said


@pytest.mark.parametrize("version, most", [("http/1.1", 20 << 10), ("h2", 30 << 10)])
def test_an_idle_connection_is_small(start, certificate, version, most):
    """Of each that waits for its next request only what TLS and HTTP/2 need is kept."""
    at = start(Gateway, listen(f"cert: {certificate}", "limits: { connections: 512 }\n"))
    context = trusting(certificate, protocols=[version])

    def connect():
        connection = at.connect(tls=context)
        if version == "http/1.1":
            assert get(connection)[0].status == 200
            return connection
        client = H2Client(connection)
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_head().status == 200 and client.read_rest()
        return client

    held = [connect() for _ in range(50)]
    before = at.status("RssAnon")
    held += [connect() for _ in range(300)]
    assert (at.status("RssAnon") - before) / 300 < most
