"""Every rule that reading or linting a contract, or a document held against it, can report, in one table.

Codes are `WM` and three digits, grouped by hundred; a code is never reused for another meaning.
"""

from collections.abc import Mapping
from typing import NamedTuple

from workermd.finding import Severity


class Rule(NamedTuple):
    """`summary` is what holds when the rule is kept, `purpose` why it should; `fix` is what a safe fix does, or empty."""

    severity: Severity
    summary: str
    purpose: str = ""
    fix: str = ""


GROUPS: dict[str, str] = {
    "WM1": "The file and its front matter",
    "WM2": "YAML",
    "WM3": "Sections and code fences",
    "WM4": "JSON",
    "WM5": "Schemas",
    "WM6": "Constraints",
    "WM7": "Meaning across parts",
    "WM8": "Documents held against a contract",
    "WM9": "Trust, folders and ignores",
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
    "WM120": Rule(
        "warning",
        "A tag stands once.",
        "A repeated tag says nothing, and usually another one was meant.",
        "Removes the later one where it has a line to itself.",
    ),
    "WM121": Rule(
        "warning",
        "A derived contract has all 14 keys of the registry.",
        "Who reads a derived contract has to be able to find what it was derived from, when and how.",
    ),
    "WM122": Rule(
        "info",
        "The version is a semantic version of three numbers.",
        "`1.0` and `01.0.0` are accepted, but tools that order versions or ask for a bump cannot use them.",
    ),
    "WM123": Rule(
        "warning",
        "The derivation is not older than the repository's last change that it names.",
        "One of the two dates is wrong, and with it what the contract claims to have seen.",
    ),
    "WM124": Rule(
        "warning",
        "`worker_mode` is no misspelling of a known mode.",
        "A mode chooses a default backend; a misspelt one chooses none, silently. Other modes are the operator's own.",
    ),
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
    "WM320": Rule(
        "info",
        "Evidence is text, not badges and navigation.",
        "A badge or a row of links says nothing about what a worker takes and gives, and fills a place that text should have.",
    ),
    "WM321": Rule(
        "warning",
        "No evidence names another licence than `repository_license`.",
        "The field comes from the hosting site, which may name the licence of the documentation only.",
    ),
    "WM322": Rule(
        "info",
        "`repository_license` is a licence for code where there is code.",
        "Creative Commons advises against its licences for software: the field probably names the licence of the documentation.",
    ),
    "WM323": Rule(
        "warning",
        "A notice that the repository has ended or moved is repeated in the front matter.",
        "Who adopts the contract reads the front matter; that the project is archived or sends its users elsewhere decides whether to. Keys: `x-maintenance`, `x-repository-status`, `x-superseded-by`.",
    ),
    "WM401": Rule("error", "The JSON is strict JSON."),
    "WM402": Rule("error", "The JSON of a section is an object."),
    "WM501": Rule("error", "The schema is a valid JSON Schema that both engines can use."),
    "WM510": Rule(
        "warning",
        "A schema has only keywords of JSON Schema, or such as begin with `x-`.",
        "A validator ignores what it does not know: `requird` requires nothing.",
    ),
    "WM511": Rule(
        "warning",
        "A schema has only keywords of its own draft.",
        "A keyword of another draft is ignored, or kept for old documents only; either way it is not what the draft says.",
    ),
    "WM512": Rule(
        "error",
        "What is required is a property where others are forbidden.",
        "No object can have the property and lack it, so no document would ever match.",
    ),
    "WM513": Rule(
        "error",
        "A schema can be satisfied.",
        "A document that nothing satisfies makes every run fail. Only what is certain from one schema object is reported.",
    ),
    "WM514": Rule(
        "warning",
        "A keyword can judge a value of the schema's type.",
        "`minLength` lets every number pass: what was meant is not checked.",
    ),
    "WM515": Rule(
        "info",
        "The schemas, and their properties, say what they admit.",
        "`{}` or a bare object is satisfied by anything, so an empty answer passes as a good one. It is honest in a starter, and to be replaced before use.",
    ),
    "WM516": Rule(
        "warning",
        "Nothing stands beside `$ref` in the drafts that ignore it.",
        "Up to draft 7, `$ref` replaces the whole schema: a `maxLength` beside it is never checked.",
    ),
    "WM601": Rule("error", "A constraint is written `- key: value`."),
    "WM602": Rule("error", "A constraint is one line of a bullet list."),
    "WM603": Rule("error", "Constraints are a bullet list, not a numbered one."),
    "WM604": Rule("error", "A constraint stands in a bullet list outside quotes."),
    "WM605": Rule("error", "A constraint stands once."),
    "WM606": Rule("error", "The value of a constraint has the form that its key asks for."),
    "WM607": Rule("warning", "The constraint is known, or begins with `x-`."),
    "WM608": Rule("error", "Constraints are bullets or one JSON object, not both."),
    "WM620": Rule(
        "warning",
        "All attempts fit into `timeout_seconds` (S3.8).",
        "The last attempts get less time than the contract promises them, or none.",
    ),
    "WM621": Rule(
        "warning",
        "The pauses between attempts fit into `timeout_seconds` (S3.8).",
        "With pauses that take all the time, the later attempts are mostly never started.",
    ),
    "WM622": Rule(
        "warning",
        "`tools_allowed` lists names of tools.",
        "A tool is compared with the list by its name: a suffix such as `(optional)` makes it another name, and the tool is denied.",
    ),
    "WM623": Rule(
        "info",
        "`backoff` stands where there is a second attempt.",
        "With one attempt there is no pause; the constraint suggests a retry that does not happen.",
    ),
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
    "WM720": Rule(
        "warning",
        "An output that bears its status bears its `run_id` as a required string.",
        "Without it a stored or passed-on answer does not tell which run it belongs to (S2.5).",
    ),
    "WM721": Rule(
        "warning",
        "A contract that asks people has the status `needs_human`.",
        "A run that waits for a person would have to end as a failure instead (S1.4). Reported where the prose names `needs_human` in back-ticks or a tool is named for asking.",
    ),
    "WM801": Rule("error", "The document is strict JSON."),
    "WM802": Rule("error", "The document matches the schema: the input's, or the output's."),
    "WM901": Rule(
        "error",
        "The contract holds no secret.",
        "A contract is shared, copied and printed; a key in it has to be withdrawn. The message never quotes it.",
    ),
    "WM902": Rule(
        "warning",
        "The prose tries to instruct no model and no tool.",
        "Text taken from a repository is data (S6.5); a line that speaks to a model may steer whatever reads the file.",
    ),
    "WM903": Rule(
        "warning",
        "The file has no bidirectional controls and no invisible characters.",
        "They make a reader see another text than a program does.",
        "Removes invisible characters from prose; bidirectional controls are left to a person.",
    ),
    "WM910": Rule(
        "error",
        "Two files of one id and version are the same.",
        "An id and a version name one contract; with two, which one ran can no longer be told.",
    ),
    "WM911": Rule(
        "warning",
        "Ids differ in more than upper and lower case.",
        "People and some file systems do not tell them apart; the ledger does.",
    ),
    "WM920": Rule(
        "warning",
        "An ignore names one code and gives a reason.",
        "An ignore without a reason cannot be judged later, and one that names no rule hides nothing.",
    ),
    "WM921": Rule(
        "warning",
        "An ignore has something to ignore.",
        "An ignore left behind would hide the next fault of its kind.",
        "Removes the comment.",
    ),
}


def rules_page(examples: Mapping[str, str]) -> str:
    """The text of `docs/rules.md`; an example is Markdown that shows a rule broken."""
    lines = [
        "# Rules",
        "",
        "What `workermd validate` reports about a contract, or about a document held against one. `workermd rule CODE`",
        "explains one. Each sentence says what holds when the rule is kept.",
        "",
        "Codes are stable and never reused. Rules with an example are checks of `validate` alone: `--select` and `--ignore`",
        "(or `[lint]` in `workermd.toml`) choose among them, and `run` does not ask them. The others belong to reading: an",
        "error of theirs makes the contract unusable, `run` refuses it, and nothing hides it.",
        "",
        "A contract ignores a rule with a comment that stands alone on a line of prose, names one code in full and says why.",
        "It holds for the whole file, because no comment can stand beside JSON or front matter:",
        "",
        "```html",
        "<!-- workermd: ignore WM515 the caller decides what a context holds -->",
        "```",
        "",
        "A finding of level error makes `validate` exit 1; `--fail-on` and `--strict` lower that. `--baseline FILE` accepts",
        "what `--baseline-update` wrote there; an entry is bound to the file, the code and the text of the line, not to its",
        "number. This page is generated from `workermd/contract/rules.py` and the files in `tests/lint/`.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | level | rule |", "|---|---|---|"]
        group = {code: rule for code, rule in RULES.items() if code.startswith(prefix)}
        lines += [f"| {code} | {rule.severity} | {rule.summary} |" for code, rule in group.items()]
        for code, rule in group.items():
            if code in examples:
                fix = f" Safe fix: {rule.fix}" if rule.fix else ""
                lines += ["", f"### {code}", "", f"{rule.summary} {rule.purpose}{fix}", "", examples[code]]
    return "\n".join(lines) + "\n"
