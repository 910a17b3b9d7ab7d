"""The table of paths: every fault under fresh and pooled connections, over each protocol, with and without a second
provider. Each cell has a gateway of its own, which knows nothing yet."""
import signal
import subprocess
import sys
import time

from actors import ADDRESS
from lab import run
from report import FAILOVER_GOAL, GROSS, median

PROTOCOLS = {"http": "http://{}:8000/v1", "https h1": "https://{}:8441/v1", "https h2": "https://{}:8442/v1"}
BURST = 20
# Beside a fault that nobody can answer for: how long its cell waits for a connection, and for a first token.
WAIT = 1000.0
PROVIDER = ADDRESS["p1"]
NETWORK = PROVIDER[:-1] + "0/24"
HERE, ELSEWHERE = PROVIDER[:-1] + "1/24", PROVIDER[:-1] + "9/24"


class Fault:
    """How the path to the first provider is lost, and how it comes back.

    `heals`: a fresh connection leads there at once. `isHeard`: the provider's kernel goes on to acknowledge."""

    def __init__(self, name, begin, end, heals=False, isHeard=False):
        self.name, self.begin, self.end, self.heals, self.isHeard = name, begin, end, heals, isHeard


def firewall(space, chain, *words):
    def begin(lab):
        lab.rules(space, "-A", chain, *words)

    def end(lab):
        lab.rules(space, "-F", chain)

    return begin, end


def links(*commands):
    def act(lab):
        for command in commands:
            run("ip", "-n", lab.space("gw"), *command.split())

    return act


def freeze(lab):
    """Neither IP nor ARP is answered any more."""
    for chain in ("INPUT", "OUTPUT"):
        lab.rules("p1", "-A", chain, "-j", "DROP")
    run("ip", "-n", lab.space("p1"), "link", "set", "wire", "arp", "off")
    run("ip", "-n", lab.space("gw"), "neigh", "flush", "dev", "to-p1")


def thaw(lab):
    lab.restore("p1")
    # Packets that wait for ARP are on the wire already: nobody could take them back. Once more behind it: the next
    # try of ARP would take a second.
    run("ip", "-n", lab.space("gw"), "neigh", "flush", "dev", "to-p1")
    run("ip", "-n", lab.space("p1"), "link", "set", "wire", "arp", "on")
    run("ip", "-n", lab.space("gw"), "neigh", "flush", "dev", "to-p1")


def forget(lab):
    """What a NAT does that has forgotten its connections: their packets vanish, and new ones pass."""
    words = ["ip", "netns", "exec", lab.space("gw"), "ss", "-Htn", "state", "established", "dst", PROVIDER]
    listed = subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout
    ports = [line.split()[2].rsplit(":", 1)[1] for line in listed.splitlines()]
    rules = ["*filter"]
    rules += [f"-A INPUT -p tcp --sport {port} -j DROP" for port in ports]
    rules += [f"-A OUTPUT -p tcp --dport {port} -j DROP" for port in ports]
    subprocess.run(["ip", "netns", "exec", lab.space("p1"), "iptables-restore", "-w", "--noflush"],
                   input="\n".join(rules + ["COMMIT", ""]), text=True, check=True)


def signals(number):
    def act(lab):
        for process in (lab.providers["p1"].process, lab.fronts["p1"]):
            process.send_signal(number)

    return act


def faults():
    away = ("-d", PROVIDER, "-j")
    return [
        Fault("OUTPUT DROP", *firewall("gw", "OUTPUT", *away, "DROP")),
        Fault("OUTPUT REJECT", *firewall("gw", "OUTPUT", *away, "REJECT")),
        Fault("INPUT DROP", *firewall("p1", "INPUT", "-j", "DROP")),
        Fault("INPUT REJECT", *firewall("p1", "INPUT", "-j", "REJECT")),
        Fault("route gone", links(f"route del {NETWORK} dev to-p1"),
              links(f"route add {NETWORK} dev to-p1 src {HERE[:-3]}")),
        Fault("interface down", links("link set to-p1 down"), links("link set to-p1 up")),
        Fault("address changed", links(f"addr del {HERE} dev to-p1", f"addr add {ELSEWHERE} dev to-p1"),
              links(f"addr del {ELSEWHERE} dev to-p1", f"addr add {HERE} dev to-p1"), heals=True),
        Fault("process stopped", signals(signal.SIGSTOP), signals(signal.SIGCONT), isHeard=True),
        Fault("host frozen", freeze, thaw),
        Fault("NAT forgot", forget, lambda lab: lab.restore("p1"), heals=True),
    ]


class Cell:
    """One fault, one state of the connections, one protocol, one shape of the answer, one or two candidates."""

    def __init__(self, fault, state, protocol, shape, candidates):
        self.fault, self.state, self.protocol, self.shape = fault, state, protocol, shape
        self.candidates = candidates
        self.count = BURST if state == "burst" else 1

    def __str__(self):
        return f"{self.fault.name}, {self.state}, {self.protocol}, {self.shape}, {self.candidates} candidate(s)"

    @property
    def expected(self):
        """"at once", "first token", "error"; None: there is nothing to lose."""
        if self.fault.name == "NAT forgot" and self.state == "fresh":
            return None
        if self.fault.isHeard and (self.state != "fresh" or self.protocol == "http"):
            return "first token" if self.candidates == 2 else "error"
        return "at once" if self.candidates == 2 or self.fault.heals else "error"


def cells(everything, only):
    """All, or a part of them in which each fault meets each protocol in each state."""
    for fault in faults():
        if only and fault.name != only:
            continue
        for protocol in PROTOCOLS:
            for number, state in enumerate(("fresh", "pooled", "burst")):
                for shape in ("plain", "streamed"):
                    for candidates in (2, 1):
                        usual = ("plain", "streamed")[(number + candidates) % 2] == shape
                        if everything or (usual and (candidates == 2 or state == "pooled")):
                            yield Cell(fault, state, protocol, shape, candidates)


def ask(lab, name, cell, limit=20, **hints):
    return lab.clients.ask(do="burst", name=name, count=cell.count, stream=cell.shape == "streamed", port=lab.port,
                           hints=hints, limit=limit)["results"]


def open_gateway(lab, name, cell):
    endpoints = {provider: PROTOCOLS[cell.protocol].format(ADDRESS[provider]) for provider in ("p1", "p2")}
    wait = f"{WAIT:.0f}ms"
    timeouts = f"{{connect: {wait}, first_token: {wait if cell.fault and cell.fault.isHeard else '1m'}}}"
    lab.serve(name, endpoints=endpoints, only=("p1", "p2")[:cell.candidates], timeouts=timeouts)


def moved(lab, report):
    """The network changes under the pooled connections of three providers: one of them is waited for, not each."""
    fault = next(fault for fault in faults() if fault.name == "address changed")
    endpoints = {name: url.format(PROVIDER) for name, url in zip(("p1", "p2", "p3"), PROTOCOLS.values())}
    lab.serve("moved", endpoints=endpoints, only=tuple(endpoints))

    def one(name, model):
        return lab.clients.ask(do="burst", name=name, count=1, stream=False, model=model, port=lab.port, hints={},
                               limit=20)["results"][0]

    for name in endpoints:
        warm = one(f"moved-{name}", name + "/m")
        if warm[3] or not warm[4].startswith(name + "=200"):
            raise RuntimeError(f"{name} was not well to begin with: {warm}")
    fault.begin(lab)
    try:
        result = one("moved", "m")
    finally:
        fault.end(lab)
    lab.stop()
    report.note("address changed under three providers", f"{result[2]:.0f} ms, {result[4]} {result[3]}",
                not result[3] and result[2] < FAILOVER_GOAL * 1.5)


def baselines(lab):
    """What as many requests at once take on fresh connections to a provider that is well."""
    base = {}
    for protocol in PROTOCOLS:
        for state in ("fresh", "burst"):
            worst = []
            for number in range(3):
                cell = Cell(None, state, protocol, "plain", 1)
                name = f"base-{protocol.replace(' ', '')}-{state}{number}"
                open_gateway(lab, name, cell)
                worst.append(max(result[2] for result in ask(lab, name, cell)))
                lab.stop()
            base[protocol, cell.count] = median(worst)
    return base


def prepare(lab, name, cell):
    """A gateway in the state that the cell is about. A machine that was busy elsewhere in the wrong moment gets
    another try: this is before the fault."""
    for number in range(5):
        open_gateway(lab, name, cell)
        if cell.state == "fresh":
            return
        # At the same time, so that each leaves a connection of its own behind.
        warm = ask(lab, f"{name}-warm{number}", cell, think=0.1, at="p1")
        if all(result[4].startswith("p1=200") and not result[3] for result in warm):
            return
        lab.stop()
    raise RuntimeError(f"{cell}: the path was not well to begin with: {warm}")


def experiment(lab, name, cell):
    """The results of the requests that met the fault."""
    prepare(lab, name, cell)
    cell.fault.begin(lab)
    try:
        results = ask(lab, name, cell)
    finally:
        cell.fault.end(lab)
    lab.stop()
    return results


def judge(report, cell, results, base):
    """The cell as the table has it; what is wrong is a fault."""
    added = max(result[2] for result in results) - base[cell.protocol, cell.count]
    failed = [result for result in results if result[3]]
    if cell.expected == "error":
        if len(failed) < len(results):
            report.fault(f"{cell}: {len(results) - len(failed)} answered, and nobody could")
        if any("502 " not in result[3] for result in failed) or added > WAIT * 3:
            report.fault(f"{cell}: no plain 502 after {added:.0f} ms: {failed[0]}")
        return f"502 {added:.0f}"
    for result in failed[:2]:
        report.fault(f"{cell}: failed after {result[2]:.0f} ms: {result[3]} [{result[4]}]")
    goal = FAILOVER_GOAL + (WAIT if cell.expected == "first token" else 0)
    if added > goal + FAILOVER_GOAL * GROSS:
        report.fault(f"{cell}: {added:.0f} ms added, the goal is {goal:.0f}")
    text = f"{max(added, 0):.0f}" if added < goal else f"**{added:.0f}**"
    return text + (f" ({len(failed)} failed)" if failed else "")


def paths(lab, report, everything, only):
    base = baselines(lab)
    table, stopped = {}, set()
    began = time.monotonic()
    number = 0
    for cell in cells(everything, only):
        if cell.expected is None:
            continue
        number += 1
        name = f"path{number}"
        if cell.fault.isHeard:
            stopped.add(name)
        text = judge(report, cell, experiment(lab, name, cell), base)
        row = table.setdefault((cell.fault.name, cell.protocol), {})
        row.setdefault((cell.candidates, cell.state), []).append(text)
        print(f"{cell}: {text}", file=sys.stderr, flush=True)
    report.paths = list(lines(table))
    once(lab, report, stopped)
    print(f"{number} paths in {time.monotonic() - began:.0f} s", file=sys.stderr)


def lines(table):
    """Markdown: the most that was added, in ms."""
    columns = [(2, "fresh"), (2, "pooled"), (2, "burst"), (1, "fresh"), (1, "pooled"), (1, "burst")]
    columns = [column for column in columns if any(column in row for row in table.values())]
    yield "| path | over | " + " | ".join(
        f"{'burst of 20' if state == 'burst' else state}{', alone' if candidates == 1 else ''}"
        for candidates, state in columns) + " |"
    yield "|---|---|" + "---:|" * len(columns)
    for (fault, protocol), row in table.items():
        texts = [" / ".join(row.get(column, ["–"])) for column in columns]
        yield f"| {fault} | {protocol} | " + " | ".join(texts) + " |"


def once(lab, report, stopped):
    """Nothing that was given up arrives after all, and nothing was sent to both. A provider whose process was stopped
    had acknowledged: it gets its requests when it goes on."""
    time.sleep(1)
    seen = {}
    for provider in ("p1", "p2"):
        for _, what, request in lab.received(provider):
            cell = request.split("-")[0]
            if what == "recv" and cell.startswith("path") and "-warm" not in request and cell not in stopped:
                seen.setdefault(request, []).append(provider)
    twice = {request: where for request, where in seen.items() if len(where) > 1}
    report.note("paths", f"{len(seen)} requests, {len(twice)} sent twice {list(twice.items())[:3] or ''}", not twice)
