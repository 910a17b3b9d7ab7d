"""`contrib/bench --tls`: synaxis and nginx over TLS and HTTP/2, towards providers and towards clients."""
import os, re, shutil, socket, ssl, statistics, subprocess, sys, time

from processes import LOAD_CORE, PATH, PROXY_CORE, Stage, body_of, machine

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "EndToEnd"))
from certificates import make  # noqa: E402
from pathlib import Path  # noqa: E402

LIMITS = "limits: { concurrent_requests: 2048, connections: 2048, queue: 100 }\ncache: { enabled: false }\n"
NGINX = """
worker_processes 1; daemon off; pid {dir}/{name}.pid; error_log /dev/null crit; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 300s; client_max_body_size 64m;
  client_body_buffer_size 256k; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off;
  {more}
}}
"""
POOL = "upstream {name} {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000; }}\n"


class TLSBench(Stage):
    """Two tables. Towards providers there are three proxies: synaxis with `http: 1.1`, synaxis with `http: 2`, and
    nginx, which speaks HTTP/1.1 only to them. Towards clients there are two, over HTTP/1.1 and HTTP/2 each."""

    PROVIDER_SIDE = ("synaxis h1", "synaxis h2", "nginx")
    # A provider that ends each connection after so many requests.
    SHORT = 50

    def set_up(self):
        self.port = {}
        for name in [*self.WORK, *(f"tls {w}" for w in (*self.WORK, "short")), "nginx tls", "synaxis tls",
                     "synaxis h1", "synaxis h2", *(f"nginx {w}" for w in (*self.WORK, "short"))]:
            self.port[name] = self.ports.take()
        self.ports.let_go()
        pem = make(Path(self.dir) / "authority", "bench")
        self.pem = os.path.join(self.dir, "server.pem")
        shutil.copy(pem, self.pem)
        for name, flags in self.WORK.items():
            port = self.port[name]
            self.start(LOAD_CORE, self.synaxis, "mock", "--listen", f"127.0.0.1:{port}", *flags, port=port)
        self.start(LOAD_CORE, self.nginx, "-c", self.providers_file(), port=self.port["tls plain"])
        body = self.file("body.json", body_of("plain"))
        self.h2load_flags = ["-c", "32", "-m", "1", "-d", body, "-H", "content-type: application/json"]
        self.commands = {
            "nginx": [self.nginx, "-c", self.nginx_file()],
            "synaxis h1": [self.synaxis, "run", "-c", self.synaxis_file("1.1", self.port["synaxis h1"])],
            "synaxis h2": [self.synaxis, "run", "-c", self.synaxis_file("2", self.port["synaxis h2"])],
            "synaxis": [self.synaxis, "run", "-c", self.listener_file()],
        }

    nginx = shutil.which("nginx") or "/usr/sbin/nginx"

    def server(self, port, target, more="", listen="", scheme="http"):
        return (f"server {{ listen 127.0.0.1:{port} {listen} backlog=1024; {more}\n"
                f"  location / {{ proxy_pass {scheme}://{target}; }} }}\n")

    def providers_file(self):
        """The providers: TLS 1.3 before the mocks. One line is logged of each connection to the short-lived one."""
        log = os.path.join(self.dir, "connections.log")
        self.log = log
        text = f"""ssl_certificate {self.pem}; ssl_certificate_key {self.pem}; ssl_protocols TLSv1.3;
  log_format one "$ssl_session_reused"; map $connection_requests $is_first {{ 1 1; default 0; }}
  """
        for work in (*self.WORK, "short"):
            target = "plain" if work == "short" else work
            if work != "short":
                text += POOL.format(name=work, port=self.port[work])
            more = f"keepalive_requests {self.SHORT}; access_log {log} one if=$is_first;" if work == "short" else ""
            text += self.server(self.port[f"tls {work}"], target, more, "ssl http2")
        return self.file("providers.conf", NGINX.format(dir=self.dir, name="providers", more=text))

    def nginx_file(self):
        text = f"proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_trusted_certificate {self.pem}; proxy_ssl_name localhost;\n"
        for work in (*self.WORK, "short"):
            text += POOL.format(name=f"tls_{work}", port=self.port[f"tls {work}"])
            text += self.server(self.port[f"nginx {work}"], f"tls_{work}", scheme="https")
        text += POOL.format(name="plain", port=self.port["plain"])
        text += self.server(self.port["nginx tls"], "plain",
                            f"ssl_certificate {self.pem}; ssl_certificate_key {self.pem};", "ssl http2")
        return self.file("nginx.conf", NGINX.format(dir=self.dir, name="nginx", more=text))

    def synaxis_file(self, version, port):
        text = f"listen: 127.0.0.1:{port}\n{LIMITS}providers:\n"
        for work in (*self.WORK, "short"):
            text += (f'  {work}: {{ type: openai, endpoint: "https://127.0.0.1:{self.port[f"tls {work}"]}/v1", key: k, '
                     f'http: {version}, models: [{work}], tls: {{ ca_file: "{self.pem}" }} }}\n')
        return self.file(f"synaxis-{version}.yaml", text)

    def listener_file(self):
        return self.file("listener.yaml", f"""listen: [{{ address: "127.0.0.1:{self.port['synaxis tls']}", tls: {{ cert: "{self.pem}" }} }}]
{LIMITS}providers:
  plain: {{ type: openai, endpoint: "http://127.0.0.1:{self.port['plain']}/v1", key: k, models: [plain] }}
""")

    def at(self, name, work):
        return self.port[f"nginx {work}"] if name == "nginx" else self.port[name]

    def who(self, port):
        return next(name for name, one in self.port.items() if one == port)

    def begin(self, name):
        port = {"nginx": "nginx plain", "synaxis": "synaxis tls"}.get(name, name)
        return self.start(PROXY_CORE, *self.commands[name], port=self.port[port])

    def run(self):
        print(f"{time.strftime('%Y-%m-%d')}, {machine()}, load average {os.getloadavg()[0]:.1f}, "
              f"median of {self.o.rounds} alternate rounds, {ssl.OPENSSL_VERSION.split('  ')[0]}")
        self.head("To https providers", "HTTP/1.1", "HTTP/2", "nginx, HTTP/1.1")
        self.toward_providers()
        for process in self.live.values():
            process.stop()
        self.head("From clients over TLS", "synaxis", "nginx", goals=1)
        self.toward_clients()
        print("\nErrors: " + ("; ".join(self.failed) or "none"))

    def head(self, title, *columns, goals=2):
        own = [f"{c} / nginx (goal)" for c in columns[:goals]]
        print(f"\n| {title} | " + " | ".join([*columns, *own]) + " |\n|---|" + "---:|" * (len(columns) + len(own)), flush=True)

    def row(self, what, values, goals=(), is_ratio=True):
        """Its last value is nginx's. `goals`: what each other value's ratio to that is to be, or the value itself."""
        values = list(values)
        digits = lambda v: 2 if abs(v) < 10 else 1 if abs(v) < 100 else 0
        cells = [f"{v:,.{digits(v)}f}" for v in values]
        for own, goal in zip(values, [*goals, *[None] * (len(values) - 1 - len(goals))]):
            ratio = f"{own / values[-1]:.2f}" if is_ratio and values[-1] else ""
            cells.append(f"{ratio} ({goal})" if ratio and goal else ratio or goal or "–")
        print(f"| {what} | " + " | ".join(cells) + " |", flush=True)

    # Providers.

    def toward_providers(self):
        names = self.PROVIDER_SIDE
        self.live = {name: self.begin(name) for name in names}
        idle = {n: m[0] for n, m in self.at_rest().items()}
        n = 3000 if self.o.quick else 10000
        cost = self.rounds("plain", "-c", 32, "-n", n)
        self.row("CPU µs/request, 32 connections, 0.3 KB", cost, ("≤ 1.2", "≤ 1.4"))
        cost = self.rounds("burst", "-c", 8, "-n", 60 if self.o.quick else 200, "--stream", per="events")
        self.row("CPU µs/event, bursts of 500", cost, ("≤ 1.0", "≤ 1.0"))
        self.streams()
        self.row("RSS idle, MB", idle.values(), is_ratio=False)
        self.resumption()
        # A minute after the last word connections over HTTP/2 are asked whether they are there, and 5 s later all rests again.
        wait = 10 if self.o.quick else 66
        time.sleep(wait)
        after = [p.memory()[0] for p in self.live.values()]
        self.row(f"RSS {wait} s after the load, MB", after, ("≤ idle + 1 MB",) * 2 if wait > 60 else (), is_ratio=False)

    def rounds(self, work, *flags, per="completed"):
        """Median over alternate rounds of µs of CPU per unit."""
        cost = {name: [] for name in self.live}
        for name in self.live:
            self.load(self.at(name, work), work, *flags[:2], "-n", max(20, int(flags[1]) * 2), *flags[4:])
        for _ in range(self.o.rounds):
            for name, process in self.live.items():
                before = process.cpu()
                report = self.load(self.at(name, work), work, *flags)
                cost[name].append((process.cpu() - before) / 1000 / max(1, report[per]))
        return [statistics.median(c) for c in cost.values()]

    def streams(self):
        """200 streams of 50 events a second: CPU, memory and connections while they run."""
        seconds = 4 if self.o.quick else 8
        cost, during, connections = {}, {}, {}
        for _ in range(1 if self.o.quick else 3):
            for name, process in self.live.items():
                before, at = process.cpu(), self.at(name, "paced")
                child = self.begin_load(at, "paced", "-c", 200, "--for", f"{seconds}s", "--stream", "--warm-up", 0)
                time.sleep(seconds * 0.6)
                during.setdefault(name, []).append(process.memory()[0])
                connections.setdefault(name, []).append(established(self.port["tls paced"], process.pids()))
                report = self.end_load(child, at, "paced", "200 streams")
                cost.setdefault(name, []).append((process.cpu() - before) / 1000 / max(1, report["events"]))
        median = lambda rows: [statistics.median(v) for v in rows.values()]
        self.row("CPU µs/event, 200 streams × 50/s", median(cost), ("≤ 1.0", "≤ 1.0"))
        self.row("RSS with 200 streams, MB", median(during), ("≤ 15 MB", "≤ 11 MB"), is_ratio=False)
        self.row("connections to the provider then", median(connections), (None, "≤ 2"), is_ratio=False)

    def resumption(self):
        """Handshakes that went on from an earlier session, by the provider's own log, at one that ends each connection after
        some requests. The first load's are not counted: there is nothing yet to go on from."""
        shares = []
        for name in self.live:
            at = self.at(name, "short")
            self.load(at, "short", "-c", 16, "-n", 64)
            time.sleep(0.5)
            start = os.path.getsize(self.log)
            self.load(at, "short", "-c", 16, "-n", 2000 if self.o.quick else 8000)
            time.sleep(0.5)
            with open(self.log) as log:
                log.seek(start)
                marks = log.read().split()
            shares.append(100 * marks.count("r") / max(1, len(marks)))
            if len(marks) < 10:
                self.failed.append(f"{name}: {len(marks)} reconnects are too few to count")
        self.row("resumed handshakes, % of reconnects", shares, ("≥ 95 %", "≥ 95 %"), is_ratio=False)

    # Clients.

    def toward_clients(self):
        self.live = {name: self.begin(name) for name in ("synaxis", "nginx")}
        n = 6000 if self.o.quick else 20000
        for version, flags, goal in (("HTTP/2", [], "≤ 1.2"), ("HTTP/1.1", ["--h1"], None)):
            cost, hands = {}, {}
            for name in self.live:
                self.h2load(name, 320, *flags)
            for _ in range(self.o.rounds):
                for name in self.live:
                    # Handshakes are told apart: they come once in a connection's life.
                    few = self.h2load(name, 32, *flags)
                    many = self.h2load(name, n, *flags)
                    cost.setdefault(name, []).append((many - few) / (n - 32))
                    hands.setdefault(name, []).append(few / 32)
            self.row(f"CPU µs/request, {version}, h2load -c 32 -m 1", map(statistics.median, cost.values()), (goal,))
            self.row(f"CPU µs/connection with one request, {version}", map(statistics.median, hands.values()))
        for process in self.live.values():
            process.stop()
        for version in ("http/1.1", "h2"):
            size = [self.idle_connection(name, version) for name in self.live]
            self.row(f"idle connection after a request, {version}, KB", size, ("≤ 25 KB",), is_ratio=False)

    def h2load(self, name, count, *flags):
        """µs of CPU that so many requests took."""
        process, url = self.live[name], f"https://127.0.0.1:{self.port[f'{name} tls']}{PATH}"
        before = process.cpu()
        done = subprocess.run(["taskset", "-c", LOAD_CORE, "h2load", *self.h2load_flags, *flags, "-n", str(count), url],
                              capture_output=True, text=True, timeout=300)
        good = re.search(r"status codes: (\d+) 2xx", done.stdout)
        if not good or int(good[1]) != count:
            self.failed.append(f"{name}, h2load {' '.join(flags)} -n {count}: {good and good[1]} of {count} are good")
        return (process.cpu() - before) / 1000

    def idle_connection(self, name, version, count=200):
        """KB that a connection takes which has had one answer and waits for its next request."""
        process = self.begin(name)
        context = ssl.create_default_context(cafile=self.pem)
        context.set_alpn_protocols([version])

        def connect():
            raw = socket.create_connection(("127.0.0.1", self.port[f"{name} tls"]), timeout=10)
            client = context.wrap_socket(raw, server_hostname="localhost")
            (ask_h2 if version == "h2" else ask_h1)(client)
            return client

        held = [connect() for _ in range(10)]
        time.sleep(0.5)
        before = process.memory()[0]
        held += [connect() for _ in range(count)]
        time.sleep(2)
        size = (process.memory()[0] - before) * 1024 / count
        for client in held:
            client.close()
        process.stop()
        return size


def established(port, pids):
    """How many TCP connections to a port these processes have."""
    owned = set()
    for pid in pids:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                owned.add(os.readlink(f"/proc/{pid}/fd/{number}"))
            except OSError:
                pass
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in list(table)[1:]]
    return sum(row[3] == "01" and int(row[2].split(":")[1], 16) == port and f"socket:[{row[9]}]" in owned for row in rows)


def ask_h1(client):
    body = body_of("plain").encode()
    client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        PATH.encode(), len(body), body))
    seen = b""
    while b"\r\n\r\n" not in seen or not (seen.endswith(b"0\r\n\r\n") or seen.endswith(b"}")):
        piece = client.recv(65536)
        if not piece:
            raise RuntimeError("the connection was closed in the answer")
        seen += piece


def ask_h2(client):
    """One request on stream 1 (RFC 9113), its fields as literals (RFC 7541 §6.2.2)."""
    def frame(kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    body = body_of("plain").encode()
    fields = {":method": "POST", ":scheme": "https", ":path": PATH, ":authority": "localhost", "content-type": "application/json"}
    block = b"".join(b"\0" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in fields.items())
    client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, block) + frame(0, 1, 1, body))
    seen = b""
    while True:
        while len(seen) >= 9 and len(seen) >= 9 + int.from_bytes(seen[:3], "big"):
            length, kind, flags, stream = int.from_bytes(seen[:3], "big"), seen[3], seen[4], int.from_bytes(seen[5:9], "big")
            seen = seen[9 + length:]
            if kind == 4 and not flags & 1:
                client.sendall(frame(4, 1, 0))
            if kind in (3, 7):
                raise RuntimeError(f"frame {kind} in place of an answer")
            if stream == 1 and kind in (0, 1) and flags & 1:
                return
        piece = client.recv(65536)
        if not piece:
            raise RuntimeError("the connection was closed in the answer")
        seen += piece
