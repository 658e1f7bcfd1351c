"""The seam to autogen-core. Every test named after a hazard runs the installed runtime through the seam."""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import logging
import threading
import time
from pathlib import Path

import pytest

from tests.attempt_process import a_task
from tests.conftest import ROOT
from tests.late import LATE
from workermd.protocol.errors import ConfigurationError
from workermd.task.task import Result, failed

if LATE:
    from autogen_core import JSON_DATA_CONTENT_TYPE, AgentId, RoutedAgent, SingleThreadedAgentRuntime, rpc
    from autogen_core import MessageContext as Context
    from opentelemetry import trace
    from opentelemetry.trace import NonRecordingSpan, Tracer, TracerProvider, get_current_span

    from workermd.backends import core
    from workermd.backends.core import (
        CancellationToken,
        Exchange,
        ResultMessage,
        TaskMessage,
        agent_key,
        agent_type,
        dispatch,
    )

    class Recorder(TracerProvider, Tracer):
        """A tracer provider that keeps the name and attributes of every span."""

        def __init__(self):
            self.spans = []

        def get_tracer(self, *_args, **_kwargs):
            return self

        def start_span(self, name, *_args, **_kwargs):
            return NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)

        def start_as_current_span(self, name, context=None, kind=None, attributes=None, *_args, **_kwargs):
            self.spans.append((name, str(attributes)))
            return trace.use_span(NonRecordingSpan(trace.INVALID_SPAN_CONTEXT))

    class Plain(RoutedAgent):
        @rpc
        async def on_plain(self, message: ResultMessage, ctx: Context) -> ResultMessage:
            return message


SECRET = "hunter2-secret"  # planted: a_task's input holds it
DONE = Result(output='{"status": "ok"}')
PACKAGE = ROOT / "workermd"


def failure_of(error):
    return failed("refused", "backend_failed", type(error).__name__)


def soon(seconds=20.0):
    return time.monotonic() + seconds


@pytest.fixture
def task(tmp_path):
    return a_task(tmp_path)


def on_exchange(task, perform, deed, worker_id="w"):
    """Run `deed(exchange, order)` against an exchange that is not open yet, under a limit of 20 s."""

    async def run():
        exchange = Exchange(worker_id, perform, failure_of)
        async with asyncio.timeout(20):
            try:
                return await deed(exchange, TaskMessage(task))
            finally:
                await exchange.close()

    return asyncio.run(run())


async def done(_task, _token):
    return DONE


def called_names(path):
    """Every attribute and name that a module uses: what it does not use cannot harm it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    return names | {keyword.arg for node in nodes if isinstance(node, ast.Call) for keyword in node.keywords}


@pytest.mark.rule("S7.1")
def test_a_task_is_a_message_and_its_result_comes_back_whole(task):
    seen = []
    result = Result(
        output='{"x": "\ud800", "y": NaN}', usage={"input_tokens": 3}, artifacts=({"name": "a"},), model="m"
    )

    async def perform(given, token):
        seen.extend((given, token))
        return result

    assert dispatch(task, perform, soon(), failure_of) == result
    assert seen[0] == task
    assert isinstance(seen[1], CancellationToken)


@pytest.mark.rule("S3.3")
def test_h01_the_work_has_ended_when_a_timeout_is_reported(task):
    ended = []

    async def perform(_task, _token):
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.2)
            ended.append(True)
        return DONE

    assert dispatch(task, perform, soon(0.2), failure_of).failure["kind"] == "timeout"
    assert ended == [True]


def test_h01_work_that_swallows_the_cancellation_is_waited_for(task):
    ended = []

    async def perform(_task, _token):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
        ended.append(True)
        return DONE

    assert dispatch(task, perform, soon(0.2), failure_of).failure["code"] == "timeout"
    assert ended == [True]


def test_h02_the_deadline_reaches_the_awaiting_work(task):
    began = time.monotonic()
    seen = []

    async def perform(_task, token):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(token.is_cancelled())
            raise
        return DONE

    assert dispatch(task, perform, soon(0.2), failure_of).failure["code"] == "timeout"
    assert seen == [True]
    assert time.monotonic() - began < 30


@pytest.mark.rule("S3.3")
def test_h03_a_success_after_the_deadline_is_a_timeout(task):
    async def perform(_task, _token):
        time.sleep(0.4)  # noqa: ASYNC251 - blocks the loop: neither token nor cancel can act
        return DONE

    assert dispatch(task, perform, soon(0.2), failure_of).failure["code"] == "timeout"


def test_h03_nothing_starts_after_the_deadline(task):
    ran = []

    async def perform(_task, _token):
        ran.append(True)
        return DONE

    assert dispatch(task, perform, time.monotonic() - 1, failure_of).failure["code"] == "timeout"
    assert ran == []


def test_h04_a_cancelled_token_sends_nothing(task):
    ran = []

    async def perform(_task, _token):
        ran.append(True)
        return DONE

    async def deed(exchange, order):
        await exchange.open()
        token = CancellationToken()
        token.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange.send(order, "w", "r", token)
        await asyncio.sleep(0.05)
        assert exchange._runtime._instantiated_agents == {}

    on_exchange(task, perform, deed)
    assert ran == []


def test_h05_a_send_before_open_or_after_close_is_refused_at_once(task):
    async def deed(exchange, order):
        with pytest.raises(RuntimeError, match="new"):
            await exchange.send(order, "w", "r", CancellationToken())
        await exchange.open()
        assert (await exchange.send(order, "w", "r", CancellationToken())).result == DONE
        await exchange.close()
        with pytest.raises(RuntimeError, match="closed"):
            await exchange.send(order, "w", "r", CancellationToken())
        with pytest.raises(RuntimeError, match="new one for every attempt"):
            await exchange.open()

    on_exchange(task, done, deed)


def test_h06_closing_settles_a_pending_send(task):
    ended = []

    async def perform(_task, _token):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return DONE

    async def deed(exchange, order):
        await exchange.open()
        pending = asyncio.create_task(exchange.send(order, "w", "r", CancellationToken()))
        await asyncio.sleep(0.05)
        await exchange.close()
        assert ended == [True]
        assert pending.done()

    on_exchange(task, perform, deed)


def test_h07_a_hung_background_task_does_not_hold_up_the_answer(task):
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    async def perform(_task, _token):
        asyncio.create_task(stubborn())  # noqa: RUF006 - left behind on purpose
        await asyncio.sleep(0)
        return DONE

    began = time.monotonic()
    assert dispatch(task, perform, soon(60), failure_of) == DONE
    assert time.monotonic() - began < 30
    assert not {"stop_when_idle", "stop_when"} & called_names(Path(core.__file__))


def test_h08_none_is_never_a_result(task):
    class Unhandled(TaskMessage):
        pass

    async def deed(exchange, order):
        await exchange.open()
        with pytest.raises(TypeError, match="no ResultMessage"):
            await exchange.send(Unhandled(order.task), "w", "r", CancellationToken())
        with pytest.raises(TypeError, match="sent a TaskMessage"):
            await exchange.send("text", "w", "r", CancellationToken())

    on_exchange(task, done, deed)


def test_h09_an_unknown_worker_is_a_configuration_error(task):
    async def deed(exchange, order):
        await exchange.open()
        with pytest.raises(ConfigurationError, match="not registered"):
            await exchange.send(order, "another", "r", CancellationToken())

    on_exchange(task, done, deed)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, RecursionError, GeneratorExit])
def test_h10_no_exception_of_the_work_leaves_the_seam(task, kind):
    async def perform(_task, _token):
        raise kind

    assert dispatch(task, perform, soon(), failure_of).failure["message"] == kind.__name__


def test_h10_system_exit_in_a_background_task_fails_the_attempt(task, caplog):
    ended = []

    async def leave(after):
        await asyncio.sleep(after)
        raise SystemExit(3)

    async def perform(_task, _token):
        tasks = [asyncio.create_task(leave(after)) for after in (0, 0.1)]
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.3)  # the second one leaves meanwhile
            ended.append(len(tasks))
        return DONE

    assert dispatch(task, perform, soon(), failure_of).failure["message"] == "SystemExit"
    assert ended == [2]
    gc.collect()  # the loop's last words about its tasks belong to this test


def test_h11_errors_of_event_handlers_are_not_ignored_and_there_are_none(task):
    async def deed(exchange, _order):
        assert exchange._runtime._ignore_unhandled_handler_exceptions is False

    on_exchange(task, done, deed)
    assert not {"event", "message_handler", "publish_message"} & called_names(Path(core.__file__))


def test_h12_no_runtime_and_no_agent_outlives_its_attempt(task):
    def held():
        gc.collect()
        kinds = (SingleThreadedAgentRuntime, core._Worker)
        return sum(type(thing) in kinds for thing in gc.get_objects())

    before = held()
    for number in range(20):
        assert dispatch(task._replace(run_id=f"run-{number}"), done, soon(), failure_of) == DONE
    assert held() == before


def test_h13_concurrent_orders_do_not_mix_and_the_agent_does_not_change(task):
    async def perform(given, _token):
        await asyncio.sleep(0.01 * (3 - given.attempt))
        return Result(output=str(given.attempt))

    async def deed(exchange, _order):
        await exchange.open()
        orders = [TaskMessage(task._replace(attempt=number)) for number in range(3)]
        first = await exchange.send(orders[0], "w", "r", CancellationToken())
        (agent,) = exchange._runtime._instantiated_agents.values()
        before = dict(vars(agent))
        answers = await asyncio.gather(*(exchange.send(o, "w", "r", CancellationToken()) for o in orders))
        assert vars(agent) == before
        assert answers[0] == first
        return [answer.result.output for answer in answers]

    assert on_exchange(task, perform, deed) == ["0", "1", "2"]


def test_h14_no_span_of_the_runtime_and_no_body_in_any(task, monkeypatch):
    monkeypatch.delenv("AUTOGEN_DISABLE_RUNTIME_TRACING", raising=False)
    recorder = Recorder()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", recorder)
    assert dispatch(task, done, soon(), failure_of) == DONE
    assert recorder.spans == []

    # Even with tracing on, a sealed message shows nothing.
    monkeypatch.setattr(core, "NoOpTracerProvider", lambda: recorder)
    assert dispatch(task, done, soon(), failure_of) == DONE
    assert recorder.spans
    assert SECRET not in str(recorder.spans)

    # The recorder would have seen it: a plain agent of the same runtime shows its message.
    recorder.spans.clear()
    asyncio.run(_plain_send(SECRET))
    assert SECRET in str(recorder.spans)


async def _plain_send(text):
    plain = SingleThreadedAgentRuntime()
    await Plain.register(plain, "plain", lambda: Plain("plain"))
    plain.start()
    await plain.send_message(ResultMessage(Result(output=text)), AgentId("plain", "1"))
    await plain.stop()


def test_h15_the_work_runs_in_the_trace_of_its_task(task):
    seen = []

    async def perform(_task, _token):
        seen.append(get_current_span().get_span_context().trace_id)
        await asyncio.to_thread(lambda: seen.append(get_current_span().get_span_context().trace_id))
        return DONE

    dispatch(task, perform, soon(), failure_of)
    assert seen == [0x0AF7651916CD43DD8448EB211C80319C] * 2
    dispatch(task._replace(trace={}), perform, soon(), failure_of)
    assert seen[2:] == [0, 0]


def test_h16_no_body_reaches_a_log(task, caplog, monkeypatch):
    for name in ("", "autogen_core", "autogen_core.events", "autogen_core.trace"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        logging.getLogger(name).manager._clear_cache()
    dispatch(task, done, soon(), failure_of)
    assert [record for record in caplog.records if record.name.startswith("autogen_core")] == []

    async def perform(_task, _token):  # a worker that turns the logs on
        logging.getLogger("autogen_core").setLevel(logging.DEBUG)
        logging.getLogger("autogen_core.events").setLevel(logging.DEBUG)
        return Result(output=f'{{"x": "{SECRET}"}}')

    dispatch(task, perform, soon(), failure_of)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "ResultMessage(" in text
    assert SECRET not in text


def test_h17_there_are_no_intervention_handlers(task):
    async def deed(exchange, _order):
        assert exchange._runtime._intervention_handlers is None

    on_exchange(task, done, deed)
    assert "intervention_handlers" not in called_names(Path(core.__file__))


def test_h18_messages_check_their_own_types(task):
    with pytest.raises(TypeError, match="holds a Task, not a int"):
        TaskMessage(5)
    with pytest.raises(TypeError, match="holds a Result, not a NoneType"):
        ResultMessage(None)

    async def deed(exchange, _order):
        await exchange.open()
        registry = exchange._runtime._serialization_registry
        with pytest.raises(TypeError, match="does not leave its process"):
            registry.deserialize(
                b'{"task_json": "x"}', type_name="TaskMessage", data_content_type=JSON_DATA_CONTENT_TYPE
            )

    on_exchange(task, done, deed)


def test_h18_a_result_is_an_answer_and_nothing_else_is(task):
    async def perform(_task, _token):
        return None

    assert dispatch(task, perform, soon(), failure_of).failure["kind"] == "refused"


def test_h19_no_schema_goes_through_the_runtimes_converter():
    assert [path for path in PACKAGE.rglob("*.py") if "schema_to_pydantic_model" in path.read_text("utf-8")] == []


def test_h20_a_raising_callback_of_the_worker_does_not_keep_the_deadline_from_the_work(task, caplog):
    async def perform(_task, token):
        def broken():
            raise ValueError("a callback of the worker")

        token.add_callback(broken)
        await asyncio.sleep(60)
        return DONE

    began = time.monotonic()
    assert dispatch(task, perform, soon(0.2), failure_of).failure["code"] == "timeout"
    assert time.monotonic() - began < 30


def test_a_worker_that_cancels_every_task_of_the_loop_fails_and_hangs_nothing(task):
    async def perform(_task, _token):
        for other in asyncio.all_tasks():
            other.cancel()
        await asyncio.sleep(30)
        return DONE

    began = time.monotonic()
    assert dispatch(task, perform, soon(5), failure_of).failure is not None
    assert time.monotonic() - began < 20


def test_a_generator_left_open_is_closed(task):
    closed = []

    async def numbers():
        try:
            yield 1
        finally:
            closed.append(True)

    kept = []

    async def perform(_task, _token):
        generator = numbers()
        kept.append(generator)
        await anext(generator)
        return DONE

    assert dispatch(task, perform, soon(), failure_of) == DONE
    assert closed == [True]


def test_dispatch_works_beside_another_loop_in_another_thread(task):
    results = []
    thread = threading.Thread(target=lambda: results.append(dispatch(task, done, soon(), failure_of)))
    thread.start()
    thread.join(20)
    assert results == [DONE]


NAMES = ["w", "shop.orders-2", "a/b", "a b", "a\nb", "", "ü", "\udc80", "x" * 10_000, "a_b", "a:b", "{}", "%s"]


@pytest.mark.parametrize("name", NAMES)
def test_any_worker_id_and_run_id_can_be_dispatched(task, name):
    result = dispatch(task._replace(worker_id=name, run_id=name), done, soon(), failure_of)
    assert result == DONE
    assert "\n" not in agent_key(name)
    assert len(agent_key(name)) <= 200


def test_unlike_ids_stay_unlike():
    assert len({agent_type(name) for name in NAMES}) == len(NAMES)
    assert len({agent_key(name) for name in NAMES}) == len(NAMES)


def test_every_hazard_has_its_test():
    source = inspect.getsource(inspect.getmodule(test_every_hazard_has_its_test))
    assert [number for number in range(1, 21) if f"def test_h{number:02}_" not in source] == []


def test_the_seam_is_the_only_importer():
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "autogen_core")
        or (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "autogen_core" for a in node.names))
    }
    # AgentChat's clients and AutoGen's code executor are made of the core's types; no kind makes a runtime of its own.
    assert importers == {"backends/core.py", "backends/autogen/agentchat.py", "backends/agents/code.py"}
    runtimes = [path.name for path in PACKAGE.rglob("*.py") if "SingleThreadedAgentRuntime(" in path.read_text("utf-8")]
    assert runtimes == ["core.py"]
