"""A contract's text from its front matter and its body: the one place that writes front matter."""

from datetime import date as day

import frontmatter

from workermd.contract.fields import FIELDS
from workermd.contract.forms import WrongForm, confidence, date
from workermd.protocol.envelope import Document

_WIDTH = 10**6
"""Values stay on one line, so that a line of the file says one thing."""


def front_matter(values: Document) -> str:
    """The front matter with its two `---` lines, keys in the order given; text and lists of text.

    Dates and decimals are written without quotes, as the registry does; everything else is quoted where a YAML
    reader could take it for something other than text.
    """
    shown = {key: _plain(key, value) for key, value in values.items()}
    post = frontmatter.Post("")
    post.metadata.update(shown)
    return frontmatter.dumps(post, sort_keys=False, width=_WIDTH) + "\n"


def _plain(key: str, value: object) -> object:
    form = FIELDS.get(key)
    try:
        if form is date and isinstance(value, str):
            return day.fromisoformat(date(value, True))
        if form is confidence:
            return float(confidence(value, not isinstance(value, float)))
    except (WrongForm, ValueError):
        return value
    return list(value) if isinstance(value, list | tuple) else value
