"""The tool by which an agent asks a person: the attempt ends with the question, and the next one knows the answer."""

from collections.abc import Awaitable, Callable

from workermd.backends.agents.tools import Tool
from workermd.protocol.envelope import Document

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


def tool(
    may_call: Callable[[], Awaitable[None]], answer_of_person: Callable[[str, tuple[str, ...]], Awaitable[str]]
) -> Tool:
    """`may_call` counts the call, `answer_of_person` ends the attempt where nobody has answered yet."""

    async def call(arguments: Document) -> str:
        question, options = arguments.get("question"), arguments.get("options") or []
        if not isinstance(question, str) or not question.strip() or not isinstance(options, list):
            return "error: ask_user takes a question, and options as a list of texts"
        await may_call()
        return await answer_of_person(question, tuple(options))

    return Tool(NAME, _DESCRIPTION, _SCHEMA, call)
