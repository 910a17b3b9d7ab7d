"""Requests by hand to a gateway of its own, and what its errors are called."""

import json

from wire import Reader

PLAIN = '{"model":"m","messages":[]}'
STREAM = '{"model":"m","stream":true,"messages":[]}'


def exchange(gateway, data):
    """Sends bytes on a new connection; the answer's reader."""
    reader = Reader(gateway.connect())
    reader.socket.sendall(data)
    return reader


def error_code(body):
    return json.loads(body)["error"]["code"]
