"""A run as a report of CI: JUnit XML for a list of tests, Markdown for a job's summary, annotations for GitHub."""

from collections.abc import Callable

from workermd.protocol.envelope import Document
from workermd.report.github import command
from workermd.report.junit import attribute
from workermd.report.markdown import cell


def _junit(envelope: Document) -> bytes:
    """One case. A failure of the run has failed; what the same call may mend is an error."""
    name = f"{envelope['worker_id']} {envelope.get('run_id') or ''}".strip()
    seconds = f"{envelope['observability']['duration_ms'] / 1000:.3f}"
    error = envelope.get("error")
    kind = "error" if error and error["retryable"] else "failure"
    counts = (
        f'tests="1" failures="{int(bool(error) and kind == "failure")}" errors="{int(bool(error) and kind == "error")}"'
    )
    body = ""
    if error:
        message = attribute(f"{envelope['status']}: {error['message']}")
        body = f"      <{kind} type={attribute(error['code'])} message={message}/>\n"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="workermd" {counts}>\n  <testsuite name="workermd run" {counts} skipped="0" time="{seconds}">\n'
        f'    <testcase classname="workermd" name={attribute(name)} time="{seconds}">\n{body}    </testcase>\n'
        "  </testsuite>\n</testsuites>\n"
    ).encode()


def _markdown(envelope: Document) -> bytes:
    """The status, who ran, at what cost, and why it failed. The output itself may hold anything, and stays out."""
    seen = envelope["observability"]
    replayed = ", replayed" if envelope["replayed"] else ""
    rows = {
        "run": envelope.get("run_id") or "",
        "version": envelope["version"],
        "backend": envelope["backend"],
        "attempts": f"{seen['attempt']}{replayed}",
        "time": f"{seen['duration_ms'] / 1000:.1f} s",
        "usage": ", ".join(f"{amount:g} {name}" for name, amount in envelope["usage"].items()),
        "artifacts": ", ".join(each["name"] for each in envelope["artifacts"]),
    }
    lines = [f"### {cell(envelope['worker_id'])}: {cell(envelope['status'])}", "", "| | |", "|---|---|"]
    lines += [f"| {word} | {cell(str(value))} |" for word, value in rows.items() if value]
    if "error" in envelope:
        error = envelope["error"]
        hint = f"; {error['hint']}" if error.get("hint") else ""
        lines += ["", f"**{cell(error['code'])}**: {cell(error['message'] + hint)}"]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _github(envelope: Document) -> bytes:
    """One annotation: why the run failed, or that it did not."""
    name = f"{envelope['worker_id']} {envelope.get('run_id') or ''}".strip()
    if "error" not in envelope:
        return command("notice", name, str(envelope["status"]))
    error = envelope["error"]
    hint = f"; {error['hint']}" if error.get("hint") else ""
    return command("error", name, f"{envelope['status']}: {error['message']} [{error['code']}]{hint}")


FORMATS: dict[str, Callable[[Document], bytes]] = {"junit": _junit, "markdown": _markdown, "github": _github}
