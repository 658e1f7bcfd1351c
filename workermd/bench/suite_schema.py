"""The JSON Schema of a suite file: what `workermd schema suite` prints and what `validate` holds a suite against."""

from workermd.bench.paths import TESTS
from workermd.protocol.envelope import Document
from workermd.sandbox.fence import MODES
from workermd.task.task import KINDS

MOST_REPEATS = 1000
LONGEST_ID = 100


def suite_schema() -> Document:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A workermd bench suite, version 1",
        "type": "object",
        "additionalProperties": False,
        "required": ["suite", "contract", "cases"],
        "properties": {
            "suite": {"const": 1, "description": "The version of this format."},
            "description": _text("What the suite is for."),
            "contract": _text("The contract: a path from the suite's folder, or NAME or NAME@VERSION of a registry."),
            "cases": {
                "description": "The cases: a list, a file of JSON Lines (.jsonl) or CSV (.csv), or a file with its format.",
                "type": ["array", "string", "object"],
                "minItems": 1,
                "items": {"$ref": "#/$defs/case"},
                "minLength": 1,
                **_source(),
            },
            "repeats": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_REPEATS,
                "default": 1,
                "description": "Runs of each case for each subject.",
            },
            "subjects": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 50,
                "propertyNames": {"pattern": r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,39}$"},
                "additionalProperties": {"$ref": "#/$defs/subject"},
                "description": "What is compared. Default: one subject, `default`, with the usual binding.",
            },
            "score": {
                "type": "array",
                "items": {"$ref": "#/$defs/score"},
                "description": "What an answer has to be. Without a score of the status, a success status comes first.",
            },
            "gate": {"$ref": "#/$defs/gate"},
        },
        "$defs": {
            "case": case_schema(),
            "subject": _subject(),
            "score": _score(),
            "gate": _gate(),
            "names": {"type": "array", "items": _text("A name.")},
        },
    }


def case_schema() -> Document:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "input"],
        "properties": {
            "id": {
                "type": "string",
                "pattern": rf"^[^\s/\p{{C}}][^\p{{C}}/]{{0,{LONGEST_ID - 1}}}$",
                "description": "Names the case in keys and reports: printable, without a slash.",
            },
            "input": {"type": "object", "description": "The input, without the run's key: the bench gives it."},
            "expect": {"description": "What scores may compare with, as $case.expect."},
            "tags": {"type": "array", "items": _text("A word to choose cases by.")},
            "rubric": {"description": "What a judge may be given, as $case.rubric."},
        },
    }


def _text(description: str) -> Document:
    return {"type": "string", "minLength": 1, "description": description}


def _source() -> Document:
    """Of an object; lists and texts are not touched by these keywords."""
    return {
        "additionalProperties": False,
        "required": ["file"],
        "properties": {
            "file": _text("The file, from the suite's folder."),
            "format": {
                "enum": ["jsonl", "csv", "promptfoo", "inspect", "agbench"],
                "description": "Default: by the file's name.",
            },
            "map": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "A field of a case, such as input.question, to the field of a row that it comes from.",
            },
        },
    }


def _subject() -> Document:
    words = {"$ref": "#/$defs/names"}
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "The options of `run` that bind the contract; paths are from the suite's folder.",
        "properties": {
            "config": _text("A workermd.toml that binds the worker."),
            "backend": {"enum": [*KINDS], "description": "The kind of backend."},
            "function": _text("module:callable"),
            "command": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            "model": _text("A model of the configuration, or as its endpoint calls it."),
            "base_url": _text("The model's endpoint."),
            "api_key_env": _text("The variable that holds the key."),
            "settings": {"type": "object", "description": "Settings for the worker."},
            "env": words,
            "secret_env": words,
            "vouch": words,
            "replay": _text("A folder of recorded attempts."),
            "sandbox": {"enum": [*MODES]},
            "timeout": {"type": "number", "exclusiveMinimum": 0},
            "max_attempts": {"type": "integer", "minimum": 1},
            "contract": _text("Another version of the contract, for this subject."),
        },
    }


def _score() -> Document:
    kinds = ("status", "schema", "path", "function", "contract")
    tests = {name: {"description": told} for name, told in TESTS.items()}
    numbers = {name: tests[name] | {"type": ["number", "string"]} for name in ("at-least", "at-most")}
    return {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in kinds],
        "properties": {
            "name": _text("Its name in reports."),
            "weight": {"type": "number", "minimum": 0, "default": 1, "description": "0: told, but does not count."},
            "status": {
                "description": "The status that the answer has to have, or one of several.",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            },
            "schema": {"type": ["object", "boolean"], "description": "A JSON Schema for the output."},
            "path": {
                "type": "string",
                "pattern": r"^($|/|\$)",
                "description": "A JSON Pointer, or a JSONPath (RFC 9535) that begins with $, into the output.",
            },
            **tests,
            **numbers,
            "matches": tests["matches"] | {"type": "string"},
            "exists": tests["exists"] | {"type": "boolean"},
            "count": tests["count"] | {"type": ["integer", "string"]},
            "function": _text("module:callable, called with the case and the output."),
            "contract": _text("A judge: a contract of its own."),
            "subject": {"$ref": "#/$defs/subject"},
            "input": {"type": "object", "description": "The judge's input; $case, $input and $output stand for parts."},
            "pass": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path"],
                "minProperties": 2,
                "maxProperties": 2,
                "properties": {
                    "path": {"type": "string", "pattern": r"^($|/|\$)"},
                    **tests,
                },
                "description": "What the judge's output has to be.",
            },
        },
        "dependentRequired": {"contract": ["input", "pass"], "input": ["contract"], "pass": ["contract"]},
        "if": {"required": ["path"]},
        "then": {"oneOf": [{"required": [name]} for name in TESTS]},
    }


def _gate() -> Document:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "What makes the exit code 1. Each bound holds for every subject.",
        "properties": {
            "min_pass": share | {"exclusiveMaximum": 1.0000001, "description": "The least share that passes."},
            "confidence": {
                "enum": ["lower", "point"],
                "default": "lower",
                "description": "lower: the interval's lower end has to reach min_pass; point: the share as measured.",
            },
            "errors": {
                "enum": ["count", "ignore"],
                "default": "count",
                "description": "Whether a failure of the infrastructure counts as not passed, or not at all.",
            },
            "max_cost_usd": {"type": "number", "minimum": 0, "description": "Of a subject, its judges included."},
            "max_seconds": {"type": "number", "minimum": 0, "description": "Of a subject's median run."},
            "subjects": {"$ref": "#/$defs/names"},
        },
    }
