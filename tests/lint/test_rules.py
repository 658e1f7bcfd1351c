"""Every rule by its folder: `<code>/bad.worker.md` has exactly the findings of `expected.txt`, `good.worker.md` none.

`expected.txt` has a line `line:column severity code` for each finding. Where a rule has a safe fix, `fixed.worker.md` is
what becomes of the bad file. Rules about several files have more than one bad file in the folder `bad`.
"""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.lint.page import PAGE, page
from workermd.contract.reader import read
from workermd.contract.rules import RULES
from workermd.lint.checks import CHECKS
from workermd.lint.engine import lint
from workermd.lint.fixes import fixed
from workermd.lint.folder import FOLDER_CODES
from workermd.lint.ignores import FAULTY, UNUSED
from workermd.lint.selection import Selection

HERE = Path(__file__).parent
FOLDERS = sorted(path for path in HERE.glob("WM*") if path.is_dir())
ALONE = [path for path in FOLDERS if path.name not in FOLDER_CODES]
NO_FILES = {
    "WM103": "a file above 256 KiB is not worth keeping; tests/contract has one made on the spot",
    "WM105": "about the file's name, which is bad.worker.md here; tests/contract has names",
    "WM211": "a front matter above 32 KiB; as WM103",
    "WM801": "about documents, not contracts; tests/cli/test_validate.py",
    "WM802": "the same",
    "WM803": "about suites; tests/bench/test_suite.py",
    "WM804": "the same",
}
LINTED = [*(check.code for check in CHECKS), *FOLDER_CODES, FAULTY, UNUSED]
EVERYTHING = Selection()


def findings(path):
    return lint(read(path.read_bytes(), path.name)).findings


def lines(found):
    return "".join(f"{each.line}:{each.column} {each.severity} {each.code}\n" for each in found)


@pytest.mark.parametrize("folder", ALONE, ids=lambda path: path.name)
def test_the_bad_file_has_what_is_expected_and_the_good_one_nothing(folder):
    found = findings(folder / "bad.worker.md")
    assert lines(found) == (folder / "expected.txt").read_text(), found
    assert folder.name in {each.code for each in found}
    assert findings(folder / "good.worker.md") == ()


@pytest.mark.parametrize("folder", ALONE, ids=lambda path: path.name)
def test_a_safe_fix_mends_the_bad_file_and_is_all_there_is(folder):
    bad, good = (folder / "bad.worker.md").read_bytes(), folder / "fixed.worker.md"
    assert good.exists() == bool(RULES[folder.name].fix)
    mended = fixed(bad, "bad.worker.md", EVERYTHING)
    if good.exists():
        assert mended == good.read_bytes()
        assert fixed(mended, "bad.worker.md", EVERYTHING) == mended
    else:
        assert mended == bad


@pytest.mark.parametrize("code", FOLDER_CODES)
def test_a_rule_about_several_files(cli, code):
    folder = HERE / code
    done = cli("validate", folder / "bad", "--format", "json")
    found = [
        f"{Path(each['path']).name}:{each['line']}:{each['column']} {each['severity']} {each['code']}\n"
        for each in done.document["findings"]
    ]
    assert "".join(found) == (folder / "expected.txt").read_text()
    assert cli("validate", folder / "good", "--fail-on", "info").code == 0


def test_every_rule_is_documented_and_tested():
    assert sorted(LINTED) == sorted(set(LINTED))
    assert {path.name for path in FOLDERS} | set(NO_FILES) == set(RULES)
    assert set(LINTED) < set(RULES)
    for code in RULES:
        assert RULES[code].purpose.endswith("."), code
        assert RULES[code].summary.endswith("."), code


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "contracts").glob("*.worker.md")), *sorted((ROOT / "registry").glob("*.worker.md"))],
    ids=lambda path: path.name,
)
def test_what_ships_has_no_errors_and_no_false_alarm(path):
    expected = (HERE / "shipped.txt").read_text().splitlines()
    found = [f"{path.name}:{line}" for line in lines(findings(path)).splitlines()]
    assert found == [line for line in expected if line.startswith(f"{path.name}:")]
    assert not any(" error " in line for line in found)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_rule_tells_its_own_code(check):
    """Without the rule its bad file lacks its code: no other rule stands in for it."""
    path = HERE / check.code / "bad.worker.md"
    rest = [each for each in CHECKS if each.code != check.code]
    found = lint(read(path.read_bytes(), path.name), checks=rest).findings
    assert check.code not in {each.code for each in found}


def test_the_page_is_generated():
    assert PAGE.read_text() == page(), "run python -m tests.lint.page"
