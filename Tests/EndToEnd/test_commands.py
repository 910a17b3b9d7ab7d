"""The command line, signals and exit codes."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from gateway import BINARY, DEADLINE, ROOT, Gateway, Process, eventually, fields
from wire import Reader, post

STREAM = '{"model":"m","stream":true,"messages":[]}'
PLAIN = '{"model":"m","messages":[]}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'


def run(*arguments, environment=None):
    return subprocess.run(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )


def test_version_and_help():
    assert re.search(r"\d+\.\d+", run("--version").stdout)
    for arguments in [["--help"], *([name, "--help"] for name in ("run", "check", "demo", "mock", "bench"))]:
        done = run(*arguments)
        assert done.returncode == 0 and "usage" in done.stdout.lower(), arguments


@pytest.mark.parametrize("arguments", [["nothing"], ["run", "--nothing"], ["mock", "--fail", "nothing"], ["bench"]])
def test_usage(arguments):
    done = run(*arguments)
    assert done.returncode == 64 and done.stderr and not done.stdout


def test_check(tmp_path):
    file = tmp_path / "tiers.yaml"
    file.write_text("providers:\n  groq: { type: groq, key: \"${THE_KEY}\", tier: 1, models: [x] }\n")
    done = run("check", "-c", str(file), environment={"THE_KEY": "gsk-very-secret"})
    assert done.returncode == 0 and "groq" in done.stdout
    assert "One provider only" in done.stdout and "  groq: x\n" in done.stdout
    assert "very-secret" not in done.stdout + done.stderr
    file.write_text("listn: 1\nproviders:\n  groq: { type: groq, key: \"${THE_KEY}\", teir: 1, models: [x] }\n")
    done = run("check", "-c", str(file))
    assert done.returncode == 78
    for place, hint in [("1:1", "listen"), ("3:", "THE_KEY is not set"), ("3:", "tier")]:
        assert re.search(rf"^{re.escape(str(file))}:{place}.*: error: .*{hint}", done.stderr, re.M), done.stderr
    assert run("run", "-c", str(file)).returncode == 78
    assert run("run", "-c", str(tmp_path / "missing.yaml")).returncode == 78


def test_check_strict(tmp_path):
    """A warning is no obstacle, unless one wants it to be."""
    file = tmp_path / "tiers.yaml"
    file.write_text("providers:\n  a: { type: ollama, models: [m] }\n  groq: { key: \"${THE_KEY}\", models: [m] }\n")
    done = run("check", "-c", str(file))
    assert done.returncode == 0 and "off    groq: THE_KEY is not set" in done.stdout
    assert re.search(r":3:16: warning: providers.groq is left out: THE_KEY is not set; set it", done.stderr)
    done = run("check", "--strict", "-c", str(file))
    assert done.returncode == 78 and ":3:16: error: " in done.stderr and not done.stdout
    assert run("check", "--strict", "-c", str(file), environment={"THE_KEY": "k"}).returncode == 0


def test_the_free_tiers_with_one_key(start):
    """Of many free tiers those that have no key keep nobody from starting, and say what they want."""
    text = (ROOT / "etc/free-tier.yaml").read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    names = re.findall(r"\$\{(\w+)\}", text)
    text += "admin: { token: tok }\n"
    at = start(Gateway, text, environment={name: "" for name in names} | {"GROQ_API_KEY": "gsk"})
    done = run("status", "--url", at.url, "--token", "tok")
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert rows["groq"].split()[1] == "online"
    assert re.search(r"disabled .*CEREBRAS_API_KEY is empty$", rows["cerebras"])
    assert rows["cloudflare"].endswith("CLOUDFLARE_ACCOUNT_ID is empty, CLOUDFLARE_API_TOKEN is empty")
    assert "warning: providers.cerebras is left out" in at.output()
    # After a reload nobody looks at a terminal: the log has it.
    at.signal(signal.SIGHUP)
    at.line(lambda line: "tier file" in line and "providers.openrouter is left out" in line)


def test_bench_asks_for_what_there_is(mock):
    """Without --model the first that the target lists; and a status is said in words."""
    target = mock("--models first,second")
    done = run("bench", f"http://{target.address}", "-n", "5", "-c", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert b'"model":"first"' in target.get("/mock/last")
    done = run("bench", f"http://{target.address}", "-n", "5", "-c", "1", "--model", "third")
    assert done.returncode == 1 and "100.00 % (404 Not Found: 5)" in done.stdout
    done = run("bench", f"http://{target.address}", "-n", "5", "-c", "1", "--model", "third", "--json")
    assert json.loads(done.stdout)["statuses"] == {"404": 5}


def test_address_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file = tmp_path / "tiers.yaml"
        port = taken.getsockname()[1]
        file.write_text(f"listen: 127.0.0.1:{port}\nproviders:\n  a: {{ type: ollama, models: ['*'] }}\n")
        done = run("run", "-c", str(file))
    assert done.returncode == 69 and str(port) in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain(provider, number):
    """A stream under way is finished, nothing new begins, and the exit is clean."""
    at = Gateway(f"providers:\n  a: {provider.entry()}\n")
    try:
        idle = Reader(at.connect())
        stream = Reader(at.connect())
        stream.socket.sendall(post(STREAM))
        provider.read()
        provider.current.send(STREAM_HEAD)
        provider.current.send_chunk(EVENT)
        assert stream.read_head().status == 200 and stream.read_some() == EVENT
        at.signal(number)
        assert idle.closes()

        def is_refused():
            try:
                at.connect().close()
            except OSError:
                return True

        eventually(is_refused, "connections being refused")
        assert at.is_running
        provider.current.send_chunk(b"data: [DONE]\n\n")
        provider.current.send(b"0\r\n\r\n")
        assert stream.read_rest() == b"data: [DONE]\n\n"
        assert stream.closes()
        assert at.wait() == 0
        assert at.record()["end"] == "complete"
    finally:
        at.child.kill()


def test_second_signal_ends_at_once(provider):
    at = Gateway(f"providers:\n  a: {provider.entry()}\n")
    try:
        stream = Reader(at.connect())
        stream.socket.sendall(post(STREAM))
        provider.read()
        at.signal(signal.SIGTERM)
        at.line(lambda text: "draining" in text)
        at.signal(signal.SIGTERM)
        assert at.wait() == 0
    finally:
        at.child.kill()


def test_keys_are_never_told(start, provider):
    """Neither in the log of every level, nor in what a client reads, whatever goes wrong."""
    secret = "sk-4711-very-secret"
    at = start(
        Gateway,
        "log: { level: debug }\nproviders:\n  a: " + provider.entry(more=', key: "${THE_KEY}"') + "\n",
        environment={"THE_KEY": secret},
    )
    seen = b""
    told = b'{"error":{"message":"Incorrect API key provided: %s"}}' % secret.encode()
    for status, text in [(500, b"{}"), (401, told)]:
        reader = Reader(at.connect())
        reader.socket.sendall(post('{"model":"m","secret":"body-4711"}'))
        provider.read()
        assert provider.head["authorization"] == f"Bearer {secret}"
        provider.current.send(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
        head, body = reader.read()
        seen += str(head.fields).encode() + body
        at.record()
    assert b"very-secret" not in seen
    assert "very-secret" not in at.output() and "body-4711" not in at.output()


def test_json_log(start, mock):
    at = start(Gateway, f"log: {{ format: json }}\nproviders:\n  a: {mock().provider()}\n")
    reader = Reader(at.connect())
    reader.socket.sendall(post(PLAIN, more="X-Request-ID: mine\r\n"))
    assert reader.read()[0].status == 200
    _, line = at.line(lambda text: '"msg":"exchange"' in text)
    record = json.loads(line)
    assert record["id"] == "mine" and record["status"] == 200 and record["end"] == "complete"


def test_demo_with_curl(start):
    """The main job as the README shows it: the printed curl line streams, and again when a provider fails."""
    demo = start(Process, "demo")
    number, _ = demo.line(lambda text: "curl -N" in text)
    _, second = demo.line(lambda text: "-d '" in text, number)
    line = demo.lines[number] + "\n" + second
    for _ in range(2):
        done = subprocess.run(["bash", "-c", line + " -sS -i"], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("HTTP/1.1 200 OK") and done.stdout.rstrip().endswith("data: [DONE]")
        assert done.stdout.count('"content":"') > 3
    first, line = demo.line(lambda text: "msg=exchange" in text)
    assert fields(line)["attempts"].startswith("flaky=200")
    _, line = demo.line(lambda text: "msg=exchange" in text, first + 1)
    assert re.fullmatch(r"flaky=429;\d+ms, steady=200;\d+ms", fields(line)["attempts"])


@pytest.mark.parametrize("file", sorted((ROOT / "etc").glob("*.yaml")), ids=lambda file: file.name)
def test_examples(file):
    names = re.findall(r"\$\{(\w+)\}", file.read_text()) + re.findall(r"key: ([A-Z][A-Z0-9_]+)\b", file.read_text())
    done = run("check", "-c", str(file), environment={name: "x-" + name.lower() for name in names})
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(b"synaxis: crashed" not in Path(BINARY).read_bytes(), reason="not the product, but a build for debugging")
def test_a_crash_tells_where(provider, tmp_path):
    """One line with places in the program, of which contrib/symbolize makes functions and lines."""
    file = tmp_path / "s.yaml"
    file.write_text(f"listen: 127.0.0.1:0\nproviders:\n  a: {provider.entry()}\n")
    process = Process("run", "-c", str(file))
    process.line(lambda text: "msg=listening" in text)
    process.signal(signal.SIGABRT)
    _, line = process.line(lambda text: text.startswith("synaxis: crashed: abort; contrib/symbolize tells"))
    assert process.wait() == -signal.SIGABRT
    if not Path(BINARY + ".debug").exists():
        return
    assert re.findall(r"synaxis\+0x[0-9a-f]+", line)
    told = subprocess.run([ROOT / "contrib/symbolize"], input=line, capture_output=True, text=True).stdout
    # Wherever it was, it had been called from here.
    assert "Sources/synaxis/main.swift" in told, f"{line}\n{told}"
