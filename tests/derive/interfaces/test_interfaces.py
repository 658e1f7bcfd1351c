"""Every kind of interface from small repositories: what is found, where it stands, that it can be used."""

import ast
import json
import time
from hashlib import sha256

import pytest

from tests.derive.interfaces.interface_cases import CASES, KINDS, FolderRepository, as_json, build, case
from workermd.contract.schema import check_schema, checker
from workermd.derive.interfaces.kinds import KINDS as TABLE
from workermd.derive.interfaces.kinds import choose, find_all, spelled, survey
from workermd.derive.interfaces.reading import MAX_READS, RepositoryReading
from workermd.derive.model import Interface
from workermd.protocol.errors import UsageError


def schemas(interface: Interface) -> list[dict]:
    return [schema for schema in (interface.input_schema, interface.output_schema) if schema is not None]


def accepts(schema: dict, value: object) -> bool:
    return checker(schema, "2020-12").accepts(value)


def test_the_cases_cover_every_kind():
    assert sorted(TABLE) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_finds_what_is_expected(tmp_path, kind):
    found = survey(case(tmp_path, kind), [kind])
    expected = json.loads((CASES / f"{kind}.json").read_text())
    assert as_json(found.interfaces) == expected["interfaces"]
    assert [list(one) for one in found.skipped] == expected["skipped"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_of_evidence_is_there_and_hashes_right(tmp_path, kind):
    found = find_all(case(tmp_path, kind))
    assert found
    for interface in found:
        assert interface.evidence
        for one in interface.evidence:
            lines = (tmp_path / one.path).read_bytes().splitlines(keepends=True)
            assert 1 <= one.first_line <= one.last_line <= len(lines)
            assert sha256(b"".join(lines[one.first_line - 1 : one.last_line])).hexdigest() == one.sha256
            assert one.permalink.endswith(f"{one.path}#L{one.first_line}-L{one.last_line}")
            assert len(one.quote) <= 400


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_passes_the_check_and_refers_to_nothing(tmp_path, kind):
    for interface in find_all(case(tmp_path, kind)):
        for schema in schemas(interface):
            assert check_schema(schema) == ()
            assert '"$ref"' not in json.dumps(schema)
        assert interface.input_schema["type"] == "object"


def test_the_same_repository_gives_the_same_answer_and_each_file_is_read_once(tmp_path):
    for kind in KINDS:
        case(tmp_path / kind, kind)
    repository = FolderRepository(tmp_path)
    found = find_all(repository)
    assert max(repository.reads.values()) == 1
    assert found == find_all(FolderRepository(tmp_path))
    assert [one.kind for one in found] == sorted((one.kind for one in found), key=list(TABLE).index)


def named(tmp_path, kind: str, name: str) -> Interface:
    return next(one for one in find_all(case(tmp_path, kind), [kind]) if one.name == name)


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        ("openapi", "showPet", {"id": 1}, {"id": "1"}),
        ("openapi", "showPet", {"id": 1, "verbose": True, "query_id": "x"}, {"verbose": True}),
        ("openapi", "PUT /pets/{id}", {"id": 1, "body": {"name": None}}, {"id": 1}),
        ("openapi", "PUT /pets/{id}", {"id": 1, "body": {"name": "x", "age": 1}}, {"id": 1, "body": {"name": "x", "age": 0}}),
        ("openapi", "POST /jobs", {"body": {"n": 1}}, {"body": {"n": 0}}),
        ("action", "Greet", {"who": "you"}, {"tone": "loud"}),
        ("action", "Greet", {"who": "you", "tone": "1"}, {"who": "you", "tone": 1}),
        ("a2a", "plan", {"message": "go"}, {"message": ""}),
        ("npm-bin", "tool", {"args": ["-x"]}, {"args": "-x"}),
        ("mcp", "add", {"a": 1, "pair": ["x", None]}, {"a": 1, "pair": ["x", None, 1]}),
        ("mcp", "forecast", {"city": "Bonn", "days": 14}, {"city": "Bonn", "days": 15}),
        ("mcp", "alerts", {"state": "CA", "level": "low"}, {"state": "CA", "level": "middle"}),
        ("mcp", "renamed", {"n": 0}, {"n": -1}),
        ("mcp", "weather-mcp", {"city": "Bonn", "unit": "F"}, {"unit": "F"}),
        ("cli", "plain", {"source": "a", "tag": ["x"]}, {"source": "a"}),
        ("cli", "plain", {"source": "a", "tag": [], "mode": "safe"}, {"source": "a", "tag": [], "mode": "slow"}),
        ("cli", "clicky build", {"path": ".", "kind": "a", "jobs": 64}, {"path": ".", "kind": "a", "jobs": 65}),
        ("cli", "typed paint", {"name": "x", "color": "blue"}, {"name": "x", "color": "green"}),
        ("function", "draw", {"node": {"id": 1}, "points": [[1.5]]}, {"node": {"id": 1}, "points": [[]]}),
        ("function", "draw", {"node": {"id": 1, "children": [{}]}, "more": 1}, {"node": {"id": 1}, "more": "x"}),
        ("function", "draw", {"node": {"id": 1}, "options": {"size": 1}}, {"node": {"id": 1, "cache": {}}}),
        (
            "function", "check",
            {"strict": {"e-mail": "a@b", "score": 0.5}, "when": "2026-01-01T00:00:00Z", "value": [1]},
            {"strict": {"e-mail": "a@b", "score": 1}, "when": "2026-01-01T00:00:00Z", "value": [1]},
        ),
    ],
)  # fmt: skip
def test_schemas_tell_good_arguments_from_bad(tmp_path, kind, name, good, bad):
    schema = named(tmp_path, kind, name).input_schema
    assert accepts(schema, good)
    assert not accepts(schema, bad)


def test_what_is_read_only_is_no_input_but_an_output(tmp_path):
    put = named(tmp_path, "openapi", "PUT /pets/{id}")
    show = named(tmp_path, "openapi", "showPet")
    assert "required properties that are readOnly are not required here" in put.notes
    assert show.output_schema is not None
    assert show.output_schema["required"] == ["id", "name"]


# --- choosing ---


def test_choose_takes_a_kind_a_path_or_a_name(tmp_path):
    found = find_all(case(tmp_path, "openapi"))
    assert [choose(found, spelled(one)) for one in found] == list(found)
    assert choose(found, "openapi:api/openapi.json").name == "POST /jobs"


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("openap", "'openap' is no kind", "Did you mean openapi?"),
        ("mcp", "nothing of the kind mcp", "Found: openapi."),
        ("openapi", "means 3 interfaces", "Choose one: openapi:api/openapi.json#POST /jobs,"),
        ("openapi:openapi.yaml", "means 2 interfaces", "openapi:openapi.yaml#showPet"),
        ("openapi:openapi.yaml#showPets", "is not found", "Did you mean openapi:openapi.yaml#showPet?"),
        ("openapi:\x1b[31m", r"'openapi:\x1b[31m' is not found", "There is: openapi:"),
    ],
)
def test_choose_says_what_there_is(tmp_path, wanted, message, hint):
    with pytest.raises(UsageError) as caught:
        choose(find_all(case(tmp_path, "openapi")), wanted)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\x1b" not in caught.value.message + caught.value.hint


# --- hostile repositories ---


def operation(schema: object) -> str:
    body = {"content": {"application/json": {"schema": schema}}}
    return json.dumps({"openapi": "3.1.0", "paths": {"/x": {"post": {"requestBody": body}}}})


def deep(levels: int) -> object:
    schema: object = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)
MULTIPLYING = {
    "openapi": "3.1.0",
    "paths": {"/x": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/s/0"}}}}}}},
    "s": [
        *({"type": "object", "properties": {name: {"$ref": f"#/s/{n + 1}"} for name in "abcdef"}} for n in range(40)),
        {"type": "string"},
    ],
}


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("openapi.yaml", b"openapi: 3.0.0\n" + BOMB.encode(), "aliases counted"),
        ("openapi.yaml", b"a: &a [*a]", "unknown or unfinished"),
        ("openapi.yaml", b"[" * 5000, "more than 64 levels"),
        ("openapi.yaml", b"a: 1\na: 2", "the key 'a' a second time on line 2"),
        ("openapi.yaml", b"a: !!python/object:os.system x", "the tag"),
        ("openapi.yaml", b"a: 1\n---\nb: 2", "more than one document"),
        ("openapi.yaml", b"? [a]\n: 1", "list or mapping as a key"),
        ("openapi.yaml", b"a: [", "not well-formed YAML"),
        ("openapi.json", b"[" * 100_000, "is not strict JSON"),
        ("openapi.json", b'{"a": 1, "a": 2}', "is not strict JSON"),
        ("openapi.json", b"\xff\xfe", "is not UTF-8"),
        ("openapi.json", b" " * (2 * 1024 * 1024 + 1), "is larger than 2097152 bytes"),
        ("pkg/__init__.py", b"def f(:", "is not Python as this version reads it (line 1)"),
        ("pkg/__init__.py", b"x = " + b"-" * 100_000 + b"1", "nested too deep"),
        ("pkg/__init__.py", b"x = " + b"+".join([b"1"] * 30_000), "nested too deep"),
        ("pkg/__init__.py", b"x = 1\rdef f(a: int): ...", "carriage returns"),
        ("pkg/__init__.py", b"\0", "Python"),
        ("pkg/__init__.py", b"#" * (512 * 1024 + 1), "is larger than 524288 bytes"),
        ("pyproject.toml", b"a = [", "is not TOML"),
        ("setup.cfg", b"no section", "is no configuration file"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_out_with_its_reason(tmp_path, path, content, reason):
    place = tmp_path / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    found = survey(FolderRepository(tmp_path))
    assert found.interfaces == ()
    assert [one.path for one in found.skipped] == [path]
    assert reason in found.skipped[0].reason


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize(
    ("content", "note"),
    [
        (operation(deep(26)), "cut"),
        (operation({"enum": list(range(100_000))}), "too large"),
        (operation({"pattern": "(a+)\\1"}), "linear time"),
        (operation({"properties": {"\u202eevil\x07": {}, "ok": {}}, "additionalProperties": False}), "left out"),
        (operation({"$ref": "#/paths/~1x/post/requestBody/content/application~1json/schema"}), "holds itself"),
        (operation({"$ref": "http://127.0.0.1:9/x"}), "leaves the document"),
        (
            operation({"type": "file", "required": True, "enum": {}, "minimum": "x", "items": 3, "allOf": []}),
            "none of JSON Schema",
        ),
        (json.dumps(MULTIPLYING), "cut"),
    ],
    ids=["deep", "enum", "pattern", "names", "circle", "http", "wrong", "multiplying"],
)
def test_a_hostile_schema_is_cut_with_a_note(tmp_path, content, note):
    (tmp_path / "openapi.json").write_text(content)
    began = time.process_time()
    (found,) = find_all(FolderRepository(tmp_path))
    assert time.process_time() - began < 5
    assert any(note in said for said in found.notes)
    for schema in schemas(found):
        assert check_schema(schema) == ()
    assert len(json.dumps(found.input_schema)) < 80_000
    assert "evil" not in json.dumps(found.input_schema)


@pytest.mark.parametrize("keyword", ["not", "if"])
def test_what_is_cut_never_refuses_more_than_before(tmp_path, keyword):
    content = operation({keyword: {"$ref": "http://example.org/x"}, "then": False})
    (tmp_path / "openapi.json").write_text(content)
    (found,) = find_all(FolderRepository(tmp_path))
    assert accepts(found.input_schema, {"body": "anything"})


@pytest.mark.parametrize("where", ["properties", "patternProperties"])
def test_an_object_that_lost_a_property_is_no_longer_closed(tmp_path, where):
    name = {"properties": "\u202eevil", "patternProperties": "(?=evil)"}[where]
    (tmp_path / "openapi.json").write_text(operation({where: {name: {}}, "additionalProperties": False}))
    (found,) = find_all(FolderRepository(tmp_path))
    assert accepts(found.input_schema, {"body": {name: 1}})


def test_alternatives_that_were_cut_may_overlap(tmp_path):
    content = operation({"oneOf": [{"$ref": "http://example.org/x"}, {"type": "string"}]})
    (tmp_path / "openapi.json").write_text(content)
    (found,) = find_all(FolderRepository(tmp_path))
    assert accepts(found.input_schema, {"body": "both match now"})


@pytest.mark.rule("S6.5")
def test_names_and_texts_hold_nothing_invisible(tmp_path):
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/x": {"get": {"operationId": "a\x1b[31m\u202eb" + "c" * 500, "summary": "s\n---\nkind: x\u200b" * 99}}
        },
    }
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (found,) = find_all(FolderRepository(tmp_path))
    assert found.name.startswith("a[31mbc")
    assert len(found.name) <= 120
    assert len(found.summary) <= 300
    assert "\n" not in found.summary
    assert "\u200b" not in found.summary


def test_more_interfaces_than_the_cap_are_left_out_with_a_note(tmp_path):
    paths = {f"/{number:04}": {"get": {}} for number in range(300)}
    (tmp_path / "openapi.json").write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    found = survey(FolderRepository(tmp_path))
    assert len(found.interfaces) == 200
    assert "more than 200 interfaces of the kind openapi" in found.skipped[0].reason


def test_more_files_than_the_budget_are_not_read(tmp_path):
    for number in range(MAX_READS + 5):
        (tmp_path / f"{number}.py").write_text("")
    reading = RepositoryReading(FolderRepository(tmp_path))
    for file in reading.files():
        reading.text(file.path)
    assert len(reading.skipped) == 5


@pytest.mark.parametrize(
    "source",
    [
        "def f(a: " + "list[" * 90 + "int" + "]" * 90 + ") -> int: ...",
        "A = 'B'\nB = 'A'\ndef f(a: A) -> int: ...",
        "class A(A): pass\ndef f(a: A = None) -> int: ...",
        "".join(f"class C{n}({', '.join(f'C{m}' for m in range(8) if m != n)}): x: int\n" for n in range(8))
        + "def f(a: C0 = None) -> int: ...",
        "x0 = [1, 1]\n"
        + "".join(f"x{n + 1} = [{', '.join([f'x{n}'] * 12)}]\n" for n in range(9))
        + "def f(a: int = x9) -> int: ...",
        "def f(a: 'int' = 1 + 2) -> 'list[': ...",
        "def f(a: " + " | ".join(f"'{n}'" for n in range(500)) + " = 0) -> int: ...",
        "def f(a: int = 1" + "0" * 350 + ") -> int: ...",
        "def f(a: str = '\\ud800') -> int: ...",
    ],
)  # fmt: skip
def test_hostile_annotations_end_and_give_usable_schemas(tmp_path, source):
    (tmp_path / "m.py").write_text(source)
    began = time.process_time()
    found = find_all(FolderRepository(tmp_path))
    assert time.process_time() - began < 5
    for interface in found:
        for schema in schemas(interface):
            assert check_schema(schema) == ()


def test_hostile_commands_end(tmp_path):
    groups = "".join(f"@click.group()\ndef g{n}(): ...\n" for n in range(12))
    adding = "".join(f"g{n}.add_command(g{m})\n" for n in range(12) for m in range(12))
    returns = "".join(f"def p{n}():\n" + f"    return p{n + 1}()\n" * 12 for n in range(9)) + "def p9(): return 1\n"
    build(
        tmp_path,
        "=== pyproject.toml\n[project.scripts]\na = 'm:g0'\nb = 'n:p0'\n"
        f"=== m.py\nimport click\n{groups}{adding}=== n.py\n{returns}",
    )
    began = time.process_time()
    assert find_all(FolderRepository(tmp_path), ["cli"])
    assert time.process_time() - began < 10


@pytest.mark.rule("S6.5")
def test_nothing_of_the_repository_is_run_or_imported(tmp_path):
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w')\ndef f(a: int = open({str(mark)!r}, 'w')) -> int: ...\n"
    build(tmp_path, f"=== pkg/__init__.py\n{code}=== setup.py\nfrom setuptools import setup\n{code}setup(name='x')\n")
    assert [one.name for one in find_all(FolderRepository(tmp_path))] == ["f"]
    assert not mark.exists()


def test_a_parser_that_the_entry_does_not_lead_to_is_not_taken_for_its_own(tmp_path):
    build(
        tmp_path,
        "=== setup.cfg\n[options.entry_points]\nconsole_scripts =\n    x = m:main\n"
        "=== m.py\nimport argparse\ndef main(): ...\ndef other():\n    p = argparse.ArgumentParser()\n"
        "    p.add_argument('wrong')\n    p.parse_args()\n",
    )
    (found,) = find_all(FolderRepository(tmp_path), ["cli"])
    assert list(found.input_schema["properties"]) == ["args"]
    assert found.evidence[0].first_line == 3


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_lines_are_counted_alike_whatever_ends_them(tmp_path, ends):
    lines = ["\ufeffimport typing", "", "def f(", "    a: int,", ") -> int:", "    return a", ""]
    (tmp_path / "m.py").write_bytes(ends.join(lines).encode())
    (found,) = find_all(FolderRepository(tmp_path))
    (one,) = found.evidence
    assert (one.first_line, one.last_line) == (3, 6)
    data = (tmp_path / "m.py").read_bytes().splitlines(keepends=True)
    assert one.sha256 == sha256(b"".join(data[2:6])).hexdigest()


def test_the_bombs_of_these_tests_are_real():
    with pytest.raises((RecursionError, MemoryError)):
        ast.parse("x = " + "-" * 100_000 + "1")
