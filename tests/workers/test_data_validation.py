"""data-validation: real files in a real folder, hostile ones included."""

import json
import os
from pathlib import Path

import pytest

from workermd import Refused, Reply
from workermd.workers import data_validation
from workermd.workers.data_validation import run

CONTRACT = "data-validation"

SCHEMA = {
    "type": "object",
    "required": ["id", "age"],
    "properties": {
        "id": {"type": "integer"},
        "age": {"$ref": "#/$defs/age"},
        "name": {"type": ["string", "number"]},
        "score": {"type": ["number", "null"]},
        "active": {"type": "boolean"},
    },
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


@pytest.fixture
def check(make_task, example, tmp_path):
    """`check(text, format)`: the text as a file, checked; the whole output document, judged by the contract."""

    def run_on(content, file_format="csv", *, schema=SCHEMA, path="records", write=True, **order):
        if write:
            (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        file = {"path": path, "format": file_format}
        if "delimiter" in order:
            file["delimiter"] = order.pop("delimiter")
        document = {"run_id": "r", "file": file, "record_schema": schema, **order}
        example.accepts_input(document)
        return example.complete(run(make_task(document, folder=str(tmp_path))))

    return run_on


def rows_of(tmp_path):
    return [json.loads(line) for line in (tmp_path / "artifacts/normalized.jsonl").read_text("utf-8").splitlines()]


def test_the_example_gives_the_expected_output(example, make_task):
    example.accepts_input(example.input)
    assert example.complete(run(make_task(example.input))) == example.output


def test_cells_take_the_type_of_their_column(check, tmp_path):
    answer = check("id, age ,name,score,active\r\n1, 30 , Ann ,1.50,TRUE\r\n2,31,7,,false\r\n", max_errors=5)
    assert answer["result"]["valid"] is True
    assert rows_of(tmp_path) == [
        {"id": 1, "age": 30, "name": "Ann", "score": 1.5, "active": True},
        # A column that may be text stays text; an empty cell is null where null is allowed.
        {"id": 2, "age": 31, "name": "7", "score": None, "active": False},
    ]


@pytest.mark.parametrize("cell", ["007", "1_000", "0x1f", "1e400", "٣", "NaN", "1.5", "+1", "9" * 401])
def test_what_is_no_plain_integer_stays_text_and_is_an_error(check, cell):
    answer = check(f"id,age\n{cell},1\n")
    assert [(e["row"], e["line"], e["field"], e["rule"]) for e in answer["result"]["errors"]] == [(1, 2, "id", "type")]
    assert cell not in answer["result"]["errors"][0]["message"] or cell == "1.5"


def test_lines_count_quoted_line_ends_and_rows_do_not(check):
    answer = check('id,age,name\n1,1,"two\nlines"\n\n2,x,b\n3,4\n')
    assert [(e["row"], e["line"], e["rule"]) for e in answer["result"]["errors"]] == [
        (2, 5, "type"),
        (3, 6, "csv_columns"),
    ]
    assert answer["result"]["rows"] == 3


def test_an_empty_cell_is_a_missing_field(check):
    [error] = check("id,age\n1,\n")["result"]["errors"]
    assert error["rule"] == "required"


def test_other_delimiters(check):
    assert check("id\tage\n1\t2\n", delimiter="\t")["result"]["valid"] is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: a header"),
        (b"id,age,id\n1,2,3\n", "line 1: column 3 bears the same name as column 1"),
        (b"id,,age\n1,2,3\n", "line 1: column 2 has no name"),
        (b"id,age\n1,2\n3,\xff\n", "line 3: byte 3 is not UTF-8"),
        (b"id,age\n1,2\n3,\x004\n", "line 3: holds a NUL"),
        ("id,age\n1,2\n".encode("utf-16"), "line 1"),
        (b'id,age\n1,"2\n3,4\n', "not well-formed CSV"),
        (b'id,age\n1,"2"x\n', "line 2: not well-formed CSV"),
        (b"id,age\r1,2\r", "line"),
        (b"id,age\n1," + b"9" * 2_000_000 + b"\n", "line 2: longer than"),
        (b'id,age\n1,"' + b"9\n" * 100_000, "field larger than field limit"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_at_its_line(check, content, words, tmp_path):
    answer = check(content)
    assert answer["status"] == "invalid_request"
    assert answer["result"]["error"]["code"] == "unreadable_records"
    assert words in answer["result"]["error"]["message"]
    assert not (tmp_path / "artifacts/normalized.jsonl").exists()


def test_a_byte_order_mark_is_no_part_of_the_first_name(check):
    assert check(b"\xef\xbb\xbfid,age\n1,2\n")["result"]["valid"] is True


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": 1, "id": 2, "age": 1}', "twice"),
        ('{"id": NaN, "age": 1}', "NaN"),
        ('{"id": 1e400, "age": 1}', "range"),
        ('{"id": 1' + "0" * 5000 + "}", "digits"),
        ('{"name": "\\ud800"}', "surrogate"),
        ("[1]", "not an object"),
        ("{'id': 1}", "not strict JSON"),
        ('{"id": 1} {"id": 2}', "Extra data"),
        ('{"id": ' + "[" * 50_000, "nested"),
    ],
)
def test_a_bad_json_line_is_one_bad_row(check, line, words):
    answer = check(f'{{"id": 1, "age": 1}}\n\n{line}\n{{"id": 3, "age": 1}}\n', "jsonl")
    [error] = answer["result"]["errors"]
    assert (error["row"], error["line"], error["rule"]) == (2, 3, "json_line")
    assert words in error["message"]
    assert answer["result"]["valid_rows"] == 2


def test_rules(check):
    rules = [
        {"rule": "unique", "fields": ["id"]},
        {"rule": "range", "field": "age", "min": 1, "max": 9},
        {"rule": "compare", "left": "age", "op": "<", "right": "score"},
        {"rule": "required_if", "field": "name", "when": {"field": "active", "equals": True}},
    ]
    lines = [
        {"id": 1, "age": 1, "score": 2, "active": True, "name": "a"},
        {"id": 1.0, "age": 10, "score": 20},
        {"id": 3, "age": 5, "score": 5, "active": True, "name": " "},
        {"id": 4, "age": 0, "score": None, "active": False},
    ]
    answer = check("\n".join(map(json.dumps, lines)), "jsonl", rules=rules)
    assert [(e["row"], e["field"], e["rule"]) for e in answer["result"]["errors"]] == [
        (2, "id", "unique"),
        (2, "age", "range"),
        (3, "age", "compare"),
        (3, "name", "required_if"),
        (4, "age", "range"),
    ]


def test_both_ends_of_a_range_are_in_it(check):
    rules = [{"rule": "range", "field": "age", "min": 1, "max": 9}]
    lines = [{"id": number, "age": age} for number, age in enumerate([0.999, 1, 9, 9.001])]
    errors = check("\n".join(map(json.dumps, lines)), "jsonl", rules=rules)["result"]["errors"]
    assert [error["row"] for error in errors if error["rule"] == "range"] == [1, 4]


def test_errors_are_capped_and_all_counted(check):
    answer = check("id,age\n" + "x,-1\n" * 500, max_errors=3)
    result = answer["result"]
    assert (len(result["errors"]), result["error_count"], result["truncated"]) == (3, 1000, True)
    assert result["errors_by_rule"] == {"minimum": 500, "type": 500}


def test_a_file_of_bad_rows_is_explained_up_to_a_bound(check, monkeypatch):
    monkeypatch.setattr(data_validation, "MAX_EXPLAINED", 3)
    result = check("id,age\n" + "x,-1\n" * 5)["result"]
    assert result["errors_by_rule"] == {"minimum": 3, "schema": 2, "type": 3}
    assert (result["error_count"], result["invalid_rows"]) == (8, 5)


@pytest.mark.rule("S5.6")
def test_messages_do_not_echo_values(check):
    answer = check("id,age\nhunter2,1\n", rules=[{"rule": "range", "field": "id", "max": 1}])
    assert answer["result"]["error_count"] == 2
    assert "hunter2" not in json.dumps(answer)


def test_a_hundred_thousand_rows(check, tmp_path):
    lines = ["id,age,name,score"]
    lines += [f"{n},{n % 90 if n % 1000 else -1}, name {n} ,{n / 8}" for n in range(100_000)]
    answer = check("\n".join(lines), rules=[{"rule": "unique", "fields": ["id"]}])
    result = answer["result"]
    assert (result["rows"], result["invalid_rows"], result["errors_by_rule"]) == (100_000, 100, {"minimum": 100})
    assert [e["row"] for e in result["errors"][:3]] == [1, 1001, 2001]
    written = rows_of(tmp_path)
    assert len(written) == 99_900
    assert written[-1] == {"id": 99_999, "age": 9, "name": "name 99999", "score": 12499.875}


def test_more_rows_than_the_operator_allows(make_task, example):
    document = {"run_id": "r", "record_schema": {}, "records": [{}] * 11}
    answer = example.complete(run(make_task(document, max_rows=10)))
    assert answer["result"]["error"]["code"] == "unreadable_records"


# --- paths ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An allowed folder with every way out of it, and a secret beside it."""
    (tmp_path / "secret.csv").write_text("id,age\n1,2\n")
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep/good.csv").write_text("id,age\n1,2\n")
    (inside / "link.csv").symlink_to("../secret.csv")
    (inside / "inner.csv").symlink_to("deep/good.csv")
    (inside / "up").symlink_to("..")
    os.mkfifo(inside / "pipe.csv")
    return inside


@pytest.mark.parametrize(
    "path",
    [
        "../secret.csv",
        "deep/../../secret.csv",
        "deep/../deep/good.csv",
        "link.csv",
        "inner.csv",
        "up/secret.csv",
        "deep/good.csv/",
        "/etc/passwd",
        "//etc/passwd",
        "deep",
        ".",
        "pipe.csv",
        "missing.csv",
        "a\0b",
        "x" * 1000,
        "\udc80",
    ],
)
def test_paths_stay_in_the_folder(make_task, example, folder, path):
    document = {"run_id": "r", "file": {"path": path, "format": "csv"}, "record_schema": {}}
    answer = run(make_task(document, folder=str(folder)))
    if path == "deep/good.csv/":
        assert isinstance(answer, Reply)
        return
    answer = example.complete(answer)
    assert (answer["status"], answer["result"]["error"]["code"]) == ("invalid_request", "file_not_allowed")


def test_the_default_folder_is_the_working_directory(make_task, folder, monkeypatch):
    monkeypatch.chdir(folder)
    document = {"run_id": "r", "file": {"path": "./deep/good.csv", "format": "csv"}, "record_schema": {}}
    assert isinstance(run(make_task(document)), Reply)


@pytest.mark.parametrize(
    "settings", [{"folder": "/does/not/exist"}, {"folder": 3}, {"folders": "."}, {"max_rows": True}]
)
def test_a_wrong_setting_is_a_permanent_failure(make_task, settings):
    document = {"run_id": "r", "file": {"path": "a.csv", "format": "csv"}, "record_schema": {}}
    with pytest.raises(Refused, match="setting"):
        run(make_task(document, **settings))


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"pattern": "(?=a)"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"$schema": "http://127.0.0.1:9/draft"},
        {"properties": {"a": {"minimum": "1"}}},
    ],
)
def test_an_unusable_record_schema_is_refused(make_task, example, schema):
    answer = example.complete(run(make_task({"run_id": "r", "records": [{"a": 1}], "record_schema": schema})))
    assert answer["result"]["error"]["code"] == "bad_record_schema"
