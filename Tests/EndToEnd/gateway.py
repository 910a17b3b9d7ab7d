"""The processes under test: `synaxis run` with a tier file, and `synaxis mock` as its providers."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SYNAXIS", str(ROOT / ".build/release/synaxis"))
# Under qemu-user, see contrib/end-to-end: a hundred times slower where code is met for the first time.
IS_EMULATED = Path(BINARY).name == "emulated"

# How long anything may take before a test fails. Never a time that a test waits for.
DEADLINE = float(os.environ.get("DEADLINE", "30"))


def eventually(condition, what, deadline=DEADLINE):
    """Polls until `condition()` is true, and returns what it gave."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}")
        time.sleep(0.005)


def fields(line):
    """The fields of one logfmt line."""
    found = {}
    for match in re.finditer(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line):
        value = match[2]
        found[match[1]] = json.loads(value) if value.startswith('"') else value
    return found


class Process:
    """A child whose output is collected line by line."""

    def __init__(self, *arguments, environment=None):
        self.lines = []
        self._changed = threading.Condition()
        self.child = subprocess.Popen(
            [BINARY, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        for line in self.child.stdout:
            with self._changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append(None)
            self._changed.notify_all()

    def line(self, matches, start=0, deadline=DEADLINE):
        """The first line from `start` on that `matches` takes, with its number. Waits for it."""
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                for number in range(start, len(self.lines)):
                    text = self.lines[number]
                    if text is None:
                        raise AssertionError("the process has ended:\n" + self.output())
                    if matches(text):
                        return number, text
                start = len(self.lines)
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() > end:
                    raise AssertionError("no such line in:\n" + self.output())

    def output(self):
        return "\n".join(line for line in self.lines if line is not None)

    @property
    def pid(self):
        return self.child.pid

    @property
    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, deadline=DEADLINE):
        status = self.child.wait(deadline)
        self._thread.join(deadline)
        self.child.stdout.close()
        return status

    def status(self, key):
        """A figure of /proc/PID/status, in bytes where it is one of memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)

    def stop(self):
        """Ends the child. One that has ended by itself has crashed: that fails the test."""
        ended = self.child.poll()
        if ended is None:
            # The second signal ends a drain at once.
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGINT)
            try:
                self.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.wait()
        assert ended is None, f"ended by itself with {ended}:\n{self.output()}"


def split_address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Gateway(Process):
    """`synaxis run` on a free port of 127.0.0.1, or on what the tier file says."""

    def __init__(self, tier_file, environment=None):
        text = tier_file
        if "listen:" not in text:
            text = "listen: 127.0.0.1:0\n" + text
        if "cache:" not in text:
            text = "cache: off\n" + text
        self._directory = tempfile.TemporaryDirectory(prefix="synaxis-")
        self.file = Path(self._directory.name, "synaxis.yaml")
        self.file.write_text(text)
        super().__init__("run", "-c", str(self.file), environment=environment)
        wanted = len(re.findall(r"(?<!http://)unix:", text)) + len(re.findall(r"(?:127\.0\.0\.1|\[::1\]):0\b", text))
        self.addresses = []
        at = 0
        try:
            while len(self.addresses) < wanted:
                at, line = self.line(lambda text: re.search(r"msg\W+listening", text), at)
                self.addresses.append(json.loads(line)["detail"] if line[0] == "{" else fields(line)["detail"])
                at += 1
        except AssertionError:
            super().stop()
            raise
        self._read = at

    @property
    def address(self):
        return split_address(next(a for a in self.addresses if not a.startswith("unix:")))

    @property
    def url(self):
        host, port = self.address
        return f"http://{host}:{port}"

    def connect(self, receive_buffer=None, tls=None):
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(DEADLINE)
        connection.connect(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(connection, server_hostname="127.0.0.1") if tls else connection

    def record(self):
        """The next line of an exchange or a refusal, as fields. Each is given once."""
        self._read, line = self.line(lambda text: re.search(r"msg=(exchange|refused) ", text), self._read)
        self._read += 1
        return fields(line)

    def stop(self):
        super().stop()
        self._directory.cleanup()


class Mock(Process):
    """`synaxis mock` on a free port, with further options as on its command line."""

    def __init__(self, options=""):
        super().__init__("mock", "--listen", "127.0.0.1:0", *shlex.split(options))
        _, line = self.line(lambda text: "listens on" in text)
        self.address = line.split()[-1]

    def get(self, path):
        connection = socket.create_connection(split_address(self.address), DEADLINE)
        with connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[2]

    @property
    def stats(self):
        return json.loads(self.get("/mock/stats"))

    def provider(self, tier=0, models="[m]", more=""):
        """Its entry in a tier file."""
        return f'{{ type: openai, endpoint: "http://{self.address}/v1", tier: {tier}, models: {models} {more} }}'
