"""Providers that die in each way under steady traffic, and others that only think."""
import email.utils
import json
import time

from actors import ADDRESS
from lab import SECURE

THINKING = 30
KEEPALIVE_GOAL = 20.0  # s, until a dead path under an idle stream is found
# A stream that idles when its path is lost: where, at which provider, as which model over which protocol.
IDLE = [(where, provider, model + suffix, name)
        for where, provider, model in (("beyond the machine", "p4", "idle"), ("on this machine", "p5", "local"))
        for suffix, name in (("", "http"), ("-h1", "https h1"), ("-h2", "https h2"))]


def healthy(lab, report):
    results = []
    for number in range(3):
        lab.serve(f"healthy{number}")
        lab.traffic(f"healthy{number}")
        time.sleep(1)
        results += lab.finish()
        lab.stop()
    report.healthy(results)
    report.add("healthy", results, "none")


def drop_fresh(lab, report):
    """The first provider is silent before the first connection to it is made."""
    lab.drop("p1")
    lab.serve("drop-fresh")
    lab.traffic("drop-fresh")
    time.sleep(7)
    report.add("DROP, fresh connections", lab.finish(), "drop")
    lab.stop()
    lab.restore("p1")


def drop_pooled(lab, report):
    """Paths die under pooled connections and idle streams, and one comes back; others think all the while."""
    lab.serve("drop-pooled", endpoints=SECURE, only=(*ADDRESS, *SECURE))
    lab.single("thinking-plain", "slow", stream=False, think=THINKING)
    lab.single("thinking-stream", "slow", stream=True, think=THINKING)
    lab.single("pausing-stream", "slow", stream=True, gap=THINKING - 5)
    for _, provider, model, _ in IDLE:
        lab.single(model + "-begun", model, stream=True, gap=100, at=provider)
        lab.single(model + "-unbegun", model, stream=True, think=100, at=provider)
    lab.traffic("drop-pooled")
    time.sleep(2)
    lab.drop("p1")
    lab.take()
    lab.drop("p4")
    lab.disturb("p4")
    lab.rules("gw", "-A", "OUTPUT", "-d", ADDRESS["p5"], "-j", "DROP")
    lab.disturb("p5")
    cut = time.monotonic()
    lab.clients.ask(do="resume")
    time.sleep(4)
    report.add("DROP, pooled connections", lab.take(), "drop")
    lab.restore("p1")
    restored = time.monotonic()
    came = None
    while came is None and time.monotonic() < restored + 20:
        time.sleep(0.5)
        lines = lab.received("p1")
        came = next((at for at, _, request in lines if at > restored and request.startswith("drop-pooled")), None)
    results = lab.take()
    time.sleep(1)
    results += lab.finish()
    report.add("path restored", results, "none")
    report.note("path restored", "provider is back within its cooldown" +
                (f", {came - restored:.1f} s after" if came else ""), came is not None)
    lasting = len([1 for at, _, r in lab.received("p1") if came and at > came and r.startswith("drop-pooled")])
    report.note("path restored", f"and stays ({lasting} requests)", lasting > 20)
    singles = {r[0]: r for r in lab.clients.ask(do="singles")["results"]}
    for name in ("thinking-plain", "thinking-stream", "pausing-stream"):
        result = singles[name]
        good = not result[3] and "," not in result[4] and result[2] > (THINKING - 6) * 1000
        report.note(name, f"{result[2] / 1000:.1f} s, never cut {result[3]}", good)
    for where, _, model, protocol in IDLE:
        result = singles[model + "-begun"]
        found = result[1] + result[2] / 1000 - cut
        good = "path_lost" in result[3] and found < KEEPALIVE_GOAL + 0.5
        report.note(f"DROP {where} under a stream with content, {protocol}",
                    f"told after {found:.1f} s{'' if good else result[3]}", good)
        result = singles[model + "-unbegun"]
        found = result[1] + result[2] / 1000 - cut
        good = not result[3] and found < KEEPALIVE_GOAL + 0.5
        report.note(f"DROP {where} under a stream without content, {protocol}",
                    f"next provider after {found:.1f} s {result[3]}", good)
    lab.stop()
    lab.restore("p4")
    lab.rules("gw", "-F", "OUTPUT")


def broken(lab, report, name, goal, begin, end, rounds=2, over="http", endpoints={}):
    """A healthy beginning, then a fault at the first provider; a new gateway each round."""
    results, before = [], []
    for number in range(rounds):
        run = "".join(letter if letter.isalnum() else "-" for letter in name) + f"-{number}"
        lab.serve(run, endpoints=endpoints)
        lab.traffic(run, over=over)
        time.sleep(0.4)
        before += lab.take()
        begin()
        time.sleep(0.6)
        results += lab.finish()
        lab.stop()
        end()
    report.add(name, results, goal, before)


def drop_one_way(lab, report):
    """The provider can still send, and sends again what was not acknowledged; it hears nothing."""
    def begin():
        lab.drop("p1", "INPUT")
        time.sleep(0.1)
        lab.clients.ask(do="resume")
    broken(lab, report, "DROP one way, pooled", "drop", begin, lambda: lab.restore("p1"), rounds=3)


def rejects(lab, report):
    def begin(how):
        lab.reject("p1", how)
        lab.clients.ask(do="resume")
    broken(lab, report, "REJECT tcp-reset", "instant", lambda: begin("tcp-reset"), lambda: lab.restore("p1"))
    # An established connection takes ICMP errors as hints only (RFC 1122 §4.2.3.9): it is silence.
    broken(lab, report, "REJECT icmp", "drop", lambda: begin("icmp-port-unreachable"), lambda: lab.restore("p1"))
    for how in ("tcp-reset", "icmp-port-unreachable"):
        lab.reject("p1", how)
        lab.serve("reject-fresh-" + how)
        lab.traffic("reject-fresh-" + how)
        time.sleep(1)
        results = lab.finish()
        lab.stop()
        lab.restore("p1")
        report.add(f"REJECT {how}, fresh", results, "instant")


def killed(lab, report):
    def kill():
        lab.clients.ask(do="pause")  # as in `reject`
        lab.disturb("p1")
        lab.providers["p1"].kill()
        lab.clients.ask(do="resume")
    broken(lab, report, "killed", "instant", kill, lambda: lab.start("p1"))


def clients(lab, report):
    """The same for clients over TLS, to providers that speak as they do; over HTTP/2 all are on one connection."""
    def begin(fault):
        fault()
        lab.clients.ask(do="resume")

    for over, port in (("https h1", 8441), ("https h2", 8442)):
        endpoints = {name: f"https://{ADDRESS[name]}:{port}/v1" for name in ("p1", "p2")}
        for name, goal, fault, end in (
                ("DROP, pooled", "drop", lambda: lab.drop("p1"), lambda: lab.restore("p1")),
                ("REJECT tcp-reset", "secured", lambda: lab.reject("p1", "tcp-reset"), lambda: lab.restore("p1")),
                ("503", "secured", lambda: lab.providers["p1"].ask(mode="status", status=503, fields=[], body="{}"),
                 lambda: lab.providers["p1"].ask(mode="ok"))):
            broken(lab, report, f"{name}; clients over {over}", goal, lambda: begin(fault), end, 1, over, endpoints)


def tls(lab, report):
    """The host accepts and never answers the TLS handshake."""
    lab.serve("tls", endpoints={"p1": f"https://{ADDRESS['p1']}:8443/v1"})
    lab.traffic("tls")
    time.sleep(7)
    report.add("TLS never answered", lab.finish(), "drop")
    lab.stop()


def answers(lab, report):
    def error(text="slow down", **more):
        return json.dumps({"error": {"message": text, "type": "rate_limit_error", **more}})
    soon = email.utils.formatdate(time.time() + 60, usegmt=True)
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "42s"}
    forms = [
        ("429 Retry-After: seconds", 429, ["Retry-After: 7"], error()),
        ("429 Retry-After: date", 429, ["Retry-After: " + soon], error()),
        ("429 retry-after-ms", 429, ["retry-after-ms: 7500"], error()),
        ("429 x-ratelimit-reset", 429, ["x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1m2s"],
         error()),
        ("429 retryDelay", 429, [], error(details=[detail])),
        ("429 without a time", 429, [], error()),
        ("500", 500, [], error("oops")),
        ("503", 503, ["Retry-After: 5"], error("busy")),
        ("reset", 0, [], ""),
    ]
    for name, status, fields, body in forms:
        mode = dict(mode="status", status=status, fields=fields, body=body) if status else dict(mode="reset")
        broken(lab, report, name, "instant", lambda: lab.providers["p1"].ask(**mode),
               lambda: lab.providers["p1"].ask(mode="ok"))


def count(lab, report):
    """No provider got a request that another one, or it itself, had already got and was still good for."""
    events = {}
    for name in ADDRESS:
        for at, what, request in lab.received(name):
            if request.startswith("path") or request == "?":
                continue  # `paths` counts its own, and the guide's requests have no names
            events.setdefault(request, []).append((at, name, what))
    twice = 0
    for request, seen in events.items():
        seen.sort()
        faulted = {}
        last = None
        for at, name, what in seen:
            if what == "fault":
                faulted[name] = at
                continue
            if last is not None:
                excused = last[1] in faulted or any(
                    name == last[1] and when >= last[0] - 0.05 and when <= at for name, when in lab.disturbed)
                if name == last[1] or not excused:
                    twice += 1
                    if twice <= 5:
                        report.fault(f"{request} was sent twice: {seen}")
            last = (at, name)
    report.note("all", f"{len(events)} requests, {twice} sent twice", twice == 0)


EXPERIMENTS = [drop_fresh, drop_pooled, drop_one_way, rejects, killed, clients, tls, answers]
