"""What tests ask for by name. Everything started here is stopped here, by its process id."""

import subprocess

import pytest

from gateway import Gateway, Mock
from wire import Provider


@pytest.fixture
def start():
    """Starts processes and providers; they are stopped, and looked at, when the test is over."""
    started = []

    def begin(kind, *arguments, **options):
        made = kind(*arguments, **options)
        started.append(made)
        return made

    yield begin
    faults = []
    for made in reversed(started):
        try:
            made.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def gateway(start):
    """A gateway in front of scripted or mock providers: one entry in the tier file for each, in tier order."""

    def begin(*providers, more="", models="[m]", entry=""):
        lines = [more, "providers:"]
        for tier, provider in enumerate(providers):
            written = provider.entry if isinstance(provider, Provider) else provider.provider
            lines.append(f"  {'abcdef'[tier]}: {written(tier, models, entry)}")
        return start(Gateway, "\n".join(lines) + "\n")

    return begin


@pytest.fixture
def provider(start):
    return start(Provider)


@pytest.fixture
def mock(start):
    return lambda options="": start(Mock, options)


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
