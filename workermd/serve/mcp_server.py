"""Each contract as a tool of the Model Context Protocol: its schemas, structured output, progress, cancellation, people.

A model should not invent the key of a run: where it would be asked to, the key is left out of a tool's schema, and a fresh
one is made for every call. A caller that has a key of its own gives it as `worker.md/run_id` in the call's `_meta`.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from workermd import __version__
from workermd.contract.model import Contract
from workermd.protocol.envelope import Document, Status
from workermd.protocol.errors import WorkermdError
from workermd.report import events, people
from workermd.runner.answers import Answered
from workermd.runner.decisions import DENY, Choice
from workermd.runner.run_key import KeySource, fresh
from workermd.runner.trace import of_traceparent
from workermd.serve.catalogue import Offer
from workermd.serve.desk import Desk
from workermd.serve.feed import Feed
from workermd.serve.jobs import Job, Name, RunCall
from workermd.serve.problem import HttpProblem

PREFIX = "worker.md/"
RUN_ID = f"{PREFIX}run_id"
_MODERN = "2026-07-28"
_DECISION = "decision"
_ELICITATION_SECONDS = 3600.0

Context = Any
"""What the SDK gives a handler: generic in ways that say nothing here."""


def server(desk: Desk, caller_of: Callable[[Context], str], *, key_by_model: bool = False) -> "Server[Any]":
    """An MCP server for all contracts of a desk. `caller_of` says who sent a request."""
    tools = _Tools(desk, caller_of, key_by_model)
    return Server(
        "workermd",
        version=__version__,
        title="workermd",
        instructions="Every tool is one bounded step. Its output was checked. A failure says what to do about it.",
        on_list_tools=tools.listed,
        on_call_tool=tools.called,
    )


class _Tools:
    def __init__(self, desk: Desk, caller_of: Callable[[Context], str], key_by_model: bool) -> None:
        self._desk = desk
        self._caller_of = caller_of
        self._key_by_model = key_by_model

    async def listed(self, _context: Context, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[self._tool(offer) for offer in self._desk.catalogue.values()])

    def _tool(self, offer: Offer) -> types.Tool:
        contract = offer.worker.contract
        return types.Tool(
            name=contract.id,
            title=contract.name,
            description=contract.purpose,
            input_schema=contract.input_schema if self._key_by_model else without_key(contract),
            output_schema=contract.output_schema,
            annotations=types.ToolAnnotations(idempotent_hint=True),
            _meta={
                f"{PREFIX}version": contract.version,
                f"{PREFIX}contract_sha256": contract.meaning_sha256,
                f"{PREFIX}timeout_seconds": contract.constraints.timeout_seconds,
            },
        )

    async def called(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """One run. What a person has to decide is asked of the client where it can ask one."""
        offer = self._desk.catalogue.get(params.name)
        if offer is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:80]!r}; see tools/list")
        caller = self._caller_of(context)
        try:
            call = self._call(offer, params, caller)
            if (name := _answered_name(params)) is not None:
                answered = await self._decided(context, params, name, caller)
            else:
                answered = await self._end_of(context, await self._desk.start(call), call)
            while "request" in answered.envelope and (choice := await _asked(context, answered.envelope, caller)):
                if isinstance(choice, types.InputRequiredResult):
                    return choice
                job = await self._desk.decide(_name(answered.envelope), choice, caller)
                answered = await self._end_of(context, job or await self._desk.start(call), call)
        except (HttpProblem, WorkermdError) as error:
            return _refused(error)
        return _result(answered)

    def _call(self, offer: Offer, params: types.CallToolRequestParams, caller: str) -> RunCall:
        meta = dict(params.meta or {})
        arguments = params.arguments or {}
        given = meta.get(RUN_ID)
        key = KeySource(given=given, option=RUN_ID) if isinstance(given, str) and given else KeySource()
        contract = offer.worker.contract
        has_own = contract.key_in_input and contract.constraints.idempotency_key in arguments
        if not key.given and not has_own and not (self._key_by_model and contract.key_in_input):
            key = KeySource(given=fresh(), option="the server")
        try:
            data = json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
        except ValueError:
            raise HttpProblem(400, "input_schema_mismatch", "A number of the arguments is none of JSON.") from None
        return RunCall(offer, offer.worker, data, key, of_traceparent(str(meta.get("traceparent", ""))), caller)

    async def _end_of(self, context: Context, found: Answered | Job, call: RunCall | None = None) -> Answered:
        """The answer; on the way its events are told as progress. Whoever cancels the call ends the run, unless another
        call began it."""
        if isinstance(found, Answered):
            return found
        telling = asyncio.create_task(_tell(context.session, found.feed))
        try:
            return await found.result()
        except asyncio.CancelledError:
            if call is None or found.call.key == call.key:
                self._desk.cancel(found.name)
            raise
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _decided(
        self, context: Context, params: types.CallToolRequestParams, name: Name, caller: str
    ) -> Answered:
        """The client comes back with what a person said (2026-07-28)."""
        response = (params.input_responses or {}).get(_DECISION)
        choice = _choice(context, response, caller) if isinstance(response, types.ElicitResult) else None
        if choice is None:
            raise HttpProblem(
                409, "approval_required", "Nobody decided.", "decide with: POST /workers/ID/runs/RUN/decisions"
            )
        job = await self._desk.decide(name, choice, caller)
        if job is None:
            raise HttpProblem(409, "approval_denied", "A person decided against it.")
        return await self._end_of(context, job)


def without_key(contract: Contract) -> Document:
    """The input schema as a model is to see it: without the key, which the server makes."""
    key, schema = contract.constraints.idempotency_key, contract.input_schema
    if not contract.key_in_input:
        return schema
    properties = {name: value for name, value in schema["properties"].items() if name != key}
    required = [name for name in schema.get("required", ()) if name != key]
    rest = {name: value for name, value in schema.items() if name != "required"}
    return rest | {"properties": properties} | ({"required": required} if required else {})


def _result(answered: Answered) -> types.CallToolResult:
    """An output of the contract as structured content; a failure as text, which a model can read."""
    envelope = answered.envelope
    failed = envelope["exit_code"] != 0 and envelope["status"] not in _own_statuses(envelope)
    text = types.TextContent(type="text", text=answered.output.decode())
    if failed:
        error = envelope.get("error", {})
        told = (
            f"{envelope['status']} [{error.get('code', '')}] {error.get('message', '')} {error.get('hint', '')}".strip()
        )
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=told), text], is_error=True, _meta=_meta(envelope)
        )
    return types.CallToolResult(content=[text], structured_content=envelope["outputs"], _meta=_meta(envelope))


def _own_statuses(envelope: Document) -> tuple[str, ...]:
    """The status of a contract's own is an output like any other."""
    return () if envelope["status"] in {each.value for each in Status} else (envelope["status"],)


def _meta(envelope: Document) -> Document:
    return {f"{PREFIX}envelope": envelope}


def _refused(error: HttpProblem | WorkermdError) -> types.CallToolResult:
    message = error.detail if isinstance(error, HttpProblem) else error.message
    told = f"[{error.code}] {message}" + (f" {error.hint}" if error.hint else "")
    return types.CallToolResult(content=[types.TextContent(type="text", text=told)], is_error=True)


async def _tell(session: ServerSession, feed: Feed) -> None:
    async for each in feed.after(0, 3600.0):
        if each is not None:
            number, document = each
            await session.report_progress(number, None, events.told(document) or str(document["event"]))


# --- people ---------------------------------------------------------------------------------------------


def _name(envelope: Document) -> Name:
    return envelope["worker_id"], envelope["run_id"]


async def _asked(context: Context, envelope: Document, caller: str) -> Choice | types.InputRequiredResult | None:
    """What the client's person says; what the client has to come back with; None where it cannot ask anybody."""
    session: ServerSession = context.session
    capabilities = session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        return None
    request = envelope["request"]
    message, schema = people.asked(request), _form(request["options"])
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        asking = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))
        state = json.dumps({"run": _name(envelope)})
        return types.InputRequiredResult(input_requests={_DECISION: asking}, request_state=state)
    if not session.can_send_request:
        return None
    async with asyncio.timeout(_ELICITATION_SECONDS):
        response = await session.elicit_form(message, schema, related_request_id=context.request_id)
    return _choice(context, response, caller)


def _form(options: list[str]) -> Document:
    answer: Document = {"type": "string", "title": "Answer", "minLength": 1}
    if options:
        answer = {"type": "string", "title": "Answer", "enum": list(dict.fromkeys((*options, DENY)))}
    reason = {"type": "string", "title": "Reason"}
    return {"type": "object", "properties": {"answer": answer, "reason": reason}, "required": ["answer"]}


def _choice(context: Context, response: types.ElicitResult, caller: str) -> Choice | None:
    """A person who declines the form decides nothing: the request stays open."""
    content = response.content or {}
    if response.action != "accept" or not isinstance(content.get("answer"), str):
        return None
    client = context.session.client_params.client_info.name if context.session.client_params else "a client"
    reason = content.get("reason") or f"asked by {client}"
    return Choice(str(content["answer"]), caller, str(reason))


def _answered_name(params: types.CallToolRequestParams) -> Name | None:
    """The run that a call comes back to. Whoever may call may decide, so that a made-up one gains nothing."""
    if params.request_state is None:
        return None
    try:
        worker, run = json.loads(params.request_state)["run"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MCPError(types.INVALID_PARAMS, "the request state is not one that was given") from None
    if worker != params.name or not isinstance(run, str):
        raise MCPError(types.INVALID_PARAMS, "the request state is that of another tool")
    return worker, run
