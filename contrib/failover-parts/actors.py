"""Who takes part: a provider and the clients, each a process in a namespace, spoken to in JSON lines."""
import argparse
import asyncio
import json
import os
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "soak-parts"))

from streams import Streams  # noqa: E402

CLIENTS = 4
ADDRESS = {"p1": "10.77.1.2", "p2": "10.77.2.2", "p3": "10.77.3.2", "p4": "10.77.4.2", "p5": "10.77.5.2"}
GATEWAY = "10.77.0.1"
# Its port for TLS is that far from the one in the clear.
SECURED = 10000


class Provider:
    """Answers on 8000 as its mode says; on 8443 it accepts and says nothing. Every complete request and every
    fault it answers is one line in its journal, written before anything else happens."""

    def __init__(self, name, journal):
        self.name, self.mode = name, {}
        self.journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what, request):
        os.write(self.journal, f"{time.monotonic():.6f} {what} {request}\n".encode())

    async def serve(self):
        host = ADDRESS[self.name]
        await asyncio.start_server(self.connection, "0.0.0.0", 8000, backlog=256)
        await asyncio.start_server(self.silence, host, 8443, backlog=256)
        await commands(self.command)

    async def command(self, words):
        self.mode = words
        return {}

    async def silence(self, reader, writer):
        while await reader.read(4096):
            pass
        writer.close()

    async def connection(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = 0
                for line in head.split("\r\n")[1:]:
                    field, _, value = line.partition(":")
                    if field.lower() == "content-length":
                        length = int(value)
                request = json.loads(await reader.readexactly(length))
                if not await self.answer(writer, request):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, request):
        hints = request.get("metadata", {})
        self.note("recv", hints.get("id", "?"))
        mode = self.mode.get("mode", "ok")
        if mode == "reset":
            self.note("fault", hints.get("id", "?"))
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if mode == "status":
            self.note("fault", hints.get("id", "?"))
            body = self.mode["body"].encode()
            head = [f"HTTP/1.1 {self.mode['status']} X", "Content-Type: application/json",
                    f"Content-Length: {len(body)}"] + self.mode["fields"]
            writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            return True
        hints = hints if hints.get("at", self.name) == self.name else {}
        if not request.get("stream"):
            await asyncio.sleep(hints.get("think", 0))
            body = json.dumps({"id": "x", "object": "chat.completion", "model": request["model"], "choices": [
                {"index": 0, "message": {"role": "assistant", "content": self.name}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                         % len(body) + body)
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(hints.get("think", 0))
        for index in range(3):
            delta = {"content": f"{self.name} "}
            if index == 0:
                delta["role"] = "assistant"
            self.event(writer, json.dumps({"id": "x", "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": delta, "finish_reason": "stop" if index == 2 else None}]}))
            await writer.drain()
            if index == 0:
                await asyncio.sleep(hints.get("gap", 0))
        self.event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        return True

    @staticmethod
    def event(writer, text):
        data = b"data: " + text.encode() + b"\n\n"
        writer.write(b"%x\r\n" % len(data) + data + b"\r\n")


class Shared(Streams):
    """A connection over HTTP/2, whose streams several clients have."""

    async def talk(self, data, name):
        """Status, fields and body of an answer that has come to its end."""
        number = self.ask(data, name, True)
        answer = await self.answer(number)
        if not answer.is_whole:
            raise ConnectionError(f"the stream was reset behind {answer.body[-100:]!r}")
        return answer.status, answer.fields, answer.body


class Clients:
    """A few clients that send one small request after the other, and single ones beside them. They come over `http`, or over
    `https h1` or `https h2` to the gateway's other port, those of HTTP/2 on one connection."""

    def __init__(self, certificate):
        self.certificate = certificate
        self.shared = None
        self.tasks, self.results, self.singles = [], [], []
        self.serial, self.inflight = 0, 0
        self.gate = asyncio.Event()
        self.isOver = False

    async def command(self, words):
        what = words["do"]
        if what == "start":
            self.isOver = False
            self.serial = 0
            self.gate.set()
            self.tasks = [asyncio.create_task(self.client(words, n)) for n in range(words["clients"])]
        elif what == "pause":
            self.gate.clear()
            while self.inflight:
                await asyncio.sleep(0.001)
        elif what == "resume":
            self.gate.set()
        elif what == "take":
            taken, self.results = self.results, []
            return {"results": taken}
        elif what == "stop":
            self.isOver = True
            self.gate.set()
            await asyncio.wait_for(asyncio.gather(*self.tasks), 60)
            taken, self.results = self.results, []
            return {"results": taken}
        elif what == "burst":
            names = [f"{words['name']}-{n}" for n in range(words["count"])]
            bodies = [{"model": words.get("model", "m"), "stream": words["stream"], "metadata": dict(words["hints"], id=name)}
                      for name in names]
            results = await asyncio.gather(*[self.single(dict(words, body=body), words["limit"]) for body in bodies])
            return {"results": results}
        elif what == "single":
            self.singles.append(asyncio.create_task(self.single(words)))
        elif what == "singles":
            done, self.singles = self.singles, []
            return {"results": [await asyncio.wait_for(task, 60) for task in done]}
        return {}

    async def client(self, words, number):
        connection = None
        over = words.get("over", "http")
        while not self.isOver:
            await self.gate.wait()
            if self.isOver:
                break
            self.serial += 1
            name = f"{words['name']}-{self.serial}"
            body = {"model": "m", "stream": self.serial % 2 == 0, "metadata": {"id": name}}
            self.inflight += 1
            connection, result = await self.exchange(connection, body, words["port"], 45, over)
            self.inflight -= 1
            self.results.append(result)
            await asyncio.sleep(0.01)
        if connection:
            connection[1].close()

    def tls(self, protocol):
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols([protocol])
        return context

    async def connect(self, port, over):
        """The reader and the writer of a connection of one's own."""
        secure = over == "https h1"
        return await asyncio.open_connection(
            GATEWAY, port + SECURED if secure else port, ssl=self.tls("http/1.1") if secure else None)

    async def single(self, words, limit=55):
        connection, result = await self.exchange(None, words["body"], words["port"], limit)
        if connection:
            connection[1].close()
        return result

    async def join(self, port):
        """The clients' one connection over HTTP/2 to this gateway."""
        if not self.shared or self.shared.address[1] != port + SECURED or self.shared.is_over:
            self.shared = Shared((GATEWAY, port + SECURED), 45, self.tls("h2"))
            self.standing = asyncio.create_task(self.shared.connect())
        await asyncio.shield(self.standing)
        return self.shared

    async def exchange(self, connection, body, port, limit, over="http"):
        """One request. The result: id, start, time to the end (ms), "" or what failed, the attempts, the gap."""
        began = time.monotonic()
        seen = {"attempts": "", "longest": 0.0}
        error = ""
        try:
            if over == "https h2":
                shared = await self.join(port)
                error = await asyncio.wait_for(self.talk_streams(shared, body, seen), limit)
            else:
                if connection is None:
                    connection = await self.connect(port, over)
                error = await asyncio.wait_for(self.talk(connection, body, seen), limit)
        except (Exception, asyncio.TimeoutError) as fault:
            error = repr(fault)
        took = (time.monotonic() - began) * 1000
        if error:
            if connection:
                connection[1].close()
            connection = None
        return connection, [body["metadata"]["id"], began, took, error, seen["attempts"], seen["longest"]]

    @staticmethod
    def data(body):
        return json.dumps(dict(body, messages=[{"role": "user", "content": "hi"}])).encode()

    async def talk_streams(self, shared, body, seen):
        status, fields, answer = await shared.talk(self.data(body), body["metadata"]["id"])
        seen["attempts"] = fields.get("x-synaxis-attempts", "")
        return self.fault(status, answer, body)

    @staticmethod
    def fault(status, answer, body):
        if status != 200:
            return f"{status} {answer[:300]!r}"
        if body["stream"]:
            return "" if answer.endswith(b"data: [DONE]\n\n") and b'"error"' not in answer else repr(answer[-200:])
        return "" if json.loads(answer)["choices"] else "no choices"

    async def talk(self, connection, body, seen):
        reader, writer = connection
        data = self.data(body)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(data) + data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split(" ", 2)[1])
        fields = {}
        for line in head.split("\r\n")[1:]:
            field, _, value = line.partition(":")
            fields[field.lower()] = value.strip()
        seen["attempts"] = fields.get("x-synaxis-attempts", "")
        if "content-length" in fields:
            answer = await reader.readexactly(int(fields["content-length"]))
        else:
            answer, last = b"", time.monotonic()
            while True:
                size = int((await reader.readuntil(b"\r\n")).strip(), 16)
                chunk = await reader.readexactly(size + 2)
                now = time.monotonic()
                seen["longest"], last = max(seen["longest"], now - last), now
                if size == 0:
                    break
                answer += chunk[:-2]
        return self.fault(status, answer, body)


async def commands(act):
    """JSON lines in, JSON lines out, until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("{}", flush=True)
    while line := await reader.readline():
        print(json.dumps(await act(json.loads(line))), flush=True)


async def serve_clients(certificate):
    clients = Clients(certificate)
    await commands(clients.command)


def main():
    words = argparse.ArgumentParser()
    for inner in ("--part", "--name", "--journal", "--certificate"):
        words.add_argument(inner)
    options = words.parse_args()
    if options.part == "provider":
        return asyncio.run(Provider(options.name, options.journal).serve())
    return asyncio.run(serve_clients(options.certificate))


if __name__ == "__main__":
    sys.exit(main())
