"""`workermd schema`: the JSON Schemas of our own documents."""

from typing import Any

from workermd.contract.keys import contract_schema
from workermd.protocol.envelope import encoded
from workermd.protocol.envelope_schema import envelope_schema
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.report.machine import findings_schema

_SCHEMAS = {"contract": contract_schema, "envelope": envelope_schema, "finding": findings_schema}


def execute(values: dict[str, Any]) -> int:
    name = values["name"]
    if name not in _SCHEMAS:
        raise UsageError(f"no schema {name[:40]!r}; there is: {', '.join(_SCHEMAS)}", "choose one of these")
    say.document(encoded(_SCHEMAS[name]()))
    return 0
