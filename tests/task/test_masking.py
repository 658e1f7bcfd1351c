"""A secret's value is masked in each spelling that JSON has for it."""

import json

import pytest

from workermd.task.binding import Binding
from workermd.task.masking import MASK, SHORTEST, Mask


def mask_of(monkeypatch, secret):
    monkeypatch.setenv("SOME_KEY", secret)
    return Mask(Binding(kind="command", origin="the test", secret_env=("SOME_KEY",)))


@pytest.mark.rule("S6.3")
@pytest.mark.parametrize("secret", ["plain-words", 'with "quotes" and \\', "two\nlines", "schlüssel\t1"])
def test_every_spelling_is_masked_in_a_text(monkeypatch, secret):
    mask = mask_of(monkeypatch, secret)
    for written in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        masked = mask.text(f"before {written} after")
        assert masked.replace('"', "") == f"before {MASK} after"


@pytest.mark.rule("S6.3")
def test_keys_and_what_is_deep_inside_are_masked(monkeypatch):
    mask = mask_of(monkeypatch, "hunter2")
    assert mask.value({"a": [{"hunter2": ("x hunter2",)}], "b": 2}) == {"a": [{MASK: (f"x {MASK}",)}], "b": 2}


@pytest.mark.rule("S6.3")
def test_the_shortest_secret_that_is_masked(monkeypatch):
    """A shorter one would take half of every text with it."""
    assert mask_of(monkeypatch, "x" * SHORTEST).text("xxxx") == MASK
    assert not mask_of(monkeypatch, "x" * (SHORTEST - 1))
