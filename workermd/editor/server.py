"""The language server: takes what the editor says of its documents, and answers from what they hold now.

A document is read and linted in one thread beside the one that speaks with the editor. A text that is out of date
by then is not answered for.
"""

import asyncio
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from lsprotocol import types
from pygls.exceptions import FeatureRequestError
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from workermd import __version__
from workermd.config import configuration
from workermd.contract.model import Span
from workermd.contract.problems import SUFFIX
from workermd.editor import actions, completion, diagnostics, hover, symbols
from workermd.editor.buffer import Buffer

UNSAVED = "untitled:"
SHORT = 0.03
SHORT_PAUSE = 0.005
MOST_PAUSE = 0.5
"""Seconds. A text has to rest before it is checked: next to nothing after a short check, as long as the last check
took after any other. So a contract of the usual size is checked at each key, a huge one when its author stops."""


class EditorServer(LanguageServer):
    """The whole text comes with each change: pygls splits lines at more characters than the protocol does, so that
    parts of a text would be put in wrong places; and a contract is small."""

    def __init__(self, flags: configuration.Flags) -> None:
        super().__init__(
            "workermd", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full, max_workers=1
        )
        self.ended = False
        self._flags = flags
        self._thread = ThreadPoolExecutor(1, "workermd-read")
        self._buffers: dict[str, tuple[str, asyncio.Future[Buffer]]] = {}
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._took: dict[str, float] = {}

    async def buffer(self, uri: str) -> Buffer | None:
        """What the document holds now; None for one that is not open, or is no contract by its name."""
        document = self.workspace.text_documents.get(uri)
        if document is None or not is_ours(uri):
            return None
        text = document.source
        held = self._buffers.get(uri)
        if held is None or held[0] != text or held[1].cancelled():
            if held is not None:
                held[1].cancel()  # of use only while it waits for the thread
            loop = asyncio.get_running_loop()
            held = (text, loop.run_in_executor(self._thread, self._look, uri, text))
            self._buffers[uri] = held
        return await asyncio.shield(held[1])

    def _look(self, uri: str, text: str) -> Buffer:
        began = time.perf_counter()
        path = "" if uri.startswith(UNSAVED) else to_fs_path(uri) or uri
        buffer = Buffer(text, path, self._flags, str(self.workspace.position_encoding))
        self._took[uri] = time.perf_counter() - began
        return buffer

    def check(self, uri: str, *, at_once: bool = False) -> None:
        """Publish what is wrong with a document, unless another text of it comes before that."""
        self._drop(uri)
        took = self._took.get(uri, 0.0)
        pause = 0.0 if at_once else SHORT_PAUSE if took <= SHORT else min(took, MOST_PAUSE)
        self._checks[uri] = asyncio.get_running_loop().create_task(self._publish(uri, pause))

    def forget(self, uri: str) -> None:
        self._drop(uri)
        self._buffers.pop(uri, None)
        self._took.pop(uri, None)
        if is_ours(uri):
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def look_again(self, uri: str) -> None:
        """The configuration may have changed."""
        self._buffers.pop(uri, None)
        self.check(uri, at_once=True)

    def _drop(self, uri: str) -> None:
        check = self._checks.pop(uri, None)
        if check is not None:
            check.cancel()

    async def _publish(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        document = self.workspace.text_documents.get(uri)
        version = document.version if document is not None else None
        buffer = await self.buffer(uri)
        if buffer is not None:
            found = diagnostics.of(buffer)
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def report_server_error(self, error: Exception, source: type[Exception]) -> None:
        """A fault in an answer goes to whoever asked; any other is told in a line, never with a traceback."""
        if source is not FeatureRequestError:
            message = f"workermd: a message could not be used ({type(error).__name__})"
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))


def is_ours(uri: str) -> bool:
    return uri.startswith(UNSAVED) or uri.partition("?")[0].endswith(SUFFIX)


async def opened(ls: EditorServer, given: types.DidOpenTextDocumentParams) -> None:
    ls.check(given.text_document.uri, at_once=True)


async def changed(ls: EditorServer, given: types.DidChangeTextDocumentParams) -> None:
    ls.check(given.text_document.uri)


async def saved(ls: EditorServer, given: types.DidSaveTextDocumentParams) -> None:
    ls.look_again(given.text_document.uri)


async def closed(ls: EditorServer, given: types.DidCloseTextDocumentParams) -> None:
    ls.forget(given.text_document.uri)


async def configured(ls: EditorServer, _given: types.DidChangeConfigurationParams) -> None:
    for uri in list(ls.workspace.text_documents):
        ls.look_again(uri)


async def hovered(ls: EditorServer, given: types.HoverParams) -> types.Hover | None:
    buffer = await ls.buffer(given.text_document.uri)
    return None if buffer is None else hover.at_offset(buffer, _offset(buffer, given.position))


async def completed(ls: EditorServer, given: types.CompletionParams) -> list[types.CompletionItem]:
    buffer = await ls.buffer(given.text_document.uri)
    return [] if buffer is None else completion.at_offset(buffer, _offset(buffer, given.position))


async def acted(ls: EditorServer, given: types.CodeActionParams) -> list[types.CodeAction]:
    uri = given.text_document.uri
    buffer = await ls.buffer(uri)
    if buffer is None:
        return []
    chosen = Span(_offset(buffer, given.range.start), _offset(buffer, given.range.end))
    return actions.of(buffer, uri, chosen, given.context)


async def outlined(ls: EditorServer, given: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    buffer = await ls.buffer(given.text_document.uri)
    return [] if buffer is None else symbols.of(buffer)


async def formatted(ls: EditorServer, given: types.DocumentFormattingParams) -> list[types.TextEdit]:
    buffer = await ls.buffer(given.text_document.uri)
    return [] if buffer is None else actions.laid_out(buffer)


async def ended(ls: EditorServer, _given: None) -> None:
    ls.ended = True


def _offset(buffer: Buffer, position: types.Position) -> int:
    return buffer.offset(buffer.positions.offset(position))


def server(flags: configuration.Flags) -> EditorServer:
    made = EditorServer(flags)
    made.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    made.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    made.feature(types.TEXT_DOCUMENT_DID_SAVE)(saved)
    made.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    made.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(configured)
    made.feature(types.TEXT_DOCUMENT_HOVER)(hovered)
    triggers = types.CompletionOptions(trigger_characters=list(completion.TRIGGERS))
    made.feature(types.TEXT_DOCUMENT_COMPLETION, triggers)(completed)
    kinds = types.CodeActionOptions(code_action_kinds=list(actions.KINDS))
    made.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)(acted)
    made.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)(outlined)
    made.feature(types.TEXT_DOCUMENT_FORMATTING)(formatted)
    made.feature(types.SHUTDOWN)(ended)
    return made


def serve(flags: configuration.Flags, stdin: BinaryIO) -> bool:
    """Speak with an editor over standard streams until it ends the session. True when it said goodbye first.

    Whatever else is printed goes to standard error: one stray word would end the session.
    """
    _one_line_a_message()
    made = server(flags)
    with os.fdopen(os.dup(1), "wb") as stdout:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        made.start_io(stdin, stdout)
    return made.ended


def _one_line_a_message() -> None:
    """Libraries log faults with tracebacks; a user gets a line, as everywhere."""
    log = logging.getLogger("pygls")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line("workermd: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.ERROR)
    log.propagate = False


class _Line(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: ARG002, N802 - the name is logging's
        return ""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).splitlines()[0]
