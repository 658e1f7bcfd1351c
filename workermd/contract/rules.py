"""Every rule that reading or linting a contract, or a document held against it, can report, in one table.

Codes are `WM` and three digits, grouped by hundred; a code is never reused for another meaning.
"""

from typing import NamedTuple

from workermd.protocol.finding import Severity


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
    "WM101": Rule("error", "The file is UTF-8.", "Every other encoding shows other characters in other programs."),
    "WM102": Rule(
        "warning",
        "The file does not begin with a byte order mark.",
        "Some tools take the mark for the first character and find no front matter.",
        "Removes the mark.",
    ),
    "WM103": Rule("error", "The file has at most 256 KiB.", "A file without a limit could take any time to read."),
    "WM104": Rule(
        "error",
        "The only control characters are TAB, LF and CRLF.",
        "Control characters hide text from a reader and mean a line end to one program and none to another.",
    ),
    "WM105": Rule(
        "warning",
        "The file is called `<name>.worker.md`.",
        "A folder is searched for `*.worker.md`; a file of another name is never checked.",
    ),
    "WM106": Rule(
        "error",
        "The file is a contract, not another project's `*.worker.md` or a web page.",
        "Other projects use the same suffix for prompts, and a saved web page has the contract somewhere inside.",
    ),
    "WM107": Rule(
        "error",
        "Line 1 is `---` and begins the front matter, or a `Worker spec` section stands in for it.",
        "A common reader takes a file that begins otherwise for one without front matter, and says nothing.",
    ),
    "WM108": Rule(
        "error",
        "The lines around the front matter are exactly `---`, the first of them on line 1.",
        "A line that is almost `---` begins or ends the front matter for one program and not for another.",
    ),
    "WM109": Rule(
        "error",
        "The front matter ends with a line `---`.",
        "Without its end the whole file would be front matter, or none of it.",
    ),
    "WM110": Rule(
        "error",
        "There is front matter or a `Worker spec` section, not both.",
        "With two places for the same keys, which one counts would be a guess.",
    ),
    "WM111": Rule("error", "The front matter is a mapping.", "Keys need a mapping; a list or a text has none."),
    "WM112": Rule(
        "error",
        "The required keys are present: `id` (or `worker_id`) and `version`.",
        "A run is stored under the id, and the version tells which text of the contract it followed.",
    ),
    "WM113": Rule("warning", "The contract has a `name`.", "People read the name; the id then has to serve."),
    "WM114": Rule("error", "A known key is not empty.", "An empty value may mean nothing or something forgotten."),
    "WM115": Rule(
        "error",
        "A value has the form that its key asks for.",
        "A date that does not exist or a URL that is none misleads whoever uses it.",
    ),
    "WM116": Rule(
        "warning",
        "The key is known, or begins with `x-`.",
        "An unknown key is mostly a misspelt one, and what it was to say is lost.",
    ),
    "WM117": Rule(
        "warning",
        "A value is not wrapped in typographic quotes.",
        "YAML knows plain quotes only: the others become part of the text.",
    ),
    "WM120": Rule(
        "warning",
        "A tag stands once.",
        "A repeated tag says nothing, and usually another one was meant.",
        "Removes the later one where it has a line to itself.",
    ),
    "WM121": Rule(
        "warning",
        "An entry of the registry has all 14 keys of the registry.",
        "Who reads an entry has to be able to find what it was derived from, when and how.",
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
    "WM125": Rule(
        "error",
        "`x-call` says how the interface is called, and names properties of the input.",
        "A backend that calls a program or a service by it would refuse every run, or leave an argument out.",
    ),
    "WM201": Rule(
        "error", "The YAML is well formed.", "Broken YAML is read differently, or not at all, by different programs."
    ),
    "WM202": Rule(
        "error", "A YAML key stands once in its mapping.", "Common readers let the last one win without a word."
    ),
    "WM203": Rule(
        "error", "The YAML has no anchors and no aliases.", "A few hundred bytes of aliases can grow to any size."
    ),
    "WM204": Rule(
        "error", "The YAML has no merge keys.", "A merge key brings in values that do not stand where they seem to."
    ),
    "WM205": Rule(
        "error", "The YAML has no tags.", "A tag asks the reader to make an object of some type: a contract holds text."
    ),
    "WM206": Rule("error", "A YAML key is text.", "A key that is a list or a mapping has no name to refer to."),
    "WM207": Rule(
        "error",
        "The YAML is one document without directives or markers.",
        "What follows a marker is another document, which common readers drop.",
    ),
    "WM208": Rule(
        "error",
        "The YAML has no TAB, byte order mark, U+0085, U+2028 or U+2029.",
        "These characters end a line for one reader and not for another.",
    ),
    "WM209": Rule("error", "The YAML is nested at most 16 deep.", "Deep nesting ends some YAML readers with a crash."),
    "WM210": Rule(
        "error",
        "The YAML has at most 2,000 events.",
        "A front matter of more parts is no front matter, and takes long to read.",
    ),
    "WM211": Rule("error", "The YAML has at most 32 KiB.", "A front matter of this size is an accident or an attack."),
    "WM301": Rule(
        "error",
        "The sections Input schema, Output schema and Constraints are present.",
        "Without its schemas a run cannot be checked, and without constraints it has no bounds.",
    ),
    "WM302": Rule(
        "error", "A section stands once.", "Of two sections one would be ignored, and which one would be a guess."
    ),
    "WM303": Rule(
        "error",
        "The heading of a section stands outside lists and quotes.",
        "A heading in a list begins no section for Markdown, though it looks like one.",
    ),
    "WM304": Rule(
        "error",
        "A code fence is closed.",
        "An open fence swallows the rest of the file: later sections vanish without a word.",
    ),
    "WM305": Rule(
        "error",
        "An HTML comment or block is closed.",
        "An open comment swallows the rest of the file: later sections vanish without a word.",
    ),
    "WM306": Rule(
        "error", "The section holds its code fence.", "The schema is read from the fence and from nowhere else."
    ),
    "WM307": Rule(
        "error",
        "The section holds one code fence of its language.",
        "Of two fences one would be ignored, and which one would be a guess.",
    ),
    "WM308": Rule(
        "error",
        "The code fence of a section names its language by one plain word.",
        "A fence without the plain word may hold an example; a schema is named `json`.",
    ),
    "WM309": Rule(
        "error",
        "The code fence of a section stands outside lists and quotes.",
        "A fence in a list or quote is an example for most readers.",
    ),
    "WM310": Rule(
        "warning",
        "A section holds no code fences of other languages.",
        "What stands there is not read, and may have been meant to be.",
    ),
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
    "WM401": Rule(
        "error",
        "The JSON is strict JSON.",
        "Readers differ in what they make of comments, repeated keys and NaN; strict JSON means one thing.",
    ),
    "WM402": Rule("error", "The JSON of a section is an object.", "A schema and a set of constraints are objects."),
    "WM501": Rule(
        "error",
        "The schema is a valid JSON Schema that both engines can use.",
        "A schema that an engine refuses, or reads differently, checks nothing. References stay inside it (S6.4), patterns run in linear time.",
    ),
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
    "WM517": Rule(
        "warning",
        "A reply of nothing is no valid output.",
        "Where `{}` passes, a task that did nothing ends as `ok`, and its empty answer is kept for good.",
    ),
    "WM518": Rule(
        "warning",
        "A format is one that is checked.",
        "JSON Schema takes any other word for an annotation: `int64` on an integer bounds nothing.",
    ),
    "WM519": Rule(
        "warning",
        "What is required is a property that the schema describes.",
        "A required name beside a property of nearly that name is mostly a slip: every document needs both, and one is checked.",
    ),
    "WM601": Rule(
        "error",
        "A constraint is written `- key: value`.",
        "A value is what follows the first colon, as it stands; nothing else is guessed from Markdown.",
    ),
    "WM602": Rule(
        "error", "A constraint is one line of a bullet list.", "What stands on a second line or below would be dropped."
    ),
    "WM603": Rule(
        "error",
        "Constraints are a bullet list, not a numbered one.",
        "The registry writes bullets; a numbered list is mostly advice for people.",
    ),
    "WM604": Rule(
        "error",
        "A constraint stands in a bullet list outside quotes.",
        "In a quote it is somebody else's text, outside the list it is prose.",
    ),
    "WM605": Rule(
        "error", "A constraint stands once.", "Of two values one would be ignored, and which one would be a guess."
    ),
    "WM606": Rule(
        "error",
        "The value of a constraint has the form that its key asks for.",
        "`30s` or `1_000` is a different number for different readers.",
    ),
    "WM607": Rule(
        "warning",
        "The constraint is known, or begins with `x-`.",
        "An unknown constraint is mostly a misspelt one, and the bound it was to set does not hold.",
    ),
    "WM608": Rule(
        "error",
        "Constraints are bullets or one JSON object, not both.",
        "With two places for the same keys, which one counts would be a guess.",
    ),
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
        "`tools_allowed` lists names of tools, each with patterns of arguments where it needs them.",
        "A call is held against the list: a pattern that cannot be read allows no call.",
    ),
    "WM623": Rule(
        "info",
        "`backoff` stands where there is a second attempt.",
        "With one attempt there is no pause; the constraint suggests a retry that does not happen.",
    ),
    "WM624": Rule(
        "info",
        "`rate_limit` is written in its grammar: `N/s`, `N/min`, `N/h` or `N/d`, optionally `per /pointer`.",
        "One rate in free text is read as that, for the worker as a whole; the reader should see what was understood (S3.9).",
    ),
    "WM625": Rule(
        "info",
        "Every kind of backend can hold the bounds.",
        "Some count what no function and no program shows: without a kind that counts, somebody has to vouch (S3.6).",
    ),
    "WM626": Rule(
        "warning",
        "Some kind of backend can hold each bound.",
        "A bound that nothing can hold refuses every run, unless the operator vouches for it (S3.6).",
    ),
    "WM627": Rule(
        "warning",
        "`max_memory_mb`, `max_processes` and `max_artifact_mb` are bounds that a machine could come to.",
        "A bound above what machines have is none, and one below an interpreter's own needs ends every attempt (S3.12).",
    ),
    "WM628": Rule(
        "warning",
        "`network` lists few hosts, by name, and none of the machine itself.",
        "An address of the machine, or of its cloud's keeper of keys, is an operator's matter; a contract goes elsewhere too (S10.8).",
    ),
    "WM701": Rule("error", "The constraints have a `timeout_seconds`.", "A run without a limit may never end (S3.1)."),
    "WM702": Rule(
        "warning",
        "The constraints have a `max_attempts`; without it there is one attempt.",
        "How often a task may start is the author's decision, not a default's.",
    ),
    "WM703": Rule(
        "error", "A value given in two places is the same in both.", "Which of the two counts would be a guess."
    ),
    "WM704": Rule(
        "error",
        "`status_enum` and the status enum of the output schema name the same set.",
        "Whatever is printed bears a status of the enum; two lists leave open which (S1.2).",
    ),
    "WM705": Rule(
        "error",
        "The idempotency key, where one is named or `run_id` is a field, is a required string property of the input schema.",
        "Without the key a repeated request cannot be told from a new one (S4.1).",
    ),
    "WM706": Rule(
        "error",
        "`attempt_timeout_seconds` is at most `timeout_seconds`.",
        "An attempt cannot have more time than the run that it belongs to (S3.8).",
    ),
    "WM707": Rule(
        "warning",
        "The bounds on tools and sizes leave something to use.",
        "A bound of nothing makes what it bounds useless, and is mostly a slip.",
    ),
    "WM708": Rule(
        "error",
        "`success_statuses` are statuses of the contract.",
        "A status that no run can bear never counts as success.",
    ),
    "WM709": Rule(
        "warning",
        "The statuses include `ok`, or `success_statuses` names another.",
        "Without a status of success every exit code is one of failure (S1.6).",
    ),
    "WM710": Rule(
        "warning",
        "The statuses include those that failures need.",
        "A failure without its status is printed outside the contract's own enum (S1.6).",
    ),
    "WM711": Rule(
        "warning",
        "The output schema can hold a failure.",
        "A failure that the schema cannot hold is printed all the same, and the next reader refuses it (S5.2).",
    ),
    "WM712": Rule(
        "warning",
        "The fields listed in a `Worker spec` are those of the schemas.",
        "The list is what people read and the schema is what counts; they should say the same.",
    ),
    "WM713": Rule(
        "error",
        "The contract has a purpose: a paragraph `Purpose: ...`, a section headed `Purpose`, or the key `purpose`.",
        "The purpose is what a task, and above all a model, is told to do (S8.1); without one it is told nothing.",
    ),
    "WM714": Rule(
        "warning",
        "Nothing stands between a line `Purpose:` and the next heading.",
        "The line alone is the purpose: paragraphs and lists below it reach no task. A section `Purpose` is read whole.",
    ),
    "WM715": Rule(
        "info",
        "The run's key is a field of the input.",
        "Else every call has to name its run: with `--run-id`, `--new-run-id`, `--run-id-from` or a request document (S4.1).",
    ),
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
    "WM801": Rule("error", "The document is strict JSON.", "Readers differ in what they make of anything else."),
    "WM802": Rule(
        "error",
        "The document matches the schema: the input's, or the output's.",
        "A document that does not match is refused by `run`, or is no valid output.",
    ),
    "WM803": Rule(
        "error",
        "A suite is YAML of its format, and its paths, patterns and schemas can be used.",
        "A bench that began with half of its scores would have paid for runs that nothing judges.",
    ),
    "WM804": Rule(
        "error",
        "The cases of a suite can be read, and their inputs match the contract's input schema.",
        "A run refuses an input that does not match, so the case could measure nothing.",
    ),
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
