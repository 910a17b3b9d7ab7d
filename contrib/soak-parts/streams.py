"""HTTP/2: several requests at once on one connection."""

import asyncio
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from client import Answer, Lost


class Streams:
    """One connection to the gateway. What comes is read by a task of its own."""

    def __init__(self, address, limit, tls=None):
        self.address, self.limit, self.tls = address, limit, tls
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin-1"))
        self.answers = {}
        self.changed = asyncio.Condition()
        self.is_over = ""

    async def connect(self):
        opening = asyncio.open_connection(*self.address, ssl=self.tls, server_hostname=self.tls and self.address[0])
        self.reader, self.writer = await asyncio.wait_for(opening, self.limit)
        self.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2.initiate_connection()
        self.flush()
        self.hearing = asyncio.create_task(self.hear())
        return self

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    def ask(self, body, who, has_length):
        """A request's stream."""
        fields = [(":method", "POST"), (":scheme", "http"), (":path", "/v1/chat/completions"), (":authority", "localhost"),
                  ("content-type", "application/json"), ("x-request-id", who)]
        if has_length:
            fields.append(("content-length", str(len(body))))
        number = self.h2.get_next_available_stream_id()
        self.answers[number] = Answer(0, {})
        self.h2.send_headers(number, fields)
        self.h2.send_data(number, body, end_stream=True)
        self.flush()
        return number

    async def hear(self):
        try:
            while data := await self.reader.read(1 << 16):
                for event in self.h2.receive_data(data):
                    self.take(event, self.answers.get(getattr(event, "stream_id", None)))
                self.flush()
                async with self.changed:
                    self.changed.notify_all()
            self.is_over = "closed"
        except (OSError, h2.exceptions.ProtocolError) as fault:
            self.is_over = f"{type(fault).__name__} {fault}"
        async with self.changed:
            self.changed.notify_all()

    def take(self, event, answer):
        match event:
            case h2.events.ResponseReceived():
                for name, value in event.headers:
                    answer.fields.setdefault(name, value)
                answer.status = int(answer.fields[":status"])
            case h2.events.DataReceived():
                answer.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                answer.is_whole = answer.is_over = True
            case h2.events.StreamReset():
                answer.is_over = True
            case h2.events.ConnectionTerminated():
                self.is_over = f"GOAWAY {event.error_code}"

    async def answer(self, number):
        """All of an answer; of one that was reset what had come of it."""
        answer = self.answers[number]

        async def ends():
            async with self.changed:
                await self.changed.wait_for(lambda: answer.is_over or self.is_over)

        try:
            await asyncio.wait_for(ends(), self.limit)
        except asyncio.TimeoutError:
            raise Lost(f"{len(answer.body)} bytes, then silence") from None
        if not answer.status or not answer.is_over:
            raise Lost(self.is_over or "reset before an answer")
        return answer

    def leave(self, number):
        if not self.answers[number].is_over and not self.is_over:
            self.h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
            self.flush()

    async def close(self, resets=False):
        self.hearing.cancel()
        if resets:
            self.writer.transport.abort()
        else:
            self.writer.close()
