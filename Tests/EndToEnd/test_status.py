"""`synaxis status`: the table, where it asks, and what it says when it cannot."""

import os
import pty
import re
import subprocess

import pytest

from gateway import BINARY, DEADLINE, Gateway
from pages import ask, complete, samples, value

TOKEN = "the-admin-token"


def status(*arguments, **environment):
    return subprocess.run(
        [BINARY, "status", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={"PATH": os.environ["PATH"], **environment},
    )


def on_terminal(*arguments, until, **environment):
    """What the command writes on a terminal, up to `until`; then it is ended."""
    terminal, side = pty.openpty()
    child = subprocess.Popen(
        [BINARY, "status", *arguments], stdin=side, stdout=side, stderr=side,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment})
    os.close(side)
    text = ""
    try:
        while not until(text):
            text += os.read(terminal, 4096).decode()
    except OSError:  # it has ended
        pass
    finally:
        child.terminate()
        child.wait(DEADLINE)
        os.close(terminal)
    return text


@pytest.fixture
def at(start, mock, tmp_path):
    text = f"""listen: 127.0.0.1:0
admin: {{ token: {TOKEN}, listen: "unix:{tmp_path}/admin.sock" }}
providers:
  limited: {mock("--fail 429 --retry-after 3000").provider()}
  good: {mock().provider(tier=1, more=", rpm: 20")}
  off: {{ type: ollama, models: [m], enabled: false }}
"""
    made = start(Gateway, text)
    assert complete(made)[0] == 200
    return made


def test_table(at):
    done = status("--url", at.url, "--token", TOKEN)
    assert done.returncode == 0 and not done.stderr
    head, *rows = [re.split(r" {2,}", line.strip()) for line in done.stdout.split("\n\n")[0].splitlines()]
    assert head == ["PROVIDER", "STATE", "TIER", "LATENCY", "SUCCESS", "IN FLIGHT", "QUOTA LEFT", "WHY"]
    limited, good, off = rows
    assert limited[:3] == ["limited", "cooling", "0"] and re.fullmatch(
        r"(49|50)m\d\ds is at its rate limit \(429: Rate limit reached: .*\)", limited[-1])
    assert good[:3] == ["good", "online", "1"] and good[3].endswith("ms") and good[4] == "100.0 %"
    assert good[6] == "19 req"
    assert off[:2] == ["off", "disabled"]
    assert "degraded: 1 of 2 providers online" in done.stdout
    assert "\ncache: off\n" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_was_measured_is_shown(gateway, mock):
    """Of one that failed what its answers took and not what failures count as; of one never asked nothing."""
    at = gateway(mock("--fail 500:2"), mock("--fail 500"), mock(), mock(), more=f"admin: {{ token: {TOKEN} }}")
    for _ in range(2):
        assert complete(at)[0] == 200
    rows = [re.split(r" {2,}", line.strip()) for line in status("--url", at.url, "--token", TOKEN).stdout.split("\n\n")[0].splitlines()]
    _, some, never_well, good, unasked = rows
    assert some[4] == "50.0 %" and some[3].endswith("ms") and float(some[3].split()[0]) < 1000, some
    assert never_well[1:6] == ["online", "1", "-", "0.0 %", "0"]
    assert never_well[-1] == "failed (500: The mock was asked to fail)"
    assert good[4] == "100.0 %" and len(good) == 7
    assert unasked[1:] == ["online", "3", "-", "-", "0", "-", "not asked yet"]
    found, _ = samples(ask(at, "/metrics").body)
    assert 0 < value(found, "synaxis_provider_latency_seconds", provider="a") < 1
    for name in ("b", "d"):
        assert not any(key == "synaxis_provider_latency_seconds" and ("provider", name) in labels for key, labels in found)


def test_what_the_cache_does(gateway, mock):
    at = gateway(mock(), more=f"admin: {{ token: {TOKEN} }}\ncache: {{ enabled: true, sampled: true }}")
    for _ in range(3):
        assert complete(at)[0] == 200
    done = status("--url", at.url, "--token", TOKEN)
    line = done.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"cache: hits 2, misses 1, coalesced 0, upstream calls saved 2; answers 1 in \d+ KiB, evicted 0", line), line


def test_where_it_asks(at, tmp_path):
    own = f"unix:{tmp_path}/admin.sock"
    assert status("--url", own).returncode == 0
    assert status(f"--url={own}").returncode == 0
    assert status("--url", at.url.removeprefix("http://"), SYNAXIS_ADMIN_TOKEN=TOKEN).returncode == 0
    assert status("--url", at.url + "/", "--token", TOKEN).returncode == 0
    # The tier file knows its admin listener.
    assert "limited" in status("-c", str(at.file)).stdout
    assert "limited" in status(SYNAXIS_CONFIG=str(at.file)).stdout


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--url", "http://127.0.0.1:1"], 69, "is it running?"),
        (["--url", "unix:/nonexistent/socket"], 69, "is it running?"),
        (["--url", "https://127.0.0.1:1"], 69, "is it running?"),
        (["--url", "nonsense"], 64, "HOST:PORT"),
        (["--url"], 64, "wants a value"),
        (["--nothing"], 64, "--nothing"),
        (["-c", "/nonexistent.yaml"], 78, "nonexistent"),
    ],
)
def test_faults(arguments, code, words):
    done = status(*arguments)
    assert done.returncode == code and words in done.stderr and not done.stdout


def test_token_and_off(at, gateway, mock):
    done = status("--url", at.url)
    assert done.returncode == 64 and "--token" in done.stderr
    done = status("--url", at.url, "--token", "wrong")
    assert done.returncode == 64 and "does not know" in done.stderr
    done = status("--url", gateway(mock()).url)
    assert done.returncode == 64 and "admin" in done.stderr and "off" in done.stderr
    done = status("--url", f"http://{mock().address}")
    assert done.returncode == 1 and "no synaxis" in done.stderr


def test_without_the_keys_of_the_tier_file(start, mock, tmp_path):
    """The shell that asks knows neither the providers' keys nor the token: the address is in the file."""
    text = f"""listen: 127.0.0.1:0
admin: {{ token: "${{THE_TOKEN}}", listen: "unix:{tmp_path}/admin.sock" }}
providers:
  good: {mock().provider(more=', key: "${THE_KEY}"')}
"""
    made = start(Gateway, text, environment={"THE_TOKEN": TOKEN, "THE_KEY": "k"})
    done = status("-c", str(made.file), "--token", TOKEN)
    assert done.returncode == 0 and "good" in done.stdout and not done.stderr
    done = status("-c", str(made.file))
    assert done.returncode == 0 and "good" in done.stdout
    done = status("--url", made.url, "--token", TOKEN)
    assert done.returncode == 0 and "good" in done.stdout and not done.stderr


def test_colour(at, tmp_path):
    own = f"unix:{tmp_path}/admin.sock"
    end = lambda text: "providers online" in text
    text = on_terminal("--url", own, until=end)
    assert "\x1b[32monline\x1b[0m" in text and "\x1b[33mcooling\x1b[0m" in text
    assert "\x1b" not in on_terminal("--url", own, until=end, NO_COLOR="1")


def test_watch_on_terminal(at, tmp_path):
    own = f"unix:{tmp_path}/admin.sock"
    text = on_terminal("--url", own, "--watch", until=lambda text: text.count("providers online") == 2)
    assert text.count("\x1b[H\x1b[2J") >= 2


def test_watch_into_pipe(at, tmp_path):
    """Table after table without a terminal's codes, until nobody reads."""
    own = f"unix:{tmp_path}/admin.sock"
    child = subprocess.Popen([BINARY, "status", "--watch", "--url", own], stdout=subprocess.PIPE, text=True)
    text = ""
    while text.count("providers online") < 2:
        text += child.stdout.readline()
    child.stdout.close()
    child.wait(DEADLINE)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "body, code",
    [
        (b'{"providers":[{"name":"a\\u001b[31mb\\u009b","status":"online","tier":1e99,"latency":-1}]}', 0),
        (b'{"providers":[{}, 7, null]}', 0),
        (b'{"providers":{}}', 1),
        (b"<html>", 1),
        (b"", 1),
    ],
)
def test_strange_answers(provider, body, code):
    """What answers there may be anything: the terminal gets no control characters, and nothing crashes."""
    child = subprocess.Popen(
        [BINARY, "status", "--url", f"http://{provider.address}/behind/proxy"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    provider.read()
    assert provider.head.start == "GET /behind/proxy/admin/health HTTP/1.1"
    provider.current.send(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    provider.current.close()
    output, errors = child.communicate(timeout=DEADLINE)
    assert child.returncode == code and "\x1b" not in output + errors and "\x9b" not in output
    assert "a?[31mb?" in output or body[:20] != b'{"providers":[{"name'


def test_check_is_for_container_health_checks(gateway, mock, tmp_path):
    ready = gateway(mock())
    done = status("--check", "--url", ready.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    alone = gateway(mock("--fail 401"))
    complete(alone)
    done = status("--check", "--url", alone.url)
    assert done.returncode == 1 and "503" in done.stderr
    assert status("--check", "--url", f"unix:{tmp_path}/nobody").returncode == 69


def reset(*arguments):
    return subprocess.run([BINARY, "reset", *arguments], capture_output=True, text=True, timeout=DEADLINE)


def test_reset(at):
    where = ["--url", at.url, "--token", TOKEN]
    done = reset("good", *where)
    assert (done.returncode, done.stdout) == (0, "good: its cooldowns are ended\n")
    assert "is at its rate limit" in status(*where).stdout
    done = reset(*where)
    assert (done.returncode, done.stdout) == (0, "limited: its cooldowns are ended\n")
    assert "is at its rate limit" not in status(*where).stdout
    assert reset(*where).stdout == "no provider is left alone\n"


def test_reset_refused(at):
    done = reset("nobody/..", "--url", at.url, "--token", TOKEN)
    assert done.returncode == 1 and "no provider `nobody/..`" in done.stderr
    done = reset("--url", at.url, "--token", "wrong")
    assert done.returncode == 64 and "does not know this admin token" in done.stderr
    assert reset("good", "--url", "127.0.0.1:1").returncode == 69
    assert reset("good", "good").returncode == 64 and reset("--watch").returncode == 64
