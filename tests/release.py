"""A release, into `dist/`: sdist, wheel, a bill of materials of what a user gets, and the digests of all three.

    python -m tests.release              builds what is committed, to try it
    python -m tests.release --tag v1.2.3 the same, and refuses where the tag, the version and the changelog disagree

What is built is what Git has, never what lies about. Needs a package index.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from tests.conftest import ROOT
from workermd import __version__

DIST = ROOT / "dist"


def refusal(tag: str, version: str, changelog: str) -> str:
    """Why this is no release; empty when it is one."""
    if tag != f"v{version}":
        return f"the tag is {tag}, and the version is {version}: it has to be v{version}"
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.MULTILINE):
        return f"CHANGELOG.md has no heading '## {version} (YEAR-MONTH-DAY)'"
    return ""


def build(source: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def committed(folder: Path) -> Path:
    archive = folder / "source.tar"
    subprocess.run(["git", "archive", "--format=tar", "--output", archive, "HEAD"], cwd=ROOT, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "source", filter="data")
    return folder / "source"


def bill_of_materials(folder: Path) -> Path:
    """What `pip install` brings with the wheel, with versions and licences, as CycloneDX."""
    (wheel,) = DIST.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", wheel], check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools"], check=False)
    path = DIST / f"workermd-{__version__}.cdx.json"
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "environment", python, "--output-reproducible", "-o", path], check=True
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag")
    tag = parser.parse_args().tag
    if tag and (reason := refusal(tag, __version__, (ROOT / "CHANGELOG.md").read_text())):
        raise SystemExit(reason)
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        build(committed(Path(folder)))
        bill_of_materials(Path(folder))
    files = sorted(path for path in DIST.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines))
    print("".join(lines), end="")


if __name__ == "__main__":
    main()
