"""Where an attempt goes on: what earlier attempts of its run had come to is given again, and then it goes live (S3.10)."""

from typing import Literal

from workermd.backends.agents.gate import canonical
from workermd.protocol.envelope import Document
from workermd.task.binding import ToolBinding
from workermd.task.journal_writer import JournalWriter
from workermd.task.kept_conversation import KeptAnswer, KeptConversation, Sent

UNKNOWN = (
    "unknown: this call was begun in an earlier attempt that was ended before its answer came; it may have taken effect. "
    "Look before you call it again."
)
"""What a model is told of a call whose answer nobody knows."""


class Resumption:
    """An earlier conversation beside the live one. In a replay nothing is resumed, and nothing kept."""

    def __init__(self, kept: KeptConversation, journal: JournalWriter) -> None:
        self.kept = kept
        self._journal = journal
        self._told = False
        self._unknown: set[str] = set()

    @property
    def resumed_from(self) -> Document | None:
        """For the envelope."""
        return self.kept.resumed_from

    def answer(self, sent: Sent) -> KeptAnswer | None:
        """The answer to this very request; None where it has to be asked, which is noted the first time."""
        found = self.kept.answer(sent)
        if found is None:
            self.live(sent.agent)
        return found

    def call(self, tool: ToolBinding, arguments: Document) -> str | Literal[True] | None:
        """What the model is told of a call that an earlier attempt made; None where it is to be made now. True where its
        answer is unknown, the model was told so, and it insists."""
        found = self.kept.call(tool.name, arguments, repeatable=tool.repeatable)
        call = canonical({"tool": tool.name, "arguments": arguments})
        if found is None:
            return True if call in self._unknown else None
        if found.state == "ended":
            return found.text
        self._unknown.add(call)
        return UNKNOWN

    def live(self, agent: str) -> None:
        """Note that the attempt goes on live from here, once, where something was given again before."""
        if (told := self.resumed_from) is not None and not self._told:
            self._told = True
            self._journal.note("resumed", agent=agent, **told)
