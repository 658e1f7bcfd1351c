"""Which kinds of backend can hold which bounds, for those who may not know the kinds; a test holds both tables together."""

USED = ("max_tokens", "max_cost_usd", "max_tool_calls", "max_turns")
"""Bounds on what a run uses. `function` and `command` hold them only where their replies tell what they used."""

COUNTED = (*USED, "tools_allowed")
"""Bounds that only kinds hold which see every request and call."""

KINDS_THAT_COUNT = ("chat", "team", "agent-framework", "factory", "ag2", "mcp")
