"""`contrib/bench --batch`: requests for embeddings, each sent alone and sent together, at a provider that thinks."""
import json, statistics, urllib.request

from processes import LOAD_CORE, PROXY_CORE, Stage, machine

PATH = "/v1/embeddings"
LIMITS = "limits: { concurrent_requests: 2048, connections: 2048, queue: 100 }\ncache: { enabled: false }\n"


class BatchBench(Stage):
    """One mock for all: it thinks for as long over a list as over one input, and answers 1536 numbers in base64."""

    THINK_MS = 30
    # Clients at once, and what each of two instances is told.
    CLIENTS = (1, 8, 64, 256)
    KINDS = {"alone": "", "together": ", batch: { window: 3ms, size: 64 }"}

    def set_up(self):
        names = ["mock", *self.KINDS]
        self.port = {name: self.ports.take() for name in names}
        self.ports.let_go()
        port = self.port["mock"]
        self.start(LOAD_CORE, self.synaxis, "mock", "--listen", f"127.0.0.1:{port}", "--think-ms", self.THINK_MS, port=port)
        self.proxies = {}
        for kind, batch in self.KINDS.items():
            file = self.file(f"{kind}.yaml", (
                f"listen: 127.0.0.1:{self.port[kind]}\n{LIMITS}providers:\n"
                f"  mock: {{ type: openai, endpoint: 'http://127.0.0.1:{port}/v1', models: [m]{batch} }}\n"))
            self.proxies[kind] = self.start(PROXY_CORE, self.synaxis, "run", "-c", file, port=self.port[kind])

    def who(self, port):
        return f"synaxis, {next(kind for kind, own in self.port.items() if own == port)}"

    def calls(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port['mock']}/mock/stats") as answer:
            return json.load(answer)["requests"]

    def round(self, kind, clients):
        count = clients * (20 if self.o.quick else 120)
        port, proxy = self.port[kind], self.proxies[kind]
        calls, cpu = self.calls(), proxy.cpu()
        load = self.begin_load(port, "m", "--path", PATH, "-c", clients, "-n", count, "--warm-up", 0)
        report = self.end_load(load, port, "m", f"{clients} clients")
        return {
            "calls": 1000 * (self.calls() - calls) / count, "cpu": (proxy.cpu() - cpu) / count / 1000,
            "p50": report["total_ms"]["p50"], "p99": report["total_ms"]["p99"], "rate": report["requests_per_second"],
        }

    def run(self):
        print(machine())
        print(f"\nA provider that thinks for {self.THINK_MS} ms; `batch: {{ window: 3ms, size: 64 }}`; "
              f"the median of {self.o.rounds} rounds.\n")
        print("| clients at once | | calls for 1000 requests | p50 | p99 | requests/s | CPU a request |")
        print("|---|---|---|---|---|---|---|")
        for clients in self.CLIENTS:
            rounds = {kind: [] for kind in self.KINDS}
            for _ in range(self.o.rounds):
                for kind in self.KINDS:
                    rounds[kind].append(self.round(kind, clients))
            for kind, list_ in rounds.items():
                it = {key: statistics.median(one[key] for one in list_) for key in list_[0]}
                print(f"| {clients} | {kind} | {it['calls']:.0f} | {it['p50']:.1f} ms | {it['p99']:.1f} ms "
                      f"| {it['rate']:.0f} | {it['cpu']:.0f} µs |", flush=True)
