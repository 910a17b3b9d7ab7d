"""What the documents say is so: their commands run, their tier files are read, their messages and links are there."""

import re
import subprocess
import urllib.request

import pytest

import documents
from documents import DOCUMENTS, LANGUAGES, UNRUN, blocks, tier_file, variables, why_unrun
from gateway import BINARY, DEADLINE, ROOT, Process

SOURCES = [file.read_text() for file in sorted((ROOT / "Sources").rglob("*.swift"))]
DOC = ROOT / "contrib/doc"

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))


def synaxis(*arguments, **options):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=DEADLINE, **options)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@each_document
def test_commands(document, tmp_path, start, mock):
    """Each command of each block, in the order in which they stand."""
    reader = documents.Reader(tmp_path, start, mock)
    for block in blocks(document):
        assert block.language in LANGUAGES, f"{block.place}: a block of {block.language or 'nothing'}"
        reader.follow(block)


@each_document
def test_tier_files(document, tmp_path):
    for block in blocks(document):
        if block.language != "yaml":
            continue
        text = tier_file(block.text)
        if text is None:
            continue
        (tmp_path / "synaxis.yaml").write_text(text)
        done = synaxis("check", "--strict", cwd=tmp_path, env=variables(text))
        wanted = (78, True) if block.name == "bad.yaml" else (0, False)
        assert (done.returncode, bool(done.stderr)) == wanted, f"{block.place}: {done.stderr}"


def written_commands(document):
    """The commands that are not run: those of the list, and those in running text."""
    for block in blocks(document):
        if block.language == "sh":
            yield from (command for command, _ in block.commands() if why_unrun(command))
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    yield from re.findall(r"(?<!`)`((?:synaxis |contrib/)[^`\n]+)`", text)


@each_document
def test_what_is_not_run_is_possible(document):
    """The program or script is there, and has the options."""
    helps = {}
    for command in written_commands(document):
        program, *words = re.split(r"[ \n]+", command.split(">")[0].strip())
        options = [word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word) and word != "--help"]
        if program == "synaxis":
            if words[0].startswith("-"):
                continue
            if words[0] not in helps:
                done = synaxis(words[0], "--help")
                assert done.returncode == 0, command
                helps[words[0]] = done.stdout
            text = helps[words[0]]
        elif program.startswith("contrib/"):
            assert (ROOT / program).exists(), command
            if not options:
                continue
            text = (ROOT / program).read_text()
        else:
            continue
        assert all(re.search(re.escape(option) + r"(?![\w-])", text) for option in options), command


def test_nothing_in_the_list_is_needless():
    commands = [command for document in DOCUMENTS for block in blocks(document) if block.language == "sh"
                for command, _ in block.commands()]
    assert [start for start in UNRUN if not any(command.startswith(start) for command in commands)] == []


def test_the_picture_shows_what_happens():
    picture = (DOC / "picture.svg").read_bytes()
    assert len(picture) < 60_000 and b"<script" not in picture
    checked = subprocess.run([DOC / "picture", BINARY, "--check"], capture_output=True, text=True, timeout=2 * DEADLINE)
    assert checked.returncode == 0, checked.stderr


# The figures of the README's table, by the rows of the page that they come from.
FIGURES = {
    "CPU per request, µs": "CPU per request, 32 connections, 0.3 KB",
    "added to a request, p50, µs": "added to a request, p50, 1 connection",
    "memory idle / loaded, MB RSS": "resident memory (RSS) idle / 200 streams / 10 s after, MB",
    "ready after exec": "ready after exec",
    "binary, MB": "binary without its libraries, MB",
}


def rows(document):
    """The rows of all tables by their first cell; of several with the same the first."""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in document.read_text().splitlines() if row[:1] == "|"]
    return {row[0]: row[1:] for row in reversed(cells)}


def test_the_comparison_has_the_figures_that_were_measured():
    told, measured, text = rows(ROOT / "README.md"), rows(DOC / "performance.md"), (DOC / "performance.md").read_text()
    for row, source in FIGURES.items():
        for column in (0, 1):
            ours = re.findall(r"\d[\d.,]*", told[row][column])
            assert ours and ours == re.findall(r"\d[\d.,]*", measured[source][column])[:len(ours)], (row, source)
        # What LiteLLM took stands in a sentence.
        litellm = told[row][2].split(" idle")[0].split(" ²")[0]
        assert litellm == "–" or litellm.split()[0] in text.partition("LiteLLM 1.")[2][:300], row
    readme = (ROOT / "README.md").read_text()
    assert f"{measured['first provider refuses: added'][0]} where a provider refuses" in readme
    assert f"{measured['packets dropped, fresh connections'][0]} where its host falls silent" in readme


# MARK: links


def anchors(document):
    """As GitHub makes them of headings."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.*)", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"],
                         ids=lambda file: str(file.relative_to(ROOT)))
def test_links(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_document_is_found_from_the_readme():
    told = (ROOT / "README.md").read_text()
    assert [file.name for file in DOC.glob("*.md") if f"(contrib/doc/{file.name}" not in told] == []


# MARK: messages


VALUE = r"\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"


def literals():
    """The pieces of text in the sources, cut where values come in."""
    texts = []
    for source in SOURCES:
        for text in re.findall(r'"""\n(.*?)"""', source, re.S):
            texts += re.sub(r"\\\n *", "", text).split("\n")
        texts += [a or b for a, b in re.findall(rf'#"(.*?)"#|"((?:[^"\\\n]|\\[^(]|{VALUE})*)"', source)]
    pieces = {piece for text in texts for piece in re.split(VALUE, re.sub(r'\\(["\\])', r"\1", text))}
    return {piece.strip() for piece in pieces if len(piece.strip()) > 1}


def is_said(message, known):
    """The message is made of texts of the sources and of nothing else, but for what `…` stands for."""
    places, seen = [0], set()
    while places:
        at = places.pop()
        if at >= len(message):
            return True
        if at in seen:
            continue
        seen.add(at)
        if message[at] in " …`,;:()\"?.":
            places.append(at + 1)
        for piece in known:
            # Short ones are words of their own.
            if message.startswith(piece, at) and (len(piece) > 3 or re.match(r"\W|$", message[at + len(piece):])):
                places.append(at + len(piece))
    return False


def test_messages():
    known = literals()
    messages = [line for document in DOCUMENTS for block in blocks(document) if block.language == "message"
                for line in block.text.splitlines()]
    table = (DOC / "troubleshooting.md").read_text().split("| what is said of a provider |")[1].split("\n\n")[0]
    messages += re.findall(r"`([^`]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert len(messages) > 30
    assert [message for message in messages if not is_said(message, known)] == []


def test_a_message_that_is_not_said_is_found():
    known = literals()
    assert is_said("The model `…` is not configured.", known) and not is_said("The model `…` is not there.", known)


# MARK: tables


def names(text, head):
    """What the first column of the table with that head names."""
    rows = text.split(head, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_codes_of_errors():
    told = (DOC / "requests.md").read_text().split("| status | `code` |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"^\| ([\d, ]+) \| (.*) \|$", told, re.M))
    for status, code in re.findall(r'Row\(status: (\d+), code: "(\w+)"', (ROOT / "Sources/Exchange/LocalError.swift").read_text()):
        assert any(status in statuses and f"`{code}`" in words for statuses, words in rows.items()), (status, code)


def test_fields_of_the_log():
    told = names((DOC / "operating.md").read_text(), "| field |")
    written = set()
    for source in SOURCES:
        if "LogLine" in source or "extension Log {" in source:
            written |= set(re.findall(r'\badd\("(\w+)"', source))
    assert told == written | {"ts"}


def test_messages_of_the_log():
    told = names((DOC / "operating.md").read_text(), "| `msg` |")
    assert [text for text in told if not any(f'"{text}"' in source for source in SOURCES)] == []


def test_metrics(start):
    demo = start(Process, "demo")
    _, line = demo.line(lambda text: "/v1/chat/completions" in text)
    address = re.search(r"127\.0\.0\.1:\d+", line)[0]
    page = urllib.request.urlopen(f"http://{address}/metrics", timeout=DEADLINE).read().decode()
    text = (DOC / "operating.md").read_text()
    assert names(text, "| metric |") == set(re.findall(r"^# TYPE (\w+)", page, re.M))
    for name, words in re.findall(r"^# HELP (\w+) (.*)", page, re.M):
        assert f"| `{name}` | {words}" in text
