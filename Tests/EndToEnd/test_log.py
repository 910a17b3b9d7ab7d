"""The log: levels, phases, providers' words, secrets, and a reader that does not read."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest

from gateway import BINARY, DEADLINE, ROOT, Gateway, eventually, fields, split_address
from pages import ask, complete, samples, value
from wire import Provider, Reader, post

ERROR = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


def lines(at, name):
    return [fields(line) for line in at.lines if line and f"msg={name} " in line]


def test_phases(gateway, mock):
    """One line for each attempt at debug, with the time of every phase, in order."""
    at = gateway(mock("--fail 500"), mock(), more="log: { level: debug }")
    assert complete(at)[0] == 200
    at.record()
    bad, good = eventually(lambda: len(lines(at, "attempt")) == 2 and lines(at, "attempt"), "two attempts")
    exchange = lines(at, "exchange")[0]
    assert bad["id"] == good["id"] == exchange["id"]
    assert (bad["provider"], bad["status"], bad["reason"]) == ("a", "500", "server_error") and bad["detail"]
    assert (good["provider"], good["status"], good["reason"]) == ("b", "200", "ok") and "detail" not in good
    times = [float(good[key]) for key in ("opened_ms", "connected_ms", "head_ms", "first_ms", "end_ms")]
    assert times == sorted(times)


def test_json(gateway, mock):
    at = gateway(mock("--fail 429"), mock(), more="log: { format: json, level: debug }")
    at._read = 0
    assert complete(at)[0] == 200
    eventually(lambda: sum('"msg":"attempt"' in line for line in at.lines) == 2, "two attempts")
    for line in at.lines:
        assert {"ts", "level", "msg"} <= set(json.loads(line))


@pytest.mark.parametrize("form, titles", [
    ("logfmt", ["What went wrong", "Who answered", "What needed more", "The time to the first token"]),
    ("json", ["Tokens of each client", "Exchanges that took longer"]),
])
def test_the_recipes_for_the_journal(gateway, mock, tmp_path, form, titles):
    """Each command of the page on several instances finds something in this log, which stands for the journal's."""
    at = gateway(mock("--fail 500:2"), mock("--think-ms 1100"), more=f"log: {{ format: {form} }}")
    for number in range(2):
        assert complete(at, '{"model":"m","messages":[],"n":%d}' % (number + 1))[0] == 200
    assert complete(at, '{"model":"unheard-of","messages":[]}')[0] == 404
    eventually(lambda: any("model_not_found" in line for line in at.lines), "the last line")
    (tmp_path / "log").write_text("".join(line + "\n" for line in at.lines if line))
    (tmp_path / "journalctl").write_text(f'#!/bin/sh\ncase "$*" in "-u synaxis -o cat "*) cat {tmp_path}/log ;; esac\n')
    (tmp_path / "journalctl").chmod(0o755)
    page = (ROOT / "contrib/deploy/README.md").read_text()
    block = next(block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if titles[0] in block)
    recipes = re.findall(r"# (.*)\n((?:[^#].*\n)+)", block)
    assert len(recipes) == len(titles)
    for (title, command), wanted in zip(recipes, titles):
        assert title.startswith(wanted)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert done.returncode == 0 and done.stdout.strip() and not done.stderr, (command, done)


@pytest.mark.parametrize("level", ["error", "warning", "info", "debug"])
def test_level(start, mock, level):
    at = start(Gateway, f"log: {{ level: debug }}\nproviders:\n  a: {mock().provider()}\n")
    # On the command line the level counts more than in the file.
    file = at.file
    child = subprocess.Popen([BINARY, "run", "-c", str(file), "--log-level", level], stderr=subprocess.PIPE)
    try:
        if level in ("info", "debug"):
            line = child.stderr.readline().decode()
            assert "msg=listening" in line
            address = fields(line)["detail"]
            alone = fields(child.stderr.readline().decode())
            assert (alone["msg"], alone["detail"]) == ("one provider only", "a: m")
            assert ask(address, "/livez").status == 200
            if level == "debug":
                assert "msg=page" in child.stderr.readline().decode()
    finally:
        child.terminate()
        rest = child.communicate(timeout=DEADLINE)[0:2][1].decode()
    assert ("msg=" in rest) == (level in ("info", "debug"))
    assert level == "debug" or "msg=page" not in rest


def test_switch(gateway, mock):
    """SIGUSR1 switches the debug lines on, and off again."""
    at = gateway(mock())
    for wanted in (False, True, False):
        before = len(lines(at, "attempt"))
        assert complete(at)[0] == 200
        at.record()
        # The lines of an exchange are written together, the attempts' behind its own.
        if wanted:
            eventually(lambda: len(lines(at, "attempt")) == before + 1, "an attempt's line")
        count = sum("SIGUSR1" in line for line in at.lines)
        at.signal(signal.SIGUSR1)
        eventually(lambda: sum("SIGUSR1" in line for line in at.lines) == count + 1, "the switch")
        assert len(lines(at, "attempt")) == before + wanted


KEY = "zq-my.own-key"
ECHOES = [
    (401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}),
    (500, {"error": {"message": "x" * 185 + " " + KEY}}),
    (400, {"error": {"message": f"Bearer {KEY} sk-proj-0123456789abcdef"}}),
    (200, {"error": {"message": f"key {KEY} is out of credit", "code": "insufficient_quota"}}),
    (503, f"plain text with {KEY}\nand more"),
]


def test_secrets(start):
    """No secret ever appears: not in the log at debug, not on a page, not in what a client reads of us."""
    provider, second = start(Provider), start(Provider)
    secrets = [KEY, "header-secret", "admin-secret", "sk-proj-0123456789abcdef"]
    text = f"""log: {{ level: debug }}
admin: {{ token: admin-secret }}
providers:
  a: {provider.entry(more=f', key: "{KEY}", headers: {{ X-Extra: header-secret }}')}
  b: {second.entry(tier=1, more=f', key: "{KEY}"')}
"""
    at = start(Gateway, text)
    seen = []
    for status, body in ECHOES:
        connection = at.connect()
        connection.sendall(post('{"model":"m","messages":[{"role":"user","content":"the question"}]}'))
        provider.read()
        assert provider.head["authorization"] == f"Bearer {KEY}"
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
        provider.current.send(ERROR % (status, len(raw), raw))
        relayed = status == 400
        if not relayed:
            second.read()
            answer = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
            second.current.send(ERROR % (200, len(answer), answer))
        head, answer = Reader(connection).read()
        assert head.status == (400 if relayed else 200)
        if not relayed:
            seen.append(repr(head.fields) + answer.decode())
        at.record()
        assert ask(at, "/admin/providers/a/reset", "POST", token="admin-secret").status == 200
        connection.close()
    for path in ("/admin/health", "/admin/providers/a/status", "/metrics"):
        seen.append(ask(at, path, token="admin-secret").body)
        seen.append(ask(at, path, token="wrong").body)
    eventually(lambda: len(lines(at, "attempt")) == 2 * len(ECHOES) - 1, "all attempts")
    check = subprocess.run([BINARY, "check", "-c", str(at.file)], capture_output=True, text=True)
    everything = "\n".join([*seen, at.output(), check.stdout, check.stderr])
    for secret in [*secrets, "the question"]:
        assert secret not in everything, secret
    details = [line["detail"] for line in lines(at, "attempt") if "detail" in line]
    assert len(details) == len(ECHOES)
    assert details[0] == "Incorrect API key provided: ***." and max(map(len, details)) <= 200
    assert not any(KEY[:6] in text for text in details)


def test_stalled_reader(mock, tmp_path):
    """Nobody reads the log: every request is answered, and afterwards the log tells how many lines are missing."""
    behind = mock()
    file = tmp_path / "synaxis.yaml"
    socket = f"{tmp_path}/s.sock"
    file.write_text(
        f'listen: "unix:{socket}"\ncache: off\nlog: {{ level: debug }}\nproviders:\n  a: {behind.provider()}\n')
    reading, writing = os.pipe()
    child = subprocess.Popen([BINARY, "run", "-c", str(file)], stderr=writing)
    os.close(writing)
    try:
        from pages import dial

        def is_listening():
            try:
                return not dial(f"unix:{socket}").close()
            except OSError:
                return False

        eventually(is_listening, "the socket")
        body = json.dumps({"model": "m" , "messages": []})
        with dial(f"unix:{socket}") as connection:
            reader = Reader(connection)
            for _ in range(1500):
                connection.sendall(post(body))
                assert reader.read()[0].status == 200
        found, _ = samples(ask(f"unix:{socket}", "/metrics").body)
        dropped = value(found, "synaxis_log_lines_dropped_total")
        assert dropped > 0 and value(found, "synaxis_exchanges_total", end="complete") == 1500

        got = bytearray()
        told = threading.Event()

        def read():
            while piece := os.read(reading, 1 << 16):
                got.extend(piece)
                if b"dropped" in got:
                    told.set()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        # Without a further request: the reader is back, and hears what it missed.
        assert told.wait(DEADLINE)
    finally:
        child.terminate()
        child.wait(DEADLINE)
    thread.join(DEADLINE)
    os.close(reading)
    text = got.decode()
    counts = [int(count) for count in re.findall(r'dropped.*?count=(\d+)', text)]
    # The page itself was one more line.
    assert dropped <= sum(counts) <= dropped + 1
    whole = [line for line in text.splitlines() if "msg=exchange " in line or "msg=attempt " in line]
    assert all(re.match(r"ts=\S+Z level=\w+ msg=\w+ id=\S+ ", line) for line in whole)
    assert len(whole) + sum(counts) in (3000, 3001)
