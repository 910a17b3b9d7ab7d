"""What became of every request, and whether it adds up with the log, the providers and /metrics."""

import json
import re
from collections import Counter, defaultdict

# How a request may end. The last three may not happen.
GOOD = ["answered", "error", "refused", "error event", "shown cut", "left"]
BAD = ["lost", "clean cut", "wrong"]


class Entry:
    def __init__(self, number, kind):
        self.id = f"soak-{number}"
        self.kind = kind
        self.outcome = None
        self.status = 0
        self.cache = None
        self.attempts = None
        self.length = 0


class Account:
    def __init__(self):
        self.entries = {}
        self.faults = []
        self.fault_count = 0
        self.lines = defaultdict(list)
        self.crashes = []
        # Refusals whose request could not be read have an id of the gateway's own.
        self.refused = 0
        self.probable_refusals = 0
        # What complete answers of one kind look like: every one of them has to be the same.
        self._models = {}

    def begin(self, kind):
        entry = Entry(len(self.entries), kind)
        self.entries[entry.id] = entry
        return entry

    def fault(self, text):
        self.fault_count += 1
        if len(self.faults) < 40:
            self.faults.append(text)

    def end(self, entry, outcome, note=""):
        if entry.outcome is not None:
            self.fault(f"{entry.id} ({entry.kind}) ended twice: {entry.outcome}, {outcome}")
        entry.outcome = outcome
        if outcome in BAD:
            self.fault(f"{entry.id} ({entry.kind}): {outcome}: {note}")

    # MARK: answers

    def judge(self, entry, answer, sample=None):
        """An answer that the client read to its end. `sample`: under which name all good ones are equal."""
        entry.status = answer.status
        entry.cache = answer["x-synaxis-cache"]
        entry.attempts = answer["x-synaxis-attempts"]
        entry.length = len(answer.body)
        if answer["x-request-id"] != entry.id:
            return self.end(entry, "wrong", f"answer with the id {answer['x-request-id']}")
        if answer.status >= 400:
            return self._judge_error(entry, answer)
        if answer.is_stream:
            if not answer.is_whole:
                return self.end(entry, "lost", f"a stream cut without a word after {len(answer.body)} bytes")
            if answer.has_error_event:
                return self.end(entry, "error event")
            if not answer.is_done:
                return self.end(entry, "clean cut", repr(answer.last_event()[-200:]))
        elif not answer.is_whole:
            return self.end(entry, "shown cut")
        else:
            try:
                json.loads(answer.body)
            except ValueError:
                return self.end(entry, "wrong", "a 200 that is not JSON")
        if sample is not None:
            known = self._models.setdefault((sample, answer.is_stream), answer.body)
            if known != answer.body:
                return self.end(entry, "wrong", f"{len(answer.body)} bytes, others got {len(known)} or other ones")
        return self.end(entry, "answered")

    def _judge_error(self, entry, answer):
        try:
            error = json.loads(answer.body)["error"]
            assert error["message"] and error["type"]
        except (ValueError, KeyError, TypeError, AssertionError):
            return self.end(entry, "wrong", f"{answer.status} without an error object: {answer.body[:200]!r}")
        if not answer.is_whole:
            return self.end(entry, "lost", "an error cut short")
        if entry.cache is None:
            self.refused += 1
            return self.end(entry, "refused")
        return self.end(entry, "error")

    def unseen(self):
        """What the cache may do with a request that it has done with none: nothing would be proven about it."""
        return {"hit", "miss", "coalesced", "bypass"} - {entry.cache for entry in self.entries.values()}

    # MARK: the log

    def take(self, line):
        if match := re.search(r" msg=exchange id=(\S+) .*? status=(\d+) (?:.*? )?end=(\S+) .*bytes_out=(\d+) .*cache=(\S+)", line):
            self.lines[match[1]].append((int(match[2]), match[3], match[5], int(match[4])))
        if re.search(r"[Pp]recondition|Fatal error|Sanitizer|runtime error|dropped:|Crash", line):
            self.crashes.append(line)

    # MARK: the sums

    def check_all(self, metrics, providers, posts):
        for entry in self.entries.values():
            if entry.outcome is None:
                self.fault(f"{entry.id} ({entry.kind}) never ended")
            self._check_line(entry)
        self._check_metrics(metrics)
        self._check_attempts(metrics, providers, posts)

    def _check_line(self, entry):
        """One line for every exchange whose client stayed, at most one for one that left, none for a refusal."""
        lines = self.lines.get(entry.id, [])
        if entry.outcome == "refused":
            wanted = lines == []
        elif entry.outcome in ("answered", "error", "error event", "shown cut"):
            wanted = len(lines) == 1 and lines[0][0] == entry.status and lines[0][2] == entry.cache
        else:
            wanted = len(lines) <= 1
        # What was sent is what came.
        if wanted and entry.outcome == "answered":
            wanted = lines[0][3] == entry.length
        if not wanted:
            self.fault(f"{entry.id} ({entry.kind}, {entry.outcome}, {entry.status}, {entry.cache}): log says {lines}")

    def _check_metrics(self, metrics):
        outcomes = Counter(entry.outcome for entry in self.entries.values())
        seen = sum(outcomes[name] for name in ("answered", "error", "error event", "shown cut"))
        logged = sum(len(lines) for lines in self.lines.values())
        self._equal("exchanges in /metrics, in the log", total(metrics, "synaxis_exchanges_total"), logged)
        if not seen <= logged <= seen + outcomes["left"]:
            self.fault(f"{logged} exchanges logged, {seen} seen by clients and {outcomes['left']} left")
        refusals = total(metrics, "synaxis_refusals_total")
        if not self.refused <= refusals <= self.refused + self.probable_refusals:
            self.fault(f"{refusals} refusals in /metrics, {self.refused} seen, {self.probable_refusals} not waited for")
        ends = Counter(line[1] for lines in self.lines.values() for line in lines)
        for end, count in by(metrics, "synaxis_exchanges_total", "end").items():
            self._equal(f"exchanges that ended with {end} in /metrics, in the log", count, ends[end])
        states = Counter(line[2] for lines in self.lines.values() for line in lines)
        for state, count in by(metrics, "synaxis_cache_requests_total", "outcome").items():
            self._equal(f"exchanges with cache={state} in /metrics, in the log", count, states[state])
        self._equal(
            "bytes of answers in /metrics, in the log",
            total(metrics, "synaxis_answer_body_bytes_total"),
            sum(line[3] for lines in self.lines.values() for line in lines),
        )
        durations = total(metrics, "gen_ai_client_operation_duration_seconds_count")
        self._equal("durations in /metrics, exchanges", durations, logged)
        for name in ("synaxis_exchanges_in_flight", "synaxis_log_lines_dropped_total"):
            self._equal(name, total(metrics, name), 0)
        # The request for this page waits there itself.
        if total(metrics, "synaxis_buffered_bytes") > 1024:
            self.fault(f"{total(metrics, 'synaxis_buffered_bytes'):g} bytes wait in connections of nobody")
        for provider, count in by(metrics, "synaxis_provider_in_flight", "provider").items():
            self._equal(f"attempts under way at {provider}", count, 0)

    def _check_attempts(self, metrics, providers, posts):
        """No provider got more requests than attempts were made, and none fewer but for those that ended before
        they were sent."""
        unsent = {"client_gone", "cancelled", "unreachable", "lost_race", "race_lost", "stale"}
        attempts = defaultdict(Counter)
        for labels, value in metrics.get("synaxis_attempts_total", []):
            attempts[labels["provider"]][labels["reason"]] += int(value)
        for provider in providers:
            made = sum(attempts[provider.name].values())
            least = made - sum(attempts[provider.name][reason] for reason in unsent)
            if not least <= posts[provider.name] <= made:
                self.fault(f"{provider.name} got {posts[provider.name]} requests in {dict(attempts[provider.name])}")

    def check_counters(self, counters):
        """The providers that count by id: as often as the answer's X-Synaxis-Attempts says, and never twice."""
        for provider in counters:
            for who, count in provider.seen.items():
                entry = self.entries.get(who)
                if entry is None:
                    self.fault(f"{provider.name} got a request of nobody: {who}")
                elif entry.attempts is not None:
                    said = len(re.findall(rf"(?:^|, ){provider.name}=", entry.attempts))
                    if said != count:
                        self.fault(f"{who}: {count} times at {provider.name}, attempts: {entry.attempts}")
                elif count > 1:
                    self.fault(f"{who} left, and was sent {count} times to {provider.name}")

    def _equal(self, what, one, other):
        if one != other:
            self.fault(f"{what}: {one:g}, {other:g}")

    # MARK: the table

    def table(self):
        kinds = defaultdict(Counter)
        for entry in self.entries.values():
            kinds[entry.kind][entry.outcome] += 1
        columns = GOOD + [name for name in BAD if any(count[name] for count in kinds.values())]
        rows = [["what clients did", "requests", *columns]]
        whole = Counter()
        for kind in sorted(kinds):
            rows.append([kind, sum(kinds[kind].values()), *(kinds[kind][name] or "" for name in columns)])
            whole.update(kinds[kind])
        rows.append(["all", sum(whole.values()), *(whole[name] or "" for name in columns)])
        return rows


def parse_metrics(text):
    found = defaultdict(list)
    for line in text.splitlines():
        if line and line[0] != "#":
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            found[match[1]].append((labels, float(match[3])))
    return found


def total(metrics, name):
    return sum(value for _, value in metrics.get(name, []))


def by(metrics, name, label):
    sums = Counter()
    for labels, value in metrics.get(name, []):
        sums[labels[label]] += value
    return sums
