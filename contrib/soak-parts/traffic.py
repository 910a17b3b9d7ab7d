"""What clients do, well or badly. Every request that is sent has an entry in the account, and ends in it."""

import asyncio
import json
import os

from client import Client, Lost, chat, request
from streams import Streams

# Requests that have to be refused, each with the statuses that do.
BAD = [
    ("not HTTP", b"GARBAGE\r\n\r\n", {400}),
    ("no version", b"GET /\r\n\r\n", {400}),
    ("a version to come", b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", {400, 505}),
    ("two framings", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n{}", {400}),
    ("two lengths", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                    b"Content-Length: 3\r\n\r\n{}x", {400}),
    ("no length", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    ("folded", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", {400}),
    ("space before colon", b"GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n", {400}),
    ("bare CR", b"GET /livez HTTP/1.1\r\nHost: loc\ralhost\r\n\r\n", {400}),
    ("bad chunk", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"zz\r\n{}\r\n0\r\n\r\n", {400}),
    ("long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {414}),
    ("long head", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 40000 + b"\r\n\r\n", {431}),
    ("many fields", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", {431}),
    ("not JSON", request("{\"model\":\"steady\",", method="POST"), {400}),
    ("deep JSON", request('{"model":"steady","messages":' + "[" * 300 + "]" * 300 + "}"), {400}),
    ("no model", request('{"messages":[]}'), {400}),
    ("bytes", request(b"\xff\xfe\x00\x01" * 20), {400}),
    ("unknown model", request('{"model":"nothing-like-it","messages":[]}'), {404}),
    ("too large", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n{", {413}),
    ("too large in chunks", b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b" " * 32768 + b"\r\n") * 40, {413}),
    ("no such page", b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("no such method", b"DELETE /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("noise", None, {400}),
]

MODELS = ["mix", "mix", "mix", "errors", "cut", "reset", "silent", "steady"]


class Traffic:
    def __init__(self, gateway, account, dice, limit, token):
        self.gateway = gateway
        self.account = account
        self.dice = dice
        self.limit = limit
        self.token = token
        self.pages = 0
        self.kinds = [
            (10, self.plain), (10, self.stream), (8, self.repeated), (4, self.burst), (5, self.leaves_early),
            (5, self.leaves_mid_stream), (4, self.half_closes), (2, self.reads_slowly), (2, self.writes_slowly),
            (3, self.bad_request), (3, self.half_a_request), (4, self.pipelines), (5, self.keeps_alive),
            (3, self.reads_pages), (5, self.counted), (1, self.clears), (8, self.multiplexes),
        ]

    async def one(self):
        """One thing that some client does."""
        weights, kinds = zip(*self.kinds)
        await self.dice.choices(kinds, weights)[0]()

    def client(self, is_plain=False):
        """In the clear, or over TLS."""
        if is_plain or self.dice.random() < 0.7:
            return Client(self.gateway.address, self.limit)
        return Client(self.gateway.secure_address, self.limit, self.gateway.tls)

    async def ask(self, client, kind, body_of, sample=None, more="", pause=0.0):
        """One request on a connection, and its answer to the end. Whether the connection can be used again."""
        entry = self.account.begin(kind)
        try:
            await client.send(request(body_of(entry.id), entry.id, more=more))
            answer = await client.rest(await client.head(), pause)
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")
            return None
        self.account.judge(entry, answer, sample)
        return answer

    async def alone(self, kind, body_of, receive_buffer=None, **options):
        try:
            client = await self.client().connect(receive_buffer)
        except (OSError, asyncio.TimeoutError) as fault:
            self.account.fault(f"cannot connect: {type(fault).__name__} {fault}")
            return None
        try:
            return await self.ask(client, kind, body_of, **options)
        finally:
            client.close()

    # MARK: well

    async def plain(self):
        model = self.dice.choice(MODELS)
        await self.alone("plain", lambda who: chat(model, False, who), sample=model)

    async def stream(self):
        model = self.dice.choice(MODELS)
        sample = None if model in ("cut", "reset") else model
        await self.alone("stream", lambda who: chat(model, True, who), sample=sample)

    async def repeated(self):
        """One of a few requests, which the cache may have; some do not want it."""
        model, stream = self.dice.choice(["mix", "steady"]), self.dice.random() < 0.5
        seed = self.dice.randrange(6)
        more = self.dice.choice(["", "", "", "", "Cache-Control: no-cache\r\n", "Cache-Control: no-store\r\n",
                                 "Cache-Control: max-age=1\r\n", "X-Synaxis-Cache: off\r\n"])
        await self.alone("repeated", lambda who: chat(model, stream, seed=seed), sample=model, more=more)

    async def burst(self):
        """The same request from many at once; some leave before it is answered."""
        model, stream = self.dice.choice(["mix", "steady", "cut", "reset", "silent", "big", "long"]), True
        if model not in ("big", "long"):
            stream = self.dice.random() < 0.7
        seed = self.dice.randrange(1 << 40)
        tasks = []
        for _ in range(self.dice.randrange(3, 9)):
            if model == "long" or self.dice.random() < 0.3:
                tasks.append(self._leave("burst, left", chat(model, stream, seed=seed), self.dice.random() * 0.1))
            else:
                sample = None if model in ("cut", "reset") else model
                tasks.append(self.alone("burst", lambda who: chat(model, stream, seed=seed), sample=sample))
        await asyncio.gather(*tasks)

    async def keeps_alive(self):
        """Several requests on one connection, one after the other."""
        client = await self.client().connect()
        try:
            for _ in range(5):
                model, stream = self.dice.choice(MODELS), self.dice.random() < 0.5
                answer = await self.ask(client, "kept alive", lambda who: chat(model, stream, who))
                if answer is None or answer["connection"] == "close" or not answer.is_whole:
                    break
        finally:
            client.close()

    async def pipelines(self):
        """Several requests in one write: the answers come in their order."""
        client = await self.client().connect()
        entries, data = [], b""
        for _ in range(4):
            entries.append(self.account.begin("pipelined"))
            body = chat(self.dice.choice(["steady", "mix", "errors"]), self.dice.random() < 0.5, entries[-1].id)
            data += request(body, entries[-1].id)
        is_open = True
        try:
            await client.send(data)
            for entry in entries:
                if not is_open:
                    # What stands behind an answer that closes the connection was not taken.
                    self.account.end(entry, "left")
                    continue
                answer = await client.rest(await client.head())
                self.account.judge(entry, answer)
                is_open = answer.is_whole and answer["connection"] != "close"
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            for entry in entries:
                if entry.outcome is None:
                    self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")
        finally:
            client.close()

    async def counted(self):
        """At the providers that count."""
        stream = self.dice.random() < 0.5
        answer = await self.alone("counted", lambda who: chat("counted", stream, who))
        if answer is not None and answer.status == 200 and (answer["x-synaxis-provider"] or "").startswith("count"):
            if answer["x-request-id"].encode() not in answer.body:
                self.account.fault(f"{answer['x-request-id']} got another one's answer")

    async def multiplexes(self):
        """Several requests at once on one connection of HTTP/2, some of which are given up, and sometimes all of them."""
        is_secure = self.dice.random() < 0.5
        place = self.gateway.secure_address if is_secure else self.gateway.address
        client = await Streams(place, self.limit, self.gateway.tls_h2 if is_secure else None).connect()
        leaves_all = self.dice.random() < 0.1
        try:
            await asyncio.gather(*(self._stream(client, leaves_all) for _ in range(self.dice.randrange(1, 9))))
        finally:
            await client.close(resets=leaves_all)

    async def _stream(self, client, leaves):
        leaves = leaves or self.dice.random() < 0.2
        model, stream = self.dice.choice(["long", "big"] if leaves else [*MODELS, "big"]), self.dice.random() < 0.6
        entry = self.account.begin("HTTP/2, left" if leaves else "HTTP/2")
        try:
            body = json.dumps(chat(model, stream, entry.id)).encode()
            number = client.ask(body, entry.id, has_length=self.dice.random() < 0.5)
            if leaves:
                await asyncio.sleep(self.dice.random() * 0.1)
                client.leave(number)
                self.account.end(entry, "left")
                return
            self.account.judge(entry, await client.answer(number))
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")

    # MARK: badly

    async def _leave(self, kind, body, after, mid_stream=None):
        """Sends a request and goes away: after a time, or when so many bytes have come."""
        entry = self.account.begin(kind)
        body = body(entry.id) if callable(body) else body
        client = await self.client().connect()
        try:
            await client.send(request(body, entry.id))
            if mid_stream is None:
                await asyncio.sleep(after)
            else:
                answer = await client.head()
                if answer.status == 200:
                    await client.rest(answer, leave_after=mid_stream)
            self.account.end(entry, "left")
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")
        finally:
            client.close(resets=self.dice.random() < 0.5)

    async def leaves_early(self):
        model, stream = self.dice.choice([*MODELS, "counted"]), self.dice.random() < 0.5
        after = self.dice.choice([0, 0, 0.002, 0.02])
        await self._leave("left early", lambda who: chat(model, stream, who), after)

    async def leaves_mid_stream(self):
        model = self.dice.choice(["long", "long", "steady", "mix", "big"])
        await self._leave(
            "left mid-stream", lambda who: chat(model, True, who), 0, mid_stream=self.dice.randrange(1, 4000))

    async def half_closes(self):
        """Says that it has said all, and still wants its answer."""
        model, stream = self.dice.choice(MODELS), self.dice.random() < 0.5
        entry = self.account.begin("half-closed")
        client = await self.client(is_plain=True).connect()
        try:
            await client.send(request(chat(model, stream, entry.id), entry.id))
            client.half_close()
            self.account.judge(entry, await client.rest(await client.head()))
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")
        finally:
            client.close()

    async def reads_slowly(self):
        stream = self.dice.random() < 0.7
        await self.alone(
            "slow reader", lambda who: chat("big", stream, who), receive_buffer=4096, sample="big", pause=0.02)

    async def writes_slowly(self):
        entry = self.account.begin("slow writer")
        client = await self.client().connect()
        data = request(chat(self.dice.choice(MODELS), self.dice.random() < 0.5, entry.id), entry.id)
        try:
            for at in range(0, len(data), 16):
                await client.send(data[at : at + 16])
                await asyncio.sleep(0.005)
            self.account.judge(entry, await client.rest(await client.head()))
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.end(entry, "lost", f"{type(fault).__name__} {fault}")
        finally:
            client.close()

    async def half_a_request(self):
        """Goes away in the middle of its request: there is nothing to answer."""
        data = request(chat("steady", True, "nobody"))
        client = await self.client().connect()
        try:
            await client.send(data[: self.dice.randrange(1, len(data))])
            await asyncio.sleep(self.dice.choice([0, 0.01]))
        except ConnectionError:
            pass
        finally:
            client.close(resets=self.dice.random() < 0.5)

    async def bad_request(self):
        name, data, wanted = self.dice.choice(BAD)
        if data is None:
            data = bytes(self.dice.randrange(14, 256) for _ in range(200)) + b"\r\n\r\n"
        client = await self.client().connect()
        try:
            client.writer.write(data)
            answer = await client.rest(await client.head())
            if answer.status not in wanted:
                self.account.fault(f"bad request ({name}): {answer.status}")
            if answer.status < 400 or "code" not in json.loads(answer.body)["error"]:
                self.account.fault(f"bad request ({name}): {answer.body[:200]!r}")
            self.account.refused += 1
        except (Lost, ConnectionError, asyncio.TimeoutError, ValueError, KeyError) as fault:
            self.account.fault(f"bad request ({name}): {type(fault).__name__} {fault}")
        finally:
            client.close()

    # MARK: the operator

    async def page(self, path, method="GET"):
        client = await self.client().connect()
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            head += "Content-Length: 0\r\n" if method == "POST" else ""
            await client.send(head.encode() + b"Connection: close\r\n\r\n")
            answer = await client.rest(await client.head())
            self.pages += 1
            return answer
        except (Lost, ConnectionError, asyncio.TimeoutError) as fault:
            self.account.fault(f"{path}: {type(fault).__name__} {fault}")
            return None
        finally:
            client.close()

    async def reads_pages(self):
        path = self.dice.choice(["/metrics", "/admin/health", "/admin/providers", "/livez", "/v1/models",
                                 "/admin/providers/steady/status", "/readyz"])
        answer = await self.page(path)
        if answer is None or answer.status == 200 or path == "/readyz" and answer.status == 503:
            if answer is not None and path != "/metrics":
                json.loads(answer.body)
            return
        self.account.fault(f"{path}: {answer.status}")

    async def clears(self):
        """Empties the cache, or ends every cooldown, so that those who fail are tried again."""
        if self.dice.random() < 0.2:
            await self.page("/admin/cache/clear", "POST")
        else:
            for provider in self.gateway.providers:
                await self.page(f"/admin/providers/{provider.name}/reset", "POST")
