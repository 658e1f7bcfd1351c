"""Sources that nobody would write: no reader of `derive` crashes over one, and each ends soon."""

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.derive.interfaces.interface_cases import CASES, KINDS, build
from tests.derive.interfaces.test_mcp_typescript import LISTED, MANIFEST, REGISTERED
from tests.properties import examples
from workermd.contract.schema import check_schema
from workermd.derive.claims import gather
from workermd.derive.compose import derive
from workermd.derive.interfaces.kinds import survey

SECONDS = 10
README = """=== README.rst
Tool
====

.. image:: https://e.example/x.png

Tool turns *lists* into `widgets <https://e.example/>`_ and says so.

Installation
------------

::

    $ pip install tool

.. note:: This project is **deprecated**.
"""
PROSE = """=== README.adoc
= Tool
:uri: https://e.example

Tool turns lists into {uri}[widgets].

[source,sh]
----
$ npm install tool
----
=== README.md
# Tool

> [!WARNING]
> This project is deprecated in favor of [other](https://e.example/other).

Tool turns <b>lists</b> into `widgets`.

```sh
$ npm install tool && tool --help
```
=== setup.py
from setuptools import setup
setup(name="tool", version="1", entry_points={"console_scripts": ["tool = tool:main"]}, license="MIT")
=== setup.cfg
[metadata]
name = tool
license = MIT
=== LICENSE
MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy
"""
SEEDS = {
    **{kind: (CASES / f"{kind}.txt").read_text() for kind in KINDS},
    "typescript": MANIFEST + REGISTERED,
    "javascript": MANIFEST + LISTED,
    "reST": README,
    "prose": PROSE,
}
PIECES = (
    *("(", ")", "{", "}", "[", "]", "<", ">", '"', "'", "`", "${", "\\", "\n", "\r", "\t", "\0", "\u202e", "\ufeff", "*"),
    *("---", "```", '"""', "/*", "*/", "//", "#", ":", ",", "=", "=>", "...", "|", "&a", "*a", "<<:", "!!x", "$ref", "../"),
    *("None", "null", "true", "1e999", "-0", "9" * 5000, "lambda: ", "async ", "z.", "a<b,", ".. include:: /etc/passwd\n"),
)  # fmt: skip


def mutated(text, changes):
    """The text after each change: a piece put in, a part left out, doubled or moved, the end cut off."""
    for kind, first, length, piece in changes:
        at = first % (len(text) + 1)
        part = text[at : at + length]
        if kind == "put":
            text = text[:at] + piece + text[at:]
        elif kind == "leave out":
            text = text[:at] + text[at + length :]
        elif kind == "double":
            text = text[:at] + part * 8 + text[at + length :]
        elif kind == "move":
            text = part + text[:at] + text[at + length :]
        else:
            text = text[: max(at, len(text) // 2)]
    return text


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "leave out", "double", "move", "cut")),
        st.integers(0, 100_000),
        st.integers(1, 200),
        st.sampled_from(PIECES),
    ),
    min_size=1,
    max_size=12,
)


def written_again(text, changes):
    """A repository whose files are changed, their names kept."""
    first, *rest = re.split(r"(?m)^(=== .*\n)", text)
    return first + "".join(
        name + mutated(content, changes) for name, content in zip(rest[::2], rest[1::2], strict=True)
    )


@pytest.mark.rule("S6.5")
@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=examples(40), deadline=None)
@given(changes=CHANGES)
def test_no_reader_crashes_over_a_mutated_source(name, changes):
    with TemporaryDirectory() as folder:
        repository = build(Path(folder), written_again(SEEDS[name], changes))
        start = time.process_time()
        found = survey(repository)
        gather(repository, None)
        derived = derive(repository, found.interfaces[0] if found.interfaces else None)
        assert time.process_time() - start < SECONDS
    assert derived.text.startswith("---\n")
    for interface in found.interfaces:
        assert check_schema(interface.input_schema, thorough=False) == ()


@pytest.mark.rule("S6.5")
@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000], ids=["digits", "hexadecimal", "nesting"])
def test_a_manifest_that_the_parser_of_toml_trips_over_is_passed_over(tmp_path, value):
    manifest = f"=== pyproject.toml\n[project]\nname = 'x'\ndescription = {value}\n"
    repository = build(tmp_path, f"{manifest}=== Cargo.toml\n[package]\ndescription = {value}\n")
    assert survey(repository).interfaces == ()
    assert gather(repository, None) is not None
