"""Licences from the files, beside the host's field and the manifests."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.derive.contracts import texts
from workermd.derive import compose
from workermd.derive.licence import licences, recognise
from workermd.derive.manifest import manifests


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (texts.MIT, "MIT"),
        (texts.ISC, "ISC"),
        (texts.ISC.replace("and/or", "and"), "ISC"),
        (texts.BSD_2, "BSD-2-Clause"),
        (texts.BSD_3, "BSD-3-Clause"),
        (texts.APACHE, "Apache-2.0"),
        (texts.GPL_2, "GPL-2.0"),
        (texts.GPL_3, "GPL-3.0"),
        (texts.AGPL_3, "AGPL-3.0"),
        (texts.LGPL_3, "LGPL-3.0"),
        (texts.MPL, "MPL-2.0"),
        (texts.UNLICENSE, "Unlicense"),
        (texts.CC0, "CC0-1.0"),
        (texts.CC_BY, "CC-BY-4.0"),
        (texts.CC_BY.replace("You must retain", "You must:\n\n            a. retain"), "CC-BY-4.0"),  # as published
        (texts.CC_BY_SA, "CC-BY-SA-4.0"),
        ("SPDX-License-Identifier: EPL-2.0\n", "EPL-2.0"),
    ],
)
def test_the_common_licences(text, spdx):
    assert [(each.spdx, each.whole) for each in recognise(text)] == [(spdx, True)]


@pytest.mark.parametrize("text", ["", "All rights reserved.\n", "MIT\n", "This code is under the Apache License.\n"])
def test_what_is_no_licence_text(text):
    assert recognise(text) == ()


def claims(repository):
    return licences(repository, manifests(repository))


def test_the_whole_text_of_this_projects_own_licence():
    """It says "additional terms" itself: that alone is no addition, "Additional terms:" below it is."""
    text = (ROOT / "LICENSE").read_text()
    assert recognise(text) == (("Apache-2.0", True),)
    assert recognise(f"{text}\nAdditional terms: no use on Sundays.\n") == (("Apache-2.0", False),)


@pytest.mark.parametrize(
    ("name", "spdx"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("GPL-3", "GPL-3.0"),
        ("GPL-2", "GPL-2.0"),
        ("LGPL-3", "LGPL-3.0"),
        ("LGPL-2.1", "LGPL-2.1"),
        ("MPL-2.0", "MPL-2.0"),
        ("CC0-1.0", "CC0-1.0"),
    ],
)
def test_whole_texts_as_the_system_has_them(name, spdx):
    path = Path("/usr/share/common-licenses", name)
    if not path.exists():
        pytest.skip("this system has no folder of common licences")
    assert recognise(path.read_text()) == ((spdx, True),)


def test_code_and_documentation_are_told_apart(build):
    """microsoft/autogen: the host names the licence of the documentation."""
    found = claims(build({"LICENSE": texts.CC_BY, "LICENSE-CODE": texts.MIT}, licence="CC-BY-4.0"))
    assert found.code.text == "MIT"
    assert found.documentation.text == "CC-BY-4.0"
    assert (
        found.code.note == "The host names CC-BY-4.0, which LICENSE gives to the documentation; the code is under MIT."
    )
    assert found.code.confidence == 0.9


def test_files_host_and_manifest_that_agree(build):
    found = claims(build({"LICENSE": texts.MIT, "pyproject.toml": '[project]\nname = "w"\nlicense = "MIT"\n'}))
    assert (found.code.text, found.code.confidence, found.code.note) == ("MIT", 1.0, "")
    assert [(each.path, each.first_line) for each in found.code.evidence] == [
        ("LICENSE", 1),
        ("pyproject.toml", 3),
        ("", 0),
    ]


def test_a_manifest_that_says_otherwise(build):
    found = claims(build({"LICENSE": texts.MIT, "package.json": '{"name": "w",\n "license": "ISC"}\n'}))
    assert found.code.text == "MIT"
    assert found.code.note == "package.json states ISC."
    assert found.code.confidence == 0.8


def test_a_host_that_says_otherwise(build):
    found = claims(build({"LICENSE": texts.MIT}, licence="Apache-2.0"))
    assert found.code.note == "The host names Apache-2.0; the files say MIT."


def test_two_licences_and_the_expression_that_joins_them(build):
    files = {"LICENSE-MIT": texts.MIT, "LICENSE-APACHE": texts.APACHE}
    alone = claims(build(files, licence=None))
    assert alone.code.text == "Apache-2.0, MIT"
    assert "do not say how they combine" in alone.code.note
    stated = claims(build({"Cargo.toml": '[package]\nname = "w"\nlicense = "MIT OR Apache-2.0"\n'}, licence=None))
    assert (stated.code.text, stated.code.note) == ("MIT OR Apache-2.0", "")


def test_a_licence_with_additions(build):
    found = claims(build({"LICENSE": f"{texts.MIT}\nCommons Clause: the right to sell is excluded.\n"}))
    assert found.code.text == "MIT"
    assert "more text" in found.code.note


def test_the_host_alone_and_nobody(build):
    found = claims(build({"README.md": "x"}))
    assert (found.code.text, found.code.confidence) == ("MIT", 0.6)
    assert claims(build({"README.md": "x"}, licence="NOASSERTION")).code is None


def test_third_party_notices_are_not_ours(build):
    found = claims(build({"LICENSE": texts.MIT, "LICENSE-3RD-PARTY.txt": texts.GPL_3, "vendor/LICENSE": texts.GPL_3}))
    assert found.code.text == "MIT"


def test_a_licence_file_that_is_cut_short_is_said(build):
    repository = build({"LICENSE": texts.MIT[:300], "README.md": "# W\n"}, licence=None)
    derived = compose.derive(repository)
    assert derived.record.first("repository_license") is None
    assert any(note.startswith("LICENSE is not recognised as a licence") for note in derived.notes)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [('[project]\nname = "w"\nlicense = "MPL-2.0 AND MIT"\n', "MPL-2.0 AND MIT"), ("", "MIT AND MPL-2.0")],
)
def test_a_combined_file_keeps_the_stricter_licence(build, manifest, expected):
    notice = "This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.\nhttps://mozilla.org/MPL/2.0/\n\n"
    files = {"LICENCE": notice + texts.MIT, "README.md": "# W\n", **({"pyproject.toml": manifest} if manifest else {})}
    claim = compose.derive(build(files)).record.first("repository_license")
    assert claim is not None
    assert claim.text == expected
