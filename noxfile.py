"""The suite on every interpreter that is found here: `make matrix`."""

import os
from pathlib import Path

import nox

# pyenv's own commands refuse a version that is installed and not chosen: its interpreters are looked for where they are.
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
FOLDERS = [str(path) for path in sorted(PYENV.glob("versions/3.*/bin"), reverse=True)]
os.environ["PATH"] = os.pathsep.join([*FOLDERS, os.environ["PATH"]])

nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13", "3.14"], venv_backend="venv")
def tests(session: nox.Session) -> None:
    """Install the versions that were tried together, as far as this interpreter has them, and run the tests."""
    session.install("--constraint", "constraints.txt", "--editable", ".[all,dev]")
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)
