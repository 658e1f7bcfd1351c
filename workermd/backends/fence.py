"""One code fence around one object: how programs that ask a model mostly print what it said (S8.2)."""

_FENCE = "```"


def unfenced(text: str) -> str:
    """What stands in the fence, where a text is one fence and nothing else; every other text as it is."""
    bare = text.strip()
    first, newline, rest = bare.partition("\n")
    if not newline or not first.startswith(_FENCE) or not rest.endswith(_FENCE):
        return text
    word, inside = first.removeprefix(_FENCE).strip(), rest.removesuffix(_FENCE)
    if "`" in word or " " in word or not (inside.endswith("\n") or not inside) or _FENCE in inside:
        return text
    return inside
