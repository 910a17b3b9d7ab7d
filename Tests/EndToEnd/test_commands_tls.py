"""The commands that ask a running instance, over TLS."""

import json
import os
import re
import subprocess

import certificates
import pytest

from gateway import BINARY, DEADLINE, Gateway

TOKEN = "the-admin-token"
LINE = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}\n'


def run(*arguments, **environment):
    return subprocess.run(
        [BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE,
        env={"PATH": os.environ["PATH"], **environment})


@pytest.fixture
def secure(start, mock):
    """An instance whose listener speaks TLS, with the certificate of a file."""

    def begin(file, address="127.0.0.1:0", more="", admin=""):
        text = f"""listen: {{ address: "{address}", tls: {{ cert: {file} {more} }} }}
admin: {{ token: {TOKEN} {admin} }}
providers:
  limited: {mock("--fail 429 --retry-after 3000").provider()}
  good: {mock().provider(tier=1)}
"""
        return start(Gateway, text)

    return begin


def url(instance):
    return instance.url.replace("http:", "https:")


@pytest.fixture
def commands(tmp_path):
    """Each command, as it asks the instance at a URL."""
    asked = tmp_path / "in.jsonl"
    asked.write_text(LINE)
    return lambda at: {
        "status": ["status", "--url", at, "--token", TOKEN],
        "reset": ["reset", "--url", at, "--token", TOKEN],
        "bench": ["bench", at, "-n", "3", "-c", "2", "--json"],
        "batch": ["batch", asked, "-o", tmp_path / "out.jsonl", "--url", at],
    }


def test_each_command_speaks_tls(secure, certificate, commands, tmp_path):
    at = secure(certificate)
    asked = commands(url(at))
    trust = {"SSL_CERT_FILE": str(certificate)}
    assert run(*asked["bench"], **trust).returncode == 0
    done = run(*asked["status"], **trust)
    assert done.returncode == 0 and re.search(r"^limited +cooling", done.stdout, re.M), done.stderr
    done = run(*asked["reset"], **trust)
    assert done.returncode == 0 and "limited: its cooldowns are ended" in done.stdout
    assert run("status", "--check", "--url", url(at), **trust).returncode == 0
    done = run(*asked["bench"], **trust)
    assert done.returncode == 0 and json.loads(done.stdout)["completed"] == 3, done.stderr
    done = run(*asked["bench"][:2], "-n", "3", "--stream", "--json", **trust)
    assert done.returncode == 0 and json.loads(done.stdout)["events"] > 3, done.stderr
    done = run(*asked["bench"][:2], "-n", "3", "-c", "1", "--body-bytes", "300000", "--json", **trust)
    assert done.returncode == 0 and json.loads(done.stdout)["completed"] == 3, done.stderr
    done = run(*asked["batch"], **trust)
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "out.jsonl").read_text())
    assert answer["custom_id"] == "a" and answer["response"]["status_code"] == 200


@pytest.mark.parametrize(
    "what, trusts, words",
    [
        ({}, False, "the certificate of 127.0.0.1 is signed by itself, and not trusted here (SSL_CERT_FILE)"),
        ({"end": "20210101000000Z"}, True, "the certificate of 127.0.0.1 expired"),
        ({"names": "DNS:api.example.com"}, True, "the certificate is not for 127.0.0.1 but for api.example.com"),
    ],
)
@pytest.mark.parametrize("name", ["status", "reset", "bench", "batch"])
def test_what_is_wrong_with_a_certificate(secure, commands, tmp_path, name, what, trusts, words):
    file = certificates.make(tmp_path / "made", **what)
    at = secure(file)
    done = run(*commands(url(at))[name], **({"SSL_CERT_FILE": str(file)} if trusts else {}))
    assert done.returncode == (1 if name == "bench" else 69) and words in done.stderr


@pytest.mark.parametrize("name", ["status", "bench", "batch"])
def test_what_does_not_speak_tls(mock, commands, name):
    done = run(*commands(f"https://{mock().address}")[name])
    assert done.returncode in (1, 69) and "127.0.0.1 does not speak TLS on this port" in done.stderr


def test_unusable_authorities(secure, certificate, tmp_path):
    at = secure(certificate)
    done = run("status", "--check", "--url", url(at), SSL_CERT_FILE=str(tmp_path / "none.pem"))
    assert done.returncode == 69 and f"{tmp_path}/none.pem cannot be used" in done.stderr


@pytest.mark.parametrize("what", [{}, {"end": "20210101000000Z"}, {"names": "DNS:api.example.com"}])
def test_the_tier_files_listener_is_known_by_its_certificate(secure, tmp_path, what):
    """It is for the clients' name, not for the address that is asked; and the state can be seen when it has expired."""
    file = certificates.make(tmp_path / "made", **what)
    at = secure(file, f"unix:{tmp_path}/s")
    done = run("status", "-c", at.file)
    assert done.returncode == 0 and "good" in done.stdout and not done.stderr
    assert run("status", "--check", "-c", at.file).returncode == 0
    assert "no provider is left alone" in run("reset", "-c", at.file).stdout
    # Any other certificate may be another server's, also one by the same name.
    file.write_bytes(certificates.make(tmp_path / "other", **what).read_bytes())
    done = run("status", "-c", at.file)
    assert done.returncode == 69 and "shows another certificate than the tier file has" in done.stderr


def test_listeners_that_want_a_certificate_are_not_asked(secure, certificate, tmp_path):
    wanting = f", client_ca: {certificate}"
    done = run("status", "-c", secure(certificate, f"unix:{tmp_path}/s", wanting).file)
    assert done.returncode == 78 and "want a certificate of their clients" in done.stderr
    done = run("status", "--url", url(secure(certificate, more=wanting)), SSL_CERT_FILE=str(certificate))
    assert done.returncode == 69 and "127.0.0.1 wants a client's certificate" in done.stderr
    both = secure(certificate, more=wanting, admin=f', listen: "unix:{tmp_path}/admin"')
    assert run("status", "-c", both.file).returncode == 0
