"""Operations of OpenAPI 3.0 and 3.1 documents: all that a call takes as one arguments object, the answer as the output."""

import re
from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces import fastapi_routes
from workermd.derive.interfaces.dialect import Dialect, arguments, fitted, pointer_to
from workermd.derive.interfaces.reading import Data, RepositoryReading, reading
from workermd.derive.interfaces.texts import MAX_KEY, Notes, name_of, summary_of, unique
from workermd.derive.model import Evidence, Interface, Repository
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible

MAX_DOCUMENTS = 40
MAX_CITED = 8
"""Shared parts of the document cited beside the operation itself."""

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PLACES = ("path", "query", "header", "cookie")
_LIKELY = re.compile(
    r"(?:^|/)(?:[^/]*(?:openapi|swagger)[^/]*|(?:.*[-_.])?(?:oas3?|api[-_.]?(?:spec|schema|docs?|definition)?)|spec)\.(?:json|ya?ml)$"
    r"|(?:^|/)(?:openapi|swagger|api[-_]?specs?)/[^/]+\.(?:json|ya?ml)$",
    re.IGNORECASE,
).search


def find(repository: Repository) -> Iterator[Interface]:
    """Every operation of every document, in the documents' order; without a document, the routes of FastAPI applications."""
    files = reading(repository)
    found = False
    for interface in _documented(files):
        found = True
        yield interface
    if not found:
        yield from fastapi_routes.find(files)


def _documented(files: RepositoryReading) -> Iterator[Interface]:
    likely = [path for path in files.ending(".json", ".yaml", ".yml") if _LIKELY(path)]
    for path in likely[:MAX_DOCUMENTS]:
        data = files.data(path)
        if data is None or not isinstance(data.value, dict):
            continue
        version = data.value.get("openapi")
        if isinstance(version, str) and re.match(r"3\.[0-9]", version):
            yield from _Api(data, "openapi-3.0" if version.startswith("3.0") else "openapi-3.1").operations()
        elif data.value.get("swagger") == "2.0":
            yield from _Api(data, "openapi-3.0").operations()
        elif isinstance(version, str) or "swagger" in data.value:
            files.skip(path, "is an API document of another version than OpenAPI 3")
    for path in likely[MAX_DOCUMENTS:]:
        files.skip(path, f"was not read: more than {MAX_DOCUMENTS} API documents")


class _Api:
    """One document."""

    def __init__(self, data: Data, word: str) -> None:
        self.data = data
        self.root: dict[str, Any] = data.value
        self.word = word

    def operations(self) -> Iterator[Interface]:
        paths = self.root.get("paths")
        taken: set[str] = set()
        for path, listed in paths.items() if isinstance(paths, dict) else ():
            place = pointer_to("paths", path)
            if not isinstance(listed, dict) or not path.startswith("/"):
                continue
            for method in _METHODS:
                item, operation = listed, listed.get(method)
                if isinstance(operation, dict):
                    if self.root.get("swagger") == "2.0":
                        item, operation = _of_swagger(self.root, item, operation)
                    name = name_of(operation.get("operationId")) or name_of(f"{method.upper()} {path}")
                    yield self._operation(unique(name, taken), f"{place}/{method}", item, operation)

    def _operation(self, name: str, place: str, item: dict[str, Any], operation: dict[str, Any]) -> Interface:
        notes = Notes()
        taking = Dialect(self.root, self.word, "input", notes)
        giving = Dialect(self.root, self.word, "output", notes)
        call = _Call(taking, notes)
        call.parameters(item, operation)
        call.body(operation)
        output = _answer(giving, operation)
        self._remark(operation, notes)
        schema = fitted(arguments(call.properties, call.required), notes)
        said = f"{place.rpartition('/')[2].upper()} {place.split('/')[2].replace('~1', '/').replace('~0', '~')}"
        return Interface(
            kind="openapi",
            path=self.data.path,
            name=name,
            summary=summary_of(operation.get("summary"), operation.get("description"), item.get("summary"), said),
            input_schema=schema,
            output_schema=output,
            evidence=self._evidence(place, [*taking.followed, *giving.followed]),
            notes=notes.all(),
            call={
                "kind": "http",
                "method": place.rpartition("/")[2].upper(),
                "path": self._base() + place.split("/")[2].replace("~1", "/").replace("~0", "~"),
                "line": call.line,
            },
        )

    def _base(self) -> str:
        """The path that Swagger 2 puts before every other; a server's address is the operator's to name."""
        base = self.root.get("basePath") if self.root.get("swagger") == "2.0" else ""
        return base.rstrip("/") if isinstance(base, str) and re.fullmatch(r"/[\w./-]{1,200}", base) else ""

    def _evidence(self, place: str, followed: list[str]) -> tuple[Evidence, ...]:
        shared = list(dict.fromkeys(followed))[:MAX_CITED]
        return tuple(dict.fromkeys(self.data.cite(pointer) for pointer in (place, *shared)))

    def _remark(self, operation: dict[str, Any], notes: Notes) -> None:
        if operation.get("deprecated") is True:
            notes.add("the operation is marked as deprecated")
        security = operation.get("security", self.root.get("security"))
        if isinstance(security, list):
            schemes = sorted({name_of(name) for one in security if isinstance(one, dict) for name in one})
            if schemes:
                notes.add(f"the call needs credentials ({', '.join(schemes[:5])}), which are no argument")


def _of_swagger(
    root: dict[str, Any], item: dict[str, Any], operation: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """An operation of Swagger 2 in the words of OpenAPI 3; references stay as they are, in the same document."""
    shared = root.get("parameters")
    listed: list[dict[str, Any]] = []
    for given in [*_entries(item.get("parameters")), *_entries(operation.get("parameters"))]:
        reference = given.get("$ref")
        is_shared = isinstance(reference, str) and isinstance(shared, dict)
        entry = shared.get(str(reference).rpartition("/")[2]) if is_shared and isinstance(shared, dict) else given
        if isinstance(entry, dict):
            listed.append(entry)
    plain = [_typed(entry) for entry in listed if entry.get("in") in _PLACES]
    body = next((entry for entry in listed if entry.get("in") == "body"), None)
    fields = [entry for entry in listed if entry.get("in") == "formData" and isinstance(entry.get("name"), str)]
    made = {**operation, "parameters": plain}
    if body is not None:
        content = {"application/json": {"schema": body.get("schema", True)}}
        made["requestBody"] = {
            "required": body.get("required") is True,
            "content": content,
            "description": body.get("description"),
        }
    elif fields:
        schema = {
            "type": "object",
            "properties": {entry["name"]: _typed(entry)["schema"] for entry in fields},
            "required": [entry["name"] for entry in fields if entry.get("required") is True],
        }
        kind = (
            "multipart/form-data"
            if any(entry.get("type") == "file" for entry in fields)
            else "application/x-www-form-urlencoded"
        )
        made["requestBody"] = {"required": bool(schema["required"]), "content": {kind: {"schema": schema}}}
    responses = operation.get("responses")
    made["responses"] = (
        {code: _response(answer) for code, answer in responses.items()} if isinstance(responses, dict) else {}
    )
    return {key: value for key, value in item.items() if key != "parameters"}, made


def _entries(listed: Any) -> list[dict[str, Any]]:
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _response(answer: Any) -> Any:
    if isinstance(answer, dict) and "schema" in answer:
        return {**answer, "content": {"application/json": {"schema": answer["schema"]}}}
    return answer


def _typed(entry: dict[str, Any]) -> dict[str, Any]:
    """A parameter whose type stands beside its name, as one with a schema."""
    about = ("name", "in", "required", "description", "deprecated", "collectionFormat", "allowEmptyValue")
    schema = {key: value for key, value in entry.items() if key not in about}
    if schema.get("type") == "file":
        schema = {"type": "string", "format": "binary"}
    return {**{key: entry[key] for key in about if key in entry}, "schema": schema}


class _Call:
    """The arguments of one operation, collected."""

    def __init__(self, dialect: Dialect, notes: Notes) -> None:
        self.dialect = dialect
        self.notes = notes
        self.properties: dict[str, Document] = {}
        self.required: list[str] = []
        self.line: list[Document] = []
        """The way of each argument, by the words of `x-call`."""

    def _deref(self, node: Any) -> dict[str, Any]:
        """A parameter or body, through at most a few references to it."""
        for _ in range(5):
            if not isinstance(node, dict):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            found = self.dialect.resolve(reference)
            node = found[1] if found else None
        return {}

    def parameters(self, item: dict[str, Any], operation: dict[str, Any]) -> None:
        """Those of the operation replace those of its path where place and name are the same."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for listed in (item.get("parameters"), operation.get("parameters")):
            for entry in listed if isinstance(listed, list) else ():
                parameter = self._deref(entry)
                name, where = parameter.get("name"), parameter.get("in")
                if not isinstance(name, str) or where not in _PLACES or not name:
                    self.notes.add("a parameter without a name or a place is left out")
                elif where == "header" and name.lower() in {"accept", "content-type", "authorization"}:
                    continue  # OpenAPI says to ignore these
                elif len(name) > MAX_KEY or not is_visible(name):
                    self.notes.add("a parameter whose name is too long, or cannot be read, is left out")
                else:
                    found[where, name] = parameter
        for (where, name), parameter in sorted(found.items(), key=lambda entry: _PLACES.index(entry[0][0])):
            self._parameter(where, name, parameter)

    def _parameter(self, where: str, name: str, parameter: dict[str, Any]) -> None:
        content = parameter.get("content")
        plain = parameter.get("schema", True)
        if isinstance(content, dict) and content:
            media = next(iter(content.values()))
            plain = media.get("schema", True) if isinstance(media, dict) else True
        schema = self.dialect.schema(plain)
        said = cleaned(parameter.get("description"), 500)
        schema = {**schema, "description": f"{where}: {said or schema.get('description', name)}"}
        if parameter.get("deprecated") is True:
            schema["deprecated"] = True
        self._add(name if name not in self.properties else f"{where}_{name}", schema)
        self.line.append({"in": where, "name": name, "from": next(reversed(self.properties))})
        if where == "path" or parameter.get("required") is True:
            self.required.append(next(reversed(self.properties)))

    def _add(self, name: str, schema: Document) -> None:
        self.properties[unique(name, set(self.properties))] = schema

    def body(self, operation: dict[str, Any]) -> None:
        """The request's body as the argument `body`."""
        if "requestBody" not in operation:
            return
        body = self._deref(operation["requestBody"])
        media, kind = _media(body.get("content"))
        if media is None:
            schema: Document = {"type": "string"}
            self.notes.add("the body is neither JSON nor a form; it is taken as text")
        else:
            schema = self.dialect.schema(media.get("schema", True))
            if not _is_json(kind):
                self.notes.add(f"the body is sent as {kind}")
        said = cleaned(body.get("description"), 500)
        self._add(
            "body" if "body" not in self.properties else "request_body",
            {**schema, "description": said} if said else schema,
        )
        self.line.append({"in": "body", "name": kind or "text/plain", "from": next(reversed(self.properties))})
        if body.get("required") is True:
            self.required.append(next(reversed(self.properties)))


def _is_json(kind: str) -> bool:
    bare = kind.partition(";")[0].strip().lower()
    return bare in {"application/json", "*/*", "application/*"} or bare.endswith("+json")


def _media(content: Any) -> tuple[dict[str, Any] | None, str]:
    """The media type that is described best: JSON first, then forms."""
    if isinstance(content, dict):
        forms = ("multipart/form-data", "application/x-www-form-urlencoded")
        kinds = [kind for kind in content if _is_json(kind)] + [kind for kind in forms if kind in content]
        for kind in kinds:
            if isinstance(content[kind], dict):
                return content[kind], cleaned(kind, 80)
    return None, ""


def _answer(dialect: Dialect, operation: dict[str, Any]) -> Document | None:
    """The schema of the first 2xx answer that is JSON."""
    responses = operation.get("responses")
    if not isinstance(responses, dict):
        return None
    good = sorted(code for code in responses if re.fullmatch("2[0-9]{2}|2XX", code))
    for code in good:
        response = responses[code]
        for _ in range(5):
            reference = response.get("$ref") if isinstance(response, dict) else None
            if not isinstance(reference, str):
                break
            found = dialect.resolve(reference)
            response = found[1] if found else None
        media, kind = _media(response.get("content") if isinstance(response, dict) else None)
        if media is not None and _is_json(kind) and isinstance(media.get("schema"), dict):
            return dialect.schema(media["schema"])
    if not good:
        dialect.notes.add("no successful answer is described")
    return None
