"""Small repositories of the kinds that were derived wrong: every claim of each, right value for right value."""

import pytest

from tests.derive.contracts import texts
from workermd.derive.compose import derive

LOCAL = {"topics": (), "language": None, "description": None, "licence": None, "homepage": None}
SORTS = "Widgetry sorts widgets by size and colour, and says what it sorted."
MANIFEST = '[project]\nname = "widgetry"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
URLS = '[project.urls]\nDocumentation = "https://widgetry.example.org/"\nHomepage = "https://widgetry.example.org/"\nChangelog = "https://widgetry.example.org/changes"\n'
TRANSITION = (
    "The project is undergoing a licensing transition from the MIT License to the Apache License, Version 2.0.\n"
    "Contributions whose authors have not agreed remain licensed under the MIT License.\n\n---\n\n"
)

CASES = {
    "documentation of others": (
        {
            "README.md": f"# widgetry\n\n{SORTS}\n\nIt runs under [uv](https://docs.astral.sh/uv/guides/tools/).\n\n**Documentation**: <https://widgetry.example.org/>\n",
            "pyproject.toml": MANIFEST + URLS,
        },
        {
            "summary": [SORTS],
            "supported_versions": ["Python >=3.10"],
            "documentation": ["https://widgetry.example.org/"],
            "homepage": ["https://widgetry.example.org/"],
            "changelog": ["https://widgetry.example.org/changes"],
        },
    ),
    "install lines in a sentence and behind a prompt": (
        {
            "README.md": f"# widgetry\n\n{SORTS}\n\nIt can be installed by running `pip install widgetry`. It requires Python 3.10+.\n\n```\n~ pip install widgetry[fast]\n```\n",
            "pyproject.toml": MANIFEST,
        },
        {
            "summary": [SORTS],
            "install": ["pip install widgetry", "pip install widgetry[fast]"],
            "supported_versions": ["Python >=3.10"],
        },
    ),
    "a page in reST beside one of the documentation": (
        {
            "README.rst": "widgetry\n========\n\nWidgetry sorts widgets by size and colour.\n\n.. code-block:: bash\n\n    $ pip install widgetry\n",
            "docs/README.md": "# Docs\n\nThis folder contains the sources of the handbook.\n\n```\n$ pip install sphinx\n```\n",
            "pyproject.toml": MANIFEST,
        },
        {
            "summary": ["Widgetry sorts widgets by size and colour."],
            "install": ["pip install widgetry"],
            "supported_versions": ["Python >=3.10"],
        },
    ),
    "headings about something else": (
        {
            "README.md": f"# widgetry\n\n{SORTS}\n\n### Archived\n\nThe following adapters are now archived.\n\n### Deprecated options\n\nThese are all the deprecated options.\n"
        },
        {"summary": [SORTS]},
    ),
    "a tagline in centred HTML": (
        {
            "README.md": '<p align="center">\n  <img src="logo.svg" alt="logo"><br>\n  A <i>sort(1)</i> clone for widgets with colour integration.\n</p>\n\n### Paging\n\nBy default, widgetry pipes its own output to a pager.\n'
        },
        {"summary": ["A sort(1) clone for widgets with colour integration."]},
    ),
    "a README that contradicts the manifest": (
        {"README.md": f"# widgetry\n\n{SORTS}\n\nIt requires Python 3.8 or later.\n", "pyproject.toml": MANIFEST},
        {"summary": [SORTS], "supported_versions": ["Python >=3.10"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_of_a_small_repository(build, name):
    files, expected = CASES[name]
    claims = derive(build(files, **LOCAL)).record.claims
    found: dict[str, list[str]] = {}
    for claim in claims:
        if claim.field not in ("interface", "worker_mode"):
            found.setdefault(claim.field, []).append(claim.text)
    assert found == expected


def test_a_link_cites_the_line_of_its_own_key(build):
    claims = derive(build(CASES["documentation of others"][0], **LOCAL)).record.claims
    lines = {
        claim.field: claim.evidence[0].first_line for claim in claims if claim.field in ("documentation", "homepage")
    }
    assert lines == {"documentation": 6, "homepage": 7}


def test_a_licence_in_transition_is_both(build):
    licence = derive(build({"LICENSE": TRANSITION + "x " * 700 + texts.MIT, "a.py": "x = 1\n"}, **LOCAL)).record.first(
        "repository_license"
    )
    assert licence is not None
    assert licence.text == "MIT"
