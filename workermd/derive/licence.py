"""The licences of a repository, from its files: which text is which licence, and what it covers.

A host gives one field. Here the code's licence and the documentation's are told apart, manifests are heard too,
and where two sources disagree the claim says so.
"""

import posixpath
import re
from typing import Literal, NamedTuple

from workermd.derive.evidence import SourceFile, of_fact, of_lines, open_source
from workermd.derive.manifest import Manifest, ManifestStatement
from workermd.derive.model import Claim, Evidence, Repository

MAX_BYTES = 256 * 1024
MOST_FILES = 12

Scope = Literal["code", "documentation"]

CONTENT_LICENCES = ("CC-BY-4.0", "CC-BY-SA-4.0")
"""Licences that are made for texts and media. CC0-1.0 is used for code as well."""


class Recognised(NamedTuple):
    """`whole` is False when the file holds much more than the licence, which may change its meaning."""

    spdx: str
    whole: bool


class LicenceFile(NamedTuple):
    path: str
    scope: Scope
    licences: tuple[Recognised, ...]
    evidence: Evidence


class Licences(NamedTuple):
    """`code` and `documentation` are claims; None where no source says anything."""

    code: Claim | None
    documentation: Claim | None
    files: tuple[LicenceFile, ...]


class _Text(NamedTuple):
    """How a licence's text is known: phrases that all stand in it, one of them near its start; words it has at most."""

    spdx: str
    opening: str
    phrases: tuple[str, ...]
    absent: tuple[str, ...]
    words: int


_BSD = "redistribution and use in source and binary forms with or without modification are permitted"
_TEXTS: tuple[_Text, ...] = (
    _Text("Apache-2.0", "apache license version 2 0 january 2004", ("terms and conditions for use reproduction and distribution", "grant of patent license"), (), 1800),
    _Text("AGPL-3.0", "gnu affero general public license version 3", ("remote network interaction",), (), 6200),
    _Text("LGPL-3.0", "gnu lesser general public license version 3", ("combined works",), (), 1700),
    _Text("LGPL-2.1", "gnu lesser general public license version 2 1", ("work that uses the library",), (), 5000),
    _Text("GPL-3.0", "gnu general public license version 3", ("the gnu general public license is a free copyleft license",), (), 6200),
    _Text("GPL-2.0", "gnu general public license version 2", ("freedom to share and change it", "this license applies to any program"), (), 3700),
    _Text("MPL-2.0", "mozilla public license version 2 0", ("covered software",), (), 3000),
    _Text("MPL-2.0", "source code form is subject to the terms of the mozilla public license v 2 0", ("mozilla org mpl 2 0",), ("mozilla public license version 2 0",), 120),
    _Text("EPL-2.0", "eclipse public license v 2 0", ("recipient",), (), 2600),
    _Text("EUPL-1.2", "european union public licence v 1 2", ("licensor",), (), 2600),
    _Text("BUSL-1.1", "business source license 1 1", ("change license", "additional use grant"), (), 900),
    _Text("Elastic-2.0", "elastic license 2 0", ("hosted or managed service",), (), 800),
    _Text("SSPL-1.0", "server side public license", ("offering the program as a service",), (), 6200),
    _Text("BSL-1.0", "boost software license version 1 0", ("permission is hereby granted free of charge",), (), 280),
    _Text("Zlib", "this software is provided as is without any express or implied warranty", ("altered source versions must be plainly marked",), (), 220),
    _Text("Python-2.0", "python software foundation license version 2", ("psf is making python available",), (), 2600),
    _Text("WTFPL", "do what the fuck you want to public license", (), (), 140),
    _Text("CC0-1.0", "cc0 1 0 universal", ("affirmer",), (), 1400),
    _Text("CC-BY-NC-SA-4.0", "attribution noncommercial sharealike 4 0 international", ("licensed material",), (), 4000),
    _Text("CC-BY-NC-ND-4.0", "attribution noncommercial noderivatives 4 0 international", ("licensed material",), (), 4000),
    _Text("CC-BY-NC-4.0", "attribution noncommercial 4 0 international", ("licensed material",), (), 4000),
    _Text("CC-BY-ND-4.0", "attribution noderivatives 4 0 international", ("licensed material",), (), 4000),
    _Text("CC-BY-SA-4.0", "attribution sharealike 4 0 international", ("licensed material",), (), 4000),
    _Text("CC-BY-4.0", "attribution 4 0 international", ("licensed material", "retain the following"), (), 4000),
    _Text("Unlicense", "this is free and unencumbered software released into the public domain", ("anyone is free to copy modify publish",), (), 320),
    _Text("BSD-3-Clause", _BSD, ("neither the name",), ("all advertising materials",), 340),
    _Text("BSD-2-Clause", _BSD, ("redistributions in binary form must reproduce",), ("neither the name", "all advertising materials"), 300),
    _Text("ISC", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that", ("the software is provided as is",), (), 220),
    _Text("ISC", "permission to use copy modify and distribute this software for any purpose with or without fee is hereby granted provided that", ("the software is provided as is",), (), 220),
    _Text("0BSD", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted", ("the software is provided as is",), ("hereby granted provided that",), 220),
    _Text("MIT", "permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files", ("above copyright notice and this permission notice shall be included", "the software is provided as is"), (), 280),
    _Text("MIT-0", "permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files", ("the software is provided as is",), ("this permission notice shall be included",), 240),
)  # fmt: skip

_ADDED: dict[str, dict[str, int]] = {
    "commons clause": {},
    "additional terms": {"Apache-2.0": 1, "GPL-3.0": 5, "AGPL-3.0": 5, "MPL-2.0": 1},
    "additional restrictions": {},
    "non commercial use only": {},
}
"""Words of somebody's additions, and how often they stand in a licence's own text."""
_TAG = re.compile(r"^\W{0,6}SPDX-License-Identifier:[ \t]*([\w.+() -]{2,80})", re.MULTILINE)
_NAME = re.compile(r"(licen[cs]e|copying|unlicense)([-_.].*)?", re.IGNORECASE)
_NOT_OURS = re.compile(
    r"third|3rd|notice|vendor|dependenc|header|template|\.(py|js|ts|go|rs|json|ya?ml|sh)$", re.IGNORECASE
)
_CODE = re.compile(r"[-_.](code|software|src)\b", re.IGNORECASE)
_DOCS = re.compile(r"[-_.](docs?|documentation|content|text|cc|assets|media)\b", re.IGNORECASE)
_PLAIN = re.compile(r"[^a-z0-9]+")
_FIRST_WORDS = 400
_SEVERAL = re.compile(
    r"licens\w+ transition|(?:MIT|Apache|MPL|BSD)\b[^\n]{0,400}\b(?:remain|otherwise|portions|parts|dual)[^\n]{0,200}\b(?:MIT|Apache|MPL|BSD)\b",
    re.IGNORECASE,
)


def recognise(text: str) -> tuple[Recognised, ...]:
    """The licences whose text stands in `text`, the common ones only. Usually one."""
    tag = _TAG.search(text[:4000])
    plain = _PLAIN.sub(" ", text.lower()).strip()
    words = plain.count(" ") + 1
    opening = " ".join(plain.split(" ", _FIRST_WORDS)[:_FIRST_WORDS])
    if _SEVERAL.search(text[:1500]):  # its first words say that more than one licence follows
        opening = plain
    found: list[Recognised] = []
    for each in _TEXTS:
        if each.opening in (opening if words > 600 else plain) and all(phrase in plain for phrase in each.phrases):
            if any(phrase in plain for phrase in each.absent):
                continue
            added = any(plain.count(phrase) > own.get(each.spdx, 0) for phrase, own in _ADDED.items())
            alone = words <= each.words * 1.25 and not added
            found.append(Recognised(each.spdx, alone))
    if not found and tag:
        return (Recognised(tag[1].strip(), True),)
    return tuple(found)


def licence_files(repository: Repository) -> tuple[LicenceFile, ...]:
    """The licence files at the root, in `docs/` and in `LICENSES/`, with what each covers."""
    paths = [file.path for file in repository.files() if _is_licence(file.path)]
    read: list[tuple[str, SourceFile, tuple[Recognised, ...]]] = []
    for path in sorted(paths, key=lambda path: (path.count("/"), path))[:MOST_FILES]:
        source = open_source(repository, path, MAX_BYTES)
        licences = recognise(source.text()) if source else ()
        if source and licences:
            read.append((path, source, licences))
    software = any(_scope(path, ids) == "code" and not _is_content(ids) for path, _, ids in read)
    found = []
    for path, source, ids in read:
        scope = "documentation" if software and _is_content(ids) else _scope(path, ids)
        found.append(LicenceFile(path, scope, ids, of_lines(repository, source, 1, _last_line(source))))
    return tuple(found)


def unrecognised(repository: Repository) -> tuple[str, ...]:
    """Licence files at the root whose text is none that is known here: cut short, changed, or of another kind."""
    known = {file.path for file in licence_files(repository)}
    paths = [file.path for file in repository.files() if "/" not in file.path and _is_licence(file.path)]
    return tuple(path for path in sorted(paths)[:MOST_FILES] if path not in known)


def _last_line(source: SourceFile) -> int:
    return max(1, len(source.lines))


def _is_licence(path: str) -> bool:
    folder, name = posixpath.split(path)
    if folder == "LICENSES":
        return name.endswith((".txt", ".md"))
    return folder in ("", "docs", "doc", "documentation") and bool(_NAME.fullmatch(name)) and not _NOT_OURS.search(name)


def _is_content(licences: tuple[Recognised, ...]) -> bool:
    return all(each.spdx in CONTENT_LICENCES for each in licences)


def _scope(path: str, licences: tuple[Recognised, ...]) -> Scope:
    folder, name = posixpath.split(path)
    if _CODE.search(name):
        return "code"
    if (
        _DOCS.search(name)
        or folder in ("docs", "doc", "documentation")
        or (folder == "LICENSES" and _is_content(licences))
    ):
        return "documentation"
    return "code"


# --- claims ---


def same(first: str, second: str) -> bool:
    """Two names mean one licence: `GPL-3.0` is `GPL-3.0-only` and `GPL-3.0-or-later` to a licence text."""

    def plain(name: str) -> str:
        return re.sub(r"-(only|or-later)$|\+$", "", name.strip().lower())

    return plain(first) == plain(second)


def _ids(expression: str) -> list[str]:
    words = re.split(r"\s+(?:AND|OR)\s+|/", expression.replace("(", "").replace(")", ""), flags=re.IGNORECASE)
    return [re.sub(r"\s+WITH\s.*$", "", word, flags=re.IGNORECASE).strip() for word in words if word.strip()]


def licences(repository: Repository, manifests: tuple[Manifest, ...]) -> Licences:
    """What covers the code and what covers the documentation."""
    files = licence_files(repository)
    documentation = [file for file in files if file.scope == "documentation"]
    return Licences(
        _code_claim(repository, [file for file in files if file.scope == "code"], documentation, manifests),
        _documentation_claim(documentation),
        files,
    )


def _named(files: list[LicenceFile]) -> list[str]:
    return sorted({each.spdx for file in files for each in file.licences})


def _code_claim(
    repository: Repository, files: list[LicenceFile], documentation: list[LicenceFile], manifests: tuple[Manifest, ...]
) -> Claim | None:
    host = repository.facts.licence
    host = None if host in ("NOASSERTION", "Other", "other") else host
    stated = [manifest.licence for manifest in manifests if manifest.licence]
    named = _named(files)
    text, evidence = _chosen(named, files, stated)
    if text is None:
        if host and not any(same(host, name) for name in _named(documentation)):
            return Claim(
                "repository_license", host, (of_fact(repository, host),), 0.6, "Only the host names a licence."
            )
        return None
    doubts = _doubts(files, stated, text)
    if host:
        evidence = (*evidence, of_fact(repository, host))
    if host and not any(same(host, name) for name in _ids(text)):
        doubts.append((_disagreement(host, text, documentation), 0.1 if documentation else 0.3))
    elif not host and not (files and stated):
        doubts.append(("", 0.05))  # one source alone
    confidence = 1.0 - sum(weight for _, weight in doubts)
    note = " ".join(words for words, _ in doubts if words)
    return Claim("repository_license", text, evidence, round(max(confidence, 0.3), 2), note)


def _doubts(files: list[LicenceFile], stated: list[ManifestStatement], text: str) -> list[tuple[str, float]]:
    """What speaks against the files' licence, each with what it takes off the confidence."""
    named = _named(files)
    doubts = []
    if len(named) > 1 and not (stated and text == stated[0].text):
        doubts.append(("The files hold more than one licence and do not say how they combine.", 0.2))
    if any(not each.whole for file in files for each in file.licences):
        doubts.append(("A licence file holds more text than the licence itself.", 0.2))
    if named and all(name in CONTENT_LICENCES for name in named):
        doubts.append(("This licence is made for texts; no licence of the code was found.", 0.4))
    doubts += [
        (f"{statement.evidence.path} states {statement.text}.", 0.2)
        for statement in stated
        if named and not _agrees(statement.text, named) and statement.text != text
    ]
    if any(statement.text == text and named and not _agrees(text, named) for statement in stated):
        doubts.append((f"The files were recognised as {', '.join(named)} alone.", 0.1))
    if "BUSL-1.1" in named:
        doubts.append(("It turns into another licence on the date that the file names.", 0.05))
    return doubts


def _agrees(expression: str, named: list[str]) -> bool:
    stated = _ids(expression)
    return all(any(same(each, name) for name in named) for each in stated) and all(
        any(same(each, name) for each in stated) for name in named
    )


def _covers(expression: str, named: list[str]) -> bool:
    """Whether a manifest's expression says the same as the files, or names a licence more than was recognised in them."""
    if _agrees(expression, named):
        return True
    stated = _ids(expression)
    return " and " in expression.lower() and all(any(same(each, name) for each in stated) for name in named)


def _chosen(
    named: list[str], files: list[LicenceFile], stated: list[ManifestStatement]
) -> tuple[str | None, tuple[Evidence, ...]]:
    """The text of the claim and what supports it: the files, or a manifest's expression that says the same more fully."""
    evidence = tuple(file.evidence for file in files)
    agreeing = [statement for statement in stated if named and _covers(statement.text, named)]
    if agreeing:
        return agreeing[0].text, (*evidence, *(statement.evidence for statement in agreeing))
    if named:
        together = len(files) == 1 and all(len(file.licences) == len(named) for file in files)
        return (" AND " if together else ", ").join(named), (*evidence, *(statement.evidence for statement in stated))
    if stated:
        return stated[0].text, tuple(statement.evidence for statement in stated)
    return None, ()


def _disagreement(host: str, text: str, documentation: list[LicenceFile]) -> str:
    for file in documentation:
        if any(same(host, each.spdx) for each in file.licences):
            return f"The host names {host}, which {file.path} gives to the documentation; the code is under {text}."
    return f"The host names {host}; the files say {text}."


def _documentation_claim(files: list[LicenceFile]) -> Claim | None:
    if not files:
        return None
    confidence = 1.0 if all(each.whole for file in files for each in file.licences) else 0.8
    return Claim("documentation_license", ", ".join(_named(files)), tuple(file.evidence for file in files), confidence)
