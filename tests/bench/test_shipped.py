"""The shipped suites, in small: each runs to its end, its gate passes, and every report of it can be read by others."""

import json
import re
from html.parser import HTMLParser

import pytest
from junitparser import JUnitXml

from tests.bench.demo import SUITES, played

NAMES = sorted(path.name.removesuffix(".bench.yaml") for path in SUITES.glob("*.bench.yaml"))


@pytest.fixture(scope="module")
def suites(tmp_path_factory):
    with played(tmp_path_factory.mktemp("suites")) as found:
        yield found


def test_there_is_one_for_each_shipped_contract_and_validate_has_nothing_to_say(cli):
    contracts = sorted(path.name.removesuffix(".worker.md") for path in SUITES.parent.glob("*.worker.md"))
    assert contracts == NAMES
    done = cli("validate", SUITES)
    assert (done.code, done.out) == (0, b""), done.out


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_suite_passes_its_gate(name, suites, cli):
    done = cli("bench", suites[name], "--repeats", 1, "--no-config", "--report", "json=out.json")
    assert done.code == 0, done.out.decode() + done.err
    result = json.loads((cli.folder / "out.json").read_text())
    assert {run["word"] for run in result["runs"]} <= {"passed", "failed"}
    first = result["subjects"][0]
    assert first["passed"] == first["tried"] > 0


class _Page(HTMLParser):
    """Collects what a page fetches, and holds that tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.seen = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.fetched += [value for key, value in attributes if key in ("src", "href", "action")]
        if tag not in ("meta", "br", "line", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "circle"):
            assert self.open.pop() == tag


def test_every_report_of_two_models_can_be_read(suites, cli, tmp_path):
    kinds = {"html": "o.html", "junit": "o.xml", "markdown": "o.md", "json": "o.json", "inspect": "i.json"}
    reports = [word for kind, name in kinds.items() for word in ("--report", f"{kind}={name}")]
    done = cli("bench", suites["ticket-triage"], "--no-config", *reports)
    assert done.code == 0, done.err
    page = _Page()
    text = (tmp_path / "o.html").read_text()
    page.feed(text)
    assert (page.open, page.fetched, "script" in page.seen) == ([], [], False), "it needs nothing else"
    assert page.seen.count("svg") == 3
    assert "prefers-color-scheme:dark" in text
    assert "workermd runs show" in text
    assert not re.search(r"url\(|@import", text)
    junit = JUnitXml.fromfile(str(tmp_path / "o.xml"))
    careful, quick = {suite.name: suite for suite in junit}.values()
    assert (careful.tests, careful.failures) == (12, 0)
    assert quick.failures > 0
    result = json.loads((tmp_path / "o.json").read_text())
    (pair,) = result["comparisons"]
    assert pair["better"] == "careful"
    assert pair["cost_ratio"]["interval"][0] > 5
    log = json.loads((tmp_path / "i.json").read_text())
    assert (log["version"], log["status"], len(log["samples"])) == (2, "success", 48)
    assert [*log] == ["version", "status", "eval", "plan", "results", "stats", "samples"], (
        "its viewer reads in this order"
    )
    assert {sample["scores"]["passed"]["value"] for sample in log["samples"]} == {"C", "I"}
    assert "| careful | 24/24 |" in (tmp_path / "o.md").read_text()


def test_a_report_holds_whatever_an_answer_or_a_name_holds(cli, contract, tmp_path):
    contract()
    hostile = "<script>alert(1)</script>\u202e\u0000]]>&\"'"
    (tmp_path / "tasks.py").write_text(
        f"def act(task):\n    return {{'status': 'ok', 'result': {{'x': {hostile!r}}}}}\n"
    )
    suite = {
        "suite": 1,
        "description": hostile,
        "contract": "echo.worker.md",
        "cases": [{"id": "<b>&\"'", "input": {"task": hostile}, "tags": ["<i>"]}],
        "subjects": {"s": {"function": "tasks:act"}},
        "score": [{"path": "/result/x", "equals": "<u>", "name": "<script>"}],
    }
    (tmp_path / "x.bench.yaml").write_text(json.dumps(suite))
    done = cli(
        "bench", "x.bench.yaml", "--report", "html=o.html", "--report", "junit=o.xml", "--report", "inspect=i.json"
    )
    assert done.code == 0, done.err
    page = _Page()
    page.feed((tmp_path / "o.html").read_text())
    assert not {"script", "b", "i", "u"} & {*page.seen}
    assert sum(suite.failures for suite in JUnitXml.fromfile(str(tmp_path / "o.xml"))) == 1
