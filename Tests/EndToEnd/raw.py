"""What the tests of /providers/NAME/… share: requests to it, and a provider for large bodies."""

import hashlib
import socket
import threading

import h2.config
import h2.connection
import h2.events
import pytest

from gateway import DEADLINE, Gateway, fields
from wire import Cut, Reader, tls_context

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
ANSWER = b'{"id":"a"}'
# What a connection may take besides what the process has anyway.
MEMORY = 6 << 20
# Of a large body.
SIZE = 200 << 20
RAW = ", raw: true"


def request(method, path, more="", body=b"", host="localhost"):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode() + body


def start_raw(start, provider, more="", entry=RAW + ", key: secret"):
    return start(Gateway, f"{more}\nproviders:\n  groq: {provider.entry(more=entry)}\n")


def line(at):
    return fields(at.line(lambda text: "msg=passed" in text)[1])


class Bulk(threading.Thread):
    """A provider for large bodies: it counts and hashes what it is sent, and answers with as many bytes as the path says."""

    def __init__(self, tls=None, h2=False):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.tls, self.h2 = tls, h2
        self.got, self.digest, self.heads = 0, hashlib.sha256(), []
        self.goes = threading.Event()
        self.goes.set()
        if tls and h2:
            tls.set_alpn_protocols(["h2"])
        self.start()

    def entry(self, more):
        scheme = "https" if self.tls else "http"
        tls = f", tls: {{ ca_file: {self.certificate} }}" if self.tls else ""
        http = ", http: 2" if self.h2 and not self.tls else ""
        return f'{{ type: openai, endpoint: "{scheme}://{self.address}/v1", models: [m]{tls}{http}{more} }}'

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                (self.serve_h2 if self.h2 else self.serve)(connection)
            except OSError:
                pass
            connection.close()

    def take(self, data):
        self.goes.wait(DEADLINE)
        self.got += len(data)
        self.digest.update(data)

    def serve(self, connection):
        reader = Reader(connection)
        while True:
            try:
                head = reader.read_head()
                self.heads.append(head)
                while piece := reader.read_some():
                    self.take(piece)
            except Cut:
                return
            self.answer(head, connection.sendall)

    def answer(self, head, send):
        count = int(head.start.split()[1].rpartition("/")[2])
        send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: x\r\n\r\n" % count)
        block = bytes(1 << 16)
        while count > 0:
            send(block[:count])
            count -= len(block)

    def serve_h2(self, connection):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        conn.initiate_connection()
        connection.sendall(conn.data_to_send())
        left = {}
        while data := connection.recv(1 << 16):
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.heads.append({k.decode(): v.decode() for k, v in event.headers})
                elif isinstance(event, h2.events.DataReceived):
                    self.take(event.data)
                    conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    conn.send_headers(event.stream_id, [(":status", "200"), ("etag", "x")])
                    left[event.stream_id] = int(self.heads[-1][":path"].rpartition("/")[2])
            for stream, count in list(left.items()):
                while count > 0:
                    room = min(count, conn.local_flow_control_window(stream), conn.max_outbound_frame_size)
                    if room == 0:
                        break
                    conn.send_data(stream, bytes(room))
                    count -= room
                left[stream] = count
                if count == 0:
                    conn.end_stream(stream)
                    del left[stream]
            connection.sendall(conn.data_to_send())

    def stop(self):
        self.goes.set()
        self.listener.close()


@pytest.fixture
def bulk(start, certificate):
    def begin(kind):
        server = Bulk(tls_context(certificate) if kind.startswith("https") else None, h2=kind.endswith("h2"))
        server.certificate = certificate
        start(lambda: server)
        return server

    return begin


KINDS = ["http", "https", "https-h2", "http-h2"]
