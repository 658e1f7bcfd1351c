"""Where a contract says what its worker is for: what is read, what only looks like it, and that two agree (S8.1)."""

import pytest

from tests.contract.contract_cases import GOOD, edit, front
from workermd.contract.diff import difference
from workermd.contract.layout import laid_out
from workermd.contract.reader import read
from workermd.lint.engine import lint

LINE = "Purpose: Do one thing."

READ = {
    "plain": "Purpose: Do one thing.",
    "any case": "PURPOSE: Do one thing.",
    "small": "purpose:Do one thing.",
    "bold label": "**Purpose:** Do one thing.",
    "bold word": "**Purpose**: Do one thing.",
    "bold whole": "**Purpose: Do one thing.**",
    "underscores": "__Purpose__: Do one thing.",
    "emphasis": "*Purpose:* Do one thing.",
    "both": "***Purpose:*** Do one thing.",
    "a blank before the colon": "Purpose : Do one thing.",
    "two lines": "Purpose: Do one\n  thing.",
    "section": "### Purpose\n\nDo one thing.",
    "section of any rank and case": "## PURPOSE\n\nDo one thing.",
    "section with a colon": "### Purpose:\n\nDo one thing.",
    "bold section": "### **Purpose**\n\nDo one thing.",
    "setext": "Purpose\n-------\n\nDo one thing.",
    "section with a comment": "### Purpose\n\n<!-- ask Ann -->\n\nDo one thing.",
    "two that agree": "Purpose: Do one thing.\n\n### Purpose\n\nDo one\nthing.",
}

NEAR = {
    "list": ("- Purpose: Do one thing.", "stands in a list"),
    "quote": ("> Purpose: Do one thing.", "stands in a quote"),
    "heading": ("### Purpose: do one thing", "is a heading with more in it"),
    "code": ("    Purpose: Do one thing.", "is indented by 4"),
    "fence": ("```\nPurpose: Do one thing.\n```", "stands in a code fence"),
    "comment": ("<!--\nPurpose: Do one thing.\n-->", "stands in an HTML block"),
    "dash for the colon": ("Purpose - do one thing.", "is no paragraph that begins"),
    "a no-break space": ("Purpose\u00a0: Do one thing.", "holds U+00A0 (no-break space) at column 8"),
    "a zero width space": ("\u200bPurpose: Do one thing.", "holds U+200B (zero width space) at column 1"),
    "html": ("<b>Purpose:</b> Do one thing.", "is no paragraph that begins"),
    "table": ("| Purpose | Do one thing. |", "is no paragraph that begins"),
    "no words": ("**Purpose:**\n\nDo one thing.", "has no words behind it"),
    "empty section": ("### Purpose", "heads a section that is empty"),
}


def reading(text):
    return read(edit(LINE, text).encode(), "demo.worker.md")


def of_purpose(text):
    return [finding for finding in lint(reading(text)).findings if finding.code in ("WM713", "WM714", "WM703")]


@pytest.mark.rule("S8.6")
@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_every_form_is_read(text):
    contract = reading(text).contract
    assert contract is not None
    assert contract.purpose.split() == ["Do", "one", "thing."]
    assert of_purpose(text) == []


@pytest.mark.parametrize(("text", "why"), NEAR.values(), ids=NEAR)
def test_a_near_miss_is_named_at_its_line(text, why):
    found = of_purpose(text)
    assert [(each.code, each.severity) for each in found] == [("WM713", "error")]
    assert why in found[0].message
    number = next(number for number, line in enumerate(edit(LINE, text).split("\n"), 1) if "urpose" in line)
    assert found[0].line == number
    assert reading(text).contract.purpose == ""


def test_no_purpose_at_all_is_an_error_of_validate_alone():
    found = of_purpose("Some words.")
    assert [(each.code, each.line, each.severity) for each in found] == [("WM713", 1, "error")]
    assert reading("Some words.").contract is not None


def test_a_section_is_read_to_its_end():
    text = "### Purpose\n\nDo one thing:\n\n- this\n- that\n\n#### Never\n\nAnything else."
    assert reading(text).contract.purpose == text.removeprefix("### Purpose\n\n")
    assert of_purpose(text) == []


@pytest.mark.parametrize("more", ["And another.", "- a rule\n- another", "> a rule"])
def test_what_stands_below_the_line_is_not_lost_without_a_word(more):
    found = of_purpose(f"Purpose: Do one thing.\n\n{more}")
    assert [(each.code, each.line) for each in found] == [("WM714", 13)]
    assert of_purpose(f"Purpose: Do one thing.\n\n#### Aside\n\n{more}") == []


@pytest.mark.rule("S8.6")
@pytest.mark.parametrize(
    "document",
    [
        edit(LINE, "Purpose: Do one thing.\n\n### Purpose\n\nDo another."),
        edit(LINE, "Purpose: Do one thing.\n\n**Purpose:** Do another."),
        front("purpose: Do another."),
    ],
    ids=["section", "paragraph", "front matter"],
)
def test_two_that_differ_are_an_error(document):
    found = read(document.encode(), "demo.worker.md")
    assert found.contract is None
    assert {finding.code for finding in found.findings} == {"WM703"}


def test_the_front_matter_alone_will_do():
    text = front("purpose: Do one thing.").replace(f"{LINE}\n", "")
    found = read(text.encode(), "demo.worker.md")
    assert found.contract.purpose == "Do one thing."
    assert lint(found).findings == lint(read(GOOD.encode(), "demo.worker.md")).findings


def test_diff_tells_a_purpose_that_came_went_or_changed():
    def told(old, new):
        return [(change.kind, change.reason) for change in difference(reading(old), reading(new)).changes]

    assert told(LINE, "Words.") == [("purpose-changed", "there was a purpose and there is none now")]
    assert told("Words.", LINE) == [("purpose-changed", "there was no purpose and there is one now")]
    assert told(LINE, "### Purpose\n\nDo one thing.\n\nNever do another.")[0][0] == "purpose-changed"
    assert told(LINE, "### Purpose\n\nDo one\nthing.")[0][0] == "purpose-respaced"
    assert told(LINE, "**Purpose:** Do one thing.") == []


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_the_layout_keeps_it(text):
    once = laid_out(reading(text))
    assert laid_out(read(once.encode(), "demo.worker.md")) == once
