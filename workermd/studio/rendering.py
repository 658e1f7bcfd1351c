"""Templates become pages: every value is escaped, no script or style stands in a page."""

import os
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from workermd.protocol.envelope import timestamp
from workermd.studio import addresses, wording

FOLDER = os.path.dirname(os.path.abspath(__file__))
STATIC = os.path.join(FOLDER, "static")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of every page. `same-origin` and not `no-referrer`, under which a browser calls the origin of a form `null`."""


def when(microseconds: int | None) -> Markup:
    """A moment, which the page's script shows in the reader's own time."""
    if microseconds is None:
        return escape(wording.NOTHING)
    return Markup('<time datetime="{}">{}</time>').format(timestamp(microseconds), wording.moment(microseconds))


def made() -> Environment:
    """The templates. What a template names and nobody gave is an error of ours, not an empty place."""
    environment = Environment(
        loader=FileSystemLoader(os.path.join(FOLDER, "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    environment.filters |= {"when": when, "span": wording.span, "count": wording.count, "money": wording.money}
    environment.globals |= {"at": addresses.of, "run_at": addresses.run, "contract_at": addresses.contract}
    environment.globals |= {"state_of": wording.state}
    return environment


class PageTemplates:
    """Makes pages. `shared` is what every page knows."""

    def __init__(self) -> None:
        self._templates = made()

    def text(self, name: str, values: dict[str, Any]) -> str:
        return self._templates.get_template(name).render(values)

    def page(self, name: str, values: dict[str, Any], status: int = 200) -> HTMLResponse:
        return HTMLResponse(self.text(name, values), status, HEADERS)


def style() -> str:
    """The style sheet, for a page that is kept as one file."""
    with open(os.path.join(STATIC, "studio.css"), encoding="utf-8") as file:
        return file.read()
