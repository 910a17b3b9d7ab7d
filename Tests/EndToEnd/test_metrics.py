"""`/metrics`, and what is made of it: the alert rules and the dashboard."""

import json
import re
import shutil
import subprocess

import prometheus_client.openmetrics.parser
import prometheus_client.parser
import pytest

from gateway import ROOT, Gateway, eventually
from pages import ask, complete, samples, value

promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not there (Debian: prometheus)")

STREAM = '{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
DURATION = "gen_ai_client_operation_duration_seconds"
FIRST = "gen_ai_client_operation_time_to_first_chunk_seconds"
TOKENS = "gen_ai_client_token_usage"


def metrics(at):
    return samples(ask(at, "/metrics").body)[0]


def busy(gateway, mock):
    """A gateway that has seen successes, failovers, refusals and cache hits."""
    more = "cache: { enabled: true, sampled: true }\nclients: [ { name: app, key: k1 } ]"
    at = gateway(mock("--fail 500:2"), mock(), more=more, models=r"""[m, 'odd "name" \ ']""")
    for body in ('{"model":"m","messages":[]}', STREAM, '{"model":"m","messages":[],"n":1}', STREAM):
        assert complete(at, body, "Authorization: Bearer k1\r\n")[0] == 200
    assert complete(at, '{"model":"unheard-of","messages":[]}', "Authorization: Bearer k1\r\n")[0] == 404
    assert complete(at, "nonsense", "Authorization: Bearer k1\r\n")[0] == 400
    return at


@promtool
def test_promtool(gateway, mock):
    page = ask(busy(gateway, mock), "/metrics")
    assert page.head["content-type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr


# What Prometheus sends.
PREFERRED = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
             "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


@pytest.mark.parametrize("accept, open_metrics", [
    (PREFERRED, True),
    ("application/openmetrics-text", True),
    ("Text/Plain;q=0.9, Application/OpenMetrics-Text ; q=0.9", True),
    ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5", False),
    ("application/openmetrics-text;q=0", False),
    ("text/html, */*;q=0.8", False),
    ("", False),
])
def test_the_format_is_what_is_accepted(gateway, mock, accept, open_metrics):
    page = ask(gateway(mock()), "/metrics", more=f"Accept: {accept}\r\n")
    assert page.status == 200
    kind = "application/openmetrics-text; version=1.0.0" if open_metrics else "text/plain; version=0.0.4"
    assert page.head["content-type"] == f"{kind}; charset=utf-8"
    assert page.body.endswith("\n# EOF\n") == open_metrics


def test_open_metrics_are_read_by_their_own_parser(gateway, mock):
    """Both formats tell the same; the parsers are those of Prometheus' Python client, the second one is strict."""
    at = busy(gateway, mock)
    text = prometheus_client.parser.text_string_to_metric_families(ask(at, "/metrics").body)
    strict = prometheus_client.openmetrics.parser.text_string_to_metric_families(
        ask(at, "/metrics", more=f"Accept: {PREFERRED}\r\n").body)
    told = []
    for families in (text, strict):
        found = {}
        for family in families:
            assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
            for sample in family.samples:
                assert family.type != "counter" or sample.name == family.name + "_total"
                found[sample.name, frozenset(sample.labels.items())] = (family.type, sample.value)
        told.append(found)
    assert told[0].keys() == told[1].keys() and len(told[0]) > 200
    # With time, and with the requests for the pages.
    moves = ("process_", "synaxis_provider_cooldown", "synaxis_buffered", "synaxis_connections")
    for key, sample in told[0].items():
        assert key[0].startswith(moves) or told[1][key] == sample, key


def test_counts(gateway, mock):
    at = busy(gateway, mock)
    found, types = samples(ask(at, "/metrics").body)
    assert value(found, "synaxis_exchanges_total") == value(found, "synaxis_exchanges_total", end="complete") == 4
    assert value(found, "synaxis_refusals_total", code="model_not_found") == 1
    assert value(found, "synaxis_refusals_total", code="invalid_json") == 1
    assert value(found, "synaxis_attempts_total", provider="a", reason="ok") == 2
    assert value(found, "synaxis_attempts_total", provider="a", reason="server_error") == 1
    assert value(found, "synaxis_attempts_total", provider="b", reason="ok") == 1
    assert value(found, "synaxis_cache_requests_total", outcome="hit") == 1
    assert value(found, "synaxis_cache_requests_total", outcome="miss") == 3
    assert value(found, DURATION + "_count", error_type="", gen_ai_request_model="m") == 4
    assert value(found, FIRST + "_count", gen_ai_operation_name="chat") == 2
    # Hits cost no tokens. The mock tells its own figures in plain answers and streams.
    assert value(found, TOKENS + "_count", gen_ai_token_type="output") == 3
    assert value(found, TOKENS + "_sum", gen_ai_token_type="output") > 0
    assert "unheard-of" not in ask(at, "/metrics").body
    for name, kind in types.items():
        if kind != "histogram":
            continue
        series = {}
        for (key, labels), number in found.items():
            if key == name + "_bucket":
                rest = frozenset(pair for pair in labels if pair[0] != "le")
                bound = float(dict(labels)["le"].replace("+Inf", "inf"))
                series.setdefault(rest, []).append((bound, number))
        assert series
        for rest, buckets in series.items():
            counts = [number for _, number in sorted(buckets)]
            assert counts == sorted(counts) and counts[-1] == found[name + "_count", rest]


def test_provider_states(gateway, mock):
    at = gateway(mock("--fail 429 --retry-after 600"), mock())
    assert complete(at)[0] == 200
    found = metrics(at)
    assert value(found, "synaxis_provider_state", provider="a", state="cooling") == 1
    assert value(found, "synaxis_provider_state", provider="a", state="online") == 0
    assert value(found, "synaxis_provider_state", provider="b", state="online") == 1
    assert 500 < value(found, "synaxis_provider_cooldown_seconds", provider="a") <= 600
    assert value(found, "synaxis_provider_cooldown_seconds", provider="b") == 0
    assert value(found, "synaxis_provider_latency_seconds", provider="b") > 0


def test_breaker(gateway, mock):
    at = gateway(mock("--fail 500"), mock())
    for _ in range(3):
        assert complete(at)[0] == 200
    found = metrics(at)
    assert value(found, "synaxis_provider_breaker_open", provider="a") == 1
    assert value(found, "synaxis_provider_breaker_open", provider="b") == 0


def test_names_of_clients_do_not_become_labels(gateway, mock):
    """A provider that passes any model on: the client's words are counted, not kept."""
    at = gateway(mock("--models '*'"), models='["*"]')
    for number in range(20):
        complete(at, f'{{"model":"invented-{number}","messages":[]}}')
    page = ask(at, "/metrics").body
    assert "invented" not in page
    assert value(samples(page)[0], DURATION + "_count", gen_ai_request_model="other") == 20


def test_process(gateway, mock):
    at = gateway(mock())
    found = metrics(at)
    assert abs(value(found, "process_resident_memory_bytes") - at.status("VmRSS")) < 4 << 20
    assert value(found, "process_open_fds") > 3 and value(found, "process_max_fds") > 100
    assert value(found, "synaxis_build_info") == 1
    before = value(found, "synaxis_connections")
    with at.connect() as connection:
        connection.sendall(b"GET ")
        eventually(lambda: value(metrics(at), "synaxis_connections") == before + 1, "one connection more")
        eventually(lambda: value(metrics(at), "synaxis_buffered_bytes") >= 4, "its four bytes")


def test_head_and_method(gateway, mock):
    at = gateway(mock())
    assert ask(at, "/metrics", "HEAD").status == 200
    assert ask(at, "/metrics", "POST").status == 405


@promtool
def test_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", str(ROOT / "contrib/alerts.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_each_rule_is_raised_by_its_fault_and_by_nothing_else():
    tests = ROOT / "contrib/alerts-test.yaml"
    done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    text = tests.read_text()
    for name in re.findall(r"- alert: (\w+)", (ROOT / "contrib/alerts.yaml").read_text()):
        assert f"{{ alertname: {name}, eval_time" in text, f"{name} is not tested where it is quiet"
        assert re.search(rf"alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n", text), f"{name} is not tested where it fires"


def test_what_is_asked_for_exists(gateway, mock):
    """Every metric that a rule or the dashboard names is on the page."""
    _, types = samples(ask(busy(gateway, mock), "/metrics").body)
    dashboard = json.loads((ROOT / "contrib/grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert queries
    queries.append((ROOT / "contrib/alerts.yaml").read_text())
    for query in queries:
        for name in re.findall(r"\b(?:synaxis|gen_ai_client|process)_\w+", query):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in types or name in types, name
