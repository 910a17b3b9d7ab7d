"""How contrib/toolchain gets a compiler where there is none: a local server plays swift.org's download site."""

import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading

import pytest

from gateway import ROOT

TOOLS = (
    "bash basename cat chmod curl cut dirname getconf gpg gpg-agent grep gzip head mkdir mktemp readlink rm sed sh sort stat "
    "tail tar tr uname env").split()
COMPILER = '#!/bin/sh\necho "Swift version 6.3.1 (swift-6.3.1-RELEASE)"\n'


class Site(http.server.BaseHTTPRequestHandler):
    """Files by the last part of their path, whole or from an offset; `breaks` cuts the next body after 1000 bytes."""

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        content = self.server.files.get(self.path.rsplit("/", 1)[1])
        if content is None:
            return self.send_error(404)
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        self.server.asked.append((self.path, start))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if with_body and self.server.breaks and self.path.endswith(".tar.gz"):
            self.server.breaks = False
            self.wfile.write(content[start:start + 1000])
        elif with_body:
            self.wfile.write(content[start:])

    def log_message(self, *arguments):
        pass


def tarball():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text, mode in (("usr/bin/swiftc", COMPILER.encode(), 0o755), ("usr/noise", os.urandom(50_000), 0o644)):
            entry = tarfile.TarInfo("swift-6.3.1/" + name)
            entry.size, entry.mode = len(text), mode
            archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


@pytest.fixture
def machine(tmp_path):
    """A machine without Swift, and the site; `run` calls contrib/toolchain on it."""
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    signing = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*signing, "--quick-generate-key", "site@test", "ed25519", "sign"], check=True, capture_output=True)
    listed = subprocess.run([*signing, "--with-colons", "-k"], check=True, capture_output=True, text=True).stdout
    (tmp_path / "contrib").mkdir()
    for name in ("toolchain", "packages"):
        shutil.copy(ROOT / "contrib" / name, tmp_path / "contrib" / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        if shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.asked, server.breaks = [], False
    package = tarball()
    signature = subprocess.run([*signing, "--detach-sign"], input=package, check=True, capture_output=True).stdout
    keys = subprocess.run([*signing, "--armor", "--export"], check=True, capture_output=True).stdout
    facts = dict(line.split("=", 1) for line in open("/etc/os-release").read().splitlines() if "=" in line)
    system = facts["ID"] + facts["VERSION_ID"].strip('"')
    name = f"swift-6.3.1-RELEASE-{system}{'-aarch64' if os.uname().machine == 'aarch64' else ''}.tar.gz"
    server.files = {name: package, name + ".sig": signature, "keys.asc": keys}
    server.package = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    environment = {
        "PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "SWIFT_SITE": address, "SWIFT_KEYS": address + "/keys.asc",
        "SWIFT_KEY": next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))}

    def run(**changes):
        return subprocess.run(
            [str(tmp_path / "contrib" / "toolchain")], env={**environment, **changes}, capture_output=True, text=True,
            timeout=60)

    run.site, run.kept = server, tmp_path / ".build" / "toolchain"
    yield run
    server.shutdown()
    server.server_close()
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], capture_output=True)


def test_fetched_checked_and_kept(machine):
    first = machine()
    assert (first.returncode, first.stdout.strip()) == (0, str(machine.kept / "usr/bin")), first.stderr
    assert "0 MB" in first.stderr and machine.site.package in first.stderr
    asked = len(machine.site.asked)
    again = machine()
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    assert len(machine.site.asked) == asked


def test_a_download_that_broke_off_goes_on(machine):
    machine.site.breaks = True
    broken = machine()
    assert broken.returncode == 1 and "goes on where it stopped" in broken.stderr
    assert machine().returncode == 0
    assert machine.site.asked.count((f"{tarball_path(machine)}", 1000)) == 1


def tarball_path(machine):
    return next(path for path, _ in machine.site.asked if path.endswith(".tar.gz"))


def test_another_signature_is_refused(machine):
    content = machine.site.files[machine.site.package]
    machine.site.files[machine.site.package] = content[:-1] + bytes([content[-1] ^ 1])
    refused = machine()
    assert refused.returncode == 1 and "not signed by Swift's key" in refused.stderr
    assert not (machine.kept / "usr").exists()
    machine.site.files[machine.site.package] = content
    # Signed, by a key of the list, and not by the one that counts.
    refused = machine(SWIFT_KEY="0" * 40)
    assert refused.returncode == 1 and "not signed by Swift's key" in refused.stderr


def test_no_network(machine):
    unreachable = machine(SWIFT_SITE="http://127.0.0.1:1")
    assert unreachable.returncode == 1 and "cannot reach http://127.0.0.1:1/" in unreachable.stderr
    assert "6.2 or later" in unreachable.stderr


def test_a_compiler_that_is_too_old(machine):
    (machine.kept.parents[1] / "bin" / "swiftc").write_text(COMPILER.replace("6.3.1", "5.9"))
    (machine.kept.parents[1] / "bin" / "swiftc").chmod(0o755)
    done = machine()
    assert done.returncode == 0 and "is older than Swift 6.2" in done.stderr
