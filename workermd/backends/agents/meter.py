"""What an attempt has used, held against what is left of the run's bounds (S3.6)."""

from workermd.protocol.envelope import Document
from workermd.task.binding import Model
from workermd.task.task import Budget

_HINT = {
    "max_turns": "requests to models",
    "max_tokens": "tokens",
    "max_cost_usd": "US dollars",
    "max_tool_calls": "tool calls",
}


class Exceeded(Exception):
    """A bound is reached, or cannot be counted. The message names it."""


class Meter:
    """Counts turns, tokens, cost and tool calls of one attempt. Each `may_` raises `Exceeded` before the deed that
    would break a bound, where its size is known; `count_` right after, where it is only known then."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.turns = 0
        self.given = 0
        """Requests that an earlier attempt had made: they were paid there."""
        self.input_tokens = 0
        self.output_tokens = 0
        self.tool_calls = 0
        self.denied = 0
        self.cost_usd = 0.0
        self.model = ""
        """The model that answered last, as its endpoint calls it."""
        self._counted = False
        self._priced = False

    @property
    def usage(self) -> Document:
        """What was used, under the names of the envelope; a token count that no endpoint reported is left out."""
        usage: Document = {"turns": self.turns}
        if self._counted:
            usage |= {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        if self._priced:
            usage["cost_usd"] = round(self.cost_usd, 9)
        if self.tool_calls:
            usage["tool_calls"] = self.tool_calls
        if self.denied:
            usage["tool_calls_denied"] = self.denied
        return usage

    def may_ask(self) -> None:
        """Whether a further request to a model is allowed; it is counted as sent."""
        self._hold("max_turns", self._budget.max_turns, self.turns + 1)
        self._hold("max_tokens", self._budget.max_tokens, self.input_tokens + self.output_tokens + 1)
        if self._budget.max_cost_usd is not None and self.cost_usd >= self._budget.max_cost_usd:
            raise Exceeded(_told("max_cost_usd"))
        self.turns += 1

    def take_back(self, turns: int) -> None:
        """Requests that were counted and then not sent."""
        self.turns -= turns

    def count_tokens(self, model: Model, tokens: tuple[int, int] | None) -> None:
        """`tokens` are those read and written. Raises `Exceeded` also where an endpoint reports none although a bound
        needs them: a bound that cannot be counted is not held."""
        if tokens is None:
            if self._budget.max_tokens is not None or self._budget.max_cost_usd is not None:
                raise Exceeded("the endpoint reports no usage, so max_tokens and max_cost_usd cannot be held")
            return
        used = used_by(model, tokens)
        self._counted = True
        self.input_tokens += used["input_tokens"]
        self.output_tokens += used["output_tokens"]
        if "cost_usd" in used:
            self._priced = True
            self.cost_usd += used["cost_usd"]
        self._hold("max_tokens", self._budget.max_tokens, self.input_tokens + self.output_tokens)
        self._hold("max_cost_usd", self._budget.max_cost_usd, self.cost_usd)

    def may_call_tool(self) -> None:
        """Whether a further tool call is allowed; it is counted as made."""
        self._hold("max_tool_calls", self._budget.max_tool_calls, self.tool_calls + 1)
        self.tool_calls += 1

    def count_denied(self) -> None:
        """A denied call is a call: a model that insists reaches its bound."""
        self._hold("max_tool_calls", self._budget.max_tool_calls, self.tool_calls + 1)
        self.tool_calls += 1
        self.denied += 1

    def _hold(self, bound: str, most: float | None, used: float) -> None:
        if most is not None and used > most:
            raise Exceeded(_told(bound))


def used_by(model: Model, tokens: tuple[int, int] | None) -> Document:
    """What one request used, under the names of the envelope: its tokens, and their cost where it is known."""
    if tokens is None:
        return {}
    read, written = tokens
    used: Document = {"input_tokens": read, "output_tokens": written}
    if model.input_price is not None and model.output_price is not None:
        used["cost_usd"] = (read * model.input_price + written * model.output_price) / 1_000_000
    return used


def _told(bound: str) -> str:
    return f"{bound} is reached: the run has no {_HINT[bound]} left"
