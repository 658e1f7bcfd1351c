"""`workermd schema`: the JSON Schemas of our own documents."""

from typing import NamedTuple

from workermd.bench.suite_schema import suite_schema
from workermd.contract.keys import contract_schema
from workermd.contract.parsed import parsed_schema
from workermd.protocol.envelope import encoded
from workermd.protocol.envelope_schema import envelope_schema
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.report.machine import findings_schema


class SchemaOptions(NamedTuple):
    name: str


SCHEMAS = {
    "contract": contract_schema,
    "parsed": parsed_schema,
    "envelope": envelope_schema,
    "finding": findings_schema,
    "suite": suite_schema,
}


def execute(options: SchemaOptions) -> int:
    name = options.name
    if name not in SCHEMAS:
        raise UsageError(f"no schema {name[:40]!r}; there is: {', '.join(SCHEMAS)}", "choose one of these")
    say.document(encoded(SCHEMAS[name]()))
    return 0
