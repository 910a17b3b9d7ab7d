"""A browser, and a gateway with something to show."""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "EndToEnd"))

from gateway import DEADLINE, ROOT, Gateway, Mock  # noqa: E402

TOKEN = "the-admin-token"
PICTURES = ROOT / ".build/page"


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # The browser runs as whoever runs the tests, who may be root, which its sandbox does not want.
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


class Page:
    """One tab, and what went wrong in it."""

    def __init__(self, browser, at, width=1200, height=900, scheme="light", token=TOKEN):
        self.base = at.url
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(DEADLINE * 1000)
        self.requests, self.errors = [], []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))")
        self.tab.goto(self.base + "/" + (f"#token={token}" if token else ""))

    def text(self, selector):
        return self.tab.inner_text(selector)

    def row(self, table, name):
        """The words of a table's row."""
        return " ".join(self.tab.inner_text(f"#{table} tr:has-text('{name}')").split())

    def waits_for(self, script):
        """Playwright's own wait evaluates a text inside the page, which the page's policy forbids."""
        end = time.monotonic() + DEADLINE
        while not self.tab.evaluate(script):
            assert time.monotonic() < end, f"not within {DEADLINE:g} s: {script}"
            self.tab.wait_for_timeout(20)

    def picture(self, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=PICTURES / f"{name}.png", full_page=False)

    def hide(self, is_hidden):
        """What the browser does when another tab comes to the front."""
        self.tab.evaluate("""is => {
            Object.defineProperty(document, 'hidden', { get: () => is, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }""", is_hidden)

    def close(self):
        """Only our own server was asked, and nothing went wrong."""
        self.context.close()
        foreign = [url for url in self.requests if not url.startswith(self.base + "/") and not url.startswith("data:")]
        assert not foreign and not self.errors, (foreign, self.errors)


@pytest.fixture
def open_page(browser):
    pages = []

    def open_page(at, **options):
        pages.append(Page(browser, at, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def start():
    """Starts processes and providers, which are stopped when the test is over."""
    started = []

    def begin(kind, *arguments):
        started.append(kind(*arguments))
        return started[-1]

    yield begin
    for each in reversed(started):
        each.stop()


@pytest.fixture
def gateway(start):
    """A gateway over mocks: their options, one word of YAML more for each provider, and more of the tier file."""

    def begin(providers, more=f"admin: {{ token: {TOKEN} }}"):
        entries = [
            f"  {name}: {start(Mock, options).provider(tier)}\n" for tier, (name, options) in enumerate(providers.items())]
        return start(Gateway, f"{more}\nproviders:\n" + "".join(entries))

    return begin


def complete(at, number=0, **more):
    """One request through the gateway: its status."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"Hello {number}"}], **more}
    request = urllib.request.Request(
        at.url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
