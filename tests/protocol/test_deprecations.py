"""What is deprecated warns for one minor version, and is not kept longer than promised."""

import re

import pytest

from tests.conftest import ROOT, contract_text
from workermd import __version__
from workermd.protocol.deprecations import DEPRECATIONS, OUTPUT_OF_VALIDATE, WITHOUT_PURPOSE

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def minor(version):
    return tuple(map(int, version.split(".")[:2]))


@pytest.mark.parametrize("each", DEPRECATIONS, ids=lambda each: each.what[:20])
def test_nothing_is_kept_beyond_its_version(each):
    assert minor(each.since) <= minor(__version__) < minor(each.gone_in), f"take it out: {each.what}"
    assert f"version {each.gone_in} will refuse it" in each.warning


def test_what_is_deprecated_works_and_warns(cli, tmp_path, given, program):
    """Every deprecation is used here once."""
    warned = set()
    spec = tmp_path / "a.worker.md"
    spec.write_text(contract_text())
    old = cli("validate", "--output", "json=-", spec)
    assert (old.code, old.out[:1]) == (0, b"{")
    warned |= {each for each in DEPRECATIONS if f"workermd: {each.warning}\n" in old.err}
    spec.write_text(re.sub(r"Purpose: .*\n", "", contract_text()))
    run = cli("run", spec, given(), *program("reply({'result': {}})"))
    assert run.code == 0
    warned |= {each for each in DEPRECATIONS if f"workermd: {each.warning}\n" in run.err}
    assert warned == {OUTPUT_OF_VALIDATE, WITHOUT_PURPOSE} == set(DEPRECATIONS)


def test_the_changelog_tells_breaks_first():
    for version in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.+)$", version, re.MULTILINE)
        order = ["Breaking", "Deprecated", "Added", "Changed", "Fixed", "Removed"]
        assert headings == sorted(headings, key=order.index), version[:20]
    assert "\n### Breaking\n" in CHANGELOG
    assert "\n### Deprecated\n" in CHANGELOG
