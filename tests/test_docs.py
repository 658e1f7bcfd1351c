"""The pages among themselves: every link and every file that they name is there, and the README leads to each."""

import os
import re
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS
from tests.conftest import ROOT
from workermd.task.task import KINDS

PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in (*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"))}


def prose(text):
    """A page without its fenced blocks: what stands there is somebody's file or terminal."""
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text):
    """The targets of links that lead to no other host."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in link]


def named(page):
    """Pages that a page names as code, as `docs/x.md` anywhere, or as `x.md` beside it."""
    names = re.findall(r"`((?:docs/)?[\w-]+\.md)`", prose(PAGES[page]))
    for name in names:
        if name.startswith("docs/") or page.startswith("docs/"):
            yield name if "/" in name else f"docs/{name}"


def anchors(text):
    """What a heading is called in a link."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def linked(page):
    for link in links(PAGES[page]):
        target, _, anchor = link.partition("#")
        yield os.path.normpath(Path(page).parent / target) if target else page, anchor


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_link_leads_somewhere(page):
    for target, anchor in linked(page):
        assert (ROOT / target).exists(), target
        assert not anchor or anchor in anchors(PAGES[target]), f"{target}#{anchor}"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_page_and_path_named_is_there(page):
    assert set(named(page)) <= set(PAGES)
    rooms = "docs|contracts|workermd|registry|tests"
    for path in re.findall(rf"`((?:{rooms})/[\w./-]+)`", prose(PAGES[page])):
        assert (ROOT / path).exists(), path


def test_the_readme_leads_to_every_page():
    reached, ahead = set(), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page in PAGES and page not in reached:
            reached.add(page)
            ahead += [*named(page), *(target for target, _ in linked(page))]
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set()


def test_the_table_of_kinds_is_complete():
    table = re.search(r"^\| (?:kind|`--backend`) \| when .*?\n\n", PAGES["docs/backends.md"], re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`.*?) \|", table[0].partition("---|\n")[2], re.MULTILINE)
    assert sorted(kind for row in rows for kind in re.findall(r"`([\w-]+)`", row)) == sorted(KINDS)


def test_every_benchmark_is_named_and_described():
    page = PAGES["docs/benchmarks.md"]
    names = page.partition("Names: ")[2].partition(";")[0]
    assert re.findall(r"`([\w-]+)`", names) == [*BENCHMARKS]
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(BENCHMARKS)


def test_every_target_that_is_no_file_has_a_rule():
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split()
    assert [target for target in phony if not re.search(rf"^{target}:", text, re.MULTILINE)] == []
