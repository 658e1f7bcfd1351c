"""Every rule that reading a contract, or a document held against it, can report, in one table.

Codes are `WM` and three digits, grouped by hundred; a code is never reused for another meaning.
"""

from typing import NamedTuple

from workermd.finding import Severity


class Rule(NamedTuple):
    severity: Severity
    summary: str


GROUPS: dict[str, str] = {
    "WM1": "The file and its front matter",
    "WM2": "YAML",
    "WM3": "Sections and code fences",
    "WM4": "JSON",
    "WM5": "Schemas",
    "WM6": "Constraints",
    "WM7": "Meaning across parts",
    "WM8": "Documents held against a contract",
}

RULES: dict[str, Rule] = {
    "WM101": Rule("error", "The file is UTF-8."),
    "WM102": Rule("warning", "The file does not begin with a byte order mark."),
    "WM103": Rule("error", "The file has at most 256 KiB."),
    "WM104": Rule("error", "The only control characters are TAB, LF and CRLF."),
    "WM105": Rule("warning", "The file is called `<name>.worker.md`."),
    "WM106": Rule("error", "The file is a contract, not another project's `*.worker.md` or a web page."),
    "WM107": Rule("error", "Line 1 is `---` and begins the front matter, or a `Worker spec` section stands in for it."),
    "WM108": Rule("error", "The lines around the front matter are exactly `---`, the first of them on line 1."),
    "WM109": Rule("error", "The front matter ends with a line `---`."),
    "WM110": Rule("error", "There is front matter or a `Worker spec` section, not both."),
    "WM111": Rule("error", "The front matter is a mapping."),
    "WM112": Rule("error", "The required keys are present: `id` (or `worker_id`) and `version`."),
    "WM113": Rule("warning", "The contract has a `name`."),
    "WM114": Rule("error", "A known key is not empty."),
    "WM115": Rule("error", "A value has the form that its key asks for."),
    "WM116": Rule("warning", "The key is known, or begins with `x-`."),
    "WM201": Rule("error", "The YAML is well formed."),
    "WM202": Rule("error", "A YAML key stands once in its mapping."),
    "WM203": Rule("error", "The YAML has no anchors and no aliases."),
    "WM204": Rule("error", "The YAML has no merge keys."),
    "WM205": Rule("error", "The YAML has no tags."),
    "WM206": Rule("error", "A YAML key is text."),
    "WM207": Rule("error", "The YAML is one document without directives or markers."),
    "WM208": Rule("error", "The YAML has no TAB, byte order mark, U+0085, U+2028 or U+2029."),
    "WM209": Rule("error", "The YAML is nested at most 16 deep."),
    "WM210": Rule("error", "The YAML has at most 2,000 events."),
    "WM211": Rule("error", "The YAML has at most 32 KiB."),
    "WM301": Rule("error", "The sections Input schema, Output schema and Constraints are present."),
    "WM302": Rule("error", "A section stands once."),
    "WM303": Rule("error", "The heading of a section stands outside lists and quotes."),
    "WM304": Rule("error", "A code fence is closed."),
    "WM305": Rule("error", "An HTML comment or block is closed."),
    "WM306": Rule("error", "The section holds its code fence."),
    "WM307": Rule("error", "The section holds one code fence of its language."),
    "WM308": Rule("error", "The code fence of a section names its language by one plain word."),
    "WM309": Rule("error", "The code fence of a section stands outside lists and quotes."),
    "WM310": Rule("warning", "A section holds no code fences of other languages."),
    "WM401": Rule("error", "The JSON is strict JSON."),
    "WM402": Rule("error", "The JSON of a section is an object."),
    "WM501": Rule("error", "The schema is a valid JSON Schema that both engines can use."),
    "WM601": Rule("error", "A constraint is written `- key: value`."),
    "WM602": Rule("error", "A constraint is one line of a bullet list."),
    "WM603": Rule("error", "Constraints are a bullet list, not a numbered one."),
    "WM604": Rule("error", "A constraint stands in a bullet list outside quotes."),
    "WM605": Rule("error", "A constraint stands once."),
    "WM606": Rule("error", "The value of a constraint has the form that its key asks for."),
    "WM607": Rule("warning", "The constraint is known, or begins with `x-`."),
    "WM608": Rule("error", "Constraints are bullets or one JSON object, not both."),
    "WM701": Rule("error", "The constraints have a `timeout_seconds`."),
    "WM702": Rule("warning", "The constraints have a `max_attempts`; without it there is one attempt."),
    "WM703": Rule("error", "A value given in two places is the same in both."),
    "WM704": Rule("error", "`status_enum` and the status enum of the output schema name the same set."),
    "WM705": Rule("error", "The idempotency key is a required string property of the input schema."),
    "WM706": Rule("error", "`attempt_timeout_seconds` is at most `timeout_seconds`."),
    "WM707": Rule("warning", "The bounds on tools and sizes leave something to use."),
    "WM708": Rule("error", "`success_statuses` are statuses of the contract."),
    "WM709": Rule("warning", "The statuses include `ok`, or `success_statuses` names another."),
    "WM710": Rule("warning", "The statuses include those that failures need."),
    "WM711": Rule("warning", "The output schema can hold a failure."),
    "WM712": Rule("warning", "The fields listed in a `Worker spec` are those of the schemas."),
    "WM801": Rule("error", "The document is strict JSON."),
    "WM802": Rule("error", "The document matches the schema: the input's, or the output's."),
}


def rules_page() -> str:
    """The text of `docs/rules.md`."""
    lines = [
        "# Rules",
        "",
        "What `workermd` reports about a contract, or about a document held against one. An error makes it unusable; a",
        "warning does not.",
        "Each sentence says what holds when the rule is kept. This page is generated from `workermd/contract/rules.py`.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | level | rule |", "|---|---|---|"]
        lines += [
            f"| {code} | {rule.severity} | {rule.summary} |" for code, rule in RULES.items() if code.startswith(prefix)
        ]
    return "\n".join(lines) + "\n"
