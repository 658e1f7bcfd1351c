"""Derive, bind, run: contracts derived from real servers answer from those servers, with a configuration and no other code."""

import importlib.util
import json
import sys
import threading
import time

import pytest

from tests.conftest import patience
from tests.derive.contracts.conftest import commit
from tests.late import LATE, needs

if LATE:
    import uvicorn

SHOP = '''
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Query, Request
from pydantic import BaseModel, Field

app = FastAPI(title="Shop")
PETS = {1: "Ada"}
KEYS = []


class Pet(BaseModel):
    id: int
    name: Annotated[str, Field(min_length=1)]
    tags: list[str] = []


@app.get("/pets/{pet_id}", operation_id="readPet")
async def read_pet(pet_id: int, tag: Annotated[list[str], Query()] = [], loud: bool = False) -> Pet:
    """Read one pet."""
    if pet_id not in PETS:
        raise HTTPException(404, f"there is no pet {pet_id}")
    return Pet(id=pet_id, name=PETS[pet_id].upper() if loud else PETS[pet_id], tags=tag)


@app.post("/pets", status_code=201, operation_id="addPet")
async def add_pet(pet: Pet, request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> Pet:
    """Add a pet."""
    KEYS.append(request.headers.getlist("idempotency-key"))
    if pet.name == "Mallory":
        raise HTTPException(500, "out of order")
    PETS[pet.id] = pet.name
    return pet


@app.get("/names", operation_id="names")
async def names() -> list[str]:
    """All names."""
    return sorted(PETS.values())
'''
TALLY = '''
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel, Field

server = MCPServer("tally", log_level="CRITICAL")


class Count(BaseModel):
    words: int
    longest: str


@server.tool()
async def count(text: Annotated[str, Field(min_length=1)], ctx: Context, separator: str = " ") -> Count:
    """Counts the words of a text."""
    words = text.split(separator)
    return Count(words=len(words), longest=max(words, key=len))


@server.tool(name="repeat")
def again(word: str, times: int = 2) -> list[str]:
    """Says a word several times."""
    return [word] * times


@server.tool()
def first(text: str) -> Count | None:
    """Counts the first word, if there is one."""
    return Count(words=1, longest=text.split()[0]) if text else None


@server.tool(structured_output=False)
def shout(text: str) -> str:
    """Says it louder."""
    return text.upper()


if __name__ == "__main__":
    server.run("stdio")
'''


def project(name, library):
    return f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = "The {name} of the tests."\ndependencies = ["{library}"]\n'


@pytest.fixture
def run(cli):
    """Derives the interface, binds the kind, and runs the contract; the whole answer comes back."""
    numbers = iter(range(100))

    def ran(interface, binding, head="", **given):
        file = f"{interface.rpartition('#')[2].replace(' ', '').replace('/', '-')}.worker.md"
        if not (cli.folder / file).exists():
            made = cli("derive", "repository", "--interface", interface, "-o", file)
            assert made.code == 0, made.err
        text = (cli.folder / file).read_text()
        worker = next(line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: "))
        (cli.folder / "workermd.toml").write_text(f"{head}[workers.{worker}]\n{binding}\n")
        run_id = f"run-{next(numbers)}"
        done = cli("run", file, "-", given=json.dumps({"run_id": run_id, **given}))
        return {**done.document, "said": done.err}

    return ran


@pytest.fixture
def shop(cli):
    """The application's module, and the address that it answers at."""
    needs("fastapi", "fastapi is not installed, so no service of it can be started")
    commit(
        cli.folder / "repository",
        {"shop/__init__.py": "", "shop/main.py": SHOP, "pyproject.toml": project("shop", "fastapi")},
    )
    spec = importlib.util.spec_from_file_location("shop_of_the_tests", cli.folder / "repository" / "shop" / "main.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    server = uvicorn.Server(uvicorn.Config(module.app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    limit = time.monotonic() + patience(10)
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < limit
        time.sleep(0.01)
    yield module, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    del sys.modules[spec.name]


@pytest.mark.rule("S8.9")
@pytest.mark.parametrize(
    ("read_from", "body", "key"),
    [("openapi.json", "body", "idempotency-key"), ("shop/main.py", "pet", "idempotency_key")],
)
def test_a_real_service_answers_a_derived_contract(run, cli, shop, read_from, body, key):
    module, address = shop
    keys = module.KEYS
    if read_from == "openapi.json":
        commit(cli.folder / "repository", {read_from: json.dumps(module.app.openapi())})
    bound = f'backend = "http"\naddress = "{address}"'
    may_post = f'{bound}\nmethods = ["GET", "POST"]'
    read, add = f"openapi:{read_from}#readPet", f"openapi:{read_from}#addPet"

    found = run(read, bound, pet_id=1, tag=["a b", "c&d"], loud=True)
    assert found["result"] == {"id": 1, "name": "ADA", "tags": ["a b", "c&d"]}, found["said"]
    absent = run(read, bound, pet_id=7)
    assert (absent["status"], absent["result"]["error"]["code"]) == ("invalid_request", "input_rejected")
    assert "there is no pet 7" in absent["result"]["error"]["message"]

    refused = run(add, bound, **{body: {"id": 2, "name": "Grace"}})
    assert "POST is not among the methods allowed" in refused["result"]["error"]["message"]
    assert keys == []
    added = run(add, may_post, **{body: {"id": 2, "name": "Grace"}, key: "of the input"})
    assert added["result"] == {"id": 2, "name": "Grace", "tags": []}, added["said"]
    assert keys == [[added["run_id"]]]  # the run's, and it alone
    names = run(f"openapi:{read_from}#names", bound)
    assert names["result"] == {"value": ["Ada", "Grace"]}, names["said"]

    broken = run(add, may_post, **{body: {"id": 3, "name": "Mallory"}})
    assert (broken["status"], broken["result"]["error"]["code"]) == ("retryable_error", "backend_unavailable")
    assert keys[1:] == [[broken["run_id"]]] * 2  # every attempt under the same key
    malformed = run(add, may_post, **{body: {"id": "x"}})
    assert malformed["status"] == "invalid_request"
    assert len(keys) == 3


@pytest.mark.rule("S7.2")
def test_a_real_mcp_server_answers_a_derived_contract(run, cli):
    needs("mcp", "mcp is not installed, so no MCP server can be tried")
    commit(
        cli.folder / "repository",
        {"tally/__init__.py": "", "tally/server.py": TALLY, "pyproject.toml": project("tally", "mcp")},
    )
    program = json.dumps([sys.executable, str(cli.folder / "repository" / "tally" / "server.py")])
    head = f"[servers.tally]\ncommand = {program}\n"

    def called(tool, **given):
        return run(f"mcp:tally/server.py#{tool}", f'backend = "mcp"\nserver = "tally"\ntool = "{tool}"', head, **given)

    assert called("count", text="three short words")["result"] == {"words": 3, "longest": "three"}
    assert called("count", text="")["result"]["error"]["code"] == "input_schema_mismatch"
    # What is no object stands under `result` in the protocol, and an object that may be absent does too.
    assert called("repeat", word="so")["result"] == {"result": ["so", "so"]}
    assert called("first", text="well then")["result"] == {"result": {"words": 1, "longest": "well"}}
    assert called("shout", text="so")["result"] == {"text": "SO"}
