"""contrib/packages, with an apt of our own."""

import subprocess

import pytest

from gateway import ROOT


@pytest.fixture
def run(tmp_path):
    """Runs it where `installed` packages are there, and `apt-get` ends with these statuses."""

    def begin(installed, update, install):
        programs = {
            "dpkg-query": f'case " {installed} " in *" $4 "*) printf installed ;; *) exit 1 ;; esac',
            "apt-get": f'echo "$@" >>{tmp_path}/calls; case $1 in update) exit {update} ;; *) exit {install} ;; esac',
            "sudo": 'exec "$@"',
        }
        for name, script in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "calls").write_text("")
        done = subprocess.run(
            ["bash", ROOT / "contrib/packages", "one", "two"],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
        calls = (tmp_path / "calls").read_text().splitlines()
        return done, calls

    return begin


def test_nothing_is_fetched_where_nothing_is_missing(run):
    done, calls = run("one two", update=100, install=100)
    assert (done.returncode, calls) == (0, [])


def test_what_is_missing_is_installed(run):
    done, calls = run("one", update=0, install=0)
    assert done.returncode == 0 and done.stderr == ""
    assert [call.split()[-1] for call in calls] == ["-qq", "two"]


def test_a_list_that_cannot_be_fetched_is_no_reason_to_give_up(run):
    done, calls = run("one", update=100, install=0)
    assert done.returncode == 0 and "not every list" in done.stderr
    assert len(calls) == 2


def test_a_package_that_cannot_be_had_is(run):
    done, _ = run("one", update=100, install=100)
    assert done.returncode == 100
