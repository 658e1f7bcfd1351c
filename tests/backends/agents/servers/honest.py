"""A server of the official SDK: `honest.py` on stdio, `honest.py PORT` over streamable HTTP, `honest.py PORT sse` over
the transport that was before it."""

import os
import sys
import time
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.utilities.types import Image
from pydantic import BaseModel

server = MCPServer("honest", log_level="CRITICAL")


class Page(BaseModel):
    title: str
    words: int


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Adds two numbers."""
    with open("called.txt", "a", encoding="utf-8") as file:
        file.write(f"{a}+{b}\n")
    print("add was called", file=sys.stderr, flush=True)
    return a + b


@server.tool()
def page(title: str) -> Page:
    """A page with its words counted."""
    return Page(title=title, words=len(title.split()))


@server.tool()
def variables() -> dict[str, str]:
    """The variables of the server."""
    return dict(os.environ)


@server.tool(structured_output=False)
def say(text: str) -> str:
    """Says it again."""
    return text


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("no luck")


@server.tool(structured_output=False)
def picture() -> Any:
    """A picture of one pixel."""
    return Image(data=b"\x89PNG\r\n", format="png")


@server.tool(structured_output=False)
def large(characters: int) -> str:
    """A long text."""
    return "x" * characters


@server.tool()
def sleep(seconds: float) -> str:
    """Sleeps."""
    time.sleep(seconds)
    return "awake"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    if sys.argv[2:] == ["sse"]:
        server.run("sse", host="127.0.0.1", port=int(sys.argv[1]))
    elif len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
