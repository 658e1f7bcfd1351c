"""FastAPI applications without a saved document: routes by syntax tree, as the framework itself describes them."""

import pytest

from tests.derive.interfaces.interface_cases import build
from workermd.contract.schema import checker
from workermd.derive.interfaces.kinds import find_all, survey
from workermd.protocol.call import parse, texts

MAIN = '''
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from pydantic import BaseModel

from shop.routers import orders
from shop.routers.admin import router as admin

app = FastAPI(title="Shop")


class Pet(BaseModel):
    name: str
    age: int = 0


@app.get("/pets/{pet_id}")
async def read_pet(pet_id: Annotated[int, Path(ge=1)], request: Request, tag: str | None = None, limit: int = Query(10, le=100)) -> Pet:
    """Read one pet."""
    return Pet(name="x")


@app.post("/pets", response_model=Pet)
def add_pet(pet: Pet, x_token: Annotated[str, Header()]):
    return pet


@app.delete("/pets/{pet_id}")
def remove(pet_id: int, user: str = Depends(lambda: "a")) -> None:
    return None


app.include_router(orders.router, prefix="/v1")
app.include_router(admin)
'''
ORDERS = """
from fastapi import APIRouter, Query

router = APIRouter(prefix="/orders")
lost = APIRouter()


@router.get("/{order_id:int}")
def read(order_id: int, since: str = Query(..., alias="from", min_length=3)) -> dict[str, int]:
    return {}


@router.api_route("/", methods=["PUT", "PATCH"])
def change(a: dict[str, int], b: dict[str, int]) -> None:
    return None


@lost.get("/lost")
def found() -> int:
    return 1
"""
ADMIN = """
from fastapi import APIRouter

PREFIX = "/admin"
router = APIRouter(prefix=PREFIX)


@router.get("")
def index(q: list[str] = []) -> list[str]:
    return q
"""
FILES = f"=== shop/__init__.py\n=== shop/main.py\n{MAIN}=== shop/routers/__init__.py\n=== shop/routers/orders.py\n{ORDERS}=== shop/routers/admin.py\n{ADMIN}"


@pytest.fixture
def found(tmp_path):
    return {each.name: each for each in find_all(build(tmp_path, FILES), ["openapi"])}


def test_every_route_is_an_operation_where_it_is_mounted(found):
    assert sorted(found) == [
        "DELETE /pets/{pet_id}", "GET /admin", "GET /lost", "GET /pets/{pet_id}", "GET /v1/orders/{order_id}",
        "PATCH /v1/orders/", "POST /pets", "PUT /v1/orders/",
    ]  # fmt: skip


def test_arguments_have_their_types_defaults_and_places(found):
    pet = found["GET /pets/{pet_id}"]
    assert pet.summary == "Read one pet."
    assert pet.input_schema["required"] == ["pet_id"]
    assert pet.input_schema["properties"].keys() == {"pet_id", "tag", "limit"}
    judge = checker(pet.input_schema, "2020-12")
    assert [
        judge.accepts(each)
        for each in (
            {"pet_id": 1},
            {"pet_id": 1, "limit": 100, "tag": None},
            {"pet_id": 0},
            {"pet_id": 1, "limit": 101},
        )
    ] == [True, True, False, False]
    assert pet.input_schema["properties"]["limit"]["default"] == 10
    assert pet.output_schema["properties"].keys() == {"name", "age"}
    assert pet.call["line"] == [
        {"in": "path", "name": "pet_id", "from": "pet_id"},
        {"in": "query", "name": "tag", "from": "tag"},
        {"in": "query", "name": "limit", "from": "limit"},
    ]
    added = found["POST /pets"]
    assert added.call["line"] == [
        {"in": "body", "name": "application/json", "from": "pet"},
        {"in": "header", "name": "x-token", "from": "x_token"},
    ]
    assert added.input_schema["required"] == ["pet", "x_token"]
    assert added.output_schema["required"] == ["name"]
    order = found["GET /v1/orders/{order_id}"]
    assert order.call["line"][1] == {"in": "query", "name": "from", "from": "since"}
    assert order.input_schema["required"] == ["order_id", "since"]
    assert order.input_schema["properties"]["since"]["minLength"] == 3
    for each in (pet, added, order):
        assert parse(texts(each.call))["path"] == each.call["path"]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("DELETE /pets/{pet_id}", "it depends on user"),
        ("GET /lost", "where its router is mounted was not found"),
        ("PUT /v1/orders/", "its body has several parts"),
    ],
)
def test_what_stays_unread_leaves_the_arguments_open_and_says_so(found, name, note):
    assert found[name].input_schema["additionalProperties"] is True
    assert found[name].call is None
    assert any(note in each for each in found[name].notes)


def test_a_saved_document_goes_before_the_code(tmp_path):
    saved = '{"openapi": "3.0.0", "info": {"title": "x", "version": "1"}, "paths": {"/saved": {"get": {"responses": {"200": {"description": "x"}}}}}}'
    names = [each.name for each in find_all(build(tmp_path, f"{FILES}=== openapi.json\n{saved}\n"), ["openapi"])]
    assert names == ["GET /saved"]


def test_a_path_that_is_computed_is_told(tmp_path):
    text = "=== a.py\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(path())\ndef a() -> int:\n    return 1\n"
    looked = survey(build(tmp_path, text), ["openapi"])
    assert looked.interfaces == ()
    assert [each.reason for each in looked.skipped] == ["has a route whose path is computed"]
