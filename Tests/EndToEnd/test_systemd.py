"""What systemd and a service say to each other, with this test in systemd's place."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from gateway import BINARY, DEADLINE, ROOT, Gateway, Process, eventually, split_address
from wire import Cut, Reader, post

BODY = '{"model":"m","messages":[]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"object":"a","b":1}'


class Supervisor:
    """The notification socket of a service manager."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(DEADLINE)

    def next(self, *, but=()):
        """The next message, as a dictionary; those of which a name is in `but` are passed over."""
        while True:
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
            if not any(name in message for name in but):
                return message

    def stop(self):
        self.socket.close()


@pytest.fixture
def supervisor(start, tmp_path):
    return start(Supervisor, tmp_path / "notify")


def tier_file(provider, listen="127.0.0.1:0", more=""):
    return f"listen: {listen}\ncache: off\n{more}\nproviders:\n  a: {provider.entry()}\n"


def ended(process):
    status = process.wait()
    process.stop = lambda: None
    return status


def test_ready_reloading_and_stopping_are_told(start, provider, supervisor):
    gateway = start(Gateway, tier_file(provider), environment={"NOTIFY_SOCKET": supervisor.path})
    message = supervisor.next()
    assert message["READY"] == "1" and gateway.addresses[0] in message["STATUS"]
    with gateway.connect() as connection:  # ready means ready
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert Reader(connection).read()[0].status == 200
    for text in (tier_file(provider), "nonsense: [\n"):  # a reload that fails is over too
        gateway.file.write_text(text)
        began = time.monotonic_ns() // 1000
        gateway.signal(signal.SIGHUP)
        message = supervisor.next()
        assert message["RELOADING"] == "1"
        assert began <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert supervisor.next()["READY"] == "1"
    gateway.signal(signal.SIGTERM)
    message = supervisor.next()
    assert message["STOPPING"] == "1" and "drain" in message["STATUS"]
    assert ended(gateway) == 0


def test_the_watchdog_is_fed_also_when_nothing_happens(start, provider, supervisor):
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "100000"}
    gateway = start(Gateway, tier_file(provider), environment=environment)
    assert supervisor.next()["READY"] == "1"
    for _ in range(4):
        assert supervisor.next() == {"WATCHDOG": "1"}
    gateway.signal(signal.SIGSTOP)  # a process that hangs says nothing
    while select.select([supervisor.socket], [], [], 0)[0]:
        supervisor.next()
    gateway.signal(signal.SIGCONT)
    assert supervisor.next() == {"WATCHDOG": "1"}


def test_a_watchdog_for_another_process_is_not_ours(start, provider, supervisor):
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    gateway = start(Gateway, tier_file(provider), environment=environment)
    assert "READY" in supervisor.next()
    gateway.signal(signal.SIGTERM)
    assert "STOPPING" in supervisor.next()
    assert ended(gateway) == 0


def test_a_supervisor_that_does_not_read_holds_nobody_up(start, provider, supervisor):
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "2000"}
    gateway = start(Gateway, tier_file(provider), environment=environment)
    queued = Path("/proc/sys/net/unix/max_dgram_qlen").read_text()
    connection = gateway.connect()
    reader = Reader(connection)
    for _ in range(int(queued) // 2 + 20):
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reader.read()[0].status == 200
    gateway.signal(signal.SIGTERM)
    messages = []
    while "STOPPING" not in (messages[-1] if messages else {}):
        messages.append(supervisor.next())
    assert ended(gateway) == 0


# MARK: - Socket activation


def activated(file, sockets, *, pid="$$", environment=None):
    """Starts the binary through a shell, which knows the process id that LISTEN_PID must name."""

    def hand_over():
        spare = [os.dup(one.fileno()) for one in sockets]
        high = [os.dup2(descriptor, 100 + n) for n, descriptor in enumerate(spare)]
        for n, descriptor in enumerate(high):
            os.dup2(descriptor, 3 + n, inheritable=True)

    process = Process.__new__(Process)
    process.lines = []
    process._changed = threading.Condition()
    process.child = subprocess.Popen(
        ["/bin/sh", "-c", f'LISTEN_PID={pid} LISTEN_FDS={len(sockets)} exec "$0" "$@"', BINARY, "run", "-c", str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        preexec_fn=hand_over,
        pass_fds=range(3, 3 + len(sockets)),
    )
    process._thread = threading.Thread(target=process._collect, daemon=True)
    process._thread.start()
    return process


def listener():
    made = socket.create_server(("127.0.0.1", 0), backlog=128)
    return made


def test_handed_sockets_are_served(start, provider, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(tier_file(provider, "['fd://0', 'fd://1']", "allow_anonymous: true"))
    with listener() as first, listener() as second:
        process = start(lambda: activated(file, [first, second]))
        for one in (first, second):
            with socket.create_connection(one.getsockname(), DEADLINE) as connection:
                connection.sendall(post(BODY))
                provider.read()
                provider.current.send(ANSWER)
                assert Reader(connection).read()[0].status == 200
        # What it is bound to decides: it is a loopback listener like any other.
        with socket.create_connection(first.getsockname(), DEADLINE) as connection:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert Reader(connection).read()[0].status == 403
        process.signal(signal.SIGTERM)
        assert ended(process) == 0
        # The socket was the manager's: it still listens.
        socket.create_connection(first.getsockname(), DEADLINE).close()


@pytest.mark.parametrize("pid, listen", [("1", "fd://0"), ("$$", "fd://1"), ("x", "fd://")])
def test_sockets_that_were_not_meant_for_us_are_not_taken(provider, tmp_path, pid, listen):
    file = tmp_path / "s.yaml"
    file.write_text(tier_file(provider, f"'{listen}'", "allow_anonymous: true"))
    with listener() as one:
        process = activated(file, [one], pid=pid)
        assert process.wait() == 69
        assert "cannot take over" in process.output()


class Load:
    """Clients that ask one after the other, each on one connection for as long as it may."""

    def __init__(self, address, clients, bears_cuts=False):
        """`bears_cuts`: who was being answered when the process died asks again."""
        self.address = address
        self.bears_cuts = bears_cuts
        self.stopping = threading.Event()
        self.done = 0
        self.cuts = 0
        self.faults = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def client(self):
        connection = None
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = socket.create_connection(self.address, DEADLINE)
                try:
                    connection.sendall(post(BODY))
                    head, body = Reader(connection).read()
                except (Cut, ConnectionResetError, BrokenPipeError):
                    if not self.bears_cuts:
                        raise
                    connection = None
                    with self.lock:
                        self.cuts += 1
                    continue
                assert head.status == 200, (head.start, body)
                if head["connection"] == "close":
                    connection.close()
                    connection = None
                with self.lock:
                    self.done += 1
            except Exception as fault:
                with self.lock:
                    self.faults.append(repr(fault))
                return

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE)


def test_the_socket_goes_from_one_process_to_the_next_and_no_request_is_lost(start, mock, tmp_path):
    provider = mock("--gap-ms 1 --chunks 3")
    file = tmp_path / "s.yaml"
    file.write_text(
        f"listen: 'fd://'\nallow_anonymous: true\ncache: off\nproviders:\n  a: {provider.provider()}\n"
    )
    with listener() as one:
        process = start(lambda: activated(file, [one]))
        load = start(Load, one.getsockname(), 8)
        for _ in range(3):
            at = load.done
            eventually(lambda: load.done >= at + 50 or load.faults, "requests are answered")
            process.signal(signal.SIGTERM)
            assert ended(process) == 0
            process = start(lambda: activated(file, [one]))
        at = load.done
        eventually(lambda: load.done >= at + 50 or load.faults, "requests are answered")
        load.stop()
        assert not load.faults


def test_who_comes_while_it_is_dead_is_answered_by_the_next_one(mock, tmp_path):
    """`kill -9` under load, three times: nobody is refused, and only who was being answered is cut."""
    clients, deaths = 4, 3
    provider = mock("--gap-ms 1 --chunks 3")
    file = tmp_path / "s.yaml"
    file.write_text(
        f"listen: 'fd://'\nallow_anonymous: true\ncache: off\nproviders:\n  a: {provider.provider()}\n"
    )
    with listener() as one:
        process = activated(file, [one])
        load = Load(one.getsockname(), clients, bears_cuts=True)
        try:
            for _ in range(deaths):
                done = load.done
                eventually(lambda: load.done > done + 20, "the load is served")
                process.signal(signal.SIGKILL)
                assert process.wait() == -signal.SIGKILL
                # Nobody runs now: the socket is the manager's, and whoever comes waits in it.
                waiting = [socket.create_connection(one.getsockname(), DEADLINE) for _ in range(20)]
                for connection in waiting:
                    connection.sendall(post(BODY))
                process = activated(file, [one])
                for connection in waiting:
                    with connection:
                        assert Reader(connection).read()[0].status == 200
            done = load.done
            eventually(lambda: load.done > done + 20, "the load is served again")
        finally:
            load.stop()
            process.stop()
        assert not load.faults
        assert load.cuts <= clients * deaths


# MARK: - The unit

UNIT = ROOT / "etc/synaxis.service"
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")


@analyze
def test_the_units_are_well_formed(tmp_path):
    for name in ("synaxis.service", "synaxis.socket"):
        text = (ROOT / "etc" / name).read_text().replace("/usr/bin/synaxis", "/bin/true")
        (tmp_path / name).write_text(text)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / n) for n in ("synaxis.service", "synaxis.socket"))],
        capture_output=True, text=True, timeout=60,
    )
    assert result.returncode == 0 and not result.stderr, result.stderr


@analyze
def test_the_units_exposure_is_what_its_comment_says():
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60,
    )
    overall = [line for line in result.stdout.splitlines() if "Overall exposure level" in line]
    assert overall, result.stdout + result.stderr
    score = overall[0].split(":", 1)[1].split()[0]
    assert f"exposure {score}" in UNIT.read_text()


def call_filter():
    """The system calls that the unit allows, by name, as systemd resolves its sets."""
    allowed = set()

    def members(name):
        if not name.startswith("@"):
            return {name}
        listed = subprocess.run(
            ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()[1:]
        found = set()
        for line in listed:
            word = line.strip()
            if word and not word.startswith("#"):
                found |= members(word)
        return found

    for line in UNIT.read_text().splitlines():
        if line.startswith("SystemCallFilter="):
            names = line.split("=", 1)[1]
            named = set().union(*(members(name) for name in names.lstrip("~").split()))
            allowed = allowed - named if names.startswith("~") else allowed | named
    return allowed


@analyze
@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace here")
def test_the_call_filter_lets_everything_through_that_is_used(provider, tmp_path):
    """Every system call of a whole life (start, answers, reload, trouble, drain) is one that the unit allows, and none
    writes to the disk."""
    file = tmp_path / "s.yaml"
    file.write_text(tier_file(provider, "127.0.0.1:0", "admin: { listen: 'unix:%s' }" % (tmp_path / "admin")).replace(
        "providers:", "providers:\n  nobody: { type: openai, endpoint: 'https://nobody.invalid/v1', tier: 0, models: [m] }"))
    trace = tmp_path / "trace"
    process = Process.__new__(Process)
    process.lines = []
    process._changed = threading.Condition()
    process.child = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", str(trace), BINARY, "run", "-c", str(file)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "nobody")},
    )
    process._thread = threading.Thread(target=process._collect, daemon=True)
    process._thread.start()
    try:
        _, line = process.line(lambda text: "msg=listening" in text and "127.0.0.1" in text)
        address = split_address(line.split("detail=")[1].split()[0])
        with socket.create_connection(address, DEADLINE) as connection:
            connection.sendall(post(BODY))
            provider.read()
            provider.current.send(ANSWER)
            assert Reader(connection).read()[0].status == 200
            child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            os.kill(child, signal.SIGHUP)
            process.line(lambda text: "msg=reloaded" in text)
            os.kill(child, signal.SIGUSR1)
            os.kill(child, signal.SIGTERM)
        assert process.wait() == 0
    finally:
        if process.is_running:
            process.child.kill()
    used = set()
    for line in trace.read_text().splitlines():
        call = line.split(None, 1)[1].split("(")[0].strip() if " " in line else ""
        if call.isidentifier():
            used.add(call)
    # The service manager itself starts the program; the filter begins behind that.
    assert len(used) > 20
    assert not used - call_filter() - {"resumed"}
    # Of the disk: files are read, none is opened for writing, made or renamed.
    changes = re.compile(r"\bopen(at)?\(.*O_(WRONLY|RDWR|CREAT)|\b(creat|mkdir|rename|truncate|link|symlink)\w*\(")
    assert not [line for line in trace.read_text().splitlines() if changes.search(line) and "/dev/null" not in line]
