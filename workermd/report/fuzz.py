"""What a fuzzer found, as text for people and as a document for programs."""

import json

from workermd.fuzz.observed import CHECKS
from workermd.fuzz.search import Failing, Searched
from workermd.protocol.envelope import Document, encoded, versioned
from workermd.report.junit import attribute
from workermd.system.text import printable

MOST_SHOWN = 600
"""Characters of an input in the text; the file of kept inputs has all of it."""

MOST_MISSED = 12


class FuzzReport:
    """One search, with the names that go beside it."""

    def __init__(self, searched: Searched, worker_id: str, seed: int, way: str) -> None:
        branches = searched.branches
        self.document = versioned(
            {
                "worker_id": worker_id,
                "seed": seed,
                "way": way,
                "drawn": searched.drawn,
                "valid": searched.valid,
                "replayed": searched.replayed,
                "seconds": round(searched.seconds, 3),
                "branches": {
                    "all": len(branches.all),
                    "taken": len(branches.taken & branches.all),
                    "missed": branches.missed,
                },
                "found": [_found(each) for each in searched.found],
            }
        )
        self.document["found"].sort(key=lambda each: (list(CHECKS).index(each["check"]), each["origin"]))


def _found(failing: Failing) -> Document:
    return {
        "check": failing.fault.check,
        "origin": failing.fault.origin,
        "told": failing.fault.told,
        "kept": failing.kept,
        "input": failing.given,
    }


def text_of(document: Document) -> bytes:
    lines: list[str] = []
    for each in document["found"]:
        again = " (kept from before)" if each["kept"] else ""
        shown = json.dumps(each["input"], ensure_ascii=False)
        more = "" if len(shown) <= MOST_SHOWN else f" … ({len(shown)} characters)"
        lines += [f"{each['check']}: {each['told']}{again}", f"  input: {shown[:MOST_SHOWN]}{more}"]
    found, branches = len(document["found"]), document["branches"]
    lines.append(
        f"{document['worker_id']}: {found or 'no'} fault{'s' * (found != 1)}; {document['valid']} inputs of "
        f"{document['drawn']} drawn, {document['replayed']} kept ones played, {document['seconds']:.1f} s, "
        f"{branches['taken']} of {branches['all']} branches of the input schema; seed {document['seed']}"
    )
    missed = branches["missed"]
    if missed:
        more = f" and {len(missed) - MOST_MISSED} more" if len(missed) > MOST_MISSED else ""
        lines.append(f"not reached: {', '.join(missed[:MOST_MISSED])}{more}")
    return ("\n".join(map(printable, lines)) + "\n").encode("utf-8", "replace")


def junit_of(document: Document) -> bytes:
    """A check is a test case."""
    cases = []
    for check in CHECKS:
        found = [each for each in document["found"] if each["check"] == check]
        head = f'    <testcase classname="workermd fuzz" name={attribute(check)}'
        told = "; ".join(f"{each['told']}: {json.dumps(each['input'], ensure_ascii=False)}" for each in found)
        cases.append(
            f"{head}>\n      <failure message={attribute(told)}/>\n    </testcase>\n" if found else f"{head}/>\n"
        )
    failures = len({each["check"] for each in document["found"]})
    counts = f'tests="{len(CHECKS)}" failures="{failures}" errors="0" skipped="0" time="{document["seconds"]}"'
    name = attribute(f"workermd fuzz {document['worker_id']}")
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name={name} {counts}>\n  <testsuite name={name} {counts}>\n'
        f"{''.join(cases)}  </testsuite>\n</testsuites>\n"
    ).encode("utf-8", "replace")


FORMATS = {"text": text_of, "json": encoded, "junit": junit_of}
