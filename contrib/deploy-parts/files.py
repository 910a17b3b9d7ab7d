"""usage: files.py BINARY CLOUD-CONFIG-SCHEMA

The files of contrib/deploy, each by the schema of who reads it, and the tier files in them by `synaxis check`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
# The oldest version that each file says it is for; the newest that is known is asked too.
KUBERNETES = {"kubernetes.yaml": "1.30", "sidecar.yaml": "1.29"}


def tier_file(binary, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        keys = {"GROQ_API_KEY": "of-the-test", "APP_KEY": "of-the-test"}
        done = subprocess.run([binary, "check", "-c", file.name], env=keys, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr


def manifests(binary):
    for name, oldest in KUBERNETES.items():
        found = list(yaml.safe_load_all((DEPLOY / name).read_text()))
        for manifest in found:
            for version in (oldest, kubernetes_validate.latest_version()):
                kubernetes_validate.validate(manifest, version, strict=True)
        texts = [one["data"]["synaxis.yaml"] for one in found if one["kind"] == "ConfigMap"]
        for text in texts:
            tier_file(binary, text)
    # What would not be noticed is no check.
    found[0]["spec"]["terminationGracePeriod"] = 1
    try:
        kubernetes_validate.validate(found[0], kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError:
        return
    sys.exit("a manifest with a misspelt key is taken for a good one")


def compose():
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(DEPLOY / "compose.yaml", directory)
        for name in ("synaxis.env", "synaxis.yaml"):
            Path(directory, name).touch()
        subprocess.run(["docker-compose", "-f", "compose.yaml", "config", "--quiet"], cwd=directory, check=True)


def cloud_init(binary, schema):
    config = yaml.safe_load((DEPLOY / "cloud-init.yaml").read_text())
    jsonschema.Draft4Validator(json.loads(Path(schema).read_text())).validate(config)
    written = {file["path"]: file["content"] for file in config["write_files"]}
    tier_file(binary, written["/etc/synaxis/synaxis.yaml"])


binary, schema = sys.argv[1:]
manifests(os.path.abspath(binary))
compose()
cloud_init(os.path.abspath(binary), schema)
