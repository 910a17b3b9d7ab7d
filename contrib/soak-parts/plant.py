"""What the soak runs: the gateway, mock providers that fail each in their own way, and a provider that counts."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections import Counter
from pathlib import Path


class Process:
    """A child; its lines are handed to `take` as they come."""

    def __init__(self, take):
        self._take = take
        self._waiting = []
        self.tail = []

    async def start(self, command):
        self.child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        while line := await self.child.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip("\n")
            self._take(text)
            self.tail = self.tail[-199:] + [text]
            for pattern, found in self._waiting:
                if not found.done() and re.search(pattern, text):
                    found.set_result(text)
            self._waiting = [(p, f) for p, f in self._waiting if not f.done()]
        # Nothing more is said: who waits is told, and not left to wait out its time.
        for pattern, found in self._waiting:
            if not found.done():
                found.set_exception(ConnectionError(f"it ended without saying {pattern!r}: " + "\n".join(self.tail[-20:])))

    def expect(self, pattern):
        """A future of the next line that matches. Asked for before what brings the line about."""
        found = asyncio.get_running_loop().create_future()
        self._waiting.append((pattern, found))
        return found

    @property
    def is_running(self):
        return self.child.returncode is None

    @property
    def pid(self):
        return self.child.pid

    async def stop(self, limit):
        """Ends the child as systemd does; the status it ended with."""
        if self.is_running:
            self.child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.child.wait(), limit)
            except asyncio.TimeoutError:
                self.child.kill()
        status = await self.child.wait()
        await self._reading
        return status


class Mock(Process):
    """`synaxis mock` with one failure mode."""

    def __init__(self, name, models, options, tier=0):
        super().__init__(lambda line: None)
        self.name, self.models, self.options, self.tier = name, models, options, tier

    async def begin(self, binary, wait):
        command = [binary, "mock", "--listen", "127.0.0.1:0", "--name", self.name, *self.options.split()]
        await self.start(command)
        line = await asyncio.wait_for(self.expect("listens on"), wait)
        self.address = line.split()[-1]

    async def posts(self):
        host, port = self.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /mock/stats HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return json.loads(answer.partition(b"\r\n\r\n")[2])["requests"]


class CountingProvider:
    """A provider that remembers which request came how often, and names it in its answer; every 5th fails."""

    def __init__(self, name, models, tier=0):
        self.name, self.models, self.tier = name, models, tier
        self.seen = Counter()
        self.served = 0
        self._tasks = set()

    async def begin(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if not head.startswith(b"POST"):
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                await self._answer(json.loads(body), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(asyncio.current_task())

    async def _answer(self, body, writer):
        who = body.get("user", "-")
        self.seen[who] += 1
        self.served += 1
        if self.served % 5 == 0:
            text = b'{"error":{"message":"no","type":"server_error","code":null}}'
            writer.write(b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        elif body.get("stream"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(4):
                piece = b'data: {"choices":[{"index":0,"delta":{"content":"%s.%d "}}]}\n\n' % (who.encode(), number)
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(0.002)
            piece = b"data: [DONE]\n\n"
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(piece), piece))
        else:
            text = json.dumps({"id": who, "choices": [{"message": {"content": who}}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()

    async def stop(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


# Every way to fail has a provider. `mix` has them all in one tier; the others have a model of their own, alone
# or with a steady provider behind. A 429 says when to come back, or its provider would be gone for a minute.
def providers():
    gap = "--gap-ms 2 --chunks 12"
    return [
        Mock("steady", ["mix", "steady"], gap),
        Mock("limited", ["mix"], f"{gap} --fail 429:3 --retry-after 1"),
        Mock("broken", ["mix", "errors"], f"{gap} --fail 500:3"),
        Mock("liar", ["mix", "errors"], f"{gap} --fail error-in-200:4"),
        Mock("empty", ["mix", "errors"], f"{gap} --fail empty-stream:4"),
        Mock("short", ["mix", "cut"], f"{gap} --fail truncate:3"),
        Mock("resetting", ["reset"], f"{gap} --fail reset-after-chunks:3"),
        Mock("silent", ["silent"], f"{gap} --fail hang:4"),
        Mock("behind", ["silent", "counted"], gap, tier=1),
        Mock("big", ["big"], "--gap-ms 1 --chunks 60 --body-bytes 1500000"),
        Mock("long", ["long"], "--gap-ms 20 --chunks 200"),
    ]


def counters():
    return [CountingProvider("count1", ["counted"]), CountingProvider("count2", ["counted"])]


# Providers that are reached over TLS, and by which version: nginx stands before them.
SECURE = {"steady": "2", "broken": "2", "long": "2", "limited": "1.1", "big": "1.1", "liar": "auto"}


class Fronts(Process):
    """nginx, a server for each provider that is reached over TLS."""

    def __init__(self, providers, folder):
        super().__init__(lambda line: None)
        self.behind = [one for one in providers if one.name in SECURE]
        self.folder = folder

    async def begin(self, wait):
        certificate = Path(self.folder, "certificate.pem")
        sites, free = [], []
        for one in self.behind:
            free.append(socket.create_server(("127.0.0.1", 0)))
            one.endpoint = "127.0.0.1:%d" % free[-1].getsockname()[1]
            version = "" if SECURE[one.name] == "1.1" else "http2"
            sites.append(f"""
  server {{
    listen {one.endpoint} ssl {version};
    location / {{ proxy_pass http://{one.address}; }}
  }}""")
        for place in free:
            place.close()
        paths = "".join(f"{name}_temp_path {self.folder}/{name}; " for name in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file = Path(self.folder, "nginx.conf")
        file.write_text(f"""
daemon off;
master_process off;
pid {self.folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  {paths}
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffering off;
  proxy_next_upstream off;
  keepalive_requests 200;
  {"".join(sites)}
}}
""")
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        await self.start([program, "-p", self.folder, "-c", str(file)])
        for one in self.behind:
            host, port = one.endpoint.split(":")
            for _ in range(int(wait * 50)):
                try:
                    (await asyncio.open_connection(host, int(port)))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.02)


def certify(folder):
    """A certificate that signs itself, and its key, in one file: the gateway's and the providers'."""
    file = Path(folder, "certificate.pem")
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=soak "
        f"-addext subjectAltName=IP:127.0.0.1,IP:127.0.0.2 -keyout {file}.key -out {file}".split(),
        check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.key").read_bytes())
    return file


TOKEN = "soak"


class Gateway(Process):
    """`synaxis run` over the providers; its log is read line by line."""

    def __init__(self, providers, take):
        super().__init__(take)
        self.providers = providers
        self._directory = tempfile.TemporaryDirectory(prefix="synaxis-soak-")
        self.file = Path(self._directory.name, "synaxis.yaml")
        self.certificate = certify(self._directory.name)
        self.tls = ssl.create_default_context(cafile=self.certificate)
        self.tls_h2 = ssl.create_default_context(cafile=self.certificate)
        self.tls_h2.set_alpn_protocols(["h2"])
        self.fronts = Fronts(providers, self._directory.name)
        self.reloads = 0
        self.rejected = 0
        self.can_reload = True

    def write(self, request_time=20):
        lines = [
            f"listen: [127.0.0.1:0, {{ address: '127.0.0.2:0', tls: {{ cert: {self.certificate} }} }}]",
            f"admin: {{ token: {TOKEN} }}",
            "cache: { enabled: true, sampled: true, ttl: 3s, size: 256KiB, coalesce: true }",
            "limits: { connections: 160, request_body: 1MiB, memory: 32MiB }",
            f"timeouts: {{ first_token: 1500ms, stream_idle: 5s, request: {request_time}s, drain: 5s }}",
            "providers:",
        ]
        for one in self.providers:
            secure = getattr(one, "endpoint", None)
            endpoint = f"https://{secure}/v1" if secure else f"http://{one.address}/v1"
            way = f", http: {SECURE[one.name]}, tls: {{ ca_file: {self.certificate} }}" if secure else ""
            lines.append(
                f'  {one.name}: {{ type: openai, endpoint: "{endpoint}", tier: {one.tier}, '
                f"models: [{', '.join(one.models)}]{way} }}"
            )
        self.file.write_text("\n".join(lines) + "\n")

    async def begin(self, wrapper, binary, wait):
        await self.fronts.begin(wait)
        self.write()
        command = [*wrapper, binary, "run", "-c", str(self.file)]
        await self.start(command)
        told = [self.expect(rf"msg=listening .*detail={host}:") for host in ("127.0.0.1", "127.0.0.2")]
        places = []
        for line in await asyncio.wait_for(asyncio.gather(*told), wait):
            host, port = re.search(r"detail=(\S+)", line)[1].rsplit(":", 1)
            places.append((host, int(port)))
        self.address, self.secure_address = places

    async def reload(self):
        """One SIGHUP, with a changed file or with one that must be refused. A binary that says nothing has no
        reload, and gets no further one."""
        if not self.can_reload:
            return
        is_bad = self.reloads % 4 == 3
        if is_bad:
            self.file.write_text("providers: [\n")
        else:
            self.write(request_time=20 + self.reloads % 2)
        answer = self.expect(r"(?i)reload|configuration|tier file")
        self.child.send_signal(signal.SIGHUP)
        try:
            await asyncio.wait_for(answer, 5)
        except asyncio.TimeoutError:
            self.can_reload = False
            return
        self.reloads += 1
        self.rejected += is_bad

    def usage(self):
        """Resident bytes, those of memory of its own among them, and descriptors: its own, those to providers, those to
        clients."""
        sizes = {}
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(("VmRSS:", "RssAnon:")):
                sizes[line.split(":")[0]] = int(line.split()[1]) * 1024
        inodes = set()
        total = 0
        folder = f"/proc/{self.pid}/fd"
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            total += 1
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        ports = {int(getattr(one, "endpoint", one.address).rsplit(":", 1)[1]) for one in self.providers}
        own = {self.address[1], self.secure_address[1]}
        upstream = clients = 0
        for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[9] not in inodes:
                continue
            if int(parts[2].split(":")[1], 16) in ports:
                upstream += 1
            elif int(parts[1].split(":")[1], 16) in own and parts[3] != "0A":
                clients += 1
        return {
            "resident": sizes["VmRSS"], "memory": sizes["RssAnon"],
            "own": total - upstream - clients, "upstream": upstream, "clients": clients,
        }

    async def stop(self, limit):
        status = await super().stop(limit)
        if hasattr(self.fronts, "child"):
            await self.fronts.stop(5)
        self._directory.cleanup()
        return status
