"""docs/serve.md holds: its contract is one, its commands print what it shows against a server that was started as it says."""

import re
import shutil

import pytest

from tests.conftest import ROOT
from tests.test_readme import blocks_of, laid_out, printed_as_shown
from workermd.serve import connection, guard, listen, start

PAGE = (ROOT / "docs" / "serve.md").read_text()


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("openssl"), reason="the page calls curl and openssl")
def test_the_commands_print_what_the_page_shows(cli, tmp_path):
    (contract,) = re.findall(r"^~~~markdown\n(.*?)^~~~", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "greet.worker.md").write_text(contract)
    blocks = [(kind, text) for kind, text in blocks_of(PAGE) if kind != "json"]
    environment = laid_out(tmp_path, cli, blocks)
    first, rest = (blocks_of(part) for part in PAGE.split("    workermd serve greet.worker.md --tokens tokens\n"))
    assert printed_as_shown(tmp_path, environment, first) == 1
    server = cli.start("serve", "greet.worker.md", "--tokens", "tokens", "--port", 0)
    port = re.search(r":(\d+)", server.stderr.readline().decode())[1]
    shown = [(kind, text.replace("127.0.0.1:8420", f"127.0.0.1:{port}")) for kind, text in rest]
    assert printed_as_shown(tmp_path, environment, shown) == 6
    server.terminate()
    server.communicate()


def test_the_numbers_are_those_of_the_code():
    assert f"| connections | {start.MOST_CONNECTIONS} |" in PAGE
    assert f"| bytes of headers | {listen.HEADER_BYTES >> 10} KiB |" in PAGE
    body = guard.Access._field_defaults["body_seconds"]
    assert f"| seconds of a body, of headers | {body:g}, {connection.HEADER_SECONDS:g} |" in PAGE
