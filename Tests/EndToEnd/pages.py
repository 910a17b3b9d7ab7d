"""Asking a gateway's own pages, over TCP or a unix socket."""

import json
import re
import socket

from gateway import DEADLINE, split_address
from wire import Reader, post


class Page:
    def __init__(self, head, body):
        self.head = head
        self.status = head.status
        self.body = body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def dial(address):
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(address.removeprefix("unix:"))
        return connection
    return socket.create_connection(split_address(address), DEADLINE)


def ask(address, path, method="GET", token=None, more=""):
    """One page of a gateway, or of the listener with that address."""
    if not isinstance(address, str):
        address = "%s:%d" % address.address
    if token is not None:
        more += f"Authorization: Bearer {token}\r\n"
    with dial(address) as connection:
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{more}\r\n"
        connection.sendall(request.encode())
        return Page(*Reader(connection).read(bodyless=method == "HEAD"))


def complete(gateway, body='{"model":"m","messages":[]}', more=""):
    """One request through the gateway: status and body."""
    with gateway.connect() as connection:
        connection.sendall(post(body, more=more))
        head, answer = Reader(connection).read()
        return head.status, answer


def samples(text):
    """The samples of a metrics page by name and labels, and the names' types."""
    found, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        if line.startswith("#"):
            continue
        match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
        assert match, line
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        key = (match[1], frozenset(labels.items()))
        assert key not in found, f"twice: {line}"
        found[key] = float(match[3])
    return found, types


def value(found, name, **labels):
    """The sum over the samples that have these labels."""
    wanted = set(labels.items())
    return sum(number for (key, have), number in found.items() if key == name and wanted <= have)
