"""The laboratory: the gateway, its clients and its providers, each in a network namespace of its own."""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from actors import ADDRESS, CLIENTS, GATEWAY, SECURED

HERE = os.path.dirname(os.path.abspath(__file__))
ACTORS = os.path.join(HERE, "actors.py")
MODELS = {"p1": ["m"], "p2": ["m", "idle", "local"], "p3": ["m", "slow"], "p4": ["idle"], "p5": ["local"]}
TIERS = {"p4": 0, "p5": 0, "p1": 0, "p2": 1, "p3": 2}
# The same providers once more, over TLS: HTTP/1.1 and HTTP/2.
SECURE = {}
for protocol, port in (("h1", 8441), ("h2", 8442)):
    for name in ("p4", "p5"):
        SECURE[name + protocol] = f"https://{ADDRESS[name]}:{port}/v1"
        MODELS[name + protocol] = [f"{MODELS[name][0]}-{protocol}"]
        MODELS["p2"].append(f"{MODELS[name][0]}-{protocol}")
        TIERS[name + protocol] = 0
NAMES = ("api.groq.com", "api.deepinfra.com")
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx-{name}.pid;
error_log {folder}/nginx-{name}.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-{name}-body;
  proxy_temp_path {folder}/nginx-{name}-proxy;
  fastcgi_temp_path {folder}/nginx-{name}-f;
  uwsgi_temp_path {folder}/nginx-{name}-u;
  scgi_temp_path {folder}/nginx-{name}-s;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  keepalive_timeout 300s;
  upstream provider {{ server {address}:8000; keepalive 64; }}
  server {{
    listen 8441 ssl backlog=256;
    listen 8442 ssl http2 backlog=256;
    listen 443 ssl http2 backlog=256;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
libc_prctl = ctypes.CDLL(None).prctl


def die_with_parent():
    libc_prctl(1, signal.SIGKILL)


class Unavailable(Exception):
    pass


def run(*words):
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as fault:
        raise Unavailable(f"`{' '.join(words)}`: {fault}")
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(words)}`: {done.stdout.strip()}")


class Part:
    """A process of this program in a namespace, spoken to in JSON lines."""

    def __init__(self, space, *words):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", space, sys.executable, "-B", ACTORS, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a part of the test has ended by itself")
        return json.loads(line)

    def ask(self, **words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self.read()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Lab:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.mark = f"synaxis{os.getpid()}"
        self.spaces, self.providers, self.fronts, self.disturbed = [], {}, {}, []
        self.gateway, self.clients, self.port = None, None, 8080

    def space(self, name):
        return f"{self.mark}-{name}"

    def build(self):
        if not all(map(shutil.which, ("ip", "ss", "iptables", "nginx", "openssl", "curl"))):
            run(os.path.join(os.path.dirname(HERE), "packages"), "iproute2", "iptables", "nginx", "openssl", "curl")
        for name in ["gw", "cl", *ADDRESS]:
            run("ip", "netns", "add", self.space(name))
            self.spaces.append(self.space(name))
            run("ip", "-n", self.space(name), "link", "set", "lo", "up")
        self.link("cl", GATEWAY, "10.77.0.2")
        for name, address in ADDRESS.items():
            self.link(name, address[:-1] + "1", address)
            self.rules(name, "-L", "INPUT")
            # REJECT answers every packet, not one in a second.
            self.inside(name, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
            self.start(name)
        self.certify()
        self.clients = Part(self.space("cl"), "--part", "clients", "--certificate", self.certificate)
        for name in ("p1", "p2", "p4", "p5"):
            self.front(name)

    def link(self, name, near, far):
        run("ip", "link", "add", f"to-{name}", "netns", self.space("gw"), "type", "veth",
            "peer", "name", "wire", "netns", self.space(name))
        for space, device, address in ((self.space("gw"), f"to-{name}", near), (self.space(name), "wire", far)):
            run("ip", "-n", space, "addr", "add", address + "/24", "dev", device)
            run("ip", "-n", space, "link", "set", "dev", device, "up")

    def certify(self):
        """One self-signed certificate for every provider and the gateway, in place of an authority."""
        self.certificate = os.path.join(self.folder, "certificate.pem")
        self.key = os.path.join(self.folder, "key.pem")
        names = ",".join([f"IP:{address}" for address in (GATEWAY, *ADDRESS.values())] + [f"DNS:{name}" for name in NAMES])
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=failover-test",
            "-addext", f"subjectAltName={names}")

    def front(self, name):
        """TLS before a provider: HTTP/1.1 on 8441, HTTP/2 on 8442 and on 443."""
        path = os.path.join(self.folder, f"nginx-{name}.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(folder=self.folder, name=name, address=ADDRESS[name],
                                    certificate=self.certificate, key=self.key))
        self.fronts[name] = subprocess.Popen(
            ["ip", "netns", "exec", self.space(name), "nginx", "-c", path], preexec_fn=die_with_parent)
        until = time.monotonic() + 10
        while b":443 " not in subprocess.run(["ip", "netns", "exec", self.space(name), "ss", "-Hltn"],
                                             stdout=subprocess.PIPE).stdout:
            if self.fronts[name].poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"nginx does not start at {name}")
            time.sleep(0.02)

    def start(self, name):
        self.providers[name] = Part(
            self.space(name), "--part", "provider", "--name", name, "--journal", self.journal(name))

    def journal(self, name):
        return os.path.join(self.folder, name + ".journal")

    def inside(self, name, *words):
        run("ip", "netns", "exec", self.space(name), *words)

    def rules(self, name, *words):
        self.inside(name, "iptables", "-w", *words)

    def drop(self, name, *chains):
        """Between requests: one that a provider has acknowledged, and whose answer is lost, looks like one that
        is thought about, to anybody."""
        self.clients.ask(do="pause")
        for chain in chains or ("INPUT", "OUTPUT"):
            self.rules(name, "-I", chain, "-j", "DROP")

    def restore(self, name):
        for chain in ("INPUT", "OUTPUT"):
            self.rules(name, "-F", chain)

    def reject(self, name, how):
        """Between requests: a stream whose content has begun to reach its client would be cut, and rightly so."""
        self.clients.ask(do="pause")
        self.disturb(name)
        self.rules(name, "-I", "INPUT", "-p", "tcp", "-j", "REJECT", "--reject-with", how)

    def disturb(self, name):
        """From now on this provider loses requests that it has received, which may be sent again elsewhere."""
        self.disturbed.append((name, time.monotonic()))

    def serve(self, name, *, endpoints={}, only=tuple(ADDRESS), timeouts="{}"):
        """A new gateway that knows nothing yet."""
        self.port += 1
        secured = f"{{address: '{GATEWAY}:{self.port + SECURED}', tls: {{cert: {self.certificate}, key: {self.key}}}}}"
        lines = [f"listen: [{secured}, '{GATEWAY}:{self.port}']", "allow_anonymous: true", "cache: off", "log: {level: debug}",
                 f"timeouts: {timeouts}", "providers:"]
        for provider in only:
            endpoint = endpoints.get(provider) or f"http://{ADDRESS[provider]}:8000/v1"
            version = "2" if ":8442/" in endpoint else "1.1"
            lines.append(f"  {provider}: {{type: openai, endpoint: '{endpoint}', http: {version}, key: k, start_wait: 0, "
                         f"tier: {TIERS[provider]}, models: {json.dumps(MODELS[provider])}}}")
        self.run_gateway(name, lines, self.port)

    def run_gateway(self, name, lines, port):
        path = os.path.join(self.folder, name + ".yaml")
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        self.log = os.path.join(self.folder, name + ".log")
        log = open(self.log, "w")
        words = ["ip", "netns", "exec", self.space("gw"), self.binary, "run", "-c", path]
        # Only the test's own authority: a system's bundle takes long to parse.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
        clean["SSL_CERT_FILE"] = self.certificate
        self.gateway = subprocess.Popen(words, stdout=log, stderr=log, env=clean, preexec_fn=die_with_parent)
        until = time.monotonic() + 10
        while subprocess.run(["ip", "netns", "exec", self.space("gw"), "ss", "-Hltn", f"sport = :{port}"],
                             stdout=subprocess.PIPE).stdout == b"":
            if self.gateway.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the gateway does not start: see {log.name}")
            time.sleep(0.01)

    def stop(self):
        if self.gateway.poll() is not None:
            raise RuntimeError(f"the gateway has ended by itself: {self.gateway.returncode}")
        self.gateway.kill()
        self.gateway.wait()

    def traffic(self, name, clients=CLIENTS, over="http"):
        self.clients.ask(do="start", clients=clients, port=self.port, name=name, over=over)

    def take(self):
        return self.clients.ask(do="take")["results"]

    def finish(self):
        return self.clients.ask(do="stop")["results"]

    def single(self, name, model, **hints):
        stream = hints.pop("stream")
        body = {"model": model, "stream": stream, "metadata": dict(hints, id=name)}
        self.clients.ask(do="single", body=body, port=self.port)

    def received(self, name):
        with open(self.journal(name)) as file:
            return [(float(at), what, request) for at, what, request in map(str.split, file)]

    def remove(self):
        for part in [self.clients, *self.providers.values()]:
            if part:
                part.kill()
        if self.gateway and self.gateway.poll() is None:
            self.gateway.kill()
            self.gateway.wait()
        for front in self.fronts.values():
            front.kill()
            front.wait()
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space])
            shutil.rmtree(os.path.join("/etc/netns", space), ignore_errors=True)
