"""Every file of Tests/Transcripts, run against the real server: over plain connections, over TLS, and over TLS as libcurl has it."""

import pytest

from gateway import ROOT
from transcript import Run

FILES = sorted((ROOT / "Tests/Transcripts").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript(file, start):
    Run(file.read_text(), start).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_over_tls(file, start, certificate):
    Run(file.read_text(), start, certificate).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_by_libcurl(file, start, certificate):
    Run(file.read_text(), start, certificate, entry="http: 2, ").execute()


def test_there_are_transcripts():
    assert len(FILES) > 30
