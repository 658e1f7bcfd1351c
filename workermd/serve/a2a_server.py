"""Contracts as skills of one agent (the Agent2Agent protocol 1.0): a message is an input, a task is a run.

The protocol's data parts carry every number as a double. A whole number that came as one is a whole number again; one
that a double may have changed is refused, and so is told how to send it: as a text or raw part of `application/json`. An output
with such a number goes out as a raw part.
"""

import json
from collections import OrderedDict
from typing import Any

from a2a.server.agent_execution.agent_executor import AgentExecutor
from a2a.server.agent_execution.context import RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import EventQueue
from a2a.server.request_handlers.default_request_handler_v2 import DefaultRequestHandlerV2
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.common import DefaultServerCallContextBuilder, StarletteUser
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.tasks.inmemory_task_store import InMemoryTaskStore
from a2a.server.tasks.task_updater import TaskUpdater
from a2a.types import a2a_pb2
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from google.protobuf.json_format import MessageToDict, ParseDict
from starlette.authentication import SimpleUser
from starlette.requests import Request

from workermd import __version__
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.protocol.envelope import Document, Status
from workermd.protocol.errors import WorkermdError
from workermd.runner.answers import Answered
from workermd.runner.decisions import Choice
from workermd.runner.run_key import KeySource
from workermd.runner.trace import of_traceparent
from workermd.serve.application import Addition
from workermd.serve.catalogue import Catalogue, Offer
from workermd.serve.desk import Desk
from workermd.serve.jobs import Job, Name, RunCall
from workermd.serve.problem import HttpProblem
from workermd.serve.reading import JSON

PATH = "/a2a"
PREFIX = "worker.md/"
SKILL = f"{PREFIX}skill"
SCHEMAS = "https://worker.md/extensions/schemas"
EXACT = 2**53
"""Whole numbers below are exact in a double."""
_MOST_TASKS = 10_000


def addition(desk: Desk, address: str) -> Addition:
    """The card and the endpoint, behind the same guard as everything else."""
    card = card_of(desk.catalogue, address)
    handler = DefaultRequestHandlerV2(Executor(desk), _Tasks(), card)
    return Addition(
        [
            *create_agent_card_routes(card, card_url=AGENT_CARD_WELL_KNOWN_PATH),
            *create_jsonrpc_routes(handler, PATH, context_builder=_Callers()),
        ]
    )


def card_of(catalogue: Catalogue, address: str) -> a2a_pb2.AgentCard:
    """Schemas are given by address: inside the card its numbers would become doubles, and it would be long."""
    schemas = {
        offer.id: {kind: f"{address}/workers/{offer.id}/{kind}.schema.json" for kind in ("input", "output")}
        for offer in catalogue.values()
    }
    document = {
        "name": "workermd",
        "description": "Contracts, each a bounded step. The input is checked, and so is the output.",
        "version": __version__,
        "supportedInterfaces": [{"url": f"{address}{PATH}", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {
            "streaming": True,
            "extensions": [{"uri": SCHEMAS, "description": "The JSON Schemas of every skill.", "params": schemas}],
        },
        "securitySchemes": {"token": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
        "securityRequirements": [{"schemes": {"token": {}}}],
        "defaultInputModes": [JSON],
        "defaultOutputModes": [JSON],
        "skills": [_skill(offer) for offer in catalogue.values()],
    }
    card: a2a_pb2.AgentCard = ParseDict(document, a2a_pb2.AgentCard())
    return card


def _skill(offer: Offer) -> Document:
    contract = offer.worker.contract
    tags = [word for word in (contract.mode, f"version {contract.version}") if word]
    return {"id": contract.id, "name": contract.name, "description": contract.purpose or contract.name, "tags": tags}


class _Callers(DefaultServerCallContextBuilder):
    """Tasks belong to the caller that the guard knows: nobody sees those of others."""

    def build_user(self, request: Request) -> StarletteUser:
        return StarletteUser(SimpleUser(request.state.caller))


class _Tasks(InMemoryTaskStore):
    """The views of runs that were asked for by A2A. The oldest go; the runs themselves are in the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self._order: OrderedDict[str, None] = OrderedDict()

    async def save(self, task: a2a_pb2.Task, context: ServerCallContext) -> None:
        await super().save(task, context)
        self._order[task.id] = None
        if len(self._order) > _MOST_TASKS:
            await self.delete(self._order.popitem(last=False)[0], context)


class Executor(AgentExecutor):
    """Carries messages out at the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._runs: OrderedDict[str, Name] = OrderedDict()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """A first message runs a skill; a further one to the same task is a person's decision."""
        assert context.task_id is not None
        assert context.context_id is not None
        assert context.message is not None
        if context.current_task is None:
            await event_queue.enqueue_event(_submitted(context))
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        try:
            found = await self._begun(context, context.message)
            await task.start_work()
            answered = found if isinstance(found, Answered) else await found.result()
        except (HttpProblem, WorkermdError) as error:
            detail = error.detail if isinstance(error, HttpProblem) else error.message
            await task.reject(_message(task, f"[{error.code}] {detail} {error.hint}".strip(), {}))
            return
        await _finish(task, answered)

    async def _begun(self, context: RequestContext, message: a2a_pb2.Message) -> Answered | Job:
        caller = context.call_context.user.user_name
        assert context.task_id is not None
        name = self._runs.get(context.task_id)
        if context.current_task is not None and name is not None:
            job = await self._desk.decide(name, _choice(message, caller), caller)
            if job is None:
                raise HttpProblem(409, "approval_denied", "A person decided against it.")
            return job
        offer = self._offer(message)
        data = input_of(message)
        key = KeySource(given=message.message_id, option="the message's id") if _needs_key(offer, data) else KeySource()
        found = await self._desk.start(RunCall(offer, offer.worker, data, key, of_traceparent(""), caller))
        run_id = found.name[1] if isinstance(found, Job) else found.envelope["run_id"]
        if run_id:
            self._runs[context.task_id] = (offer.id, run_id)
            if len(self._runs) > _MOST_TASKS:
                self._runs.popitem(last=False)
        return found

    def _offer(self, message: a2a_pb2.Message) -> Offer:
        asked = MessageToDict(message.metadata).get(SKILL)
        if asked is None and len(self._desk.catalogue) == 1:
            return next(iter(self._desk.catalogue.values()))
        offer = self._desk.catalogue.get(asked) if isinstance(asked, str) else None
        if offer is None:
            raise HttpProblem(404, "no_such_worker", f"The message names no skill: metadata {SKILL}.", "see the card")
        return offer

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """End the run early; what is left of its attempts stays."""
        assert context.task_id is not None
        assert context.context_id is not None
        if (name := self._runs.get(context.task_id)) is not None:
            self._desk.cancel(name)
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def input_of(message: a2a_pb2.Message) -> bytes:
    """The one part that is JSON. Raises HttpProblem."""
    if len(message.parts) != 1:
        raise HttpProblem(400, "input_schema_mismatch", "The message has to have one part.", f"send {JSON}")
    part = message.parts[0]
    kind = part.WhichOneof("content")
    if kind == "data":
        return json.dumps(whole(MessageToDict(part.data)), ensure_ascii=False).encode("utf-8", "surrogatepass")
    if kind in ("text", "raw") and part.media_type.partition(";")[0].strip().lower() in ("", JSON):
        data: bytes = part.text.encode() if kind == "text" else part.raw
        return data
    raise HttpProblem(415, "not_json", f"A {kind} part is no input.", f"send data, or text or raw of {JSON}")


def whole(value: Any) -> Any:
    """A value of a data part, its whole numbers whole. Raises HttpProblem where a double may have changed one."""
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= EXACT:
            raise HttpProblem(
                400,
                "input_schema_mismatch",
                "A data part carries numbers as doubles, and one is beyond 2^53: it may have been changed on its way.",
                f"send the input as a text or raw part of {JSON}",
            )
        return int(value)
    return value


def _unharmed(value: Any) -> bool:
    """Whether a data part carries it as it is."""
    if isinstance(value, dict):
        return all(map(_unharmed, value.values()))
    if isinstance(value, list):
        return all(map(_unharmed, value))
    return not isinstance(value, int | float) or isinstance(value, bool) or abs(value) < EXACT


def _needs_key(offer: Offer, data: bytes) -> bool:
    contract = offer.worker.contract
    if not contract.key_in_input:
        return True
    try:
        value = quick.load_exact(data).value
    except JsonError:
        return False
    return isinstance(value, dict) and contract.constraints.idempotency_key not in value


def _submitted(context: RequestContext) -> a2a_pb2.Task:
    assert context.message is not None
    return a2a_pb2.Task(
        id=context.task_id,
        context_id=context.context_id,
        status=a2a_pb2.TaskStatus(state=a2a_pb2.TASK_STATE_SUBMITTED),
        history=[context.message],
    )


def _choice(message: a2a_pb2.Message, caller: str) -> Choice:
    """A text is the answer itself; data may add a reason."""
    part = message.parts[0] if message.parts else a2a_pb2.Part()
    if part.WhichOneof("content") == "data":
        said = MessageToDict(part.data)
        if isinstance(said, dict) and isinstance(said.get("answer"), str):
            return Choice(said["answer"], caller, str(said.get("reason", "")))
    if part.WhichOneof("content") == "text":
        return Choice(part.text, caller)
    raise HttpProblem(400, "usage", "The message is no decision.", 'send a text, or data such as {"answer": "approve"}')


async def _finish(task: TaskUpdater, answered: Answered) -> None:
    envelope = answered.envelope
    error = envelope.get("error", {})
    told = {f"{PREFIX}status": envelope["status"], f"{PREFIX}run_id": envelope["run_id"] or ""}
    if envelope["status"] == Status.NEEDS_HUMAN.value and "request" in envelope:
        await task.requires_input(
            _message(task, envelope["request"]["question"], told | {"request": envelope["request"]})
        )
        return
    if envelope["status"] == Status.OK.value or envelope["status"] not in {each.value for each in Status}:
        await task.add_artifact(
            [_part(answered)], name="output", metadata=told | {f"{PREFIX}replayed": bool(envelope.get("replayed"))}
        )
        await task.complete()
        return
    message = _message(
        task, f"[{error.get('code', '')}] {error.get('message', '')} {error.get('hint', '')}".strip(), told
    )
    if envelope["status"] == Status.INVALID_REQUEST.value:
        await task.reject(message)
    else:
        await task.failed(message)


def _part(answered: Answered) -> a2a_pb2.Part:
    outputs = answered.envelope["outputs"]
    if _unharmed(outputs):
        part: a2a_pb2.Part = ParseDict({"data": outputs, "mediaType": JSON}, a2a_pb2.Part())
        return part
    return a2a_pb2.Part(raw=answered.output, media_type=JSON)


def _message(task: TaskUpdater, text: str, metadata: Document) -> a2a_pb2.Message:
    return task.new_agent_message([a2a_pb2.Part(text=text)], metadata)
