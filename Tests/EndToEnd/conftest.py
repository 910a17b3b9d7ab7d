"""What tests ask for by name. Everything started here is stopped here, by its process id."""

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
