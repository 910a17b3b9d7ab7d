"""Every key of the tier file that has bounds, at its smallest and its largest value: what `check` takes, requests survive.

The keys are those that `synaxis schema` tells of, so that none is forgotten."""

import json
import re
import subprocess

import pytest

from gateway import BINARY, DEADLINE, IS_EMULATED, Gateway
from wire import Reader, post

BODY = '{"model":"m","temperature":0,"messages":[{"role":"user","content":"hi"}],"max_tokens":7,"user":"u"}'
# Where a section stands: in the tier file, and in the entry of the provider or the client.
PLACES = {
    "limits": ("limits: {{ {} }}", "", ""),
    "timeouts": ("timeouts: {{ {} }}", "", ""),
    "cache": ("cache: {{ {} }}", "", ""),
    "affinity": ("affinity: {{ {} }}", "", ""),
    "root": ("{}", "", ""),
    "client": ("", "", ", {}"),
    "provider": ("", ", {}", ""),
    "batch": ("", ", batch: {{ {} }}", ""),
    "cost": ("", ", cost: {{ {} }}", ""),
    "spend": ("", ", cost: {{ input: 1 }}, spend: {{ {} }}", ", spend: {{ {} }}"),
    "model": ("", "", ""),
    "edit": ("", ", edits: [{{ clamp: max_tokens, {} }}]", ""),
}
# Of these the least is so little that an error may be the answer: too late, or of no money or one request a minute.
MAY_FAIL = {"failover", "connect", "first_token", "stream_idle", "request", "day", "rpm", "rpd", "tpm", "tpd"}
SPANS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
SIZES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def bounds(value):
    """The least and the most of a key, as they stand in the tier file; nil where it has none."""
    text = json.dumps(value)
    if found := re.search(r'"(?:integer|number)", "minimum": ([\d.]+), "maximum": (\d+)', text):
        return found[1], found[2]
    if not re.search("definitions/(?:duration|size)", text):
        return None
    found = re.search(r"From (\d+\w+) to (\d+\w+)(?: \((\d+\w+) on a 32-bit machine\))?\.", value["description"])
    assert found, f"its bounds are not told: {text}"
    return found[1], found[3] if found[3] and is_short else found[2]


def beyond(section, key, value, step):
    """The next value outside; nil: there is none."""
    if "." in value:
        return str(float(value) / 2 if step < 0 else float(value) + step)
    number, unit = re.fullmatch(r"(\d+)(\D*)", value).groups()
    number = int(number)
    if unit in SIZES:
        return str(number * SIZES[unit] + step)
    if unit in SPANS:
        outside = number * SPANS[unit] * 1000 + step
        return f"{outside}us" if outside >= 0 else None
    return str(number + step) if number + step >= 0 else None


def all_keys():
    schema = json.loads(subprocess.run([BINARY, "schema"], capture_output=True, timeout=DEADLINE, check=True).stdout)
    for section, definition in [("root", schema), *schema["definitions"].items()]:
        for key, value in definition.get("properties", {}).items():
            if found := bounds(value):
                yield section, key, *found


is_short = False
try:
    machine = subprocess.run([BINARY, "check", "-c", "/dev/stdin"], input=b"cache: { size: 2GiB }\nproviders: { a: { endpoint: 'http://127.0.0.1:1/v1', models: [m] } }\n", capture_output=True, timeout=DEADLINE)
    is_short = machine.returncode == 78
    KEYS = list(all_keys())
except OSError:
    KEYS = []


def tier_file(address, settings):
    """A file with the settings, each a section, a key and its value."""
    sections = {}
    for section, key, value in settings:
        sections.setdefault(section, []).append(f"{key}: {value}")
    model = ", ".join(sections.pop("model", []))
    lines, provider, client = [], "", ""
    for section, pairs in sections.items():
        above, of_provider, of_client = PLACES[section]
        lines.append(above.format(("\n" if section == "root" else ", ").join(pairs)))
        provider += of_provider.format(", ".join(pairs))
        client += of_client.format(", ".join(pairs))
    if not any(line.startswith("cache:") for line in lines):
        lines.append("cache: { enabled: true }")
    lines.append(f"clients: [{{ name: c, key: k{client} }}]")
    models = f"{{ m: {{ {model} }} }}" if model else "[m]"
    lines.append(f'providers:\n  a: {{ type: openai, endpoint: "http://{address}/v1", models: {models}{provider} }}')
    return "\n".join(lines) + "\n"


def answers(start, address, settings, may_fail):
    """Starts with the settings and asks: the second time may be the cache's, the third one's may be one of a batch."""
    at = start(Gateway, tier_file(address, settings))
    for path, sent in [("chat/completions", BODY), ("chat/completions", BODY), ("embeddings", '{"model":"m","input":"hi"}')]:
        with at.connect() as connection:
            connection.sendall(post(sent, f"/v1/{path}", "Authorization: Bearer k\r\n"))
            head, body = Reader(connection).read()
        if head.status != 200:
            assert may_fail and json.loads(body)["error"]["code"], (settings, head.start, body)
    at.stop()
    at.stop = lambda: None


def check(folder, text):
    file = folder / "s.yaml"
    file.write_text("listen: 127.0.0.1:0\n" + text)
    return subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, text=True, timeout=DEADLINE)


def test_every_section_has_a_place():
    assert len(KEYS) > 30
    assert {section for section, *_ in KEYS} <= set(PLACES)


@pytest.mark.parametrize("is_most", [False, True])
def test_each_key_at_its_end(start, mock, tmp_path, is_most):
    """One that does not fit beside what the others are by default stands with its whole section at that end."""
    if IS_EMULATED:
        pytest.skip("one start takes seconds there; all keys together are tried")
    address = mock().address
    ends = [(section, key, most if is_most else least) for section, key, least, most in KEYS]
    alone = 0
    for end in ends:
        settings = [end]
        if check(tmp_path, tier_file(address, settings)).returncode == 0:
            alone += 1
        else:
            settings = [other for other in ends if other[0] == end[0]]
        may_fail = not is_most and any(key in MAY_FAIL for _, key, _ in settings)
        answers(start, address, settings, may_fail)
    assert alone > len(ends) * 3 / 4


@pytest.mark.parametrize("is_most", [False, True])
def test_all_keys_at_their_ends(start, mock, is_most):
    """But for those that say the same of one place."""
    settings = [
        (section, key, most if is_most else least) for section, key, least, most in KEYS if section not in ("spend", "edit")
    ]
    answers(start, mock().address, settings, may_fail=not is_most)


@pytest.mark.parametrize("is_most", [False, True])
def test_beyond_its_end(tmp_path, is_most):
    """And the next value is refused, by its line."""
    if IS_EMULATED:
        pytest.skip("one start takes seconds there")
    for section, key, least, most in KEYS:
        outside = beyond(section, key, most if is_most else least, 1 if is_most else -1)
        if outside is None:
            continue
        done = check(tmp_path, tier_file("127.0.0.1:1", [(section, key, outside)]))
        assert done.returncode == 78 and key in done.stderr, (section, key, outside, done.stderr)
