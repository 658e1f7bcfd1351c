"""The language server as an editor meets it: a process, spoken with over its standard streams."""

import re

import pytest

from tests.conftest import ROOT, contract_text
from tests.editor.client import Client, edited, uri_of
from workermd.contract.reader import read
from workermd.contract.rules import RULES
from workermd.lint.engine import lint

GOOD = contract_text()
SPELT = GOOD.replace("- max_attempts: 2", "- max_atempts: 2")
TWO_TAGS = GOOD.replace("version: 1.0.0\n", "version: 1.0.0\ntags:\n  - a\n  - b\n  - a\n")


@pytest.fixture
def client(cli):
    with Client(cli.start("lsp", stdin=-1)) as client:
        yield client


@pytest.fixture
def started(client):
    client.start()
    return client


def spot(text, piece, within=0):
    """Line and character, from 0, of a piece of an ASCII text, so many characters further."""
    at = text.index(piece) + within
    return text.count("\n", 0, at), at - (text.rfind("\n", 0, at) + 1)


def codes(found):
    return [each.get("code") for each in found]


# --- a session ------------------------------------------------------------------------------------------


def test_a_session_begins_and_ends_as_the_protocol_has_it(client):
    able = client.start()["capabilities"]
    assert able["textDocumentSync"]["change"] == 1
    assert able["positionEncoding"] == "utf-16"
    for name in ("hoverProvider", "completionProvider", "codeActionProvider", "documentSymbolProvider"):
        assert able[name]
    assert client.stop() == (0, "")


def test_an_editor_that_goes_away_ends_the_server(started):
    assert started.end() == (1, "")


def test_a_terminal_is_no_editor_and_a_missing_library_has_its_remedy(cli):
    done = cli("lsp", env={"PYTHONPATH": f"{cli.folder / 'without'}:{ROOT}"})
    assert (done.code, done.out) == (1, b"")  # an empty stream: the editor went away
    without = cli.folder / "without"
    (without / "pygls").mkdir(parents=True)
    (without / "pygls" / "__init__.py").write_text("raise ModuleNotFoundError('x', name='pygls')")
    done = cli("lsp", env={"PYTHONPATH": f"{without}:{ROOT}"})
    assert done.code == 2
    assert done.err == "workermd: the module pygls is not installed; run: pip install 'workermd[lsp]'\n"


def test_nonsense_gets_no_traceback_and_ends_nothing(started):
    uri = "untitled:Untitled-1"
    for body in (
        b"{",
        b"[]",
        b'{"jsonrpc": "2.0", "method": "textDocument/hover", "id": 77, "params": 3}',
        b"\xff\xfe",
    ):
        started.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    started.notify("no/such", {})
    started.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 3}, "contentChanges": []})
    assert codes(started.open(uri, SPELT)) == ["WM702", "WM607"]
    code, said = started.stop()
    assert code == 0
    assert "Traceback" not in said
    assert all(line.startswith("workermd: ") for line in said.splitlines())


# --- diagnostics ----------------------------------------------------------------------------------------


def test_diagnostics_are_the_findings_of_validate(started):
    """Every bad file of every rule: the same codes at the same places."""
    for path in sorted((ROOT / "tests/lint").glob("WM*/bad.worker.md")):
        data = path.read_bytes()
        if path.parent.name in ("WM101", "WM102"):  # not UTF-8, and a mark that an editor keeps to itself
            continue
        found = started.open(uri_of(path), data.decode())
        expected = lint(read(data, path.name)).findings
        assert codes(found) == [each.code for each in expected], path
        if "\r" not in data.decode().replace("\r\n", "\n"):
            lines = [each["range"]["start"]["line"] + 1 for each in found]
            assert lines == [each.line for each in expected], path


def test_diagnostics_follow_the_typing(started):
    uri = "file:///nowhere/echo.worker.md"
    assert started.open(uri, GOOD) == []
    started.change(uri, SPELT)
    found = started.diagnostics(uri)
    assert codes(found) == ["WM702", "WM607"]
    line, character = spot(SPELT, "max_atempts")
    assert found[1]["range"]["start"] == {"line": line, "character": character}
    assert found[1]["range"]["end"] == {"line": line, "character": character + len("max_atempts")}
    assert found[1]["source"] == "workermd"
    assert found[1]["severity"] == 2
    assert found[1]["message"].splitlines() == ["unknown constraint 'max_atempts'", "Did you mean max_attempts?"]
    started.change(uri, GOOD)
    assert started.diagnostics(uri) == []


def test_texts_that_are_out_of_date_are_not_answered_for(started):
    """Of a burst of changes the last one is told; most of the others are not even read."""
    uri = "untitled:Untitled-1"
    started.open(uri, GOOD)
    for number in range(200):
        started.change(uri, GOOD + f"\n{number}\n" + "- a line\n" * 200)
    started.change(uri, SPELT)
    assert codes(started.diagnostics(uri)) == ["WM702", "WM607"]
    told = [each for each in started.passed if each.get("method") == "textDocument/publishDiagnostics"]
    assert len(told) < 100
    versions = [each["params"]["version"] for each in told]
    assert versions == sorted(versions)


def test_a_request_is_answered_from_the_newest_text(started):
    uri = "untitled:Untitled-1"
    started.open(uri, "x")
    started.change(uri, GOOD)
    shown = started.ask("hover", uri, *spot(GOOD, "timeout_seconds", 3))
    assert "Limit of the whole run" in shown["contents"]["value"]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("encoding", "width"), [(None, 2), (["utf-16"], 2), (["utf-32"], 1), (["utf-8"], 4)], ids=str)
def test_positions_count_what_the_editor_counts(client, end, encoding, width):
    able = client.start(**({"general": {"positionEncodings": encoding}} if encoding else {}))["capabilities"]
    assert able["positionEncoding"] == (encoding or ["utf-16"])[0]
    text = GOOD.replace("name: echo", "name: 😀😀 \u200b echo").replace("\n", end)
    found = client.open("untitled:Untitled-1", text)
    zero = {1: 1, 2: 1, 4: 3}[width]
    start = len("name: ") + 2 * width + 1
    assert [(each["code"], each["range"]) for each in found] == [
        ("WM903", {"start": {"line": 2, "character": start}, "end": {"line": 2, "character": start + zero}})
    ]
    shown = client.ask("hover", "untitled:Untitled-1", 2, start)
    assert "WM903" in shown["contents"]["value"]
    assert client.ask("hover", "untitled:Untitled-1", 2, start + zero) is None


def test_a_carriage_return_alone_ends_a_line_for_editors(started):
    text = GOOD.replace("name: echo", "name: a\rb").replace("version: 1.0.0", "version: one")
    found = {each["code"]: each["range"]["start"]["line"] for each in started.open("untitled:Untitled-1", text)}
    assert found["WM104"] == 2
    assert found["WM115"] == 4


def test_a_separator_that_is_no_line_end_moves_nothing(started):
    text = GOOD.replace("name: echo", "name: a\x0bb").replace("version: 1.0.0", "version: one")
    uri = "untitled:Untitled-1"
    started.open(uri, GOOD)
    started.change(uri, text)
    found = {each["code"]: each["range"]["start"]["line"] for each in started.diagnostics(uri)}
    assert (found["WM104"], found["WM115"]) == (2, 3)


def test_a_document_in_no_file_is_quiet_until_it_is_a_contract(started):
    uri = "untitled:Untitled-1"
    assert started.open(uri, "") == []
    started.change(uri, "# Notes\n\nSome text.\n")
    assert started.diagnostics(uri) == []
    started.change(uri, SPELT)
    assert codes(started.diagnostics(uri)) == ["WM702", "WM607"]


def test_other_documents_are_left_alone_and_a_closed_one_is_cleared(started):
    uri = "untitled:Untitled-1"
    started.notify(
        "textDocument/didOpen",
        {"textDocument": {"uri": "file:///README.md", "languageId": "markdown", "version": 1, "text": SPELT}},
    )
    assert started.ask("hover", "file:///README.md") is None
    assert started.ask("completion", "file:///not-open.worker.md") == []
    assert started.open(uri, SPELT)
    assert not any("README" in str(each) for each in started.passed)
    started.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert started.diagnostics(uri) == []


def test_text_that_utf_8_cannot_hold_is_a_finding(started):
    assert codes(started.open("untitled:Untitled-1", "---\n\ud800\n")) == ["WM101"]


# --- configuration --------------------------------------------------------------------------------------


def test_the_configuration_above_the_file_and_ignores_in_it_hold(started, tmp_path):
    path = tmp_path / "sub" / "echo.worker.md"
    path.parent.mkdir()
    settings = path.parent / "workermd.toml"
    settings.write_text('[lint]\nignore = ["WM607"]\n')
    uri = uri_of(path)
    assert codes(started.open(uri, SPELT)) == ["WM702"]
    started.change(uri, SPELT + "\n<!-- workermd: ignore WM702 one attempt is meant -->\n")
    assert started.diagnostics(uri) == []
    settings.write_text('[lint]\nselect = ["WM7"]\n')
    started.change(uri, SPELT)
    assert codes(started.diagnostics(uri)) == ["WM702"]
    settings.unlink()
    started.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    assert codes(started.diagnostics(uri)) == ["WM702", "WM607"]


def test_a_configuration_that_cannot_be_used_is_told_at_the_file(started, tmp_path):
    (tmp_path / "workermd.toml").write_text('[lint]\nignore = ["WM9999"]\n')
    found = started.open(uri_of(tmp_path / "echo.worker.md"), GOOD)
    assert len(found) == 1
    assert found[0]["severity"] == 1
    assert "no rule's code is or begins with 'WM9999'" in found[0]["message"]
    (tmp_path / "workermd.toml").write_text("")
    started.notify("workspace/didChangeConfiguration", {"settings": None})
    assert started.diagnostics(uri_of(tmp_path / "echo.worker.md")) == []


def test_the_configuration_of_the_call_holds(cli, tmp_path):
    (tmp_path / "other.toml").write_text('[lint]\nignore = ["WM607"]\n')
    (tmp_path / "workermd.toml").write_text('[lint]\nignore = ["WM7"]\n')
    for words, expected in (
        (["--config", "other.toml", "--stdio"], ["WM702"]),
        (["--no-config"], ["WM702", "WM607"]),
        ([], ["WM607"]),
    ):
        with Client(cli.start("lsp", *words, stdin=-1)) as client:
            client.start()
            assert codes(client.open(uri_of(tmp_path / "echo.worker.md"), SPELT)) == expected
            assert client.stop() == (0, "")


# --- hover ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("max_atempts", ["**WM607** (warning)", RULES["WM607"].purpose]),
        ("version:", ["**version**: Version of the contract", "Allowed: a version such as 1.0"]),
        ("timeout_seconds", ["**timeout_seconds**: Limit of the whole run in seconds"]),
        ("invalid_request, ", ["**invalid_request**: The input or the idempotency key is unusable"]),
        ('"invalid_output"', ["**invalid_output**: No valid output"]),
    ],
)
def test_hover(started, piece, shown):
    uri = "untitled:Untitled-1"
    started.open(uri, SPELT)
    said = started.ask("hover", uri, *spot(SPELT, piece, 1))["contents"]
    assert said["kind"] == "markdown"
    for text in shown:
        assert text in said["value"]


def test_hover_over_an_ignore_explains_its_rule_and_prose_says_nothing(started):
    uri = "untitled:Untitled-1"
    text = GOOD + "\n<!-- workermd: ignore WM515 it is a starter -->\n"
    started.open(uri, text)
    assert "**WM515**" in started.ask("hover", uri, *spot(text, "WM515", 2))["contents"]["value"]
    assert started.ask("hover", uri, *spot(text, "Purpose", 2)) is None
    assert started.ask("hover", uri, 10_000, 10_000) is None


# --- completion -----------------------------------------------------------------------------------------


def offered(client, text):
    """The labels at the mark `|`, and the text with the first one taken."""
    uri = "untitled:Untitled-1"
    clean = text.replace("|", "", 1)
    if uri in client.versions:
        client.change(uri, clean)
        client.diagnostics(uri)
    else:
        client.open(uri, clean)
    items = client.ask("completion", uri, *spot(text, "|"))
    taken = edited(clean, [items[0]["textEdit"]]) if items else clean
    return [each["label"] for each in items], taken


def test_completion_of_keys(started):
    labels, _ = offered(started, GOOD.replace("version: 1.0.0\n", "version: 1.0.0\nsource_r|\n"))
    assert "source_repository" in labels
    assert "worker_mode" in labels
    assert not {"id", "name", "version"} & set(labels), "what is there is not offered again"
    assert (
        "\nsource_registry_url: \n" in offered(started, GOOD.replace("name: echo\n", "name: echo\npurpose: a\n|\n"))[1]
    )


def test_completion_of_keys_before_the_front_matter_ends(started):
    labels, taken = offered(started, "---\n|")
    assert labels[:3] == ["id", "name", "version"]
    assert taken == "---\nid: "


def test_completion_of_constraints(started):
    for typed in ("- max_|", "- |", "-|", "|"):
        labels, taken = offered(started, f"{GOOD}{typed}\n")
        assert "max_tokens" in labels
        assert not {"timeout_seconds", "max_attempts", "retries.max_attempts"} & set(labels)
        assert taken == f"{GOOD}- attempt_timeout_seconds: \n"


def test_completion_of_constraints_in_groups_and_as_json(started):
    front = GOOD.replace("version: 1.0.0\n", "version: 1.0.0\nretries:\n  |\n")
    assert offered(started, front)[0] == ["max_attempts", "backoff"]
    spec = (ROOT / "tests/contract/documents/good/site-shape.worker.md").read_text()
    labels, taken = offered(started, re.sub(r"(## Constraints.*?\{\n)", r'\1  "max_c|\n', spec, flags=re.DOTALL))
    assert "max_cost_usd" in labels
    assert re.search(r'\n  "attempt_timeout_seconds": \n', taken)


@pytest.mark.parametrize(
    ("old", "new", "labels"),
    [
        ("- status_enum: [ok, ", "- status_enum: [ok, |", ["needs_human"]),
        ("- idempotency_key: run_id", "- idempotency_key: r|", ["run_id", "task", "context"]),
        ("name: echo\n", "name: echo\nworker_mode: |\n", ["agent-orchestration-worker", "tool-gateway-worker"]),
        ("- max_attempts: 2", "- backoff: |", ["exponential"]),
        ("- max_attempts: 2", "- success_statuses: |", ["ok", "invalid_request", "invalid_output"]),
    ],
)
def test_completion_of_values(started, old, new, labels):
    found, _ = offered(started, GOOD.replace(old, new))
    assert set(labels) <= set(found)


def test_completion_of_statuses_in_the_output_schema(started):
    text = GOOD.replace('        "invalid_output"\n', '        "invalid_output",\n        "n|"\n')
    labels, taken = offered(started, text)
    assert labels == ["needs_human"]
    assert '        "needs_human"\n' in taken
    text = GOOD.replace('        "invalid_output"\n', '        "invalid_output", |\n')
    assert offered(started, text)[1].count('"invalid_output", "needs_human"\n') == 1
    assert offered(started, GOOD.replace('"type": "object"', '"type": "|object"'))[0] == []


def test_completion_of_codes(started):
    labels, _ = offered(started, f"{GOOD}\n<!-- workermd: ignore WM|\n")
    assert labels == list(RULES)
    assert offered(started, GOOD.replace("Purpose: ", "Purpose: |"))[0] == []


# --- fixes, outline, layout -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests/lint").glob("WM*/fixed.worker.md")), ids=lambda path: path.parent.name
)
def test_all_safe_fixes_are_those_of_validate(started, path):
    bad = path.with_name("bad.worker.md").read_bytes().decode()
    uri = uri_of(path.with_name("bad.worker.md"))
    started.open(uri, bad)
    everywhere = {"start": {"line": 0, "character": 0}, "end": {"line": 10_000, "character": 0}}
    (action,) = started.actions(uri, everywhere, "source.fixAll")
    assert action["kind"] == "source.fixAll.workermd"
    assert edited(bad, action["edit"]["changes"][uri]).encode() == path.read_bytes()
    if path.parent.name != "WM102":  # the mark has no place of its own
        single = started.actions(uri, everywhere, "quickfix")
        assert {each["title"][:5] for each in single} >= {path.parent.name}


def test_a_fix_is_offered_where_it_mends(started):
    uri = "untitled:Untitled-1"
    text = TWO_TAGS.replace("\n", "\r\n").replace("name: echo", "name: 😀 echo")
    (found,) = started.open(uri, text)
    assert found["code"] == "WM120"
    (action, all_of_them) = started.actions(uri, found["range"])
    assert action["title"] == "WM120: Remove it"
    mended = edited(text, action["edit"]["changes"][uri])
    assert mended == text.replace("  - b\r\n  - a\r\n", "  - b\r\n")
    assert edited(text, all_of_them["edit"]["changes"][uri]) == mended
    elsewhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
    assert [each["kind"] for each in started.actions(uri, elsewhere)] == ["source.fixAll.workermd"]
    started.change(uri, mended)
    assert started.diagnostics(uri) == []


def test_no_fix_is_offered_that_validate_would_not_make(started):
    """A tag in brackets has no line to itself; text that cannot be encoded has no place to trust."""
    uri = "untitled:Untitled-1"
    found = started.open(uri, GOOD.replace("version: 1.0.0", "version: 1.0.0\ntags: [a, b, a]"))
    assert codes(found) == ["WM120"]
    assert started.actions(uri, found[0]["range"]) == []
    started.change(uri, TWO_TAGS + "\ud800")
    assert started.actions(uri, started.diagnostics(uri)[0]["range"]) == []


def test_the_outline(started):
    path = ROOT / "registry" / "autogen.worker.md"
    started.open(uri_of(path), path.read_text())
    found = started.ask("documentSymbol", uri_of(path))
    names = {each["name"]: [below["name"] for below in each["children"]] for each in found}
    assert list(names) == ["Front matter", "Input schema", "Output schema", "Constraints"]
    assert names["Front matter"][:3] == ["id", "name", "version"]
    assert names["Input schema"] == ["run_id", "task", "context"]
    assert "timeout_seconds" in names["Constraints"]
    for each in found:
        for below in each["children"]:
            assert (each["range"]["start"]["line"], 0) <= (
                below["range"]["start"]["line"],
                below["range"]["start"]["character"],
            )
            assert below["range"]["end"]["line"] <= each["range"]["end"]["line"]


def test_the_outline_of_what_is_no_contract_yet(started):
    uri = "untitled:Untitled-1"
    started.open(uri, "---\nid: a\n")
    assert [each["name"] for each in started.ask("documentSymbol", uri)] == ["Front matter"]
    started.change(uri, "")
    assert started.ask("documentSymbol", uri) == []


def test_the_layout_is_that_of_fmt(started, cli, tmp_path):
    text = GOOD.replace("name: echo\nversion: 1.0.0", "version: 1.0.0\nname: 😀").replace("\n", "\r\n")
    path = tmp_path / "echo.worker.md"
    path.write_bytes(text.encode())
    started.open(uri_of(path), text)
    edits = started.ask("formatting", uri_of(path), options={"tabSize": 2, "insertSpaces": True})
    assert cli("fmt", path).code == 0
    assert edited(text, edits).encode() == path.read_bytes()
    started.change(uri_of(path), SPELT.replace("- timeout_seconds: 20\n", ""))
    assert started.ask("formatting", uri_of(path), options={"tabSize": 2, "insertSpaces": True}) == []
