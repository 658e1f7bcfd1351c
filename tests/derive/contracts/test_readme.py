"""A README is read by its structure: what is prose, what is a banner, what installs the project."""

import hashlib

import pytest

from tests.derive.contracts.texts import AUTOGEN
from workermd.derive import compose, install, markdown, readme


@pytest.fixture
def page(build):
    def opened(text, name="README.md", **facts):
        return readme.open_readme(build({name: text}, **facts))

    return opened


@pytest.mark.parametrize(
    "before",
    [
        "[![build](https://img.shields.io/b.svg)](https://ci.example.org) ![cov](https://img.shields.io/c.svg)",
        "[Docs](https://a.example) | [Blog](https://b.example) | [Chat](https://c.example)",
        "English | [简体中文](README.zh.md) | [日本語](README.ja.md)",
        "- [Install](#install)\n- [Usage](#usage)\n- [What a long name this section has indeed](#x)",
        "## Table of Contents\n\nThis document has many parts that are listed here for you.\n\n# Widget",
        "Sponsored by [Acme](https://acme.example), who make excellent widgets for everyone in the world.",
        "**Documentation**: <https://docs.example.org>",
        "<p align='center'><a href='https://x.example'><img src='https://img.shields.io/x.svg'></a></p>",
        "<!-- a comment that has quite a number of words in it, and no end of them -->",
        "> [!WARNING]\n> This project is deprecated and nobody should use it for anything new.",
        "This project is no longer maintained, and nobody answers questions about it.",
        "NEWS: we have just released version 2.0 with a lot of changes for everybody.",
        "| a table | with cells |\n|---|---|\n| and quite a number of words | in it as well |",
        "---\ntitle: front matter that is no prose at all for anyone\n---",
        "To install it all, run this command in your terminal window:",
        '**"Widgets are not optional. Arrange them or lose them."**',
        "\u201cAll widgets are equal, but some widgets are more equal than others.\u201d",
        "**`[hot]`** The guide to widgets is here for everybody to read: [the guide](https://a.example).",
        "Our showcase of a daily widget: [English](https://a.example) | [a longer name](https://b.example)",
    ],
)
def test_the_first_real_paragraph_is_the_summary(page, before):
    real = "Widget turns lists of things into neatly arranged widgets."
    glue = "\n\n" if not before.startswith("---") else "\n\n# Widget\n\n"
    found = readme.summary(page(f"{before}{glue}{real}\n\nAnother paragraph that comes too late to matter here.\n"))
    assert found is not None
    assert found.text == real


def test_links_with_words_between_serve_where_there_is_nothing_else(page):
    text = "Our showcase of a daily widget: [English](https://a.example) | [German](https://b.example)"
    assert readme.summary(page(f"# W\n\n{text}\n")).text.startswith("Our showcase")


def test_html_serves_where_there_is_no_paragraph(page):
    found = readme.summary(page("<p align=center><em>A <b>fast</b> framework to build widgets with</em></p>\n"))
    assert found is not None
    assert found.text == "A fast framework to build widgets with"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("# W\n\n> **Note**: this repository is archived.\n", ["archived"]),
        ("# W\n\n**DEPRECATED**: use something else.\n", ["deprecated"]),
        ("# Deprecated\n\nText of some sort.\n", ["deprecated"]),
        ("# W\n\nThis project has moved to https://example.org/new.\n", ["moved to https://example.org/new"]),
        ("# W\n\nwidget is in maintenance mode.\n", ["maintenance mode"]),
        ("# W\n\nText.\n\n## Project status\n\nThis library is no longer actively maintained.\n", ["unmaintained"]),
        ("# W\n\n> [!IMPORTANT]\n> if you are new to Widget, please use Gadget.\n", ["successor"]),
        ("# W\n\n> [!IMPORTANT]\n> Version two is coming out next week.\n", []),
        ("# W\n\nText.\n\n## Options\n\nSome.\n\n### Archived\n\nThe following adapters are now archived.\n", []),
        ("# W\n\nText.\n\n## Deprecated options\n\nThese are all deprecated options of the project.\n", []),
        ("# W\n\nText.\n\n## Archived\n\nThe old adapters are archived.\n", []),
        ("# W\n\n> [!NOTE]\n> The module `x` of the package has been deprecated.\n", []),
        ("# W\n\n## THIS PROJECT IS NO LONGER MAINTAINED\n\nText.\n", ["unmaintained"]),
        ("# W\n\nWidget replaces the deprecated gadget. Gadget is no longer maintained.\n", []),
        ("# W\n\n<h3>This repository has been archived.</h3>\n", ["archived"]),
        ("# W\n\n> [!CAUTION]\n> **Maintenance Mode**\n>\n> It is deprecated.\n", ["deprecated, maintenance mode"]),
        ("# W\n\nIt finds deprecated calls in your code.\n", []),
        ("# W\n\nThis project is not deprecated.\n", []),
        ("# W\n\nText.\n\n## Usage\n\n> [!WARNING]\n> The option x of this tool is deprecated.\n", []),
        ("# W\n\n> [!TIP]\n> Try the new thing that we have made.\n", []),
        ("# W\n\n```\nThis project is deprecated.\n```\n", []),
    ],
)
def test_banners(page, text, kinds):
    filler = "\n" * 30 if "## Usage" in text else ""
    found = readme.banners(page(text.replace("## Usage", f"{filler}## Usage")))
    assert [each.kind for each in found] == kinds


@pytest.mark.parametrize("said", [">= 3.9, < 3.14", ">=3.9,<3.14", ">= 3.9 <=3.13.x", "3.10 - 3.12", "3.x"])
def test_a_range_of_versions_is_not_cut_short(page, said):
    assert [each.text for each in readme.versions(page(f"It requires **Python version {said}** to run.\n"))] == [
        f"Python {said}"
    ]


def test_versions(page):
    text = "# W\n\nRequires Python ≥3.9 and works with Node.js 18+.\n\n## Requirements\n\n- Go 1.22 or later\n\nGo 2 is a joke.\n"
    assert [each.text for each in readme.versions(page(text))] == ["Python ≥3.9", "Node.js 18+", "Go 1.22 or later"]


def test_links_that_matter(page, build):
    text = (
        "# W\n\n[![Docs](https://img.shields.io/d.svg)](https://badge.example) [docs](javascript:alert(1)) "
        "[Documentation](https://docs.example.org) [changelog](CHANGES.md#x) [homepage](ftp://x.example)\n"
    )
    repository = build({"README.md": text, "CHANGES.md": "# Changes\n"})
    found = {each.kind: each.text for each in readme.links(readme.open_readme(repository))}
    assert found == {
        "documentation": "https://docs.example.org",
        "changelog": f"https://github.com/example/widget/blob/{repository.commit}/CHANGES.md#L1-L1",
    }


@pytest.mark.parametrize(
    ("fence", "expected"),
    [
        ("bash\n# a comment\npip install widget  # the thing", [("pip install widget", "package")]),
        ("console\n$ pip install widget\nCollecting widget\npip install nothing", [("pip install widget", "package")]),
        ("powershell\nPS C:\\> pip install widget", [("pip install widget", "package")]),
        ("sh\n(venv) user@host:~/x$ pip install widget", [("pip install widget", "package")]),
        ("sh\npip install \\\n  'widget[all]' \\\n  --upgrade", [("pip install 'widget[all]' --upgrade", "package")]),
        ("\n!pip install widget", [("pip install widget", "package")]),
        (
            "sh\ncd x && npm install; sudo pip install -e . | tee log",
            [("npm install", "source"), ("pip install -e .", "source")],
        ),
        (
            "sh\ngit clone https://github.com/example/widget.git",
            [("git clone https://github.com/example/widget.git", "source")],
        ),
        ("sh\nKEY=1 npm i -D widget", [("npm i -D widget", "development")]),
        ("sh\nnpm install -g @playwright/mcp@latest", [("npm install -g @playwright/mcp@latest", "development")]),
        ("sh\npip install pytest ruff", [("pip install pytest ruff", "development")]),
        ("sh\npip install -e '.[dev]'", [("pip install -e '.[dev]'", "development")]),
        ("sh\npip install numpy", [("pip install numpy", "other")]),
        ("sh\npip install 'widget", []),
        ("python\npip install widget", []),
        ("sh\necho pip install widget", []),
        (
            "sh\nnpx skills list\nnpx --yes other-server x\nnpx widget init",
            [("npx --yes other-server x", "other"), ("npx widget init", "package")],
        ),
        ("sh\nnpx other widget", []),
        ("sh\npip install \u202ewidget", []),
    ],
)
def test_install_commands(page, fence, expected):
    found = install.commands(page(f"# W\n\n```{fence}\n```\n"), frozenset({"widget"}))
    assert [(each.text, each.role) for each in found] == expected


def test_placeholders_are_named(page):
    found = install.commands(page("```sh\npip install widget==<version> --token $TOKEN\n```\n"), frozenset())
    assert found[0].placeholders == ("<version>", "$TOKEN")


def test_every_statement_quotes_its_lines(page):
    text = AUTOGEN.replace("\n", "\r\n")
    opened = page(text, name="autogen")
    opened = page(text)
    found = [readme.summary(opened), *readme.banners(opened), *readme.versions(opened), *readme.links(opened)]
    evidence = [each.evidence for each in found if each] + [
        each.evidence for each in install.commands(opened, frozenset())
    ]
    assert len(evidence) >= 6
    lines = text.encode().split(b"\n")
    for each in evidence:
        quoted = b"".join(line + b"\n" for line in lines[each.first_line - 1 : each.last_line])
        assert each.sha256 == hashlib.sha256(quoted).hexdigest()


def test_a_lone_return_moves_no_line(page):
    found = readme.summary(page("# W\r# X\n\nWidget turns lists of things into widgets.\n"))
    assert found is not None
    assert found.evidence.first_line == 3


def test_where_the_readme_stands(build):
    repository = build({"docs/README.md": "x", "readme": "y", "src/README.md": "z"})
    assert readme.find_readme(repository) == "readme"
    assert readme.find_readme(build({"README.md": "a"})) == "README.md"
    assert readme.find_readme(build({".github/README.md": "b"})) == ".github/README.md"


def test_a_huge_readme_is_cut(page):
    text = "# W\n\nWidget turns lists of things into widgets.\n\n" + "[" * 300_000 + "\n" + "word " * 100_000
    opened = page(text)
    assert len(opened.source.data) <= markdown.MAX_BYTES
    assert readme.summary(opened).evidence.first_line == 3


RST = """
widget
======

|build| `Docs <https://widget.readthedocs.io/en/latest/>`_

Widget sorts lists of things by size, and says what it sorted.

.. |build| image:: https://img.shields.io/b.svg
.. include:: /etc/passwd
.. raw:: html
   :file: /etc/passwd

Install it by ``pip install widget``, or:

.. code-block:: bash

    $ pip install widget[fast]
"""
ADOC = """= widget
:toc:
include::/etc/passwd[]
image::logo.png[]

Widget sorts lists of things by size, and says what it sorted.

See the https://widget.example.org/[documentation].

== Installing

Install it by `pip install widget`, or:

[source,bash]
----
$ pip install widget[fast]
----
"""


@pytest.mark.parametrize(("name", "text"), [("README.rst", RST), ("README.adoc", ADOC)])
def test_other_formats_are_read_and_include_nothing(build, name, text):
    repository = build({name: text, "docs/README.md": "# Docs\n\nThis is about the handbook alone, not about it.\n"})
    opened = readme.open_readme(repository)
    assert opened is not None
    told = readme.summary(opened)
    assert told is not None
    assert told.text == "Widget sorts lists of things by size, and says what it sorted."
    assert text.split("\n")[told.evidence.first_line - 1] == told.text
    commands = [each.text for each in install.commands(opened, frozenset({"widget"}))]
    assert commands == ["pip install widget", "pip install widget[fast]"]
    assert [each.kind for each in readme.links(opened)] == ["documentation"]
    assert not any("root:" in read.passage.text for read in opened.reads)


def test_a_readme_of_a_format_that_is_not_read_is_said(build):
    repository = build(
        {"README.org": "* widget\n", "docs/README.md": "# Docs\n\nAbout the handbook of it all, and more.\n"}
    )
    assert readme.open_readme(repository) is None
    assert "README.org was not read: no reader here knows its format." in compose.derive(repository).notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<p align="center"><img src="l.svg"><br>A <i>sort(1)</i> clone for widgets with colour.</p>\n\n### Paging\n\nBy default, widget pipes its own output to a pager.\n', "A sort(1) clone for widgets with colour."),
        ("# widget\n\n> The fast widget sorter for people in a hurry.\n\nPlease star this project if you like it a lot.\n", "The fast widget sorter for people in a hurry."),
        ("# widget\n\n#### A recursive sorter of widgets for the web.\n\nhttps://github.com/example/video\n", "A recursive sorter of widgets for the web."),
        ("# widget\n\nhttps://widget.example.org/a/long/address/of/a/video\n\nIf you like widgets, consider a donation to us.\n\nIt can do these things for you:\n\nWidget sorts things by size and colour.\n", "Widget sorts things by size and colour."),
    ],
)  # fmt: skip
def test_a_tagline_is_found_wherever_it_stands(page, text, expected):
    found = readme.summary(page(text))
    assert found is not None
    assert found.text == expected


@pytest.mark.parametrize(
    ("text", "manifest", "expected"),
    [
        ("It runs under [uv](https://docs.astral.sh/uv/) and [Pydantic](https://docs.pydantic.dev/).\n\n**Documentation**: <https://w.example.net/>\n", "", "https://w.example.net/"),
        ("See the [documentation](https://docs.pytest.org/) of pytest for what its fixtures are and how they are used by widgets.\n", "", None),
        ("It runs under [uv](https://docs.astral.sh/uv/).\n", "", None),
        ("Documentation is [here](https://w.example.net/).\n", "", "https://w.example.net/"),
        ("[a](https://widget.readthedocs.io/en/x)\n", "", "https://widget.readthedocs.io/en/x"),
        ("[Docs](https://docs.other.example/)\n", '[project.urls]\nDocumentation = "https://own.example/docs"\n', "https://own.example/docs"),
    ],
)  # fmt: skip
def test_documentation_is_the_projects_own(build, text, manifest, expected):
    files = {"README.md": f"# W\n\n{text}"}
    if manifest:
        files["pyproject.toml"] = manifest
    derived = compose.derive(build(files))
    found = derived.record.first("documentation")
    assert (found.text if found else None) == expected


def test_a_link_alone_is_quoted_not_the_bar_around_it(page):
    bar = "[A](https://a.example) | [Documentation](https://docs.widget.example/x) | [B](https://b.example)"
    found = readme.links(page(f"# W\n\n{bar}\n"))
    assert [each.evidence.quote for each in found] == ["[Documentation](https://docs.widget.example/x)"]


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("It is installed by `pip install widget`. It needs `pip install numpy`.\n", {}, ["pip install widget"]),
        ("```\n~ pip install widget\n```\n", {}, ["pip install widget"]),
        (
            "```sh\ncurl -fsSL https://widget.example/install.sh | sh\n```\n",
            {},
            ["curl -fsSL https://widget.example/install.sh | sh"],
        ),
        ("```sh\ncurl -LsSf https://astral.sh/install.sh | sh\n```\n", {}, []),
        ("```sh\nuvx widget sort x\n```\n", {}, []),
        ("```sh\npip install widget\nnpm i widget\n```\n", {"go.mod": "module example.org/widget\n"}, []),
    ],
)
def test_what_installs_the_project_and_no_client_of_another_language(build, text, files, expected):
    opened = readme.open_readme(build({"README.md": f"# W\n\n{text}", **files}))
    assert opened is not None
    found = install.commands(opened, frozenset({"widget"}) if not files else frozenset())
    assert [each.text for each in found if each.role == "package"] == expected


MENDED_INSTALLS = {
    "winget install --id=astral-sh.uv -e": "development",
    "brew install uv sqlite3": "other",
    "pip install git+https://github.com/example/widget.git@main": "source",
    "winget install example.widget": "package",
    "widget install other": None,
    "npx widget --port 80": None,
    "git clone https://github.com/example/other": None,
}


@pytest.mark.parametrize("command", MENDED_INSTALLS)
def test_commands_of_other_tools_and_ways_to_use_the_project_are_told_apart(page, command):
    found = install.commands(page(f"# W\n\n```sh\n{command}\n```\n"), frozenset({"widget"}))
    assert [each.role for each in found] == [role for role in [MENDED_INSTALLS[command]] if role]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# W\n\nHave you always wished for order? Widget is for you.\n\nWidget sorts things by size.\n", "Widget sorts things by size."),
        ("# W\n\nWe wanted a simple sorter for widgets, and there was none.\n\nWidget sorts things by size.\n", "Widget sorts things by size."),
        ("# W\n\nVideo introduction to widget: how to sort beautiful things.\n\nWidget sorts things by size.\n", "Widget sorts things by size."),
    ],
)  # fmt: skip
def test_questions_stories_and_videos_are_no_summary(page, text, expected):
    assert readme.summary(page(text)).text == expected


def test_a_move_is_told_by_where_it_went(page):
    found = readme.banners(page("# W\n\n> **Move:** Widget moved from the `example` organization to [other](https://github.com/other). The repository moved whole.\n"))  # fmt: skip
    assert [each.kind for each in found] == ["moved to https://github.com/other"]


def test_documentation_below_its_heading_comes_before_that_of_a_sibling(page):
    text = (
        "# Widget\n\nFor an equivalent in Rust look at the [docs of the other](https://docs.widget.example/rust/widget).\n\n"
        "## Documentation\n\n- [docs.widget.example](https://docs.widget.example/python/widget) tells everything\n"
    )
    found = {each.kind: each.text for each in readme.links(page(text))}
    assert found["documentation"] == "https://docs.widget.example/python/widget"
