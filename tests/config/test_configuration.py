"""Which backend serves a worker: flags, then worker id, then mode, then what is shipped; never a file beside the contract."""

import json

import pytest

from workermd.config import configuration
from workermd.config.configuration import Flags
from workermd.protocol.errors import ConfigurationError

TOOL_INPUT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id", "tool", "arguments"],
    "properties": {"run_id": {"type": "string"}, "tool": {"type": "string"}, "arguments": {"type": "object"}},
}
AGENT_INPUT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id", "task", "context"],
    "properties": {"run_id": {"type": "string"}, "task": {"type": "string"}, "context": {"type": "object"}},
}


def toml(program, says):
    command = program(f"reply({{'status': 'ok', 'result': {{'by': {says!r}, 'input': task['input']}}}})", f"{says}.py")[
        3:
    ]
    return f"command = {json.dumps(command)}\n"


def by(done):
    assert done.code == 0, done.err
    return done.document["result"]["by"]


@pytest.mark.rule("S6.1", "S7.3")
def test_flags_then_worker_then_mode(cli, contract, given, program, tmp_path):
    spec = contract(mode="agent-orchestration-worker", input_schema=AGENT_INPUT)
    file = tmp_path / "workermd.toml"
    inputs = {"task": "t", "context": {}}
    file.write_text("[modes.agent-orchestration-worker]\n" + toml(program, "mode"))
    assert by(cli("run", spec, given("a", **inputs))) == "mode"
    file.write_text(file.read_text() + "[workers.echo]\n" + toml(program, "worker"))
    assert by(cli("run", spec, given("b", **inputs))) == "worker"
    flagged = program("reply({'status': 'ok', 'result': {'by': 'flag'}})", "flag.py")
    assert by(cli("run", spec, given("c", **inputs), *flagged)) == "flag"
    assert cli("run", spec, given("d", **inputs), "--no-config").code == 2


@pytest.mark.rule("S7.2", "S7.3")
def test_a_mode_chooses_a_backend_and_nothing_else(cli, contract, given, program, tmp_path):
    """A gateway's input is what its contract says."""
    (tmp_path / "workermd.toml").write_text("[modes.tool-gateway-worker]\n" + toml(program, "gateway"))
    spec = contract(mode="tool-gateway-worker", input_schema=TOOL_INPUT)
    done = cli("run", spec, given("a", tool="search", arguments={"q": "x"}))
    assert done.document["result"]["input"] == {"run_id": "a", "tool": "search", "arguments": {"q": "x"}}
    assert cli("run", spec, given("b", task="t", context={})).code == 3


@pytest.mark.rule("S6.1")
def test_the_operators_choice_goes_before_a_shipped_worker(tmp_path, monkeypatch):
    """For a worker, and for its mode."""
    monkeypatch.chdir(tmp_path)
    shipped = configuration.binding_for("data-validation", "m", configuration.load(Flags()), Flags())
    assert (shipped.origin, shipped.kind) == ("shipped with workermd", "function")
    for table in ("modes.m", "workers.data-validation"):
        (tmp_path / "workermd.toml").write_text(f'[{table}]\ncommand = ["true"]\n')
        bound = configuration.binding_for("data-validation", "m", configuration.load(Flags()), Flags())
        assert (bound.command, bound.origin) == (("true",), f"{tmp_path}/workermd.toml: [{table}]")


@pytest.mark.rule("S8.4")
@pytest.mark.parametrize(("codes", "taken"), [("[1, 255]", True), ("[0]", False), ("[256]", False), ("[-1]", False)])
def test_codes_to_retry_are_those_of_a_failure(tmp_path, monkeypatch, codes, taken):
    """0 is the answer, and no program can exit with more than 255."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workermd.toml").write_text(f'[workers.w]\ncommand = ["true"]\nretry_exit_codes = {codes}\n')
    if taken:
        assert configuration.load(Flags()).workers["w"].retry_exit_codes == (1, 255)
        return
    with pytest.raises(ConfigurationError, match="retry_exit_codes is not a list of codes"):
        configuration.load(Flags())


@pytest.mark.rule("S7.1")
def test_an_agent_orchestration_worker_runs_on_the_core_runtime(cli, contract, given, tmp_path):
    """Its task is a message to an agent, handled in the loop of the core runtime."""
    (tmp_path / "tasks.py").write_text(
        "import asyncio, sys\n"
        "async def run(task):\n"
        "    names = {type(each.get_coro().cr_frame.f_locals.get('self')).__module__ for each in asyncio.all_tasks()\n"
        "             if getattr(each.get_coro(), 'cr_frame', None)}\n"
        "    return {'result': {'core': 'autogen_core' in sys.modules, 'names': sorted(names)}}\n"
    )
    spec = contract(mode="agent-orchestration-worker", input_schema=AGENT_INPUT)
    done = cli("run", spec, given("a", task="t", context={}), "--function", "tasks:run")
    assert done.document["result"]["core"] is True
    assert any(name.startswith("autogen_core") for name in done.document["result"]["names"])


@pytest.mark.rule("S6.2")
def test_a_function_of_the_command_line_is_found_where_a_configured_one_is(cli, contract, given, tmp_path):
    """The working directory goes first; from a folder further down the configuration's folder counts."""
    (tmp_path / "workermd.toml").touch()
    (tmp_path / "near.py").write_text("def run(task):\n    return {'result': {'by': 'the configuration'}}\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    spec = contract()
    call = ("--function", "near:run")
    assert by(cli("run", spec, given("a"), *call, cwd=inner)) == "the configuration"
    assert cli("run", spec, given("b"), *call, "--no-config", cwd=inner).code == 2
    (inner / "near.py").write_text("def run(task):\n    return {'result': {'by': 'the working directory'}}\n")
    assert by(cli("run", spec, given("c"), *call, cwd=inner)) == "the working directory"


@pytest.mark.rule("S6.1")
def test_nothing_beside_the_contract_chooses_code(cli, contract, given, program, tmp_path):
    """The file is looked for from the working directory, not from the contract's folder."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    (folder / "workermd.toml").write_text("[workers.echo]\n" + toml(program, "planted"))
    spec = contract("downloaded/echo.worker.md")
    assert cli("run", spec, given()).code == 2
    assert by(cli("run", spec, given(), cwd=folder)) == "planted"  # the operator went there


@pytest.mark.rule("S6.1")
def test_pyproject_and_the_root_of_the_repository(tmp_path, monkeypatch):
    """Found upward, not beyond the repository's root."""
    inner = tmp_path / "repo" / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.delenv("WORKERMD_LEDGER", raising=False)
    (tmp_path / "workermd.toml").write_text('ledger = "outside.db"\n')
    assert configuration.load(Flags()).ledger == str(tmp_path / "outside.db")
    (tmp_path / "repo" / ".git").mkdir()
    assert configuration.load(Flags()).ledger_origin == "the default"
    (tmp_path / "repo" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert configuration.load(Flags()).origin == ""
    (tmp_path / "repo" / "pyproject.toml").write_text('[tool.workermd]\nledger = "l.db"\nenv = ["A"]\n')
    settings = configuration.load(Flags())
    assert (settings.ledger, settings.env) == (str(tmp_path / "repo" / "l.db"), ("A",))
    monkeypatch.setenv("WORKERMD_LEDGER", "env.db")
    monkeypatch.setenv("WORKERMD_ENV", "B, C")
    assert configuration.load(Flags()).ledger_origin == "WORKERMD_LEDGER"
    assert configuration.load(Flags()).env == ("A", "B", "C")
    assert configuration.load(Flags(ledger="flag.db")).ledger == str(inner / "flag.db")
    monkeypatch.setenv("WORKERMD_CONFIG", str(tmp_path / "workermd.toml"))
    assert configuration.load(Flags()).origin == str(tmp_path / "workermd.toml")
    assert configuration.load(Flags(no_config=True)).origin == ""


def test_settings_of_flags_go_over_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workermd.toml").write_text(
        '[workers.w]\nfunction = "a:b"\nsettings = {folder = "x", n = 1}\nenv = ["A"]\nsecret_env = ["K"]\n'
    )
    flags = Flags(settings=("n=2", "word=two words"), env=("B",))
    bound = configuration.binding_for("w", "", configuration.load(flags), flags)
    assert bound.settings == {"folder": "x", "n": 2, "word": "two words"}
    assert (bound.env, bound.secret_env) == (("A", "B"), ("K",))


@pytest.mark.rule("S6.1", "S6.2")
@pytest.mark.parametrize("worker", ["data-validation", "code-review", "web-extract", "aggregate", "output-gate"])
def test_shipped_workers_need_no_configuration(worker):
    bound = configuration.binding_for(worker, "", configuration.Settings(), Flags())
    assert bound.origin == "shipped with workermd"
    assert bound.function.startswith("workermd.workers.")


@pytest.mark.rule("S3.5")
def test_retries_do_not_multiply(cli, contract, given, program, evidence):
    """As many starts as attempts, for codes that the table or the binding calls transient."""
    spec = contract(constraints={"max_attempts": 3})
    done = cli("run", spec, given(), "--envelope", *program("evidence('start'); sys.exit(69)"))
    assert (len(evidence()), len(done.document["attempts"])) == (3, 3)


@pytest.mark.rule("S8.4")
def test_retry_exit_codes_of_the_binding(cli, contract, given, program, evidence, tmp_path):
    command = program("evidence('start'); sys.exit(9)")[3:]
    (tmp_path / "workermd.toml").write_text(
        f"[workers.echo]\ncommand = {json.dumps(command)}\nretry_exit_codes = [9]\n"
    )
    assert cli("run", contract(), given()).code == 5
    assert evidence() == ["start", "start"]


@pytest.mark.rule("S8.1", "S8.2")
def test_a_task_and_a_reply_have_the_documented_fields(cli, contract, given, program):
    done = cli("run", contract(), given(), "--setting", "a=1", *program("reply({'result': task})"))
    assert list(done.document["result"]) == [
        "worker_id", "version", "run_id", "attempt", "max_attempts", "seconds_left", "purpose", "mode", "input",
        "output_schema", "tools_allowed", "feedback", "decisions", "trace", "artifacts_dir", "settings",
        "budget", "reach", "checkpoint",
    ]  # fmt: skip
    assert (done.document["status"], done.document["result"]["settings"]) == ("ok", {"a": 1})
    assert 0 < done.document["result"]["seconds_left"] <= 20


@pytest.mark.rule("S6.5")
def test_what_reaches_a_terminal_has_no_control_characters(cli, contract, given, program):
    """A task's words are data."""
    body = "print('a\\x1b]0;title\\x07b\\x9b31mc\\u202ed', file=sys.stderr); reply({'result': {}})"
    done = cli("run", contract(), given(), *program(body))
    assert not set(done.err) & set("\x1b\x07\x9b\u202e")


def models(text, tmp_path):
    (tmp_path / "workermd.toml").write_text(text)
    return configuration.load(Flags(config=str(tmp_path / "workermd.toml"))).models


@pytest.mark.rule("S3.6")
def test_list_prices_are_for_the_providers_own_endpoint(tmp_path):
    found = models(
        '[models.a]\nmodel = "gpt-4.1-mini"\n'
        '[models.b]\nmodel = "gpt-4.1-mini"\nprice = { input = 1, output = 2 }\n'
        '[models.c]\nmodel = "gpt-4.1-mini"\nbase_url = "http://127.0.0.1:8000/v1"\n'
        '[models.d]\nmodel = "gpt-99"\n',
        tmp_path,
    )
    prices = {name: (model.input_price, model.output_price) for name, model in found.items()}
    assert prices == {"a": (0.4, 1.6), "b": (1.0, 2.0), "c": (None, None), "d": (None, None)}


@pytest.mark.rule("S6.3")
def test_openais_key_goes_to_openai_only(tmp_path):
    found = models(
        '[models.a]\nmodel = "gpt-4.1-mini"\n[models.b]\nmodel = "x"\nbase_url = "http://127.0.0.1:8000/v1"\n', tmp_path
    )
    assert (found["a"].api_key_env, found["b"].api_key_env) == ("OPENAI_API_KEY", "")


WRONG = [
    ("[models.a]\n", "[models.a]: names no model"),
    *(
        (f'[models.a]\nmodel = "x"\nbase_url = "{address}"\n', f"base_url {fault}")
        for address, fault in (
            ("ftp://x", "is no http address"),
            ("http://", "is no http address"),
            ("http://[::1", "is no http address"),
            ("http://x:99999/v1", "is no http address"),
            ("http://x y/v1", "has characters that no address has"),
            ("http://me:sk-1@x/v1", "has a user or a password in it"),
            ("http://x/v1?key=sk-1", "has more than scheme, host, port and path"),
        )
    ),
    ('[servers.s]\nurl = "http://me:sk-1@x/mcp"\n', "url has a user or a password in it"),
    ('[servers.s]\nurl = "x"\n', "url is no http address"),
    ('[models.a]\nmodel = "x"\nstructured = "maybe"\n', "structured is none of auto, schema, json, text"),
    ('[models.a]\nmodel = "x"\nprice = 3\n', "price is not a table of two numbers"),
    ('[models.a]\nmodel = "x"\nkey = "sk-1"\n', "unknown key 'key'"),
    ("[tools.t]\n", "[tools.t]: names 0 of function, server, code"),
    ('[tools.t]\nfunction = "a:b"\nserver = "s"\n', "names 2 of function, server, code"),
    ('[tools.t]\nfunction = "a:b"\napprove = 1\n', "approve is not true or false"),
    ("[servers.s]\n", "names both or neither of command and url"),
    ('[workers.w]\nbackend = "chat"\n', "backend 'chat' names no model"),
    ('[workers.w]\nbackend = "chat"\nmodel = "x"\ntools = ["t"]\n', "[tools.t] is not there; known: none"),
    ('[workers.w]\nbackend = "chat"\nmodel = "x"\nfunction = "a:b"\n', "backend 'chat' takes no function"),
    ('[workers.w]\nbackend = "chat"\nmodel = "x"\nmax_turns = 0\n', "max_turns is not a count"),
    ('[workers.w]\nbackend = "chat"\nmodel = "x"\nmodels = ["fast"]\n', "[models.fast] is not there"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_with_models_tools_and_servers_is_said(cli, contract, given, tmp_path, text, said):
    (tmp_path / "workermd.toml").write_text(text)
    done = cli("run", contract(), given("a"))
    assert done.code == 2
    assert said in done.err
    assert "sk-1" not in done.err


# --- the sandbox and what is granted ----------------------------------------------------------------------------------

CODE = '[tools.run]\ncode = { executor = "EXECUTOR" }\n[models.m]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
AGENT = '[workers.w]\nbackend = "chat"\nmodel = "m"\ntools = ["run"]\n'


@pytest.mark.rule("S10.10")
@pytest.mark.parametrize(
    ("text", "flag", "mode"),
    [
        (AGENT + CODE, "", "strict"),
        ('sandbox = "off"\n' + AGENT + CODE, "", "strict"),
        (AGENT + 'sandbox = "auto"\n' + CODE, "", "auto"),
        (AGENT + CODE, "off", "off"),
        (AGENT + CODE.replace("EXECUTOR", "docker"), "", "auto"),
        ('sandbox = "off"\n[workers.w]\ncommand = ["x"]\n', "", "off"),
        ('[workers.w]\ncommand = ["x"]\n', "", "auto"),
    ],
)
def test_code_of_agents_runs_in_strict_unless_somebody_says_otherwise_for_it(tmp_path, text, flag, mode):
    (tmp_path / "workermd.toml").write_text(text.replace("EXECUTOR", "local"))
    flags = Flags(config=str(tmp_path / "workermd.toml"), sandbox=flag)
    settings = configuration.load(flags)
    assert configuration.sandbox_for(settings.workers["w"], settings, flags).mode == mode


@pytest.mark.rule("S3.12", "S10.9")
def test_a_table_tightens_and_grants_by_names(tmp_path):
    path = tmp_path / "workermd.toml"
    path.write_text(
        '[workers.w]\ncommand = ["x"]\nmax_memory_mb = 64\nnetwork = ["A.b:1"]\nfiles = { rules = "r", far = "/far" }\n'
    )
    bound = configuration.load(Flags(config=str(path))).workers["w"].reach
    files = {"rules": str(tmp_path / "r"), "far": "/far"}
    assert bound == {"max_memory_mb": 64, "network": ["a.b:1"], "files": files}
    for wrong in (
        "max_memory_mb = 0",
        'network = "any"',
        'network = ["*.b:1"]',
        'files = { "/a" = "x" }',
        "files = { a = 1 }",
    ):
        path.write_text(f'[workers.w]\ncommand = ["x"]\n{wrong}\n')
        with pytest.raises(ConfigurationError, match=wrong.partition(" ")[0]):
            configuration.load(Flags(config=str(path)))
