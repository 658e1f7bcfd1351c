"""The tool by which an agent asks a person: the attempt ends with the question, and the next one knows the answer."""

from typing import TYPE_CHECKING

from workermd.backends.agents.meter import Exceeded
from workermd.backends.agents.tools import Tool
from workermd.protocol.envelope import Document
from workermd.task.task import failed

if TYPE_CHECKING:
    from workermd.backends.agents.conversation import Job

NAME = "ask_user"

_DESCRIPTION = "Ask a person for what only they can know or decide. Ask once, and everything in one question."

_SCHEMA: Document = {
    "type": "object",
    "additionalProperties": False,
    "required": ["question"],
    "properties": {
        "question": {"type": "string", "description": "The question, to be understood without this conversation."},
        "options": {"type": "array", "items": {"type": "string"}, "description": "Answers to choose from, if any."},
    },
}


def tool(job: "Job") -> Tool:
    async def call(arguments: Document) -> str:
        question, options = arguments.get("question"), arguments.get("options") or []
        if not isinstance(question, str) or not question.strip() or not isinstance(options, list):
            return "error: ask_user takes a question, and options as a list of texts"
        try:
            job.meter.may_call_tool()
        except Exceeded as exceeded:
            await job.stop(failed("refused", "budget_exceeded", str(exceeded)))
        return await job.answer_of_person(question, tuple(options))

    return Tool(NAME, _DESCRIPTION, _SCHEMA, call)
