"""What the reader takes for a contract, python-frontmatter and all of markdown-it read alike.

Where they part, they are not asked, for a reason each:
- YAML makes numbers, dates and truth values of plain words; a contract's values are text. Only text is compared.
- A byte order mark hides the front matter from python-frontmatter; a contract has a warning for it (WM102).
- What the reader refuses (repeated keys, anchors, tags, a fence that never closes) they read in some way. Files with
  errors are compared by no oracle: the tables of `tests/contract/contract_cases.py` say what has to be found.
"""

import json

import frontmatter
from hypothesis import given, settings
from markdown_it import MarkdownIt

from tests.lint.test_fuzz import BOUNDED, SEEDS, mutated
from tests.properties import examples
from workermd.contract.document import INPUT_SCHEMA, OUTPUT_SCHEMA, section_name
from workermd.contract.reader import read

MARKDOWN = MarkdownIt("commonmark")


def fences(text):
    """The JSON texts below the headings, as markdown-it finds them outside lists and quotes; the first of each."""
    section, found = None, {}
    tokens = MARKDOWN.parse(text)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and token.level == 0:
            section = section_name(following.content) or section
        elif token.type == "fence" and token.level == 0 and token.info.lower().split()[:1] == ["json"]:
            found.setdefault(section, token.content)
    return found


def agrees(data):
    """True where there was something to compare."""
    reading = read(data, "a.worker.md")
    if reading.contract is None or data.startswith(b"\xef\xbb\xbf"):
        return False
    theirs, body = frontmatter.parse(data.decode())
    found = fences(body)
    assert json.loads(found[INPUT_SCHEMA]) == reading.contract.input_schema
    assert json.loads(found[OUTPUT_SCHEMA]) == reading.contract.output_schema
    if reading.contract.shape == "registry":
        ours = reading.contract.front_matter
        assert set(ours) == {str(key) for key in theirs} - {"constraints", "retries", "observability"}
        for key, value in theirs.items():
            if isinstance(value, str):
                assert ours[key] == value, key
    return True


def test_what_ships_and_what_the_rules_show():
    assert sum(map(agrees, SEEDS)) > len(SEEDS) / 2


@settings(BOUNDED, max_examples=examples(300))
@given(mutated())
def test_mutated_contracts(data):
    agrees(data)
