"""Inputs and answers as tables: types by the schema, places of columns, and what a spreadsheet would do to a cell."""

import csv
import io
import json

import pytest

from tests.conftest import contract_text
from workermd.batch import columns, exact, outputs, sources
from workermd.batch import lines as line_reader
from workermd.batch.sources import LineReading, UnreadableLine
from workermd.cli import batch_streams
from workermd.cli.commands.batch import BatchOptions
from workermd.protocol.errors import UsageError
from workermd.runner.answers import Answered

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "n": {"type": "integer"},
        "x": {"type": ["number", "null"]},
        "yes": {"type": "boolean"},
        "who": {"$ref": "#/$defs/who"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "a.b": {"type": "string"},
        "any": {},
    },
    "$defs": {"who": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}},
}


def read(text, how=sources.CSV, **options):
    data = text if isinstance(text, bytes) else text.encode()
    found = sources.documents(io.BytesIO(data), how, LineReading(SCHEMA, 1000, **options))
    return [each if isinstance(each, UnreadableLine) else each.decode() for each in found]


@pytest.mark.parametrize(
    ("header", "cell", "document"),
    [
        ("id", "007", '{"id": "007"}'),
        ("id", "true", '{"id": "true"}'),
        ("n", "007", '{"n": 7}'),
        ("n", "-12345678901234567890123", '{"n": -12345678901234567890123}'),
        ("n", "1.5", '{"n": "1.5"}'),
        ("x", "1.50", '{"x": 1.50}'),
        ("x", "+1e3", '{"x": 1e3}'),
        ("x", "NaN", '{"x": "NaN"}'),
        ("yes", "True", '{"yes": true}'),
        ("yes", "0", '{"yes": false}'),
        ("who.name", "Ada", '{"who": {"name": "Ada"}}'),
        ("/who/age", "36", '{"who": {"age": 36}}'),
        ("a.b", "c", '{"a.b": "c"}'),
        ("tags", '"[""a""]"', '{"tags": ["a"]}'),
        ("/tags/0", "a", '{"tags": ["a"]}'),
        ("any", "12", '{"any": "12"}'),
        ("id", "", "{}"),
    ],
)
def test_a_cell_means_what_the_schema_says(header, cell, document):
    assert read(f"{header},yes\n{cell},1\n" if header != "yes" else f"yes\n{cell}\n") == [
        document.replace("{}", '{"yes": true}') if cell == "" else document
        if header == "yes"
        else document[:-1] + ', "yes": true}'
    ]  # fmt: skip


def test_an_empty_cell_is_absent_or_null_and_columns_are_mapped():
    assert read("id,x\na,\n", empty_is_null=True) == ['{"id": "a", "x": null}']
    mapped = read("name,id,junk\nAda,7,z\n", renamed=(("who.name", "name"),), fixed=(("n", "1"),))
    assert mapped == ['{"who": {"name": "Ada"}, "id": "7", "n": 1}']
    assert read('{"name": "Ada", "n": 1.50}\n', sources.JSONL, renamed=(("who.name", "name"),)) == [
        '{"n": 1.50, "who": {"name": "Ada"}}'
    ]
    with pytest.raises(UsageError, match="the column 'nobody'; the table has name, id"):
        read("name,id\n", renamed=(("who.name", "nobody"),))
    with pytest.raises(UsageError, match="'id' twice"):
        read("id,id\n")


def test_a_column_may_become_several_fields():
    twice = (("id", "name"), ("tags.0", "name"))
    assert read("name,junk\nAda,z\n", renamed=twice) == ['{"id": "Ada", "tags": ["Ada"]}']
    assert read('{"name": "Ada"}\n', sources.JSONL, renamed=(("id", "name"), ("who.name", "name"))) == [
        '{"id": "Ada", "who": {"name": "Ada"}}'
    ]
    options = BatchOptions(*[None] * len(BatchOptions._fields))._replace(
        encoding="utf-8", map=["id=a", "id=b"], set=[], empty="absent"
    )
    with pytest.raises(UsageError, match="--map gives the field 'id' two columns"):
        batch_streams.reading_of(options, SCHEMA, 1000)


def test_columns_that_no_row_can_have_are_named_before_the_first():
    notes = []
    read("id,order,country,start,end\na,1,FR,x,y\n", note=notes.append)
    assert len(notes) == 1
    assert "no field for the columns order, country, start and 1 more; its fields are id, n, x, yes" in notes[0]
    assert "--map FIELD=COLUMN" in notes[0]
    read("id,who.name,/who/age\na,b,1\n", note=notes.append)
    read("junk,id\na,b\n", renamed=(("id", "id"),), note=notes.append)
    assert len(notes) == 1


def test_a_row_that_cannot_be_read_is_refused_alone():
    found = read(b'id,n\na,1\nb\n"c" d,2\n\xff,3\ne,5\n')
    assert [isinstance(each, UnreadableLine) for each in found] == [False, True, True, True, False]
    assert "Row 2 has 1 cells" in found[1].message
    assert "Row 3" in found[2].message
    assert "--encoding" in found[3].hint
    assert read("id\tn\nü\t1\n".encode("cp1252"), sources.TSV, encoding="cp1252") == ['{"id": "ü", "n": 1}']
    assert read(b"\xef\xbb\xbfid\nx\n") == ['{"id": "x"}']


def test_a_sample_is_even_and_the_same_for_the_same_seed():
    lines = [b"%d" % n for n in range(1000)]
    first = list(sources.sampled(lines, 100, 1))
    assert first == list(sources.sampled(lines, 100, 1)) == sorted(first, key=int)
    assert first != list(sources.sampled(lines, 100, 2))
    assert 400 < sum(map(int, first)) / 100 < 600
    assert list(sources.sampled(lines[:3], 5, 0)) == lines[:3]


def test_numbers_keep_their_digits_on_the_way_in():
    text = '{"a": [1.50, -0, 1e400, true, null, "ü\\n"], "b": {}}'
    assert json.loads(exact.dumps(exact.loads(text.encode())).replace("1e400", "1")) == json.loads(
        text.replace("1e400", "1")
    )
    assert "1.50" in exact.dumps(exact.loads(text.encode()))
    with pytest.raises(ValueError, match="twice"):
        exact.loads(b'{"a": 1, "a": 2}')


OUT = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string"},
        "word": {"type": "string"},
        "at": {"properties": {"x": {"type": "number"}}},
    },
}


def answer(output, **changes):
    envelope = {"run_id": "r", "status": "ok", "outputs": output} | changes
    return Answered(b"{}", envelope, 0)


def test_answers_are_rows_and_no_cell_becomes_a_formula():
    written = []
    table = outputs.opened(outputs.CSV, written.append, OUT, envelope=False)
    rows = [{"word": "=1+1", "at": {"x": -1.5}, "odd": [1]}, {"word": 'a,\n"b"'}, None, {"word": "-"}]
    for row in rows:
        table.packed(answer(row))[0]()
    table.packed(answer(None, status="invalid_output", error={"code": "c", "message": "@m"}))[0]()
    table.close()
    found = list(csv.DictReader(io.StringIO(b"".join(written).decode())))
    assert [row["word"] for row in found] == ["'=1+1", 'a,\n"b"', "", "'-", ""]
    assert [row["at.x"] for row in found] == ["-1.5", "", "", "", ""]
    assert found[0]["more"] == '{"odd": [1]}'
    assert (found[4]["status"], found[4]["error_code"], found[4]["error_message"]) == ("invalid_output", "c", "'@m")


def test_parquet_goes_in_and_out(cli, contract, tmp_path, program):
    import pyarrow as pa
    from pyarrow import parquet

    spec = contract()
    parquet.write_table(pa.table({"run_id": ["007", "b"], "task": ["x", None]}), tmp_path / "in.parquet")
    command = program('reply({"result": {"said": task["input"].get("task", "-")}})')
    done = cli("batch", "-q", spec, "in.parquet", "-o", "out.parquet", *command)
    assert (done.code, done.err) == (0, "")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["run_id"] for row in rows] == ["007", "b"]
    assert [row["result"] for row in rows] == ['{"said": "x"}', '{"said": "-"}']


def test_a_folder_of_files_and_a_table_on_standard_input(cli, contract, tmp_path, program):
    spec, command = contract(), program('reply({"result": {"said": task["input"]["task"]}})')
    (tmp_path / "many").mkdir()
    for name in "ba":
        (tmp_path / "many" / f"{name}.json").write_text(json.dumps({"run_id": name, "task": name}, indent=1))
    done = cli("batch", "-q", spec, "many", *command)
    assert [json.loads(line)["run_id"] for line in done.out.splitlines()] == ["a", "b"]
    extra = ["--input-format", "csv", "--map", "run_id=no", "--set", "task=all", "-o", "out.csv"]
    done = cli("batch", "-q", spec, "-", *extra, *command, given="no,text\n1,a\n2,b\n")
    assert (done.code, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [(row["run_id"], row["status"], row["result"]) for row in rows] == [
        ("1", "ok", '{"said": "all"}'), ("2", "ok", '{"said": "all"}'),
    ]  # fmt: skip


def test_a_table_is_counted_by_its_rows(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text('id,n\n"a\nb",1\n"c ""d""\n",2\ne,3')
    assert batch_streams._expected(str(path), sources.CSV) == 3
    path.write_text('{"a": "\\""}\n{}\n')
    assert batch_streams._expected(str(path), sources.JSONL) == 2


def test_leaves_are_the_columns_of_an_output():
    schema = json.loads(contract_text().split("```json")[2].split("```")[0])
    assert [".".join(path) for path, _ in columns.leaves(schema)] == ["run_id", "status", "result"]


@pytest.mark.rule("S6.4")
def test_a_line_without_an_end_is_refused_and_a_long_one_passed_over(monkeypatch):
    """A device never ends its line: reading on would last for ever."""
    monkeypatch.setattr(line_reader, "MOST_SKIPPED", 1 << 20)
    with open("/dev/zero", "rb") as endless, pytest.raises(UsageError, match="has no end after 1 MiB"):
        list(line_reader.lines(endless, 10))
    long = io.BytesIO(b"x" * 500_000 + b"\n{}\n")
    assert list(line_reader.lines(long, 10)) == [b"x" * 11, b"{}"]
