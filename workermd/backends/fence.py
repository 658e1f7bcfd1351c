"""One code fence around one object: how programs that ask a model mostly print what it said (S8.2)."""

_MARKS = ("`", "~")


def unfenced(text: str) -> str:
    """What stands in the fence, where a text is one fence and nothing else; every other text as it is."""
    bare = text.strip()
    first, newline, rest = bare.partition("\n")
    fence = _opening(first)
    if not newline or not fence or not rest.endswith(fence):
        return text
    word, inside = first.removeprefix(fence).strip(), rest.removesuffix(fence)
    if "`" in word or " " in word or not (inside.endswith("\n") or not inside) or fence in inside:
        return text
    return inside


def _opening(line: str) -> str:
    """Three marks of one kind or more; empty where a line opens no fence."""
    for mark in _MARKS:
        length = len(line) - len(line.lstrip(mark))
        if length >= 3:
            return mark * length
    return ""
