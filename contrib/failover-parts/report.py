"""What came of the experiments: rows of a table, and faults."""
import sys

from actors import CLIENTS

GROSS = 10
FAILOVER_GOAL = 100.0  # ms, at most, where packets are silently dropped
INSTANT_GOAL = 2.0  # ms, the median of the exchanges that met the fault
SECURED_GOAL = 20.0  # ms, the same where the next provider's first TLS handshake is in it


def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else 0.0


class Report:
    def __init__(self):
        self.rows, self.faults, self.base, self.first = [], [], {}, {}
        self.paths = ()

    def fault(self, text):
        self.faults.append(text)
        print("FAULT: " + text, file=sys.stderr, flush=True)

    def healthy(self, results):
        """What an exchange takes when nothing is wrong: plain ones and streams apart, first contact apart."""
        for kind in (0, 1):
            for base, isFirst in ((self.base, False), (self.first, True)):
                base[kind] = median([r[2] for r in results if self.traits(r) == (kind, isFirst)])

    @staticmethod
    def traits(result):
        serial = int(result[0].rsplit("-", 1)[1])
        return 1 - serial % 2, serial <= CLIENTS

    def added(self, result, before):
        """Beyond what the same took just before the fault, where that is known: a machine's noise comes and goes."""
        kind, isFirst = self.traits(result)
        same = [r[2] for r in before if self.traits(r) == (kind, isFirst)]
        return result[2] - (median(same) if len(same) >= 5 else (self.first if isFirst else self.base)[kind])

    def add(self, name, results, goal, before=()):
        """goal: "none", "drop" (the longest added time), "instant" or "secured" (the median where the fault was met)."""
        failed = [r for r in results if r[3]]
        for r in failed[:3]:
            self.fault(f"{name}: {r[0]} after {r[2]:.0f} ms: {r[3]} [{r[4]}]")
        added = [self.added(r, before) for r in results]
        met = [extra for extra, r in zip(added, results) if "," in r[4]]
        worst = max(added) if added else 0.0
        value, limit = {"drop": (worst, FAILOVER_GOAL), "instant": (median(met), INSTANT_GOAL),
                        "secured": (median(met), SECURED_GOAL), "none": (0.0, 1.0)}[goal]
        verdict = {"drop": "max < 100", "instant": "p50 met < 2", "secured": "p50 met < 20", "none": ""}[goal]
        if goal != "none":
            verdict += " pass" if value < limit else " **missed**"
            if value > limit * GROSS:
                self.fault(f"{name}: {value:.1f} ms added, the goal is {limit:.0f}")
            if not met:
                self.fault(f"{name}: no exchange met the fault, so this says nothing")
        if not results:
            self.fault(f"{name}: no requests")
        self.rows.append(f"| {name} | {len(results)} | {len(failed)} | {len(met)} | {median(added):.2f} | "
                         f"{median(met):.2f} | {worst:.1f} | {verdict} |")
        print(self.rows[-1], file=sys.stderr, flush=True)

    def note(self, name, text, good):
        self.rows.append(f"| {name} | | | | | | | {text}: {'pass' if good else '**failed**'} |")
        print(self.rows[-1], file=sys.stderr, flush=True)
        if not good:
            self.fault(f"{name}: {text}")
