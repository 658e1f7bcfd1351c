"""What the pages are made of: pages of runs by key, lines of broken rules, words for numbers."""

import os
import sqlite3

import pytest

from tests.conftest import ROOT, contract_text
from workermd.contract.reader import read
from workermd.ledger.records import Cursor, RunChoice
from workermd.ledger.sqlite import listing
from workermd.ledger.sqlite.store import Ledger
from workermd.studio import rendering, runs_view, violations, wording
from workermd.studio.contract_view import example


def filled(path, runs):
    """A ledger with so many settled runs; every tenth is another worker's."""
    Ledger.open(str(path)).close()
    rows = (
        (
            f"w{n % 10 == 0:d}",
            f"r{n}",
            bytes(32),
            b"{}",
            bytes(32),
            b"{}",
            b'{"usage": {"input_tokens": 5}}',
            bytes(32),
            n,
        )
        for n in range(runs)
    )
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO runs (worker_id, run_id, input_sha256, input, contract_sha256, max_attempts, state, status, output,"
            " envelope, answer_sha256, created_at, settled_at) VALUES (?, ?, ?, ?, ?, 1, 'done', 'ok', ?, ?, ?, ?, 1)",
            rows,
        )
    connection.close()
    return Ledger.open_read_only(str(path))


def walked(ledger, **wanted):
    """All runs of a choice, page by page."""
    found, behind, pages = [], None, 0
    while True:
        page = ledger.page(RunChoice(**wanted), behind=behind)
        found += [run.run_id for run in page.runs]
        pages += 1
        if page.next is None:
            return found, pages
        assert behind is None or page.next < behind
        behind = page.next


def test_pages_of_runs_have_every_run_once_whatever_is_filtered(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MOST_LOOKED_AT", 100)
    with filled(tmp_path / "l.db", 777) as ledger:
        assert walked(ledger) == ([f"r{n}" for n in reversed(range(777))], 16)
        assert walked(ledger, worker_id="w1") == ([f"r{n}" for n in reversed(range(0, 777, 10))], 2)
        others, pages = walked(ledger, worker_id="w1", status="ok")
        assert others == [f"r{n}" for n in reversed(range(0, 777, 10))]
        assert pages == 8, "a page with two conditions looks at no more than its share"
        assert walked(ledger, text="r77")[0] == ["r776", "r775", "r774", "r773", "r772", "r771", "r770", "r77"]
        assert walked(ledger, status="running")[0] == []
        assert ledger.page().runs[0].usage == {"input_tokens": 5}


def test_a_page_reads_as_many_rows_of_a_large_ledger_as_of_a_small_one(tmp_path, monkeypatch):
    """Steps of SQLite's machine, which no other load changes."""

    def steps(runs, query):
        path = tmp_path / f"{runs}.db"
        with Ledger.open_read_only(str(path)) or filled(path, runs) as ledger:
            counted = 0

            def step():
                nonlocal counted
                counted += 1
                return 0

            runs_view.view(ledger, query)  # what is read once for a connection
            ledger._connection.set_progress_handler(step, 10)
            runs_view.view(ledger, query)
            return counted

    monkeypatch.setattr(listing, "MOST_LOOKED_AT", 200)
    assert steps(4000, {}) <= 1.1 * steps(100, {})
    assert steps(4000, {"worker": "nobody"}) <= 1.1 * steps(300, {"worker": "nobody"})
    assert steps(4000, {"text": "nothing"}) <= 1.1 * steps(300, {"text": "nothing"})


def test_what_an_address_cannot_mean_is_left_out():
    query = {"worker": "w" * 999, "behind": "x", "since": "ever", "status": "ok"}
    assert runs_view.wanted(query) == RunChoice(worker_id="w" * 256, status="ok")
    assert runs_view.behind(query) is None
    assert runs_view.wanted({"since": "hour"}, now=7200.0) == RunChoice(since=3_600_000_000)
    assert runs_view.behind({"behind": "17-4"}) == Cursor(17, 4)


REPLY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id", "status", "result"],
    "properties": {
        "run_id": {"type": "string"},
        "status": {"type": "string", "enum": ["ok", "invalid_output"]},
        "result": {"anyOf": [{"$ref": "#/$defs/list"}, {"type": "object", "required": ["error"]}]},
        "a/b": {"type": "integer"},
    },
    "$defs": {
        "list": {
            "type": "object",
            "properties": {"items": {"type": "array", "maxItems": 2, "items": {"type": "object", "required": ["n"]}}},
        }
    },
}


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ({"pointer": "/run_id", "keyword": "type"}, "/output_schema/properties/run_id/type"),
        ({"pointer": "/a~1b", "keyword": "type"}, "/output_schema/properties/a~1b/type"),
        ({"pointer": "/x", "keyword": "additionalProperties"}, "/output_schema/additionalProperties"),
        ({"pointer": "/result/items", "keyword": "maxItems"}, "/output_schema/$defs/list/properties/items/maxItems"),
        (
            {"pointer": "/result/items/3", "keyword": "required"},
            "/output_schema/$defs/list/properties/items/items/required",
        ),
        (
            {
                "pointer": "/result",
                "keyword": "anyOf",
                "message": "matches none of the 2 schemas of anyOf: (1) at /items has more items than maxItems 2; (2) lacks",
            },
            "/output_schema/$defs/list/properties/items",
        ),
        ({"pointer": "/result/nowhere/deep", "keyword": "type"}, None),
        ({"pointer": "", "keyword": "status_not_allowed"}, "/output_schema/properties/status/enum"),
        ({"pointer": "", "keyword": "output_not_json"}, "/output_schema"),
    ],
)
def test_a_finding_on_a_reply_leads_to_its_line(item, place):
    text = contract_text(statuses=["ok", "invalid_output"], output_schema=REPLY)
    reading = read(text.encode(), "a.worker.md")
    assert reading.contract is not None, reading.findings
    found = violations.spot(item, reading)
    if place is None:
        assert found is None
    else:
        assert found is not None
        assert found.name == place
        assert found.line == text.count("\n", 0, reading.places[place].start) + 1


def test_a_bound_leads_to_the_line_that_its_message_names():
    reading = read(contract_text(constraints={"attempt_timeout_seconds": 5, "max_tokens": 9}).encode(), "a.worker.md")
    named = [
        violations.bound("timeout", reading, "The attempt did not end within timeout_seconds; it was ended."),
        violations.bound("timeout", reading, "The attempt did not end within attempt_timeout_seconds; it was ended."),
        violations.bound("budget_exceeded", reading, ""),
    ]
    assert [spot.name for spot in named] == [
        "/constraints/timeout_seconds",
        "/constraints/attempt_timeout_seconds",
        "/constraints/max_tokens",
    ]
    assert violations.bound("backend_failed", reading) is None


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, wording.NOTHING),
        (0, "0 ms"),
        (883.4, "883 ms"),
        (6_700, "6.7 s"),
        (125_000, "2 min 5 s"),
        (60_000, "1 min"),
        (11_400_000, "3 h 10 min"),
        (180_000_000, "2 d 2 h"),
    ],
)
def test_a_span_is_told_in_the_largest_units_that_fit(milliseconds, words):
    assert wording.span(milliseconds) == words


def test_money_and_counts_are_told_as_people_write_them():
    assert [wording.money(each) for each in (0, 0.0123, 1234.5, 1e-9)] == [
        "$0.00",
        "$0.0123",
        "$1,234.50",
        "< $0.000001",
    ]
    assert [wording.count(each) for each in (12345, 0.5)] == ["12,345", "0.5"]
    assert wording.moment(1_800_000_000_000_000) == "15 Jan 2027, 08:00:00 UTC"


def test_a_form_begins_with_what_has_to_be_there():
    schema = {
        "required": ["run_id", "ticket", "tags", "n"],
        "properties": {
            "run_id": {"type": "string"},
            "ticket": {"type": "object", "required": ["a"], "properties": {"a": {"const": 7}, "b": {}}},
            "tags": {"type": "array"},
            "n": {"type": "integer", "minimum": 1},
            "free": {"type": "string"},
        },
    }
    assert example(schema) == {"run_id": "", "ticket": {"a": 7}, "tags": [], "n": 1}


def test_every_bundled_asset_stands_in_the_notice():
    """What others made would need its licence there."""
    known = {"studio.css", "studio.js", "icon.svg"}
    assert set(os.listdir(rendering.STATIC)) == known
    assert "workermd/studio/static" in (ROOT / "NOTICE").read_text()
