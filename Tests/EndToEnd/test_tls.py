"""Connections to https providers, as the tier file has them."""

import contextlib
import ssl
import subprocess
import threading

import pytest

from gateway import Gateway, eventually, fields
from pages import complete
from wire import Provider, Reader, post

BODY = '{"model":"m","messages":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
DEBUG = "log: { level: debug }\n"


@pytest.fixture
def secure(start, certificate):
    """A provider that shows the certificate; with `clients`, who signs the certificates that it asks for."""

    def begin(clients=None):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return start(Provider, context)

    return begin


def entry(provider, more):
    return f'providers:\n  a: {{ endpoint: "https://{provider.address}/v1", models: [m], {more} }}\n'


@contextlib.contextmanager
def shaking_hands(provider):
    """Accepts one connection meanwhile, whose client will not have it."""

    def accept():
        with contextlib.suppress(OSError):
            provider.accept()

    thread = threading.Thread(target=accept)
    thread.start()
    yield
    thread.join()


def answered(at, provider):
    client = Reader(at.connect())
    client.socket.sendall(post(BODY))
    provider.read()
    provider.current.send(ANSWER)
    return client.read()[0].status


def test_an_authority_of_its_own_and_a_certificate_to_show(start, secure, certificate):
    provider = secure(certificate)
    at = start(Gateway, entry(provider, f"tls: {{ ca_file: {certificate}, cert: {certificate} }}"))
    assert answered(at, provider) == 200


def test_unchecked(start, secure):
    provider = secure()
    at = start(Gateway, entry(provider, "tls: { verify: false }"))
    assert answered(at, provider) == 200


def test_what_is_wrong_is_said(start, secure, mock):
    """The next provider answers at once, and the log says why."""
    provider = secure()
    spare = f"  b: {mock().provider(tier=1)}\n"
    # On a busy machine the handshake takes its time: no race is begun for that.
    at = start(Gateway, DEBUG + "timeouts: { failover: 4s }\n" + entry(provider, "tier: 0") + spare)
    with shaking_hands(provider):
        assert complete(at)[0] == 200
    attempt = eventually(lambda: [l for l in map(fields, at.lines) if l.get("msg") == "attempt"], "an attempt")[0]
    assert (attempt["provider"], attempt["reason"]) == ("a", "tls")
    assert attempt["detail"] == (
        "the certificate of 127.0.0.1 is signed by itself, and not trusted here (tls.ca_file)"
    )


def test_certificates_change_without_a_restart(start, secure, certificate, tmp_path):
    """What signs is replaced in its place, as renewal tools do."""
    provider = secure()
    other = tmp_path / "other.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=other "
        f"-keyout {tmp_path}/key -out {other}".split(),
        check=True,
        capture_output=True,
    )
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(other.read_bytes())
    at = start(Gateway, entry(provider, f"tls: {{ ca_file: {trusted} }}"))
    with shaking_hands(provider):
        assert complete(at)[0] == 502
    new = tmp_path / "new.pem"
    new.write_bytes(certificate.read_bytes())
    new.rename(trusted)
    assert answered(at, provider) == 200
