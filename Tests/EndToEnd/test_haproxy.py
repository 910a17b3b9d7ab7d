"""HAProxy in front of synaxis and behind it, over HTTP/2: in the clear by prior knowledge, and by ALPN over TLS."""

import shutil
import socket
import subprocess

import pytest

from gateway import Gateway, eventually
from wire import Reader, pass_events, post

STREAM = '{"model":"m","stream":true,"messages":[]}'
BODY = '{"model":"m","messages":[]}'


class HAProxy:
    def __init__(self, directory, server, bind=""):
        """In front of `server`, an address and how it is spoken to."""
        program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert program, "HAProxy is not installed: contrib/packages haproxy"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        file = directory / f"haproxy-{self.port}.cfg"
        file.write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  option abortonclose
listen all
  bind {self.address} {bind}
  http-reuse always
  server one {server}
""")
        self.child = subprocess.Popen([program, "-db", "-f", str(file)], stdin=subprocess.DEVNULL)
        eventually(self.connect, "HAProxy listening").close()

    def connect(self):
        connection = socket.socket()
        connection.settimeout(30)
        try:
            connection.connect(("127.0.0.1", self.port))
        except OSError:
            connection.close()
            return None
        return connection

    def stop(self):
        self.child.terminate()
        self.child.wait(10)


@pytest.mark.parametrize("is_secure", [False, True])
def test_in_front(start, provider, certificate, tmp_path, is_secure):
    """Its connection to synaxis is HTTP/2, and shared; streams come through event by event."""
    place = f"{{ address: '127.0.0.1:0', tls: {{ cert: {certificate} }} }}" if is_secure else "127.0.0.1:0"
    at = start(Gateway, f"listen: [{place}]\nproviders:\n  a: {provider.entry()}\n")
    way = f"ssl verify required ca-file {certificate} alpn h2" if is_secure else "proto h2"
    balancer = start(HAProxy, tmp_path, f"{at.addresses[0]} {way}")
    reader = Reader(balancer.connect())
    for _ in range(2):
        reader.socket.sendall(post(BODY))
        provider.read()
        provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        head, body = reader.read()
        assert head.status == 200 and body == b"{}" and at.record()["proto"] == "h2"
    reader.socket.sendall(post(STREAM))
    provider.read()
    provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    pass_events(reader, provider, 3)
    assert at.record()["end"] == "complete"
    # A client that leaves takes its stream along, and the connection goes on.
    reader.socket.sendall(post(STREAM))
    provider.read()
    reader.socket.close()
    provider.current.waits_for_close()
    assert at.record()["end"] == "client_left"
    again = Reader(balancer.connect())
    again.socket.sendall(b"GET /health/readiness HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert again.read()[0].status == 200


@pytest.mark.parametrize("is_secure", [False, True])
def test_as_a_provider(start, mock, certificate, tmp_path, is_secure):
    """Ten requests at once take streams of one connection."""
    behind = mock("--chunks 3")
    bind = f"ssl crt {certificate} alpn h2" if is_secure else "proto h2"
    balancer = start(HAProxy, tmp_path, behind.address, bind)
    way = f"https://{balancer.address}/v1" if is_secure else f"http://{balancer.address}/v1"
    tls = f", tls: {{ ca_file: {certificate} }}" if is_secure else ""
    at = start(Gateway, f"providers:\n  a: {{ type: openai, endpoint: '{way}', models: [m], http: 2{tls} }}\n")
    clients = [at.connect() for _ in range(10)]
    for number, client in enumerate(clients):
        client.sendall(post(STREAM if number % 2 else BODY))
    for number, client in enumerate(clients):
        head, body = Reader(client).read()
        assert head.status == 200 and body.endswith(b"data: [DONE]\n\n") == bool(number % 2)
        client.close()
    assert behind.stats["requests"] == 10
