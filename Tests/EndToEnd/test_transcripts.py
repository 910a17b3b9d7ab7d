"""Every file of Tests/Transcripts, run against the real server: over plain connections, over TLS, and over HTTP/2."""

import pytest

from gateway import ROOT
from transcript import Run
from wire_h2 import H2Provider
from wire_h2_client import H2Client

# About chunks as such.
OF_HTTP_1 = {"answer-odd-chunks", "fault-bad-chunk"}
# About a client's chunks, or half of its connection.
OF_HTTP_1_CLIENTS = {"request-padded-chunk", "client-half-closes", "client-half-closes-stream"}
FILES = sorted((ROOT / "Tests/Transcripts").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript(file, start):
    Run(file.read_text(), start).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_over_tls(file, start, certificate):
    Run(file.read_text(), start, certificate).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_of_clients_over_tls(file, start, certificate):
    Run(file.read_text(), start, listener=certificate).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_over_http2(file, start, certificate):
    if file.stem in OF_HTTP_1:
        pytest.skip("it is about HTTP/1.1 itself")
    Run(file.read_text(), start, certificate, H2Provider).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_of_clients_over_http2(file, start):
    if file.stem in OF_HTTP_1_CLIENTS:
        pytest.skip("it is about HTTP/1.1 itself")
    Run(file.read_text(), start, client=H2Client).execute()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_transcript_over_http2_on_both_sides(file, start, certificate):
    if file.stem in OF_HTTP_1 | OF_HTTP_1_CLIENTS:
        pytest.skip("it is about HTTP/1.1 itself")
    Run(file.read_text(), start, certificate, H2Provider, listener=certificate, client=H2Client).execute()


def test_there_are_transcripts():
    assert len(FILES) > 30
