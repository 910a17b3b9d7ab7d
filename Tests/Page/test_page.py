"""The page for people in a browser: what it shows, what it does, and that everybody can use it."""

import json
import re
import signal

import pytest
from axe_playwright_python.sync_playwright import Axe

from conftest import TOKEN, complete
from gateway import Gateway
from pages import ask
from test_activity import Watcher
from test_savings import Teller, ask as tell, two
from wire import Reader
from wire_http import HTTPHandler, HTTPProvider

LIMITED = "--fail 429:2 --retry-after 1800 --gap-ms 0 --think-ms 20"
STEADY = "--gap-ms 0 --think-ms 30"


def busy(gateway):
    """A gateway after some failovers, hits and failures."""
    at = gateway(
        {"limited": LIMITED, "steady": STEADY, "broken": "--fail 401"},
        f"admin: {{ token: {TOKEN} }}\ncache: {{ enabled: true }}\naliases: {{ only: [broken/m] }}")
    for number in range(24):
        assert complete(at, number, stream=True, stream_options={"include_usage": True}) == 200
    for _ in range(3):
        assert complete(at, "again", temperature=0) == 200
    assert complete(at, model="only") == 502
    return at


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_content(gateway, open_page, width, scheme):
    at = busy(gateway)
    page = open_page(at, width=width, height=900 if width > 400 else 844, scheme=scheme)
    page.waits_for("document.getElementById('exchanges').children.length === 28")
    assert page.text("#overall") == "degraded" and page.text("#link") == "live"
    assert page.text("#requests") == "28" and page.text("#requests-more") == "1 failed (3.6 %)"
    assert page.text("#first").endswith(" ms") and page.text("#tokens") != "0"
    assert page.text("#saved") == "2" and "1 of 3 providers online" in page.text("#flying-more")
    assert re.search(r"cooling is at its rate limit \(429: .*\), again in (29|30):", page.row("providers", "limited"))
    assert re.search(r"offline rejected its key \(401: .*\), again in ", page.row("providers", "broken"))
    steady = page.row("providers", "steady")
    assert "online" in steady and "100 %" in steady and "End cooldown" not in steady
    rows = [" ".join(row.split()) for row in page.tab.locator("#exchanges tr").all_inner_texts()]
    assert "broken 401" in rows[0] and "502 all attempts failed" in rows[0]
    assert "from the cache" in rows[1] and "hit" in rows[1]
    assert any("limited 429 → steady" in row for row in rows)
    # A plot says in words what it draws.
    assert "Requests of the last 15 minutes, at most" in page.tab.get_attribute("#plot-requests", "aria-label")
    assert page.tab.locator("#plot-requests rect.a").count() >= 1 and page.tab.locator("#plot-requests rect.bad").count() >= 1
    # Nothing has to be scrolled sideways, and every text is inside.
    assert page.tab.evaluate("document.documentElement.scrollWidth") == width
    page.picture(f"{scheme}-{width}")
    if width < 400:
        page.tab.evaluate("document.getElementById('providers-title').scrollIntoView()")
        page.picture(f"{scheme}-{width}-tables")
    # WCAG 2.2 A and AA, and what axe-core calls good practice: landmarks, headers, names, contrast.
    found = Axe().run(page.tab).response["violations"]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


class Wordy(HTTPHandler):
    """Refuses in words that no line can hold."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        text = json.dumps({"error": {"message": "see/" + "billing/overview/" * 10}}).encode()
        self.send_response(429)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.mark.parametrize("width", [1200, 768, 390, 320])
def test_long_words(start, open_page, width):
    """Names and reasons of any length stay inside."""
    refuser, model = start(HTTPProvider, Wordy), "vendor/" + "x" * 80
    entries = [
        f'  {"provider-" * 6}{n}: {{ type: openai, endpoint: "http://{refuser.address}/v1", key: k, tier: {n}, rpm: 30, '
        f"tpd: 1000000, models: {{ {model}: m }} }}\n" for n in range(2)]
    at = start(Gateway, f"admin: {{ token: {TOKEN} }}\nproviders:\n" + "".join(entries))
    assert complete(at, model=model) == 429
    page = open_page(at, width=width)
    page.waits_for("document.getElementById('providers').innerText.includes('billing/overview') "
                   "&& document.getElementById('exchanges').children.length === 1")
    assert page.tab.evaluate("document.documentElement.scrollWidth") == width


def test_lives(gateway, open_page):
    """What happens comes by itself; a cooldown counts, and the button ends it."""
    at = gateway({"limited": LIMITED, "steady": STEADY})
    page = open_page(at)
    page.waits_for("!document.getElementById('none').hidden")
    assert f"{at.url}/v1" in page.text("#none")
    assert complete(at, 1) == complete(at, 2) == 200
    page.waits_for("document.getElementById('exchanges').children.length === 2")
    page.waits_for("document.getElementById('said').textContent.startsWith('limited is cooling: is at its rate limit (429: ')")
    before = page.row("providers", "limited")
    page.waits_for(f"!document.getElementById('providers').innerText.includes('{before.split('again in ')[1][:5]}')")
    # By keyboard alone: the first key goes past the head, the next to the button.
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.textContent") == "Skip to the figures"
    page.tab.keyboard.press("Enter")
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.getAttribute('aria-label')") == "End the cooldown of limited"
    page.tab.keyboard.press("Enter")
    page.waits_for("document.getElementById('said').textContent === 'limited is online'")
    assert ask(at, "/admin/providers/limited/status", token=TOKEN).json["status"] == "online"
    assert not page.tab.is_visible("#providers button")


def test_savings(start, open_page):
    """What conversations that stayed have saved, and the money."""
    at = two(start, start(Teller))
    assert tell(Reader(at.connect()))[0].status == 200
    page = open_page(at, token="t")
    page.waits_for("document.getElementById('tokens').textContent === '1,100'")
    assert page.text("#saved-more") == "80.0 % of the input was in prompt caches, $0.0040 of $0.0045"
    assert page.tab.evaluate("document.documentElement.scrollWidth") == 1200


def test_hidden_tab(gateway, open_page):
    """Nobody looks: the stream ends. Somebody looks again: a fresh state, and what has happened meanwhile."""
    at = gateway({"steady": STEADY})
    page = open_page(at)
    page.waits_for("document.getElementById('link').textContent === 'live'")
    streams = lambda: sum(url.endswith("/admin/events") for url in page.requests)
    assert streams() == 1
    page.hide(True)
    page.waits_for("document.getElementById('link').textContent === 'paused'")
    for number in range(3):
        assert complete(at, number) == 200
    # The server has seen the stream end: eight more have room.
    watchers = [Watcher(at) for _ in range(8)]
    assert all(each.event()[0] == "all" for each in watchers)
    for each in watchers:
        each.connection.close()
    assert page.tab.locator("#exchanges tr").count() == 0 and streams() == 1
    page.hide(False)
    page.waits_for("document.getElementById('exchanges').children.length === 3")
    assert streams() == 2


def test_token(gateway, open_page):
    """It is asked for once in a tab, does not stay in the address, and is gone with the tab."""
    at = gateway({"steady": STEADY})
    page = open_page(at, token=None)
    page.tab.wait_for_selector("#door:not([hidden])")
    assert page.tab.evaluate("document.activeElement.id") == "token"
    page.picture("door")
    page.tab.fill("#token", "wrong")
    page.tab.keyboard.press("Enter")
    page.waits_for("document.getElementById('wrong').textContent === 'That is not the token.'")
    page.tab.fill("#token", TOKEN)
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector("#room:not([hidden])")
    page.tab.reload()
    page.tab.wait_for_selector("#room:not([hidden])")
    assert page.tab.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    # The browser itself reports each 401.
    assert [text for text in page.errors if "401" not in text] == []
    page.errors.clear()

    linked = open_page(at)
    linked.tab.wait_for_selector("#room:not([hidden])")
    assert linked.tab.url == at.url + "/"


def test_without_admin_section(gateway, open_page):
    page = open_page(gateway({"steady": STEADY}, ""), token=None)
    page.tab.wait_for_selector("#off:not([hidden])")
    assert 'admin: { token: "${SYNAXIS_ADMIN_TOKEN}" }' in page.text("#off")
    assert not page.tab.is_visible("#room") and not page.tab.is_visible("#door")
    page.picture("off")
    found = Axe().run(page.tab).response["violations"]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    page.errors.clear()  # the browser's own line about the 403


def test_reload(gateway, open_page):
    """The tier file has another token: the page asks for it, and goes on."""
    at = gateway({"steady": STEADY})
    page = open_page(at)
    page.tab.wait_for_selector("#room:not([hidden])")
    at.file.write_text(at.file.read_text().replace(TOKEN, TOKEN + "2"))
    at.signal(signal.SIGHUP)
    page.tab.wait_for_selector("#door:not([hidden])")
    page.tab.fill("#token", TOKEN + "2")
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector("#room:not([hidden])")
    page.errors.clear()
