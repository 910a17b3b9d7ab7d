"""Completions and man pages, as contrib/package-parts/manual makes them: each shell completes, and the pages are well made."""

import os
import pty
import re
import shutil
import subprocess

import pytest

from gateway import BINARY, DEADLINE, ROOT

WANTED = [
    ("synaxis st", {"status"}),
    ("synaxis status --wa", {"--watch"}),
    ("synaxis run --log-level wa", {"warning"}),
    ("synaxis check -c tier", {"tier-file.yaml"}),
    ("synaxis batch -o tier", {"tier-file.yaml"}),
    ("synaxis bench --allow", {"--allow-remote"}),
]


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    directory = tmp_path_factory.mktemp("manual")
    subprocess.run([ROOT / "contrib/package-parts/manual", BINARY, directory, "2026-01-01"], check=True)
    return directory / "share"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "tier-file.yaml").touch()
    return tmp_path


def run(program, script, directory):
    assert shutil.which(program), f"{program} is not installed: contrib/packages {program}"
    done = subprocess.run([program, "-c", script], capture_output=True, text=True, cwd=directory, timeout=DEADLINE,
                          env={"PATH": os.environ["PATH"], "HOME": str(directory)})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize(("line", "wanted"), WANTED)
def test_bash(share, directory, line, wanted):
    words = line.split()
    script = f"source {share}/bash-completion/completions/synaxis; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
    found = run("bash", script + 'complete -p synaxis >/dev/null; _synaxis; printf "%s\\n" "${COMPREPLY[@]}"', directory)
    assert set(found.split()) == wanted


@pytest.mark.parametrize(("line", "wanted"), WANTED)
def test_fish(share, directory, line, wanted):
    found = run("fish", f"source {share}/fish/vendor_completions.d/synaxis.fish; complete -C '{line}'", directory)
    assert {each.split("\t")[0] for each in found.splitlines()} == wanted
    # What an option means stands behind it.
    assert "--" not in line or "\t" in found or "log-level" in line


@pytest.mark.parametrize(("line", "wanted"), WANTED)
def test_zsh(share, directory, line, wanted):
    """Typed on a terminal, with the key that completes."""
    assert shutil.which("zsh"), "zsh is not installed: contrib/packages zsh"
    terminal, side = pty.openpty()
    child = subprocess.Popen(["zsh", "-f", "-i"], stdin=side, stdout=side, stderr=side, cwd=directory, start_new_session=True,
                             env={"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "dumb", "PS1": "> "})
    os.close(side)
    text = ""

    def until(pattern):
        nonlocal text
        while not re.search(pattern, text):
            piece = os.read(terminal, 4096).decode()
            assert piece, text
            text += piece
        text = ""

    try:
        fpath = f"{share}/zsh/vendor-completions"
        os.write(terminal, f"fpath=({fpath} $fpath); autoload -Uz compinit; compinit -D -u; print rea''dy\n".encode())
        until(r"ready\r")
        (end,) = wanted
        os.write(terminal, f"{line}\t".encode())
        until(re.escape(line.rpartition(" ")[0] + " " + end) + " ")
    finally:
        os.close(terminal)
        child.wait(DEADLINE)


def test_pages(share):
    """Every option of every command stands in synaxis(1), every section of the tier file in synaxis.yaml(5)."""
    page = (share / "man/man1/synaxis.1").read_text()
    overview = subprocess.run([BINARY, "--help"], capture_output=True, text=True).stdout
    for command in re.findall(r"^  ([a-z]+)  ", overview, re.M):
        assert f".SH {command.upper()}\n" in page
    assert page.startswith(".TH SYNAXIS 1 ") and ".BR synaxis.yaml (5)" in page
    assert not re.search(r"(?<!\\)-[a-z]", re.sub(r"^\..*$", "", page, flags=re.M))
    tier_file = (share / "man/man5/synaxis.yaml.5").read_text()
    for section in ("ADMIN", "LIMITS", "TIMEOUTS", "CACHE", "PROVIDERS.NAME", "TLS"):
        assert f'.SH "{section}"' in tier_file
