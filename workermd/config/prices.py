"""List prices of models at their own provider, for the bound `max_cost_usd`; the operator's `price` goes before.

US dollars for a million input and output tokens, OpenAI's standard rate without discounts for cached input or batches,
as three lists of its pricing page of March to June 2026 agreed on. A price that is not here is not guessed: a run that
bounds its cost is then refused.
"""

from workermd.task.binding import OPENAI, Model

LISTED: dict[str, tuple[float, float]] = {
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.4, 1.6),
    "gpt-4.1-nano": (0.1, 0.4),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-5": (1.25, 10.0),
    "gpt-5-mini": (0.25, 2.0),
    "o3": (2.0, 8.0),
}


def priced(model: Model) -> Model:
    """The model with its list price, where it has none of the operator's and is its provider's own."""
    if model.input_price is not None or model.base_url != OPENAI or model.name not in LISTED:
        return model
    read, written = LISTED[model.name]
    return model._replace(input_price=read, output_price=written)
