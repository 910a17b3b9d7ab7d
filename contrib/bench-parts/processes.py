"""What a measurement stands on: children on their cores, their CPU time and memory, and ports for them."""
import json, os, shutil, signal, socket, subprocess, tempfile, time

PROXY_CORE, LOAD_CORE = "0", "1" if (os.cpu_count() or 1) > 1 else "0"
PATH = "/v1/chat/completions"


class Ports:
    """Ports that were free a moment ago, each given out once."""

    def __init__(self):
        self.held = []

    def take(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        self.held.append(s)
        return s.getsockname()[1]

    def let_go(self):
        for s in self.held:
            s.close()
        self.held = []


class Process:
    """A child on its core, and the children that it has itself."""

    def __init__(self, core, *command, **more):
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        self.child = subprocess.Popen(["taskset", "-c", core, *map(str, command)], stdin=subprocess.DEVNULL, **more)

    def pids(self):
        found, seen = [self.child.pid], 0
        while seen < len(found):
            try:
                with open(f"/proc/{found[seen]}/task/{found[seen]}/children") as f:
                    found += map(int, f.read().split())
            except OSError:
                pass
            seen += 1
        return found

    def cpu(self):
        """Nanoseconds of CPU time of all threads."""
        total = 0
        for pid in self.pids():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                        total += int(f.read().split()[0])
            except OSError:
                pass
        return total

    def memory(self):
        """Resident (of the largest process) and proportional (of all) in MB."""
        resident, proportional = 0, 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    rows = {line.split(":")[0]: line.split() for line in f if ":" in line}
                resident = max(resident, int(rows["Rss"][1]))
                proportional += int(rows["Pss"][1])
            except (OSError, KeyError):
                pass
        return resident / 1024, proportional / 1024

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def reachable(port):
    s = socket.socket()
    try:
        return s.connect_ex(("127.0.0.1", port)) == 0
    finally:
        s.close()


def wait_for(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.child.poll() is not None:
            raise RuntimeError(f"{process.child.args[3]} ended with {process.child.returncode}")
        if reachable(port):
            return
        time.sleep(0.0002)
    raise RuntimeError(f"{process.child.args[3]} does not listen on {port}")


class Stage:
    """Where proxies, mocks and load are run, and cleared away after it."""

    def __init__(self, options):
        self.o = options
        self.synaxis = options.binary
        self.dir = tempfile.mkdtemp(prefix="synaxis-bench-")
        os.chmod(self.dir, 0o755)
        self.ports = Ports()
        self.running = []
        self.failed = []

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, core, *command, port=None, **more):
        process = Process(core, *command, **more)
        self.running.append(process)
        if port:
            wait_for(port, process)
        return process

    # The work that every proxy is given: one upstream each.
    WORK = {
        "plain": ["--gap-ms", "0"],
        "burst": ["--gap-ms", "0", "--chunks", "500"],
        "paced": ["--gap-ms", "20", "--chunks", "100"],
    }

    def at_rest(self):
        """Memory of the proxies when they have had nothing to do for a while: synaxis gives back after five seconds what its
        start took."""
        time.sleep(6)
        return {name: process.memory() for name, process in self.live.items()}

    def who(self, port):
        """Whose port it is, for what is said of errors."""
        raise NotImplementedError

    def begin_load(self, port, work, *flags):
        return subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, self.synaxis, "bench", f"http://127.0.0.1:{port}", "--json", "--model", work,
             *map(str, flags)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end_load(self, child, port, work, what):
        """What `synaxis bench` reports. `what`: the load, for what is said of its errors."""
        output, errors = child.communicate(timeout=300)
        try:
            report = json.loads(output)
        except ValueError:
            raise RuntimeError(f"synaxis bench: {errors.strip() or output.strip()}")
        if report["error_rate"] > 0:
            kinds = ", ".join(f"{n} × {kind}" for kind, n in report["errors"].items() if n)
            self.failed.append(f"{self.who(port)}, {work}, {what}: {kinds}")
        return report

    def load(self, port, work, *flags):
        return self.end_load(self.begin_load(port, work, *flags), port, work, " ".join(map(str, flags)))

    def tear_down(self):
        for process in reversed(self.running):
            process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def body_of(model):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Say hello." + " please" * 25}]})


def machine():
    name = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith(("model name", "Model")):
                name = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} × {name}, Linux {os.uname().release.split('-')[0]}"
