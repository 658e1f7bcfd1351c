"""One page fetched over HTTP(S), within limits, and fields taken from it by CSS selectors."""

import hashlib
from typing import Any

from workermd.protocol.envelope import Document, Status
from workermd.task.task import Refused, Task
from workermd.workers.answer import failed, settings_of
from workermd.workers.markup import parse
from workermd.workers.page import Page, PageLimits, PageRefused, fetch

DEFAULTS: Document = {
    "allow_private_addresses": False,
    "allowed_hosts": [],
    "max_bytes": 2 << 20,
    "max_tags": 60_000,
    "max_redirects": 5,
    "user_agent": "workermd web-extract",
    "ca_file": "",
}
MAX_TEXT = 10_000
MAX_MATCHES = 1_000
RESERVE = 1.0
"""Seconds kept back for parsing and answering."""


class BadSelector(Exception):
    """A field's selector is not CSS. The message names the field."""


def run(task: Task) -> Document:
    """What the page's address or server rules out is `invalid_request`, with the code that `page.PageRefused`
    gives; a required field that the page lacks is `invalid_output`, code `required_field_missing` (a second
    attempt fetches the page again). 408, 425, 429, every 5xx and broken connections are retryable."""
    settings = settings_of(task, DEFAULTS)
    limits = PageLimits(
        private_allowed=settings["allow_private_addresses"],
        hosts=tuple(host.lower() for host in settings["allowed_hosts"]),
        max_bytes=settings["max_bytes"],
        max_redirects=settings["max_redirects"],
        user_agent=settings["user_agent"],
        ca_file=settings["ca_file"],
        seconds=max(task.seconds_left - RESERVE, 0.1),
    )
    try:
        page = fetch(task.input["url"], limits)
        data, missing, warnings = _extract(page, task.input["fields"], settings["max_tags"])
    except PageRefused as refusal:
        return failed(Status.INVALID_REQUEST, refusal.code, str(refusal))
    except BadSelector as problem:
        return failed(Status.INVALID_REQUEST, "bad_selector", str(problem))
    except ImportError:
        raise Refused("web-extract needs httpx and selectolax; pip install 'workermd[workers]'") from None
    if missing:
        message = f"the page has nothing for the required field(s) {', '.join(missing)}"
        return failed(Status.INVALID_OUTPUT, "required_field_missing", message)
    result = {"data": data, "source": _source(task.input["url"], page), "warnings": [*page.warnings, *warnings]}
    return {"status": Status.OK.value, "result": result}


def _source(url: str, page: Page) -> Document:
    return {
        "url": url,
        "final_url": page.url,
        "status": page.status,
        "content_type": page.content_type,
        "bytes": len(page.content),
        "sha256": hashlib.sha256(page.content).hexdigest(),
    }


def _extract(page: Page, fields: dict[str, Document], max_tags: int) -> tuple[Document, list[str], list[str]]:
    """Data by field, the required fields without a value, and warnings."""
    from selectolax.lexbor import SelectolaxError

    tree = parse(page.text, max_tags)
    data: Document = {}
    missing, warnings = [], []
    for name, field in fields.items():
        try:
            nodes = tree.css(field["selector"])
        except (SelectolaxError, ValueError):
            raise BadSelector(f"fields.{name}: the selector is not valid CSS, or uses what the parser lacks") from None
        values = [value for node in nodes[:MAX_MATCHES] if (value := _value(node, field)) is not None]
        if len(nodes) > MAX_MATCHES:
            warnings.append(f"field {name}: only the first {MAX_MATCHES} of {len(nodes)} matches were taken")
        if any(len(value) > MAX_TEXT for value in values):
            warnings.append(f"field {name}: text was cut to {MAX_TEXT} characters")
        values = [value[:MAX_TEXT] for value in values]
        many = field.get("many", False)
        if not many and len(nodes) > 1:
            warnings.append(f"field {name}: {len(nodes)} elements match; the first with a value was taken")
        data[name] = values if many else next(iter(values), None)
        if not values and field.get("required", False):
            missing.append(name)
    return data, missing, warnings


def _value(node: Any, field: Document) -> str | None:
    """An attribute as it stands, or the element's text with white space folded; None when it is empty."""
    if "attribute" in field:
        found: str | None = node.attributes.get(field["attribute"].lower())
        return found.strip() if found and found.strip() else None
    return " ".join(node.text().split()) or None
