"""Rules about what a contract can answer: whose run it was, and that a person is needed."""

import re
from collections.abc import Iterator

from workermd.contract.schema import checker
from workermd.lint.schemas import is_example
from workermd.lint.subject import Fault, Subject
from workermd.protocol.envelope import Status
from workermd.system.text import shown

_NAMED = re.compile(r"`needs_human`")
_ASKING = re.compile(r"(?:^|[_.:/-])(?:ask|request|await|wait_for|notify)_?(?:a_)?(?:human|person|approval|operator)|human_(?:review|approval|input)", re.IGNORECASE)  # fmt: skip


def run_id_in_output(subject: Subject) -> Iterator[Fault]:
    """WM720"""
    if not subject.contract.reports_status:
        return
    schema = subject.contract.output_schema
    node = schema.get("properties", {}).get("run_id")
    closed = schema.get("additionalProperties") is False
    if node is None and (closed or "run_id" not in schema.get("required", [])):
        found = "has no run_id"
    elif node is not None and "run_id" not in schema.get("required", []):
        found = "does not require run_id"
    elif isinstance(node, dict) and "type" in node and node["type"] != "string":
        found = "has a run_id that is no string"
    else:
        return
    name = "/output_schema/properties/run_id" if node is not None else "/output_schema/properties"
    message = f"the output schema {found}, so an answer does not tell whose it is"
    hint = 'Add "run_id": {"type": "string"} to its properties and to required.'
    yield Fault(subject.key(name), message, hint)


def empty_reply(subject: Subject) -> Iterator[Fault]:
    """WM517"""
    contract = subject.contract
    if is_example(contract.output_schema):  # WM510 tells it
        return
    properties = contract.output_schema.get("properties", {})
    filled = {"run_id": "run-1", "status": contract.constraints.success_statuses[0]}  # S8.2
    reply = {name: value for name, value in filled.items() if name in properties}
    if checker(contract.output_schema, contract.output_draft).accepts(reply):
        message = "a reply of {} passes as a valid output: no field is required"
        hint = 'Name the fields that every answer has in "required".'
        yield Fault(subject.key("/output_schema"), message, hint)


def nobody_to_ask(subject: Subject) -> Iterator[Fault]:
    """WM721"""
    if Status.NEEDS_HUMAN in subject.contract.statuses:
        return
    hint = "Add needs_human to the statuses, in the output schema and in status_enum."
    for tool in subject.contract.constraints.tools_allowed or ():
        if _ASKING.search(tool):
            message = f"the tool {shown(tool)} asks a person, but the statuses do not include needs_human"
            yield Fault(subject.where("/constraints/tools_allowed"), message, hint)
    for line in subject.prose:
        if match := _NAMED.search(line.text):
            where = line.start + match.start()
            message = "the text names `needs_human`, but the statuses do not include it"
            yield Fault(subject.span(where, len(match[0])), message, hint)
            return
