"""Keys from files and from a keyring: like any other key, and told where they cannot be had."""

import json
import os
import sys

import pytest

from workermd.config import configuration, keys
from workermd.config.configuration import Flags
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Model
from workermd.task.masking import Mask
from workermd.testing import Server, Text

KEY = "sk-secret-4711"
CONFIG = """
[models.local]
model = "scripted-1"
base_url = "{url}"
{key}

[workers.echo]
backend = "chat"
model = "local"
"""


@pytest.fixture
def configured(tmp_path):
    """Write a configuration with a line for the key, and the endpoint that wants this key."""
    answer = Text('{"status": "ok", "result": {"said": "' + KEY + '"}}')
    with Server([answer], key=KEY) as server:

        def write(line):
            (tmp_path / "workermd.toml").write_text(CONFIG.format(url=server.url, key=line))

        yield write


@pytest.mark.rule("S6.3")
def test_a_key_from_a_file_is_sent_and_masked(cli, configured, contract, given, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "model").write_text(KEY + "\n")
    (tmp_path / "sub").mkdir()
    configured('api_key_file = "secrets/model"')
    done = cli("run", contract(), given(), cwd=tmp_path / "sub")
    assert (done.code, done.document["result"]) == (0, {"said": "***"}), done.err
    assert KEY not in done.out.decode() + done.err
    assert KEY.encode() not in cli.ledger.read_bytes()
    (tmp_path / "secrets" / "model").unlink()
    assert cli("run", contract(), given()).out == done.out, "a replay needs no key"
    refused = cli("run", contract(), given("r2"))
    assert (refused.code, "no key could be had from its file " in refused.err) == (2, True), refused.err
    found = cli("doctor", "--json")
    assert any(
        "the key cannot be read (No such file or directory); mend api_key_file" in each
        for each in found.document["problems"]
    )


TOKEN = """import os, sys
open("asked", "a").write("x")
print(os.environ["TOKEN_OF"])
"""


@pytest.mark.rule("S6.3")
def test_a_token_that_a_program_prints_goes_as_one(cli, contract, given, tmp_path):
    """As with Azure and Entra ID: a token of this hour, sent as a bearer token beside `api_version`."""
    (tmp_path / "token.py").write_text(TOKEN)
    answer = Text('{"status": "ok", "result": {"said": "' + KEY + '"}}')
    with Server([answer], key=KEY) as server:
        words = f'api_key_command = ["{sys.executable}", "token.py"]\napi_version = "2024-10-21"\nbearer = true'
        (tmp_path / "workermd.toml").write_text(CONFIG.format(url=server.url, key=words))
        done = cli("run", contract(), given(), env={"TOKEN_OF": KEY})
        assert (done.code, done.document["result"]) == (0, {"said": "***"}), done.err
        sent = server.requests[0].headers
        assert (sent["authorization"], "api-key" in sent) == (f"Bearer {KEY}", False)
        assert "api-version=2024-10-21" in server.requests[0].query
        assert KEY not in done.out.decode() + done.err
        assert (tmp_path / "asked").read_text() == "x"
        told = cli("doctor", env={"TOKEN_OF": KEY}).out.decode()
        assert f"key in command {sys.executable}, answers" in told.replace("\n" + " " * 17, " ")
        assert 'api_version = "2024-10-21", bearer = true' in told
        (tmp_path / "token.py").write_text("raise SystemExit(3)")
        refused = cli("run", contract(), given("r2"), env={"TOKEN_OF": KEY})
        assert (refused.code, "no key could be had from its command" in refused.err) == (2, True), refused.err
        problems = cli("doctor", "--json", env={"TOKEN_OF": KEY}).document["problems"]
        assert any(
            "the key cannot be had (it ended with 3); run the words of api_key_command" in each for each in problems
        )


def test_doctor_shows_every_key_of_a_model_that_was_set(cli, tmp_path):
    written = {
        "structured": "json", "names": False, "system": "user", "merge_roles": True, "stream": True, "ca_file": "ours.pem",
        "proxy_env": "OUR_PROXY", "fallback": ["second"], "headers": {"X-Team": "OUR_TEAM"}, "options": {"temperature": 0},
    }  # fmt: skip
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in written.items() if not isinstance(value, dict))
    lines += '\nheaders = { X-Team = "OUR_TEAM" }\noptions = { temperature = 0 }'
    second = '[models.second]\nmodel = "m"\nprovider = "anthropic"\n'
    (tmp_path / "workermd.toml").write_text(f'[models.first]\nmodel = "m"\n{lines}\n{second}')
    models = cli("doctor", "--json", "--offline", "--exit-zero").document["models"]
    expected = written | {"ca_file": str(tmp_path / "ours.pem"), "options": ["temperature"]}
    assert (models["first"]["keys"], models["second"]["keys"]) == (expected, {})
    assert models["second"]["provider"] == "anthropic"
    told = " ".join(cli("doctor", "--offline", "--exit-zero").out.decode().split())
    for word in (*written, "m by anthropic"):
        assert word in told


def test_doctor_names_the_source_and_never_the_key(cli, configured, tmp_path):
    (tmp_path / "key").write_text(KEY)
    configured('api_key_file = "key"')
    told = cli("doctor")
    assert (told.code, f"key in file {tmp_path / 'key'}, answers" in told.out.decode()) == (0, True), told.out
    assert KEY not in told.out.decode() + told.err


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('api_key_file = "a"\napi_key_env = "B"', "names api_key_env and api_key_file; name one of them"),
        ('api_key_keyring = "openai"', "api_key_keyring is no SERVICE/USER"),
        ("api_key_file = 1", "api_key_file is not text"),
    ],
)
def test_a_table_names_one_source(tmp_path, lines, said):
    path = tmp_path / "workermd.toml"
    path.write_text(CONFIG.format(url="http://127.0.0.1:9/v1", key=lines))
    with pytest.raises(ConfigurationError) as refused:
        configuration.load(Flags(config=str(path)))
    assert said in f"{refused.value.message}; {refused.value.hint}"


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff", b"a\0b"])
def test_what_is_no_key_is_none(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    source = f"file:{tmp_path / 'key'}"
    model = Model("m", api_key_env=keys.variable_for(source), key_from=source)
    keys.provide([model])
    assert model.api_key_env not in os.environ
    assert keys.why_missing(model)


def test_a_key_from_the_keyring(tmp_path, monkeypatch):
    keyring = pytest.importorskip("keyring", reason="the extra keyring is not installed")
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 1
        kept = {("work/openai", "ann"): KEY}  # noqa: RUF012 - one for the test

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        (tmp_path / "workermd.toml").write_text(
            CONFIG.format(url="http://127.0.0.1:9/v1", key='api_key_keyring = "work/openai/ann"')
        )
        settings = configuration.load(Flags(config=str(tmp_path / "workermd.toml")))
        binding = configuration.binding_for("echo", "", settings, Flags())
        assert os.environ[binding.model.api_key_env] == KEY
        assert Mask(binding).text(f"a {KEY} b") == "a *** b"
        missing = binding.model._replace(key_from="keyring:work/openai/ben")
        assert keys.why_missing(missing) == (
            "the keyring has no key for work/openai and ben; store it: keyring set work/openai ben"
        )
    finally:
        keyring.set_keyring(before)
        monkeypatch.delenv(binding.model.api_key_env)
