"""What clients over HTTP/2 need besides Python itself."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def with_h2():
    """Where Python's h2 is not there, goes on in an environment of these tests' own, which has it."""
    if importlib.util.find_spec("h2"):
        return
    subprocess.run([ROOT / "contrib/packages", "python3-venv"], check=True)
    place = ROOT / ".build/soak-venv"
    wanted = next(line for line in (ROOT / "Tests/EndToEnd/requirements.txt").read_text().splitlines() if line.startswith("h2="))
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", wanted], check=True)
    os.execv(place / "bin/python", [place / "bin/python", *sys.argv])
