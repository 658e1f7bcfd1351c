"""What the package manifests at the root of a repository state: names, licence, runtimes, dependencies.

They are read as data (TOML, JSON, INI), never run; of `setup.py` what its syntax tree tells.
"""

import configparser
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from workermd.derive.evidence import SourceFile, of_lines, open_source
from workermd.derive.model import Evidence, Repository
from workermd.system import toml
from workermd.system.text import folded

MAX_BYTES = 512 * 1024


class ManifestStatement(NamedTuple):
    """A value of a manifest and the line that states it. `kind` names a runtime, else is empty."""

    kind: str
    text: str
    evidence: Evidence


class Manifest(NamedTuple):
    """`licence` is the SPDX expression as stated; `dependencies` are bare names in lower case."""

    path: str
    names: tuple[str, ...]
    licence: ManifestStatement | None
    runtimes: tuple[ManifestStatement, ...]
    dependencies: tuple[tuple[str, Evidence], ...]
    description: ManifestStatement | None = None
    links: tuple[ManifestStatement, ...] = ()
    """To documentation, homepage and changelog, by kind."""
    keywords: tuple[ManifestStatement, ...] = ()
    state: ManifestStatement | None = None
    """A classifier that says that nobody works on the project any more."""


class _Values(NamedTuple):
    """What a parser found; texts are searched for in the file to find their line."""

    names: list[str]
    licence: str | None = None
    runtimes: tuple[tuple[str, str, str], ...] = ()  # runtime, version, key
    dependencies: tuple[str, ...] = ()
    description: str | None = None
    links: tuple[tuple[str, str], ...] = ()  # as the manifest calls it, address
    keywords: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()


MOST_KEYWORDS = 12
INACTIVE = "Development Status :: 7 - Inactive"
_LINK_WORDS = (
    ("documentation", re.compile(r"(?:the )?(?:docs?|documentation|user guide|manual|api docs)", re.IGNORECASE)),
    ("changelog", re.compile(r"change ?log|release notes|changes|history|what'?s new", re.IGNORECASE)),
    ("homepage", re.compile(r"home ?page|website|home", re.IGNORECASE)),
)


def manifests(repository: Repository) -> tuple[Manifest, ...]:
    """The manifests at the root, in the order of `READERS`."""
    present = {file.path for file in repository.files() if file.path in READERS}
    found = []
    for path, reader in READERS.items():
        source = open_source(repository, path) if path in present else None
        if source is None or len(source.data) > MAX_BYTES:
            continue
        try:
            values = reader(source.text())
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, configparser.Error):
            continue  # not the manifest that its name promises
        found.append(_manifest(repository, source, values))
    setup = open_source(repository, "setup.py") if any(file.path == "setup.py" for file in repository.files()) else None
    if setup is not None and b"setup" in setup.data:
        from workermd.derive.interfaces.packages import setup_arguments

        with suppress(ValueError, TypeError, AttributeError, KeyError):
            found.append(_manifest(repository, setup, _setup_py(setup_arguments(repository, "setup.py"))))
    return tuple(found)


def _manifest(repository: Repository, source: SourceFile, values: _Values) -> Manifest:
    lines = [line.decode("utf-8", "replace") for line in source.lines]

    def at(key: str, text: str) -> Evidence | None:
        for number, line in enumerate(lines, 1):
            if text in line and (not key or re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[:=\s]""", line)):
                return of_lines(repository, source, number, number)
        return at("", text) if key else None

    licence = at("license", values.licence) if values.licence else None
    runtimes = ((kind, version, at(key, version)) for kind, version, key in values.runtimes)
    dependencies = ((name, at("", name)) for name in values.dependencies[:200])
    described = at("description", values.description.split("\n")[0][:60]) if values.description else None
    listed = [(word, at("", word)) for word in values.keywords[:MOST_KEYWORDS]]
    state = at("", INACTIVE) if INACTIVE in values.classifiers else None
    return Manifest(
        source.path,
        tuple(values.names),
        ManifestStatement("", values.licence, licence) if values.licence and licence else None,
        tuple(ManifestStatement(kind, version, place) for kind, version, place in runtimes if place),
        tuple((name.lower(), place) for name, place in dependencies if place),
        ManifestStatement("", folded(values.description), described) if values.description and described else None,
        tuple(_linked(values.links, at)),
        tuple(ManifestStatement("", word, place) for word, place in listed if place),
        ManifestStatement("", "inactive", state) if state else None,
    )


def _linked(
    links: tuple[tuple[str, str], ...], at: Callable[[str, str], Evidence | None]
) -> Iterable[ManifestStatement]:
    """The first link of each kind that is an address."""
    for kind, words in _LINK_WORDS:
        for name, target in links:
            named = words.fullmatch(name.strip()) and re.match("https?://", target)
            place = at(name.strip(), target) if named else None
            if place:
                yield ManifestStatement(kind, target.strip(), place)
                break


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, target) for name, target in _table(value).items() if isinstance(target, str))


def _words(value: object) -> tuple[str, ...]:
    """Keywords: a list of texts, or one text with commas or lines, else with spaces as setuptools has it."""
    if isinstance(value, str) and not re.search(r"[,\n]", value[:4000]):
        value = value[:4000].split()
    listed = (
        re.split(r"[,\n]", value[:4000]) if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    )
    return tuple(word.strip() for word in listed[:100] if isinstance(word, str) and 0 < len(word.strip()) <= 80)


def _text(value: object) -> str | None:
    return str(value) if type(value) is str and 0 < len(value) <= 400 else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(*values: object) -> list[str]:
    return [name for name in map(_text, values) if name]


def _runtimes(*stated: tuple[str, object, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((kind, version, key) for kind, value, key in stated if (version := _text(value)))


def _requirement_names(items: object) -> Iterable[str]:
    for item in items if isinstance(items, list) else ():
        match = re.match(r"[A-Za-z0-9][\w.-]*", item) if isinstance(item, str) else None
        if match:
            yield match[0]


def _pyproject(text: str) -> _Values:
    data = toml.parsed(text)
    project, poetry = _table(data.get("project")), _table(_table(data.get("tool")).get("poetry"))
    stated = project.get("license", poetry.get("license"))
    licence = _text(stated) or _text(_table(stated).get("text"))
    dependencies = [*_requirement_names(project.get("dependencies")), *_table(poetry.get("dependencies"))]
    versions = _runtimes(
        ("Python", project.get("requires-python"), "requires-python"),
        ("Python", _table(poetry.get("dependencies")).get("python"), "python"),
    )
    links = (*_pairs(project.get("urls")), *_pairs(poetry.get("urls")))
    links += tuple((key, poetry[key]) for key in ("documentation", "homepage") if isinstance(poetry.get(key), str))
    return _Values(
        _names(project.get("name"), poetry.get("name")),
        licence,
        versions,
        tuple(dependencies),
        _text(project.get("description", poetry.get("description"))),
        links,
        _words(project.get("keywords", poetry.get("keywords"))),
        _words(project.get("classifiers", poetry.get("classifiers"))),
    )


def _package_json(text: str) -> _Values:
    data = _table(json.loads(text))
    licence = _text(data.get("license")) or _text(_table(data.get("license")).get("type"))
    versions = _runtimes(("Node.js", _table(data.get("engines")).get("node"), "node"))
    homepage = data.get("homepage")
    return _Values(
        _names(data.get("name")),
        licence,
        versions,
        tuple(_table(data.get("dependencies"))),
        _text(data.get("description")),
        (("homepage", homepage),) if isinstance(homepage, str) else (),
        _words(data.get("keywords")),
    )


def _cargo(text: str) -> _Values:
    data = toml.parsed(text)
    package, shared = _table(data.get("package")), _table(_table(data.get("workspace")).get("package"))
    licence = _text(package.get("license")) or _text(shared.get("license"))
    versions = _runtimes(("Rust", package.get("rust-version", shared.get("rust-version")), "rust-version"))
    links = tuple((key, package[key]) for key in ("documentation", "homepage") if isinstance(package.get(key), str))
    return _Values(
        _names(package.get("name")),
        licence,
        versions,
        tuple(_table(data.get("dependencies"))),
        _text(package.get("description")),
        links,
        _words(package.get("keywords")),
    )


def _setup_cfg(text: str) -> _Values:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    metadata = dict(parser["metadata"]) if parser.has_section("metadata") else {}
    options = dict(parser["options"]) if parser.has_section("options") else {}
    required = list(_requirement_names([line.strip() for line in options.get("install_requires", "").splitlines()]))
    versions = _runtimes(("Python", options.get("python_requires"), "python_requires"))
    lines = [line.partition("=") for line in metadata.get("project_urls", "").splitlines()]
    links = tuple((name.strip(), target.strip()) for name, mark, target in lines if mark)
    links += (("homepage", metadata["url"]),) if "url" in metadata else ()
    return _Values(
        _names(metadata.get("name")),
        _text(metadata.get("license")),
        versions,
        tuple(required),
        _text(metadata.get("description")),
        links,
        _words(metadata.get("keywords")),
        _words(metadata.get("classifiers")),
    )


def _setup_py(given: dict[str, Any]) -> _Values:
    """The keywords of `setup(…)`, as far as they are told without running it."""
    url = given.get("url")
    return _Values(
        _names(given.get("name")),
        _text(given.get("license")),
        _runtimes(("Python", given.get("python_requires"), "python_requires")),
        tuple(_requirement_names(given.get("install_requires"))),
        _text(given.get("description")),
        (*_pairs(given.get("project_urls")), *((("homepage", url),) if isinstance(url, str) else ())),
        _words(given.get("keywords")),
        _words(given.get("classifiers")),
    )


def _go_mod(text: str) -> _Values:
    module = re.search(r"^module\s+(\S+)", text, re.MULTILINE)
    version = re.search(r"^go\s+(\d[\w.]*)", text, re.MULTILINE)
    required = re.findall(r"^\s*(?:require\s+)?([\w.-]+\.[\w./-]+)\s+v\d", text, re.MULTILINE)
    return _Values(_names(module and module[1]), None, _runtimes(("Go", version and version[1], "go")), tuple(required))


def _composer(text: str) -> _Values:
    data = _table(json.loads(text))
    required = _table(data.get("require"))
    return _Values(
        _names(data.get("name")),
        _text(data.get("license")),
        _runtimes(("PHP", required.get("php"), "php")),
        tuple(required),
    )


READERS: dict[str, Callable[[str], _Values]] = {
    "pyproject.toml": _pyproject,
    "package.json": _package_json,
    "Cargo.toml": _cargo,
    "setup.cfg": _setup_cfg,
    "go.mod": _go_mod,
    "composer.json": _composer,
}
