"""HTTP/1.1 by hand, so that a client can also misbehave."""

import asyncio
import json
import re
import socket
import struct


class Lost(Exception):
    """The connection ended before any answer."""


class Answer:
    def __init__(self, status, fields):
        self.status = status
        self.fields = fields
        self.body = b""
        # The body came to the end that its framing promised.
        self.is_whole = False
        # Nothing more will come of it.
        self.is_over = False

    def __getitem__(self, name):
        return self.fields.get(name)

    @property
    def is_stream(self):
        return (self["content-type"] or "").startswith("text/event-stream")

    def last_event(self):
        events = [part for part in self.body.replace(b"\r\n", b"\n").split(b"\n\n") if part.strip()]
        return events[-1] if events else b""

    @property
    def is_done(self):
        return self.last_event() == b"data: [DONE]"

    @property
    def has_error_event(self):
        event = self.last_event()
        if not event.startswith(b"data: {"):
            return False
        try:
            return "error" in json.loads(event[6:])
        except ValueError:
            return False


class Client:
    """One connection to the gateway."""

    def __init__(self, address, limit, tls=None):
        self.address = address
        self.limit = limit
        self.tls = tls

    async def connect(self, receive_buffer=None):
        plain = socket.socket()
        plain.setblocking(False)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(plain, self.address), self.limit)
        name = self.tls and self.address[0]
        opening = asyncio.open_connection(sock=plain, limit=1 << 16, ssl=self.tls, server_hostname=name)
        self.reader, self.writer = await asyncio.wait_for(opening, self.limit)
        return self

    async def send(self, data):
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), self.limit)

    async def head(self):
        """The next answer's head; interim ones are overlooked."""
        while True:
            try:
                raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), self.limit)
            except asyncio.IncompleteReadError as fault:
                raise Lost(f"closed in the head: {fault.partial[:80]!r}") from None
            except ConnectionError as fault:
                raise Lost(str(fault)) from None
            except asyncio.TimeoutError:
                raise Lost("no answer in time") from None
            lines = raw.decode("latin-1").split("\r\n")
            fields = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                fields.setdefault(name.lower(), value.strip())
            if not re.fullmatch(r"HTTP/1\.1 [1-5]\d\d .*", lines[0]):
                raise Lost(f"no status line: {raw[:300]!r}")
            status = int(lines[0][9:12])
            if status >= 200:
                return Answer(status, fields)

    async def rest(self, answer, pause=0.0, leave_after=None):
        """The body. `leave_after`: no more is read once so many bytes are there."""
        try:
            if answer["transfer-encoding"] == "chunked":
                while True:
                    size = int(await self._bounded(self.reader.readuntil(b"\r\n")), 16)
                    piece = await self._bounded(self.reader.readexactly(size + 2))
                    if size == 0:
                        answer.is_whole = True
                        return answer
                    answer.body += piece[:-2]
                    if leave_after is not None and len(answer.body) >= leave_after:
                        return answer
                    if pause:
                        await asyncio.sleep(pause)
            elif answer["content-length"] is not None:
                left = int(answer["content-length"])
                while left:
                    piece = await self._bounded(self.reader.read(min(left, 1 << 16)))
                    if not piece:
                        return answer
                    answer.body += piece
                    left -= len(piece)
                    if pause:
                        await asyncio.sleep(pause)
                answer.is_whole = True
            else:
                while piece := await self._bounded(self.reader.read(1 << 16)):
                    answer.body += piece
                answer.is_whole = True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.TimeoutError:
            raise Lost(f"{len(answer.body)} bytes, then silence") from None
        return answer

    async def _bounded(self, what):
        return await asyncio.wait_for(what, self.limit)

    def half_close(self):
        self.writer.write_eof()

    def close(self, resets=False):
        if resets:
            plain = self.writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


def request(body, who=None, path="/v1/chat/completions", more="", method="POST"):
    """A request's bytes."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}"
    if who:
        head += f"X-Request-ID: {who}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")


def chat(model, stream, who=None, **more):
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
    if stream:
        body["stream"] = True
    if who:
        body["user"] = who
    return body
