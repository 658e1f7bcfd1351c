"""`runs stats`, `export` and `tail`: many runs summed up, written out and followed."""

import csv
import io
import json
import signal
import sqlite3
import xml.etree.ElementTree as ET

import pytest

from tests.benchmarks.large_ledger import WORKERS, fill
from tests.conftest import patience, wait_for
from workermd.ledger import statistics as counting
from workermd.ledger.records import RunChoice
from workermd.ledger.sqlite.store import Ledger

RUNS = 1200


@pytest.fixture
def many(cli):
    """A month of runs of five workers."""
    fill(cli.ledger, RUNS)
    return cli


def test_statistics_agree_with_what_sql_counts(many):
    told = many("runs", "stats", "--format", "json", "--tz", "UTC").document
    with sqlite3.connect(many.ledger) as database:

        def asked(sql):
            return dict(database.execute(sql))

        assert told["statuses"] == asked("SELECT status, count(*) FROM runs GROUP BY 1")
        assert told["causes"] == asked("SELECT error_code, count(*) FROM runs WHERE status <> 'ok' GROUP BY 1")
        days = asked("SELECT date(created_at / 1e6, 'unixepoch'), count(*) FROM runs GROUP BY 1")
        assert {day["name"]: day["runs"] for day in told["days"]} == days
        cost = asked(
            "SELECT json_extract(detail, '$.model'), sum(json_extract(detail, '$.usage.cost_usd')) FROM attempts GROUP BY 1"
        )
        cost = {model or "(none)": pytest.approx(usd) for model, usd in cost.items()}
        assert {model["name"]: model["cost_usd"] for model in told["models"]} == cost
        took = sorted(t for (t,) in database.execute("SELECT (settled_at - created_at) / 1e6 FROM runs"))
    for percent in (50, 90, 95, 99):
        assert told["all"]["seconds"][f"p{percent}"] == pytest.approx(took[-(-RUNS * percent // 100) - 1], rel=0.026)
    assert {worker["name"] for worker in told["workers"]} == set(WORKERS)
    assert sum(worker["runs"] for worker in told["workers"]) == told["all"]["runs"] == RUNS
    one = many("runs", "stats", "--format", "json", "--worker", "summary", "--error", "timeout").document
    assert set(one["statuses"]) == {"retryable_error"}
    assert [worker["name"] for worker in one["workers"]] == ["summary"]


def test_days_are_those_of_the_zone_that_is_named(many):
    zones = {zone: many("runs", "stats", "--format", "json", "--tz", zone).document for zone in ("UTC", "Asia/Tokyo")}
    days = {zone: {day["name"]: day["runs"] for day in told["days"]} for zone, told in zones.items()}
    assert days["UTC"] != days["Asia/Tokyo"]
    assert sum(days["Asia/Tokyo"].values()) == RUNS
    assert b"no time zone" in many("runs", "stats", "--tz", "Mars/Olympus").err.encode()


def test_the_text_fits_a_terminal_and_csv_is_safe_for_spreadsheets(many):
    text = many("runs", "stats", "--tz", "UTC").out.decode()
    assert max(map(len, text.splitlines())) <= 80
    assert f"{RUNS:,} runs" in text
    assert "█" in text
    rows = list(csv.DictReader(io.StringIO(many("runs", "stats", "--format", "csv").out.decode())))
    assert rows[0]["group"] == "all"
    assert "'=risky" in [row["name"] for row in rows]


def test_pages_and_pictures_of_statistics_need_nothing_else(many, tmp_path):
    page, picture = tmp_path / "s.html", tmp_path / "s.svg"
    assert many("runs", "stats", "--report", f"html={page}", "--report", f"svg={picture}").code == 0
    html = page.read_text()
    assert html.count("<svg") == 2
    assert "http" not in html
    assert "prefers-color-scheme:dark" in html
    root = ET.fromstring(picture.read_bytes())
    bars = root.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(bars) > 30, "days and durations"
    assert any(bar.get("class") == "not" for bar in bars)


def test_more_groups_than_anybody_reads_are_counted_together(many, monkeypatch):
    monkeypatch.setattr(counting, "_MOST_GROUPS", 3)
    with Ledger.open_read_only(str(many.ledger)) as ledger:
        found = counting.statistics(ledger, RunChoice())
    assert len(found.workers) == 4
    assert "(others)" in [worker.name for worker in found.workers]
    assert sum(worker.runs for worker in found.workers) == RUNS


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_an_export_holds_documents_only_when_they_are_asked_for(many, tmp_path, form):
    file, whole = tmp_path / f"runs.{form}", tmp_path / f"whole.{form}"
    assert many("runs", "export", "-o", file).code == 0
    assert many("runs", "export", "-o", whole, "--include-data", "--status", "ok").code == 0

    def rows(path):
        if form == "jsonl":
            return [json.loads(line) for line in path.read_text().splitlines()]
        if form == "csv":
            return list(csv.DictReader(io.StringIO(path.read_text())))
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()

    plain, data = rows(file), rows(whole)
    assert len(plain) == RUNS
    assert "input" not in plain[0]
    assert b'"n"' not in file.read_bytes()
    assert plain[0]["run_id"] == f"r{RUNS}"
    assert float(plain[0]["cost_usd"]) > 0
    assert {row["status"] for row in data} == {"ok"}
    output = data[0]["output"]
    assert (output if isinstance(output, dict) else json.loads(output))["status"] == "ok"


def test_a_closed_pipe_ends_an_export(many):
    process = many.start("runs", "export")
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(patience(30)) == 0


def test_tail_tells_what_others_do_and_ends_with_an_interrupt(cli, contract, given, program):
    spec = contract()
    assert cli("run", spec, given("r0"), *program("reply({'status': 'ok', 'result': {}})")).code == 0
    tail = cli.start("runs", "tail", "--format", "jsonl", "--last", "1")
    first = json.loads(tail.stdout.readline())
    assert (first["event"], first["run_id"], first["status"]) == ("settled", "r0", "ok")
    running = cli.start("run", spec, given("r1"), *program("evidence('up'); time.sleep(60)"))
    wait_for((cli.folder / "evidence").exists)
    told = [json.loads(tail.stdout.readline()) for _ in range(2)]
    assert [(each["event"], each["run_id"]) for each in told] == [("admitted", "r1"), ("started", "r1")]
    running.terminate()
    running.communicate(timeout=patience(30))
    tail.send_signal(signal.SIGINT)
    _, said = tail.communicate(timeout=patience(10))
    assert (tail.returncode, said) == (0, b"")


def test_tail_ends_when_nobody_reads_on(cli, contract, given, program):
    assert cli("run", contract(), given("r0"), *program("reply({'status': 'ok', 'result': {}})")).code == 0
    tail = cli.start("runs", "tail", "--last", "1")
    assert b"settled: ok" in tail.stdout.readline()
    tail.stdout.close()
    assert tail.wait(patience(10)) == 0


def test_runs_are_found_by_their_tags(cli, contract, given, program):
    spec, task = contract(), program("reply({'status': 'ok', 'result': {}})")
    assert cli("run", spec, given("r1"), "--tag", "team=red", "--tag", "v 2", *task).code == 0
    assert cli("run", spec, given("r2"), *task).code == 0
    lines = cli.folder / "in.jsonl"
    lines.write_text('{"run_id": "b1"}\n{"run_id": "b2"}\n')
    assert cli("batch", spec, lines, "--tag", "team=red", *task).code == 0

    def listed(*tags):
        return {row["run_id"] for row in cli("runs", "list", "--format", "json", *tags).document["runs"]}

    assert listed("--tag", "team=red") == {"r1", "b1", "b2"}
    assert listed("--tag", "team=red", "--tag", "v 2") == {"r1"}
    assert cli("runs", "stats", "--tag", "team=red", "--format", "json").document["all"]["runs"] == 3
    assert cli("run", spec, given("r3"), "--tag", "", *task).code == 2


@pytest.mark.rule("S4.6")
def test_prune_removes_what_is_older_than_its_worker_retains(many):
    """Runs of a month, all of them a year old: those of two workers expire."""
    (many.folder / "workermd.toml").write_text(
        '[workers.summary]\nfunction = "m:f"\nretain = "30d"\n'
        '[workers.route-order]\nfunction = "m:f"\nretain = "4000w"\n[workers.ticket-triage]\nfunction = "m:f"\n'
    )
    before = many.ledger.read_bytes()
    dry = many("runs", "prune", "--expired", "--dry-run")
    assert dry.out.decode().splitlines() == [
        "route-order: 0 finished runs older than 28000 days would be removed",
        "summary: 240 finished runs older than 30 days would be removed",
        "240 finished runs would be removed",
    ]
    assert many.ledger.read_bytes() == before, "who only looks writes nothing"
    done = many("runs", "prune", "--expired", "--format", "json").document
    assert (done["removed"], [each["runs"] for each in done["workers"]]) == (240, [0, 240])
    left = many("runs", "stats", "--format", "json").document
    assert {each["name"] for each in left["workers"]} == {*WORKERS} - {"summary"}
    dropped = many("runs", "prune", "--older-than", "1d", "--status", "needs_human", "--format", "json").document
    assert dropped["removed"] == left["statuses"]["needs_human"]
    assert many("runs", "prune", "--expired", "--all").code == 2
    assert many("runs", "prune", "--older-than", "soon").code == 2
