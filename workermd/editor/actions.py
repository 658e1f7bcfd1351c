"""What an editor can do to a contract: the safe fixes of `validate --fix`, one by one or all, and the layout of `fmt`."""

from lsprotocol import types

from workermd.contract import layout
from workermd.contract.model import Span
from workermd.editor.buffer import Buffer
from workermd.editor.diagnostics import SOURCE, at
from workermd.lint import fixes

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.{SOURCE}"
KINDS = (types.CodeActionKind.QuickFix, FIX_ALL)


def of(buffer: Buffer, uri: str, chosen: Span, context: types.CodeActionContext) -> list[types.CodeAction]:
    """The actions for the offsets `chosen` of `reading.text`. An edit that would change a meaning is not offered."""
    if not buffer.encodable:
        return []
    found = []
    if _wanted(types.CodeActionKind.QuickFix.value, context):
        for fix in buffer.linted.fixes:
            if fix.span.start <= chosen.end and chosen.start <= fix.span.end and fixes.is_safe(fix, buffer.reading):
                edits = [types.TextEdit(at(buffer, Span(each.start, each.end)), each.text) for each in fix.edits]
                about = [each for each in context.diagnostics if each.code == fix.code]
                title = f"{fix.code}: {fix.hint.removesuffix('.')}"
                found.append(_action(title, types.CodeActionKind.QuickFix.value, uri, edits, about))
    if _wanted(FIX_ALL, context):
        mended = fixes.fixed(buffer.data, buffer.reading.path, buffer.selection).decode()
        if mended != buffer.text:
            found.append(_action("Make all safe fixes", FIX_ALL, uri, replaced(buffer, mended), []))
    return found


def _wanted(kind: str, context: types.CodeActionContext) -> bool:
    return not context.only or any(kind == each or kind.startswith(f"{each}.") for each in map(_text, context.only))


def _text(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _action(
    title: str, kind: str, uri: str, edits: list[types.TextEdit], about: list[types.Diagnostic]
) -> types.CodeAction:
    return types.CodeAction(title, kind, about or None, edit=types.WorkspaceEdit({uri: edits}))


def laid_out(buffer: Buffer) -> list[types.TextEdit]:
    """The edits of `workermd fmt`; none where the contract has errors."""
    if buffer.reading.contract is None:
        return []
    mark = buffer.text[: len(buffer.text) - len(buffer.reading.text)]
    return replaced(buffer, mark + layout.laid_out(buffer.reading))


def replaced(buffer: Buffer, text: str) -> list[types.TextEdit]:
    """One edit that makes the document into `text` and leaves alone what both begin and end with."""
    before = buffer.text
    if text == before:
        return []
    least = min(len(before), len(text))
    start = next((at for at in range(least) if before[at] != text[at]), least)
    tail = next((at for at in range(least - start) if before[-1 - at] != text[-1 - at]), least - start)
    if before[start - 1 : start] == "\r":  # a position between CR and LF is none
        start -= 1
    if tail and before[-tail] == "\n" and before[-tail - 1 : -tail] == "\r":
        tail -= 1
    return [types.TextEdit(buffer.positions.range(start, len(before) - tail), text[start : len(text) - tail])]
