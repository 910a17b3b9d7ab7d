"""What 24 MiB are enough for: 200 streams and a burst of 100 requests, without a failure.

The process may have no more than 24 MiB of memory of its own (RLIMIT_DATA: heap and private mappings; at the limit an
allocation fails, and the process ends), and afterwards all that was ever resident, the pages of its files counted,
must have been below 24 MiB. A service manager's MemoryMax counts less: the pages of files are taken from it first.
"""

import http.client
import json
import resource
import subprocess

from gateway import BINARY, Gateway, eventually
from wire import post

MOST = 24 << 20

TIER_FILE = """
limits: { concurrent_requests: 300, queue: 100, connections: 320, request_body: 4MiB, memory: 12MiB }
cache: { size: 2MiB }
providers:
"""


def bench(at, *options):
    return subprocess.Popen(
        [BINARY, "bench", at.url, "--json", "--model", "m", *map(str, options)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def report(process):
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return json.loads(out)


def test_streams_and_a_burst(start, mock):
    behind = mock("--gap-ms 20 --chunks 100")
    at = start(Gateway, TIER_FILE + f"  a: {behind.provider()}\n")
    resource.prlimit(at.pid, resource.RLIMIT_DATA, (MOST, MOST))
    streams = bench(at, "-c", 200, "-n", 400, "--stream", "--warm-up", 0)
    for _ in range(3):
        burst = report(bench(at, "-c", 100, "-n", 100, "--warm-up", 0))
        assert (burst["completed"], burst["error_rate"]) == (100, 0)
    streamed = report(streams)
    assert (streamed["completed"], streamed["error_rate"]) == (400, 0)
    assert at.status("VmHWM") < MOST


def test_the_limit_is_felt(start, mock):
    """The same limit ends a process that wants more: it is no decoration."""
    behind = mock()
    at = start(Gateway, "limits: { request_body: 64MiB, memory: 200MiB }\nproviders:\n" + f"  a: {behind.provider()}\n")
    resource.prlimit(at.pid, resource.RLIMIT_DATA, (MOST, MOST))
    with at.connect() as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 48000000\r\n\r\n")
        try:
            for _ in range(48):
                connection.sendall(b" " * 1_000_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        at.child.wait(30)
    assert at.child.returncode != 0
    # It has ended by itself, as it should here.
    at.stop = lambda: None


def test_large_bodies_leave_nothing_behind(start, mock):
    """Also where no exchange runs upstream: the bodies of cache hits."""
    behind = mock()
    at = start(Gateway, "cache: { size: 8MiB }\nlimits: { memory: 512MiB }\nproviders:\n" + f"  a: {behind.provider()}\n")
    prompt = {"role": "user", "content": "x" * 20_000_000}
    request = post(json.dumps({"model": "m", "temperature": 0, "messages": [prompt]}))
    resident = lambda: at.status("VmRSS")

    def answered():
        with at.connect() as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read()
            return answer.status, answer.headers["x-synaxis-cache"]

    idle = resident()
    for cache in ("miss", "hit"):
        for _ in range(1 if cache == "miss" else 3):
            assert answered() == (200, cache)
        eventually(lambda: resident() < idle + (1 << 20), f"the memory of the bodies is given back: {cache}")


def test_whatever_wakes_it_is_followed_by_rest(start, mock):
    """The program's and the libraries' pages are let go of again, also where there was no exchange."""
    behind = mock()
    at = start(Gateway, f"providers:\n  a: {behind.provider()}\n")
    pages = lambda: at.status("RssFile")

    def asked():
        for path in ("/livez", "/metrics", "/admin/health", "/admin/activity", "/v1/models"):
            with at.connect() as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                while connection.recv(65536):
                    pass
        return pages()

    for _ in range(2):
        awake = asked()
        eventually(lambda: pages() < awake - (256 << 10), "it rests again")


def test_what_a_burst_needed_is_given_back(start, mock):
    """Tables, buffers and places for as many exchanges at once as never before go when it rests, and come again."""
    behind = mock("--gap-ms 20 --chunks 50")
    at = start(Gateway, "limits: { concurrent_requests: 300, connections: 320 }\nproviders:\n" + f"  a: {behind.provider()}\n")
    own = lambda: at.status("RssAnon")
    idle = own()
    for _ in range(2):
        burst = report(bench(at, "-c", 200, "-n", 200, "--stream", "--warm-up", 0))
        assert (burst["completed"], burst["error_rate"]) == (200, 0)
        eventually(lambda: own() < idle + (1536 << 10), "what the burst needed is given back")
