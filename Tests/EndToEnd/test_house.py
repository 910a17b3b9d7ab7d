"""What the documents say of the sources is so."""

import re
from collections import Counter

from documents import DOCUMENTS
from gateway import ROOT


def table(text, head):
    """The rows of the first table whose head begins so."""
    rows = text.split(head, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_modules_of_the_architecture_are_those_of_the_package():
    package = (ROOT / "Package.swift").read_text()
    wanted = {}
    for name, needs in re.findall(r'module\(\s*"(\w+)",\s*\[(.*?)\]\)', package, re.S):
        wanted[name] = set(re.findall(r'"(\w+)"', needs))
    needs = re.search(r'executableTarget\(\s*name: "synaxis",\s*dependencies: \[(.*?)\]', package, re.S).group(1)
    wanted["synaxis"] = set(re.findall(r'"(\w+)"', needs))
    for name in re.findall(r'\.(?:target|systemLibrary)\(\s*name: "(\w+)"', package):
        wanted[name] = set()
    told = {}
    for names, _, imports in table((ROOT / "ARCHITECTURE.md").read_text(), "| module | its one job"):
        for name in names.split(", "):
            told[name] = set() if imports == "–" else set(imports.split(", "))
    assert told == wanted


def sources():
    return sorted((ROOT / "Sources").rglob("*.swift"))


def test_every_path_that_the_documents_name_is_there():
    names = set()
    for document in (ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *DOCUMENTS):
        text = document.read_text()
        names |= set(re.findall(r"`((?:Sources|Tests|contrib|etc)/[\w./-]*\w)(?: [^`]*)?`", text))
        # In the tables of the architecture a file stands as MODULE/…/FILE.swift, or by its name alone.
        names |= {"Sources/" + name for name in re.findall(r"`((?!Sources/|Tests/)(?:[A-Z]\w+/)+\w+\.swift)`", text)}
    assert len(names) > 40
    assert not [name for name in sorted(names) if not (ROOT / name).exists()]
    known = {path.name for path in sources()}
    bare = set()
    for document in (ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"):
        bare |= set(re.findall(r"`(\w+\.swift)`", document.read_text()))
    assert bare and not bare - known - {"Package.swift"}


# What is read line by line; documents and tables of data are not.
KINDS = (".swift", ".c", ".h", ".py", ".js", ".css", ".html", ".sh", "")


def test_no_room_is_crowded():
    """A folder has at most 25 files, a file at most 400 lines."""
    rooms = Counter(path.parent for path in sources())
    assert not {str(room): count for room, count in rooms.items() if count > 25}
    files = [path for top in ("Sources", "Tests", "contrib", ".ci") for path in (ROOT / top).rglob("*")]
    files = [path for path in files if path.is_file() and path.suffix in KINDS and "__pycache__" not in path.parts]
    lengths = {str(path): len(path.read_bytes().splitlines()) for path in files}
    assert not {path: length for path, length in lengths.items() if length > 400}
