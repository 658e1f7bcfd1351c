"""The parts of a contract, put together from its front matter and its sections."""

from workermd.contract import document, purpose, sections
from workermd.contract.constraints import Merged, bullets, check_loose, flattened, merge
from workermd.contract.document import Body, Section, line_span
from workermd.contract.fields import FrontMatterFields, read_fields
from workermd.contract.json.located import JsonDocument, JsonPlace
from workermd.contract.json.located import read as read_json
from workermd.contract.json.strict import JsonError
from workermd.contract.meaning import Parts
from workermd.contract.model import Places, Shape, Span
from workermd.contract.problems import Problems
from workermd.contract.sections import PlacedText
from workermd.contract.yamltext import YamlMapping
from workermd.protocol.envelope import Document
from workermd.system.text import quoted


class Assembly:
    """Gathers parts and places; what is missing or wrong goes to `problems`."""

    def __init__(self, body: Body, problems: Problems) -> None:
        self.body = body
        self.problems = problems
        self.lines = problems.lines
        self.places: Places = {}
        self.keys: Places = {}
        self.constraints_read = False
        self.complete = False

    def parts(self, front: YamlMapping | None, root: Span) -> Parts:
        """`root` is the place for keys that the front matter lacks. None: there is none to read."""
        fields = FrontMatterFields({}, [])
        if front is not None:
            fields = read_fields(front, root, self.problems)
            self._place(front.places, "/front_matter")
        self.places["/front_matter"] = root
        self.complete = self._check_missing()
        input_schema = self._schema(document.INPUT_SCHEMA, "/input_schema")
        output_schema = self._schema(document.OUTPUT_SCHEMA, "/output_schema")
        merged = self._constraints(fields)
        values = {**fields.values, **merged.observability}
        shape: Shape = "registry" if self.body.section(document.WORKER_SPEC) is None else "site"
        return Parts(
            shape=shape,
            values=values,
            purpose=self._purpose(fields),
            input_schema=input_schema,
            output_schema=output_schema,
            constraints=merged.constraints,
            constraints_read=self.constraints_read,
            places=self.places,
            keys=self.keys,
        )

    def _check_missing(self) -> bool:
        """True when no section is missing."""
        required = (document.INPUT_SCHEMA, document.OUTPUT_SCHEMA, document.CONSTRAINTS)
        missing = [name for name in required if self.body.section(name) is None]
        if missing:
            body = self.body
            whole = body if body.whole else document.read_body(self.lines, body.line, whole=True)
            swallowed = {
                found[1]
                for block in whole.blocks
                if block.kind == "fence" and block.level == 0
                if (found := document.swallowed_heading(block, self.lines)) is not None
            }
            for name in missing if not swallowed else ():
                sections.add_missing(name, whole, self.lines, self.problems)
        return not missing

    def _place(self, entries: dict[str, JsonPlace], prefix: str) -> None:
        for pointer, entry in entries.items():
            self.places[prefix + pointer] = entry.value
            if entry.key is not None:
                self.keys[prefix + pointer] = entry.key

    def _schema(self, name: str, prefix: str) -> Document | None:
        section = self.body.section(name)
        if section is None:
            return None
        self.places[prefix] = line_span(self.lines, section.heading.line)
        found = self._object(section, required=True)
        if found is None:
            return None
        self._place(found.places, prefix)
        value: Document = found.value
        return value

    def _object(self, section: Section, *, required: bool) -> JsonDocument | None:
        """The JSON object in the section's code fence."""
        fence = sections.only_fence(section, "json", self.lines, self.problems, required=required)
        if fence is None or not document.fence_is_closed(fence, self.lines):
            return None
        if document.swallowed_heading(fence, self.lines) is not None:
            return None  # an open fence, which has been reported
        try:
            found = read_json(self.lines.text, *document.fence_content(fence, self.lines))
        except JsonError as error:
            first = "" if error.first is None else f"; the first is on line {self.problems.line(error.first)}"
            self.problems.add("WM401", Span(error.offset, error.end), f"found {error.message}{first}", error.hint)
            return None
        if not isinstance(found.value, dict):
            message = f"found {quoted(found.value)}; the section {section.name} holds an object"
            self.problems.add("WM402", found.places[""].value, message, "Write one object: { ... }.")
            return None
        return found

    def _constraints(self, fields: FrontMatterFields) -> Merged:
        """What the front matter and the section state together."""
        given = list(fields.given)
        section = self.body.section(document.CONSTRAINTS)
        if section is not None:
            self.places["/constraints"] = line_span(self.lines, section.heading.line)
            loose = check_loose(section, self.lines, self.problems)
            texts = sections.items(section, self.lines, self.problems)
            found = self._object(section, required=False)
            if found is not None and texts:
                message = "the section Constraints has bullets and a JSON object"
                start = found.places[""].value.start
                self.problems.add("WM608", Span(start, start + 1), message, "Keep one of the two.")
            elif found is not None:
                given.extend(flattened(found.value, found.places, "", "", textual=False))
            given.extend(bullets(texts, self.problems))
            fenced = any(block.kind in ("fence", "code") for block in section.blocks)
            self.constraints_read = not loose and (found is not None or bool(texts) or not fenced)
        merged = merge(given, self.problems)
        self.places.update({f"/constraints/{name}": span for name, span in merged.places.items()})
        self.keys.update({f"/constraints/{name}": span for name, span in merged.keys.items()})
        return merged

    def _purpose(self, fields: FrontMatterFields) -> str:
        """The purpose of all forms in which it is given; two of them must have the same words."""
        found = [PlacedText(each.text, each.span) for each in self._stated()]
        listed, place = fields.values.get("purpose"), self.places.get("/front_matter/purpose")
        if listed is not None and place is not None:
            found.append(PlacedText(str(listed), place))
        if not found:
            return ""
        first, *others = found
        self.places["/purpose"] = first.span
        for other in others:
            if other.text.split() != first.text.split():
                message = f"the purpose differs from the one on line {self.problems.line(other.span.start)}"
                self.problems.add("WM703", first.span, message, "Make both the same, or remove one.")
        return first.text

    def _stated(self) -> list[purpose.Stated]:
        """The purposes of the body. What is lost beside one is reported, unless it is a heading gone wrong."""
        stated = purpose.stated(self.body, self.lines)
        for each in stated if self.complete else ():
            span = purpose.beside(each, self.body, self.lines)
            if span is not None:
                message = "this stands below the line `Purpose:` and is no part of the purpose"
                hint = (
                    f"Make the purpose {purpose.SECTION_FORM}, which is read to its end, or put a heading above this."
                )
                self.problems.add("WM714", span, message, hint)
        return stated
