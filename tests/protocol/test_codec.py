"""Records as JSON and back."""

import json
from typing import Any, NamedTuple, get_args

import pytest

from workermd.attempt.order import Order
from workermd.contract.model import Contract
from workermd.protocol.codec import from_document, to_document
from workermd.task.binding import Binding
from workermd.task.recording import Recording
from workermd.task.task import Result

PLAIN = {str: "a", int: 7, float: 0.5, bool: True, Any: {"a": [None, {"b": [1]}]}}


def sample(annotation: Any) -> Any:
    """A value of an annotation in which nothing is empty, made without the codec's own reading of it."""
    if hasattr(annotation, "_fields"):
        return annotation(**{name: sample(inner) for name, inner in annotation.__annotations__.items()})
    arguments = [each for each in get_args(annotation) if each is not type(None)]
    if type(None) in get_args(annotation):
        return sample(arguments[0])
    if getattr(annotation, "__origin__", None) is tuple:
        return (sample(arguments[0]), sample(arguments[0]))
    if getattr(annotation, "__origin__", None) is dict:
        return {"k": sample(arguments[1])}
    return PLAIN[annotation] if annotation in PLAIN else arguments[0]


@pytest.mark.parametrize("kind", [Binding, Order, Result, Recording, Contract], ids=lambda kind: kind.__name__)
def test_what_goes_out_comes_back(kind):
    full = sample(kind)
    assert from_document(kind, json.loads(json.dumps(to_document(full)))) == full
    bare = {name: value for name, value in to_document(full).items() if name not in kind._field_defaults}
    assert from_document(kind, bare) == full._replace(**kind._field_defaults)


class Inner(NamedTuple):
    at: int
    words: tuple[str, ...] = ()


class Outer(NamedTuple):
    name: str
    inner: Inner | None = None


def test_strangers_are_refused():
    assert from_document(Outer, {"name": "a", "inner": {"at": 1}}) == Outer("a", Inner(1))
    for wrong in ({}, {"name": "a", "stranger": 1}, {"name": "a", "inner": {"words": []}}, None, 5):
        with pytest.raises((TypeError, KeyError, ValueError, AttributeError)):
            from_document(Outer, wrong)
