"""Inputs that failed, one a line, as cases of a bench: they are played first the next time."""

import json
import os

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.contract.problems import SUFFIX
from workermd.fuzz.search import Failing, size_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.system import files
from workermd.system.bounded import at_most
from workermd.system.digest import sha256

_MOST_BYTES = 64 << 20


def beside(spec: str) -> str:
    """The file of a contract's kept inputs: NAME.fuzz.jsonl in its folder."""
    return f"{spec.removesuffix(SUFFIX)}.fuzz.jsonl"


def load(path: str) -> list[Document]:
    """The cases of such a file; none where there is no file. Raises UsageError for what is none."""
    if not os.path.exists(path):
        return []
    try:
        with open(path, "rb") as file:
            lines = at_most(file, _MOST_BYTES).splitlines()
        cases = [quick.load_bytes(line) for line in lines if line.strip()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})", "name another file with --kept") from None
    except JsonError as error:
        raise UsageError(f"{path}: not JSON Lines ({error.message})", "mend or remove the line") from None
    if not all(isinstance(case, dict) and isinstance(case.get("input"), dict) for case in cases):
        raise UsageError(f"{path}: a line has no input", "each line is a case: {id, input, tags}")
    return cases


def save(path: str, before: list[Document], found: tuple[Failing, ...]) -> int:
    """Add the inputs that are new. How many there were."""
    known = {size_of(case["input"])[1] for case in before}
    new = [_case(each) for each in found if size_of(each.given)[1] not in known]
    if new:
        files.write(path, "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in [*before, *new]).encode())
    return len(new)


def _case(failing: Failing) -> Document:
    digest = sha256(size_of(failing.given)[1].encode()).hex()[:10]
    return {"id": f"{failing.fault.check}-{digest}", "input": failing.given, "tags": ["fuzz", failing.fault.check]}
