"""The first minute: what the program says by itself, the file it gives one to start from, and how that is described."""

import json
import subprocess

import jsonschema
import pytest
import yaml

from gateway import BINARY, ROOT


def synaxis(*arguments, directory=None, environment=None):
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, cwd=directory, env=environment or {}, timeout=30)


@pytest.fixture(scope="module")
def schema():
    printed = synaxis("schema")
    assert (printed.returncode, printed.stderr) == (0, "")
    schema = json.loads(printed.stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_without_a_word():
    """The steps that are told are those that work."""
    said = synaxis()
    assert said.returncode == 64 and said.stdout == ""
    for step in ("synaxis demo", "synaxis init >synaxis.yaml", "synaxis check", "synaxis run", "synaxis --help"):
        assert f"  {step} " in said.stderr
        assert synaxis(step.split()[1], "--help").returncode == 0


@pytest.mark.parametrize("command", ["run", "check"])
def test_without_a_file(tmp_path, command):
    said = synaxis(command, directory=tmp_path)
    assert said.returncode == 78 and "synaxis init >synaxis.yaml" in said.stderr and "synaxis demo" in said.stderr


@pytest.mark.parametrize(("options", "file"), [([], "starter.yaml"), (["--free"], "free-tier.yaml")])
def test_init(tmp_path, schema, options, file):
    """The file works at once, says what is missing, and takes up a key as soon as it is there."""
    printed = synaxis("init", *options)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == (ROOT / "etc" / file).read_text()
    (tmp_path / "synaxis.yaml").write_text(printed.stdout)
    bare = synaxis("check", directory=tmp_path)
    assert bare.returncode == 0 and "error" not in bare.stderr
    assert "providers.groq is left out: GROQ_API_KEY is not set" in bare.stderr
    assert "\noff    groq: GROQ_API_KEY is not set\n" in bare.stdout
    with_key = synaxis("check", directory=tmp_path, environment={"GROQ_API_KEY": "k", "SYNAXIS_ADMIN_TOKEN": "t"})
    assert with_key.returncode == 0 and "groq" not in with_key.stderr and "admin" not in with_key.stderr
    assert list(schema.iter_errors(yaml.safe_load(printed.stdout))) == []


def test_money_is_written_as_it_was(tmp_path):
    """No 0.30000000000000004, and no 1.0."""
    (tmp_path / "synaxis.yaml").write_text(
        "providers: { groq: { key: k, models: [m], cost: { input: 0.1, output: 0.2 }, spend: { day: 1 } } }\n")
    assert " $1 a day " in (told := synaxis("check", directory=tmp_path).stdout) and " $0.1/0.2 " in told
    assert ", 0.3 USD per million tokens\n" in synaxis("check", "--route", "m", directory=tmp_path).stdout


def test_wrong_words():
    for arguments in (["init", "x"], ["init", "--fre"], ["schema", "x"]):
        said = synaxis(*arguments)
        assert said.returncode == 64 and f"synaxis {arguments[0]} --help" in said.stderr


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "etc").glob("*.yaml")))
def test_schema_takes_the_examples(schema, file):
    assert list(schema.iter_errors(yaml.safe_load((ROOT / "etc" / file).read_text()))) == []


@pytest.mark.parametrize(("text", "place"), [
    ("limitz: {}", ""), ("limits: { quue: 1 }", "limits"), ("limits: { queue: -1 }", "limits.queue"),
    ("limits: { memory: 3 apples }", "limits.memory"), ("timeouts: { connect: soon }", "timeouts.connect"),
    ("cache: { replay: slowly }", "cache"), ("providers: { a: { teir: 1 } }", "providers.a"),
    ("providers: { a: { models: { b: { mdl: c } } } }", "providers.a.models"), ("clients: {}", "clients"),
    ("hedge: never", "hedge"), ("allow_anonymous: maybe", "allow_anonymous"), ("log: { level: loud }", "log.level"),
])
def test_schema_finds_mistakes(schema, text, place):
    """What the reader refuses, an editor marks, and where."""
    document = {"providers": {}, **yaml.safe_load(text)}
    errors = list(schema.iter_errors(document))
    assert errors and all(".".join(map(str, error.absolute_path)).startswith(place) for error in errors)


def test_schema_takes_every_spelling_of_a_value(schema):
    text = """
    listen: [8080, "[::1]:80", "unix:/s"]
    cache: off
    hedge: 1.5s
    limits: { memory: 64 MB, header: 32k, queue: "${QUEUE:-5}" }
    timeouts: { connect: 1m30s, drain: 5 }
    allow_anonymous: "no"
    x-mine: { anything: [1] }
    $schema: here
    providers: { a: { models: ["*", { name: b, cost: { input: 1 } }] }, b: { models: c, key: 12345 } }
    aliases: { a: b/c, d: [b/c], e: { candidates: [b/c], cache: false } }
    """
    assert list(schema.iter_errors(yaml.safe_load(text))) == []


def test_the_reference_is_the_table():
    """contrib/doc/configuration.md and the man page say what the reader does."""
    keys = ROOT / "contrib/doc/keys"
    checked = subprocess.run([keys, BINARY, "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    page = subprocess.run([keys, BINARY, "--man", "2026-01-01"], capture_output=True, text=True, check=True).stdout
    assert "\\fBfailover\\fR (duration), default 80ms" in page and page.startswith(".TH SYNAXIS.YAML 5")
