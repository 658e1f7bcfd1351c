"""The one layout of a contract's file: the same meaning and findings, prose byte for byte, twice is once."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FOUR, ROOT, contract_text
from tests.properties import examples
from workermd.contract.conversion import NotConvertible, to_registry
from workermd.contract.indent import indented
from workermd.contract.layout import ORDER, laid_out
from workermd.contract.reader import read

SITE = (ROOT / "tests/contract/documents/good/site-shape.worker.md").read_text()


def reading(text, path="a.worker.md"):
    return read(text.encode(), path)


def codes(text):
    return Counter((finding.severity, finding.code) for finding in reading(text).findings)


def laid(text):
    """The layout of a text, held against everything that it promises."""
    before = reading(text)
    assert before.contract is not None, before.findings
    after = laid_out(before)
    assert reading(after).contract == before.contract
    assert reading(after).contract.meaning_sha256 == before.contract.meaning_sha256
    assert codes(after) == codes(text)
    assert laid_out(reading(after)) == after, "twice is once"
    return after


# --- any contract ---------------------------------------------------------------------------------------

ENTRIES = {
    "id": ["id: echo", "'id': echo", 'id: "echo"'],
    "name": ["name: Echo", 'name: "a\n# b"', "name: >\n  a\n  # b\n", "name: |+\n  a\n\n", "name: a  # why\n# below"],
    "version": ["version: 1.0.0", "version:   '1.0.0'"],
    "derived_on": ["derived_on: 2026-03-01"],
    "tags": [
        "tags: [a, b]",
        "tags:\n- a\n- b",
        "tags:\n  - 'x\n# y'\n",
        "tags: [a,\n# said\n  b]",
        "tags:\n# said\n- a",
    ],
    "worker_mode": ["worker_mode: agent-orchestration-worker", "# two\n# lines\nworker_mode: m"],
    "odd": ["odd: 1", "odd:\n  deep: [x]\n  deeper:\n    - y"],
    "x-b": ["x-b: 2", "\n# a comment\n\nx-b: |\n  # text\n\n  more\n"],
    "x-a": ["x-a: {k: v}"],
}
BULLETS = {
    "timeout_seconds": ["timeout_seconds: 20", "timeout_seconds:   20  "],
    "max_attempts": ["max_attempts: 2"],
    "idempotency_key": ["idempotency_key: run_id"],
    "status_enum": [f"status_enum: [{', '.join(FOUR)}]", f"status_enum: [ {','.join(FOUR)} ]"],
    "notes": ["notes: adapt: see `docs`, [a,b]", "notes: -"],
    "tools_allowed": ["tools_allowed: []", "tools_allowed: [a]", "tools_allowed: [a,b(c=d,e=*)]"],
    "odd": ["odd: [a,b]", "odd: "],
    "x-more": ["x-more: 1"],
}
BLANKS = st.text(" \n", max_size=3)
PROSE = st.sampled_from(
    ["", "Some *prose*  \n\n", "- a list\n- with   blanks\n\n", "```yaml\nb: 1\na: 2\n```\n\n", "<!-- x -->\n\n"]
)


@st.composite
def json_texts(draw, value):
    """A value's JSON with blanks wherever JSON allows them."""
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 1, 4])))
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return "".join(
        part if part.startswith('"') else re.sub(r"[\[\]{},:]", lambda found: draw(BLANKS) + found[0], part)
        for part in parts
    ).strip()


@st.composite
def contracts(draw):
    keys = [key for key in ENTRIES if key in ("id", "name", "version") or draw(st.booleans())]
    front = "\n".join(draw(st.sampled_from(ENTRIES[key])) for key in draw(st.permutations(keys)))
    marker = draw(st.sampled_from(["- ", "* ", "+ ", "-   ", " - ", "-\t"]))
    names = [name for name in BULLETS if name == "timeout_seconds" or draw(st.booleans())]
    glue = draw(st.sampled_from(["\n", "\n", "\n\n", "\n\n<!-- about the next -->\n\n"]))
    bullets = glue.join(marker + draw(st.sampled_from(BULLETS[name])) for name in draw(st.permutations(names)))
    extra = draw(
        st.dictionaries(st.text(max_size=4), st.sampled_from([1.50, -0.0, 1e300, 10**30, "\\\"'é\u2028/"]), max_size=3)
    )
    inputs = {"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "string"}}, "default": extra}
    outputs = {"type": "object", "properties": {"status": {"enum": FOUR}, "result": {"type": "object"}}}
    fence = draw(st.sampled_from(["```", "~~~~", "  ```"]))
    head = draw(st.sampled_from(["", "# head\n", "# head\n\n"]))
    tail = draw(st.sampled_from(["", "\n", "\n\n## More\n\n- not: this\n"]))
    text = f"---\n{head}{front}\n---\n{draw(PROSE)}# T\n\nPurpose: Do it.\n\n"
    for name, schema in (("Input", inputs), ("Output", outputs)):
        text += f"### {name} schema\n\n{draw(PROSE)}{fence}json\n{draw(json_texts(schema))}\n{fence}\n\n"
    text += f"### Constraints\n\n{bullets}{tail}"
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(contracts())
@settings(deadline=None, max_examples=examples(150))
def test_any_contract_keeps_its_meaning_and_findings(text):
    if reading(text).contract is None:
        return  # a few draws put one thing where it ends another; the next test counts the others
    after = laid(text)
    assert ("\r\n" in text) == ("\r\n" in after)
    assert re.sub("\r\n", "", after).count("\n") in (0, after.count("\n")), "line ends are not mixed"


def test_the_draws_are_mostly_contracts():
    from hypothesis import find

    usable = []

    def note(text):
        usable.append(reading(text).contract is not None)
        return len(usable) >= 60

    find(contracts(), note, settings=settings(deadline=None, database=None, max_examples=200))
    assert sum(usable) > len(usable) * 0.8


@pytest.mark.parametrize(
    "path",
    sorted(
        [*ROOT.glob("contracts/*.md"), *ROOT.glob("registry/*.md"), *ROOT.glob("tests/contract/documents/good/*.md")]
    ),
    ids=lambda path: path.name,
)
def test_every_contract_at_hand(path):
    text = path.read_text()
    after = laid(text)
    assert words_of_prose(after) == words_of_prose(text)


def words_of_prose(text):
    """All lines outside front matter, fences and the constraints' bullets."""
    body = re.sub(r"(?s)\A---\n.*?\n---\n", "", text)
    body = re.sub(r"(?ms)^ ?(`{3,}|~{3,}).*?^ ?\1$", "", body)
    head, _, tail = body.partition("Constraints\n")
    return head, re.sub(r"(?m)^[*+-] \w.*\n?", "", tail)


# --- what it does ---------------------------------------------------------------------------------------


def test_keys_take_the_registrys_order_with_their_comments():
    text = contract_text().replace(
        "id: echo\nname: echo\nversion: 1.0.0\n",
        "x-z: 1\nzeta: 1\ntags: [a]\n# of the version\n# two lines\nversion: 1.0.0\n\n# alone\n\nname: echo\nalpha: 2\nid: echo\n",
    )
    front = laid(text).split("---\n")[1]
    assert front == (
        "id: echo\nname: echo\n# of the version\n# two lines\nversion: 1.0.0\n\n# alone\n\ntags: [a]\nzeta: 1\nalpha: 2\nx-z: 1\n"
    )


def test_the_order_is_that_of_the_registrys_entries():
    keys = re.findall(r"^(\w+):", (ROOT / "registry/autogen.worker.md").read_text().split("---")[1], re.MULTILINE)
    assert len(keys) == 14
    assert keys == [key for key in ORDER if key in keys]


def test_front_matter_that_is_no_list_of_lines_is_left_alone():
    text = contract_text().replace("id: echo\nname: echo\nversion: 1.0.0\n", "{version: 1.0.0, name: echo, id: echo}\n")
    assert laid(text) == text


def test_constraints_are_ordered_unless_somebody_speaks_between_them():
    text = (
        contract_text(constraints={"timeout_seconds": None})
        + "* zeta: 1\n+  timeout_seconds:  20\n- x-a: 1\n- beta: 1\n"
    )
    section = laid(text).split("### Constraints\n\n")[1]
    assert re.findall(r"^- ([\w-]+): ", section, re.MULTILINE) == [
        "timeout_seconds", "max_attempts", "idempotency_key", "status_enum", "zeta", "beta", "x-a",
    ]  # fmt: skip
    for words in ("<!-- about zeta -->", "About zeta:"):
        spoken = laid(text.replace("* zeta", f"\n{words}\n\n* zeta")).split("### Constraints\n\n")[1]
        assert re.findall(r"^(?:- ([\w-]+): |.*zeta.*$)", spoken, re.MULTILINE)[0] == "max_attempts"
        assert f"\n\n{words}\n\n- zeta: 1\n- timeout_seconds: 20\n" in spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"b":[1,2]}', '{"a": 1, "b": [1, 2]}'),
        ('{\n"a":1,"b":[1,\n2]}', '{\n  "a": 1,\n  "b": [\n    1,\n    2\n  ]\n}'),
        ('{\n"a":{ "b":[ ] , "c":{\n} }}', '{\n  "a": {\n    "b": [],\n    "c": {}\n  }\n}'),
        ('[1.50, -0, 1E5, "\\u00e9\\/ ,:{"]', '[1.50, -0, 1E5, "\\u00e9\\/ ,:{"]'),
        ("[" + ", ".join(["12345"] * 20) + "]", "[\n  " + ",\n  ".join(["12345"] * 20) + "\n]"),
        ("[" + ", ".join(["1234"] * 20) + "]", "[" + ", ".join(["1234"] * 20) + "]"),
        ("[" * 60 + "\n" + "]" * 60, "[]"),
    ],
)
def test_json_keeps_every_token(text, expected):
    if text.startswith("[["):
        expected = (
            "".join("  " * n + "[\n" for n in range(59))
            + "  " * 59
            + "[]"
            + "".join("\n" + "  " * n + "]" for n in range(58, -1, -1))
        )
    assert indented(text) == expected
    assert indented(expected) == expected
    assert json.loads(expected) == json.loads(text)


# --- the site's shape -----------------------------------------------------------------------------------


def converted(text):
    before = reading(text).contract
    after = to_registry(reading(text))
    contract = reading(after).contract
    assert contract.shape == "registry"
    assert (contract.id, contract.name, contract.version) == (before.id, before.name, before.version)
    assert contract.meaning_sha256 == before.meaning_sha256
    assert contract._replace(shape="site", front_matter={}) == before._replace(front_matter={})
    assert to_registry(reading(after)) == after
    assert laid_out(reading(after)) == after
    return after


def test_the_sites_shape_becomes_the_registrys():
    after = converted(SITE)
    assert after.startswith("---\nid: email-summarization-worker\nname: Email\nversion: 1.0\n---\n\n# Email Summ")
    assert "\n\nPurpose: Summarize an email thread.\n\n## Input schema\n" in after
    assert "Worker spec" not in after
    assert after.split("## Constraints\n\n")[1] == (
        "- timeout_seconds: 60\n- max_attempts: 2\n- backoff: exponential\n- max_tokens: 1500\n"
        "- tools_allowed: [redact_pii, language_model]\n- rate_limit: per tenant (example: 10/min)\n"
        "- observability.trace_id: required\n- observability.log_fields: [worker_id, attempt, duration_ms]\n\n"
        "## Failure modes & handling\n\n- Model down: `retryable_error`.\n"
    )


CONSTRAINTS = SITE[SITE.index('```json\n{\n  "timeout') : SITE.index("## Failure")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\n", "\r\n", "Purpose: Summarize an email thread.\r\n\r\n## Input"),
        ("name: Email\n", "", "id: email-summarization-worker\nversion: 1.0\n---"),
        ("name: Email\n", "id: email-summarization-worker\n", "---\nid: email-summarization-worker\nversion: 1.0\n---"),
        ("## Worker spec\n\n", "## Worker spec\nKeep me.\n\n", "Purpose: Summarize an email thread.\n\nKeep me.\n\n## Input"),
        ("Summarize an email thread.", "|\n  Two\n  lines.", "purpose: |\n  Two\n  lines.\n---"),
        ("  - key_points: array\n", "", "inputs:\n  - run_id"),
        ('"timeout_seconds": 60,', '"timeout_seconds": 6e1, "x-n": {"a": [1, null]}, "odd": "w",', "- timeout_seconds: 60\n"),
        ('"max_tokens": 1500,', '"x-n": {"a": [1, null]}, "odd": " w",', NotConvertible),
        ('"max_tokens": 1500,', '"x-n": {"a": [1, null]}, "odd": "w",', '- odd: w\n- x-n: {"a": [1, null]}\n'),
        ('"rate_limit": "per', '"notes": "a\\nb", "rate_limit": "per', NotConvertible),
        (CONSTRAINTS, "- max_tokens: 1500\n\n", "- max_tokens: 1500\n- tools_allowed: [redact_pii, language_model]\n"),
        (CONSTRAINTS, "\n", "## Constraints\n\n- timeout_seconds: 60\n"),
        (SITE[SITE.index("```yaml") : SITE.index("## Input")], "```yaml\n{worker_id: a, version: 1.0, retries: {max_attempts: 2}}\n```\n\n", NotConvertible),
    ],
)  # fmt: skip
def test_a_conversion_keeps_what_the_site_says(old, new, expected):
    text = SITE.replace(old, new)
    assert text != SITE
    if expected is NotConvertible:
        with pytest.raises(NotConvertible):
            to_registry(reading(text))
    else:
        assert expected in converted(text)


# --- the command ----------------------------------------------------------------------------------------

MESSY = contract_text().replace("id: echo\nname: echo\n", "name: echo\nid: echo\n")


@pytest.fixture
def files(tmp_path):
    for name, text in {
        "messy": MESSY,
        "neat": contract_text(),
        "bad": "---\nid: a\nversion: 1.0.0\n---\n# x\n",
    }.items():
        (tmp_path / f"{name}.worker.md").write_text(text)
    return tmp_path


@pytest.mark.rule("S1.5")
def test_files_are_laid_out_in_place(cli, files):
    """What has errors is left alone and said."""
    before = {path.name: (path.stat().st_mtime_ns, path.read_text()) for path in files.glob("*.md")}
    done = cli("fmt", ".")
    assert (done.code, done.out) == (2, b"")
    assert "./bad.worker.md: has errors and was left as it is" in done.err
    assert done.err.endswith("1 file changed, 1 as they should be; 1 path left alone\n")
    assert (files / "messy.worker.md").read_text() == contract_text()
    for name in ("bad", "neat"):
        path = files / f"{name}.worker.md"
        assert (path.stat().st_mtime_ns, path.read_text()) == before[path.name]
    again = cli("fmt", "messy.worker.md", "neat.worker.md")
    assert (again.code, again.err) == (0, "0 files changed, 2 as they should be\n")
    assert sorted(path.name for path in files.glob("*")) == [
        "bad.worker.md",
        "home",
        "messy.worker.md",
        "neat.worker.md",
    ]


@pytest.mark.rule("S1.5")
def test_check_and_diff_write_nothing(cli, files):
    check = cli("fmt", "--check", "messy.worker.md", "neat.worker.md")
    assert (check.code, check.out) == (1, b"would change: messy.worker.md\n")
    diff = cli("fmt", "--diff", "messy.worker.md", "-q")
    assert (diff.code, diff.err) == (0, "")
    assert b"\n+id: echo\n name: echo\n-id: echo\n" in diff.out
    assert diff.out.startswith(b"--- a/messy.worker.md\n+++ b/messy.worker.md\n@@ ")
    both = cli("fmt", "--check", "--diff", "messy.worker.md")
    assert (both.code, both.out) == (1, diff.out)
    assert (files / "messy.worker.md").read_text() == MESSY
    assert cli("fmt", "--check", "neat.worker.md").code == 0
    assert cli("fmt", "--check", "nowhere").code == 2
    assert cli("fmt", "--check", "bad.worker.md").code == 2


def test_standard_input_goes_to_standard_output(cli, files):
    done = cli("fmt", "-", given=MESSY)
    assert (done.code, done.out.decode()) == (0, contract_text())
    marked = cli("fmt", "-", given=b"\xef\xbb\xbf" + MESSY.encode())
    assert marked.out.decode() == "\ufeff" + contract_text(), "a byte order mark is a finding, not a matter of layout"
    assert cli("fmt", "-", "neat.worker.md", given=MESSY).code == 2
    bad = cli("fmt", "-", given="no contract")
    assert (bad.code, bad.out) == (2, b"")


def test_the_shape_is_converted_in_place(cli, files):
    path = Path(files / "site.worker.md")
    path.write_text(SITE)
    assert cli("fmt", "--to", "registry", "site.worker.md").code == 0
    assert path.read_text() == to_registry(reading(SITE))
    path.write_text(SITE.replace('"rate_limit": "per', '"notes": "a\\nb", "rate_limit": "per'))
    refused = cli("fmt", "--to", "registry", "site.worker.md")
    assert refused.code == 2
    assert "cannot be converted: the constraint notes is text of several lines" in refused.err
