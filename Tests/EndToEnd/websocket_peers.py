"""The two ends of a WebSocket, and its frames by hand (RFC 6455 §5.2)."""

import base64
import hashlib
import struct
import threading

import websockets.sync.client
import websockets.sync.server

from gateway import Gateway

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
JSON = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
MEMORY = 6 << 20


def answer(status, body):
    return JSON % (status, len(body), body)


def upgrade(path="/v1/realtime?model=m", more="", key=KEY, version="13"):
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n{more}\r\n"
    ).encode()


def accept(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def agreed(key=KEY, more=""):
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept(key)}\r\n{more}\r\n"
    ).encode()


def frame(payload, opcode=1, mask=None):
    length = len(payload)
    head = bytes([0x80 | opcode])
    flag = 0x80 if mask is not None else 0
    head += bytes([flag | length]) if length < 126 else bytes([flag | 126]) + struct.pack(">H", length) if length < 65536 else bytes([flag | 127]) + struct.pack(">Q", length)
    return head + (mask or b"") + payload


class Echo:
    """A provider that sends back what it is sent: what the requests said is kept."""

    def __init__(self, tls=None, handler=None, **options):
        self.requests = []

        def handle(connection):
            self.requests.append(connection.request)
            (handler or self.echo)(connection)

        self.server = websockets.sync.server.serve(handle, "127.0.0.1", 0, ssl=tls, max_size=None, **options)
        self.address = "127.0.0.1:%d" % self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @staticmethod
    def echo(connection):
        for message in connection:
            connection.send(message)

    def entry(self, tier=0, models="[m]", more="", scheme="http"):
        return f'{{ type: openai, endpoint: "{scheme}://{self.address}/v1", tier: {tier}, models: {models}, key: secret {more} }}'

    def stop(self):
        self.server.shutdown()


def connect(at, path="/v1/realtime?model=m", **options):
    host, port = at.address
    return websockets.sync.client.connect(f"ws://{host}:{port}{path}", proxy=None, max_size=None, **options)


def one(start, provider, head="", **options):
    return start(Gateway, f"{head}\nproviders:\n  a: {provider.entry(**options)}\n")
