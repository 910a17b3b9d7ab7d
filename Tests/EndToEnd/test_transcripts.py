"""Every file of Tests/Transcripts, run against the real server: over plain connections, which synaxis speaks HTTP on
itself, and over TLS, where libcurl does."""

import subprocess

import pytest

from gateway import ROOT
from transcript import Run

FILES = sorted((ROOT / "Tests/Transcripts").glob("*.txt"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "provider.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=provider "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {file}.key -out {file}".split(),
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + file.with_suffix(".pem.key").read_bytes())
    return file


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript(file, start):
    Run(file.read_text(), start).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_over_tls(file, start, certificate):
    Run(file.read_text(), start, certificate).execute()


def test_there_are_transcripts():
    assert len(FILES) > 30
