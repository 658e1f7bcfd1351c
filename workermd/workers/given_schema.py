"""A JSON Schema that came with an input or a setting: checked before any value meets it."""

from typing import Any

from workermd.contract.schema import Checker, check_schema, checker, draft_of


class UnusableSchema(Exception):
    """The schema cannot be used. The message says where and why."""


def checker_for(schema: Any) -> Checker:
    """Raises `UnusableSchema`. No reference leaves the schema, and its patterns run in linear time."""
    problems = check_schema(schema, thorough=False)
    if problems:
        place, message = problems[0].pointer or "its top level", problems[0].message
        raise UnusableSchema(f"at {place}: {message}"[:500])
    return checker(schema, draft_of(schema))
