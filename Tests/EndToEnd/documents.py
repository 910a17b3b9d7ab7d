"""The documents as a reader sees them: their blocks, and the commands in these."""

import os
import re
import subprocess
import sys

import yaml

from gateway import BINARY, DEADLINE, ROOT, Gateway, Process

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "contrib/doc").glob("*.md")), ROOT / "contrib/deploy/README.md"]

# What a block may be. `console` has commands behind `$ ` and what they print, `message` what the program says.
LANGUAGES = {"sh", "console", "python", "yaml", "nginx", "text", "message"}

# YAML that is no tier file: by a key, whose it is.
FOREIGN = {"scrape_configs": "Promtail's"}

# Commands that are not run here, by how they begin, and why. Their files and options are looked at all the same.
UNRUN = {
    "contrib/demo": "builds, and serves until Ctrl-C; `synaxis demo`, its last step, is run",
    "contrib/test": "runs these tests",
    "contrib/build": "takes minutes; CI runs it",
    "contrib/package": "takes minutes; CI runs it in contrib/package-test",
    "contrib/release": "takes minutes; CI runs what it consists of",
    "contrib/bench": "takes minutes and both cores; CI runs it",
    "contrib/growth": "takes minutes and both cores",
    "contrib/gates/run": "takes minutes; CI runs it",
    "contrib/failover-test": "needs root and network namespaces; CI runs it",
    "swift test": "takes minutes; contrib/test runs it",
    "apt install": "needs root; contrib/package-test does it in a bare Debian",
    "systemctl": "needs a systemd; contrib/systemd-test boots one",
    "journalctl": "needs a journal; test_log.py runs the longer ones with a log in its place",
    "synaxis status --watch": "goes on until Ctrl-C; test_status.py runs it",
    "ANTHROPIC_BASE_URL=": "Claude Code comes over the network; what it asks is run",
    "OPENAI_API_BASE=": "aider comes over the network",
    "docker run": "the image comes over the network",
}


class Block:
    def __init__(self, document, line, info, text):
        self.place = f"{document.relative_to(ROOT)}:{line}"
        self.language, _, self.name = info.partition(" ")
        self.text = text

    def commands(self):
        """The commands of a `sh` or `console` block, each with what it prints (None: not told)."""
        is_console = self.language == "console"
        found, command = [], ""
        for line in self.text.splitlines(keepends=True):
            if is_console and not command:
                if not line.startswith("$ "):
                    found[-1][1] += line
                    continue
                line = line.removeprefix("$ ")
            command += line
            if line.endswith(("\\\n", "|\n")):
                continue
            command = re.sub(r"(^|\s+)# .*", "", command).strip()
            if command:
                found.append([command, "" if is_console else None])
            command = ""
        return found


def blocks(document):
    text = document.read_text()
    found = []
    for match in re.finditer(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, re.M):
        found.append(Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2]))
    assert 2 * len(found) == len(re.findall(r"^```", text, re.M)), f"{document}: a block has no end"
    return found


def tier_file(text):
    """A block's YAML as a whole tier file: an excerpt gets what it is an excerpt of."""
    told = yaml.safe_load(text)
    if FOREIGN.keys() & told.keys():
        return None
    if "providers" in told:
        return text
    if "edits" in told:
        return "providers:\n  groq:\n    key: k\n    models: [m]\n" + re.sub("^", "    ", text, flags=re.M)
    return text + "\nproviders: { ollama: { models: [m] } }\n"


def variables(text):
    names = re.findall(r"\$\{(\w+)", text) + re.findall(r"\$([A-Z]\w+)", text)
    return {name: "demo" if name == "SYNAXIS_ADMIN_TOKEN" else "x-" + name.lower() for name in names}


def why_unrun(command):
    return next((reason for start, reason in UNRUN.items() if command.startswith(start)), None)


# The documents' instance; every test has its own.
ADDRESS = "127.0.0.1:8080"


class Reader:
    """Somebody who does what a document says, in a directory of their own.

    A tier file that stands there is served as soon as a command asks the instance, with mocks in the places of its
    providers; `synaxis demo` and `synaxis run` do what they say. Without any it is the demo.
    """

    def __init__(self, directory, start, mock):
        self.start, self.mock = start, mock
        self.own = {"SYNAXIS_ADMIN_TOKEN": "demo"}
        self.environment = dict(self.own)
        self.address = None
        self.is_stale = False
        programs = directory / "bin"
        programs.mkdir()
        (programs / "synaxis").symlink_to(BINARY)
        self.path = f"{programs}:{os.environ['PATH']}"
        self.work = directory / "work"
        self.work.mkdir()
        self.file = self.work / "synaxis.yaml"
        self.file.write_text(self.run("synaxis init").stdout)

    def follow(self, block):
        if block.language == "yaml" and tier_file(block.text) == block.text:
            self.environment = dict(self.own)
            if not block.name:
                self.take(block.text)
            (self.work / (block.name or "synaxis.yaml")).write_text(block.text)
        elif block.language == "python":
            self.ask(block, f"{sys.executable} - <<'EOF'\n{block.text}EOF", None)
        elif block.language in ("sh", "console"):
            for command, printed in block.commands():
                self.ask(block, command, printed)

    def take(self, text):
        """What is served next, with the variables that it wants."""
        self.environment |= variables(text)
        self.is_stale = True

    def ask(self, block, command, printed):
        if command == "synaxis demo":
            self.serve_demo()
        elif command == "synaxis run":
            self.serve_file()
        elif why_unrun(command):
            assert printed is None, f"{block.place}: what it prints is told, and not seen"
        elif command.endswith(" &"):
            self.begin(command.removesuffix(" &"))
        else:
            self.look(block, command, printed)

    def look(self, block, command, printed):
        """Runs it, and compares what it prints; again where that takes its time to become so."""
        if ADDRESS in command or re.match(r"synaxis (status|reset|batch)\b", command):
            self.need_instance()
        if command.startswith("synaxis batch"):
            command += f" --url http://{ADDRESS}"
        for _ in range(5):
            done = self.run(command.replace(ADDRESS, self.address or ADDRESS))
            if printed is None:
                assert done.returncode == 0, f"{block.place}: {command}\n{done.stdout}{done.stderr}"
                if command.endswith(">synaxis.yaml"):
                    self.take(self.file.read_text())
                return
            seen = (done.stdout + done.stderr).replace(self.address or ADDRESS, ADDRESS)
            if re.fullmatch(pattern(printed), plain(seen), re.S):
                return
        raise AssertionError(f"{block.place}: {command}\nprints\n{seen}\nand not\n{printed}")

    def run(self, command):
        return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=self.work, capture_output=True, text=True,
                              timeout=DEADLINE, env={"PATH": self.path, "HOME": str(self.work), **self.environment})

    def begin(self, command):
        """A mock that goes on beside the others, on whatever port is free."""
        assert command.startswith("synaxis mock --listen 127.0.0.1:")
        self.mock(re.sub(r"^synaxis mock --listen \S+", "", command))

    def need_instance(self):
        if self.is_stale:
            self.serve_file()
        elif not self.address:
            self.serve_demo()

    def serve_demo(self):
        demo = self.start(Process, "demo")
        _, line = demo.line(lambda text: "/v1/chat/completions" in text)
        self.stand_at(re.search(r"127\.0\.0\.1:\d+", line)[0])

    def serve_file(self):
        told = yaml.safe_load(self.file.read_text())
        for provider in told["providers"].values():
            provider["endpoint"] = f"http://{self.mock().address}/v1"
        told["listen"] = "127.0.0.1:0"
        gateway = self.start(Gateway, yaml.safe_dump(told), environment=self.environment)
        self.stand_at("%s:%d" % gateway.address)

    def stand_at(self, address):
        self.address, self.is_stale = address, False
        text = self.file.read_text()
        self.file.write_text(re.sub(r"^listen: .*", f"listen: {address}", text, flags=re.M))


def plain(text):
    """Without what differs from run to run: numbers, how far columns are apart, blanks at the ends of lines."""
    text = re.sub(r"req_[0-9a-f]+|\d+(?:[.:T-]\d+)*Z?", "0", text.replace("\r", ""))
    return re.sub(r" +", " ", text).strip()


def pattern(printed):
    """What is printed, as a regular expression: `…` stands for anything, alone on a line for any lines."""
    pieces = re.split(r"^…\n|…", plain(printed), flags=re.M)
    return ".*?".join(map(re.escape, pieces))
