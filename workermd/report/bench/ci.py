"""A bench for CI: JUnit XML for a list of tests, Markdown for a job's summary, JSON for programs and as a baseline."""

from workermd.protocol.envelope import Document, encoded
from workermd.report.bench import words
from workermd.report.junit import attribute
from workermd.report.markdown import cell


def json_of(document: Document) -> bytes:
    return encoded(document)


def junit_of(document: Document) -> bytes:
    """A case of a subject is a test case: failed where one of its runs did, an error where no run failed but one broke."""
    by_case: dict[tuple[str, str], list[Document]] = {}
    for run in document["runs"]:
        by_case.setdefault((run["subject"], run["case"]), []).append(run)
    suites = []
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for subject in document["subjects"]:
        cases = [_testcase(case, runs) for (name, case), runs in by_case.items() if name == subject["name"]]
        counts = {
            "tests": len(cases),
            "failures": sum("<failure" in each for each in cases),
            "errors": sum("<error" in each for each in cases),
            "skipped": sum("<skipped" in each for each in cases),
        }
        total = {key: value + counts[key] for key, value in total.items()}
        suites.append(
            f"  <testsuite name={attribute(subject['name'])} {_counts(counts)}>\n{''.join(cases)}  </testsuite>\n"
        )
    name = attribute(f"workermd bench {document['suite']}")
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name={name} {_counts(total)}>\n{"".join(suites)}</testsuites>\n'
    ).encode()


def _counts(counts: dict[str, int]) -> str:
    return " ".join(f'{key}="{value}"' for key, value in counts.items())


def _testcase(case: str, runs: list[Document]) -> str:
    passed = sum(run["word"] == "passed" for run in runs)
    seconds = sum(run.get("seconds") or 0 for run in runs)
    head = f'    <testcase classname={attribute(runs[0]["subject"])} name={attribute(case)} time="{seconds:.3f}"'
    for word, element in (("failed", "failure"), ("error", "error"), ("missing", "skipped")):
        found = [run for run in runs if run["word"] == word]
        if found:
            message = f"{passed} of {len(runs)} passed; run {found[0]['n']}: {words.why(found[0])}"
            return f"{head}>\n      <{element} message={attribute(message)}/>\n    </testcase>\n"
    return f"{head}/>\n"


def markdown_of(document: Document) -> bytes:
    gate = document["gate"]
    verdict = f": {gate['verdict']}" if gate["checks"] else ""
    lines = [f"### {cell(document['suite'])}{verdict}", ""]
    lines += ["| subject | passed | share | 95 % | errors | cost | median |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {cell(each['name'])} | {each['passed']}/{each['tried']} | {words.share(each['share'])} "
        f"| {words.interval(each['interval'])} | {each['error']} | {words.money(each['cost_usd'])} "
        f"| {words.seconds(each['seconds']['median'])} |"
        for each in document["subjects"]
    ]
    said = [words.compared(each) for each in document["comparisons"]]
    said += [f"since the baseline: {words.compared(each)}" for each in document["since_baseline"]]
    said += [f"{each['subject']} {each['bound']}: {each['verdict']}: {each['told']}" for each in gate["checks"]]
    lines += ["", *(f"- {cell(each)}" for each in said)] if said else []
    fails = words.fails_of(document)
    if fails:
        lines += ["", "| case | subject | run | why |", "|---|---|---|---|"]
        lines += [
            f"| {cell(run['case'])} | {cell(run['subject'])} | {run['n']} | {run['word']}: {cell(words.why(run))} |"
            for run in fails[:50]
        ]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")
