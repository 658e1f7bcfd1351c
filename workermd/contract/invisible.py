"""Characters that look like a blank, or like nothing: what a copied page leaves in a contract."""

import re
import unicodedata

_UNSEEN = re.compile("[\u00a0\u00ad\u1680\u180e\u2000-\u200f\u202f\u205f-\u2064\u3000\ufeff]")


def told(text: str, column: int = 1) -> str:
    """The first such character of a text by name and column, as a phrase; empty where there is none.

    `column` is that of the text's first character.
    """
    found = _UNSEEN.search(text)
    if found is None:
        return ""
    name = unicodedata.name(found[0], "a character without a name").lower()
    return f"U+{ord(found[0]):04X} ({name}) at column {column + found.start()}"


def without(text: str) -> str:
    """The text as it was probably meant: unseen characters that stand for a blank become one, others go."""
    return _UNSEEN.sub(lambda found: " " if found[0].isspace() else "", text)
