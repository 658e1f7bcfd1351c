"""`workermd derive`: a repository becomes a contract, or a contract is held against its repository.

What reads a repository is imported where it is needed: a derive of what did not change needs none of it.
"""

import sys
from typing import TYPE_CHECKING, NamedTuple

from workermd.derive.cache import Choices, Derivation, result_of
from workermd.derive.folder import InFolder, folder_of, named, within
from workermd.derive.model import Interface, Repository
from workermd.derive.source import open_repository
from workermd.protocol.envelope import EXIT_FINDINGS, Document, encoded
from workermd.protocol.errors import ContractUnusable, UsageError
from workermd.report import say
from workermd.system import files


class DeriveOptions(NamedTuple):
    target: str
    write: str | None
    interface: str | None
    path: str | None
    list_interfaces: bool
    mode: str | None
    id: str | None
    registry_url: str | None
    quotes: str | None
    offline: bool
    check: str | None
    update: bool
    exit_zero: bool
    format: str
    report: list[str]
    quiet: bool


if TYPE_CHECKING:
    from workermd.derive.check import Drift
    from workermd.derive.compose import Derived
    from workermd.derive.interfaces.reading import Skipped

NONE = "none"
"""Of --interface: the starter, whatever is on offer."""

MOST_OFFERS = 5
MOST_REASONS = 8
"""Lines about files that look like an interface and were left out; files with the same reason share one."""


def execute(options: DeriveOptions) -> int:
    """0; with `--check` 1 where something drifted. Raises DeriveError, UsageError, ContractUnusable."""
    _check_call(options)
    contract = _contract_text(options.check) if options.check else None
    quiet = options.quiet
    repository = open_repository(
        options.target, offline=options.offline, progress=lambda line: None if quiet else say.note(line)
    )
    try:
        if contract is not None:
            return _check(options.check or "", contract, repository, options)
        project = within(repository, named(options.path) if options.path else "")
        return _list(project, options) if options.list_interfaces else _derive(project, options)
    finally:
        repository.close()


def _check_call(options: DeriveOptions) -> None:
    if options.update and not options.check:
        raise UsageError("--update rewrites a contract, and none is named", "add --check FILE")
    chosen = ("interface", "path", "list_interfaces", "mode", "quotes", "id", "registry_url")
    given = [name for name in chosen if getattr(options, name)]
    if options.check and given:
        raise UsageError(
            "--check takes id, interface, path, mode, quotes and the registry from the contract",
            f"leave {' and '.join('--' + name.replace('_', '-') for name in given)} out",
        )
    if options.mode:
        from workermd.derive.mode import MODES

        if options.mode not in MODES:
            raise UsageError("--mode: no such mode", f"allowed are {', '.join(MODES)}")
    _check_forms(options)
    if options.interface and options.interface != NONE:
        from workermd.derive.interfaces.kinds import kind_of

        kind_of(options.interface)
    if not options.check:
        _refuse_reports(options)
    if options.write and options.check and not options.update:
        raise UsageError("-o with --check writes what --update makes", "add --update, or leave -o out")


def _check_forms(options: DeriveOptions) -> None:
    """What goes into the front matter as it is given has the form that the key asks for."""
    from workermd.contract.forms import WrongForm, identifier, url

    for option, value, form, example in (
        ("--id", options.id, identifier, "widget-sorting-worker"),
        ("--registry-url", options.registry_url, url, "https://example.org/registry"),
    ):
        try:
            if value is not None:
                form(value, True)
        except WrongForm as wrong:
            raise UsageError(f"{option}: expected {wrong}", f"for example {option} {example}") from None


def _refuse_reports(options: DeriveOptions) -> None:
    """Only what a check finds has reports."""
    if options.report:
        raise UsageError("--report is for --check", "leave it out, or add --check FILE")
    if options.format in ("sarif", "markdown"):
        raise UsageError(f"--format {options.format} is for --check", "leave it out, or add --check FILE")


def _contract_text(path: str) -> str:
    from workermd.registry.contract_files import contract_bytes

    data = contract_bytes(path)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ContractUnusable(f"{path}: not UTF-8", f"see: workermd validate {path}") from None


# --- deriving ---


def _derive(repository: Repository, options: DeriveOptions) -> int:
    choices = Choices(
        options.interface,
        options.mode,
        options.quotes or "full",
        options.id,
        folder_of(repository),
        options.registry_url or "",
    )
    result = result_of(repository, choices, lambda: _made(repository, choices))
    if options.write:
        _write(options.write, result.text)
    if options.format == "json":
        say.document(encoded({"schema_version": 1, "contract": options.write, **result.report}))
    elif not options.write:
        say.text(result.text)
    if not options.quiet:
        for line in result.remarks:
            say.note(line)
    return 0


def _made(repository: Repository, choices: Choices) -> Derivation:
    from workermd.derive.compose import derive

    interface, offers = _chosen(repository, choices.interface)
    derived = derive(
        repository,
        interface,
        mode=choices.mode,
        quotes=choices.quotes,
        worker_id=choices.worker_id,
        registry_url=choices.registry_url,
    )
    return Derivation(derived.text, _report(derived), tuple(_remarks(derived, repository, offers)))


def _chosen(repository: Repository, wanted: str | None) -> tuple[Interface | None, list[str]]:
    """The interface that is named, or the only one on offer; and what to say of the others.

    A host's files cost a request each, so nothing is looked for there that was not asked for.
    """
    if wanted or repository.kept:
        return (None if wanted == NONE else _interface(repository, wanted)), []
    from workermd.derive.interfaces.kinds import find_all, spelled

    found = find_all(repository)
    # Functions are what everything is made of: they are an offer where there is nothing else.
    offered = [one for one in found if one.kind != "function"] or list(found)
    if len(offered) == 1:
        return offered[0], [
            f"the one interface on offer is taken: {spelled(offered[0])}; --interface {NONE} refuses it"
        ]
    listed = [f"--interface '{spelled(one)}'" for one in offered[:MOST_OFFERS]]
    more = f"; {len(offered) - MOST_OFFERS} more by --list-interfaces" if len(offered) > MOST_OFFERS else ""
    return None, [f"{len(offered)} interfaces are on offer; choose one: {', '.join(listed)}{more}"] if listed else []


def _interface(repository: Repository, wanted: str | None) -> Interface | None:
    if not wanted:
        return None
    from workermd.derive.interfaces.kinds import choose, find_all, kind_of

    # Where there is none of the kind, the refusal names the kinds that there are.
    return choose(find_all(repository, [kind_of(wanted)]) or find_all(repository), wanted)


def _remarks(derived: "Derived", repository: Repository, offers: list[str]) -> list[str]:
    """What the person should look at before the contract is used."""
    from workermd.system.text import marked

    status = [marked(claim.text, 100) for claim in derived.record.of("status")]
    remarks = [f"status of {marked(repository.facts.name, 60)}: {', '.join(status)}"] if status else []
    licence = derived.record.first("repository_license")
    remarks += [marked(licence.note, 300)] if licence and licence.note else []
    remarks += [marked(note, 300) for note in derived.notes]
    remarks += [marked(offer, 600) for offer in offers]
    if not derived.record.interface and not offers:
        remarks.append("the schemas are the mode's starter; see: workermd derive TARGET --list-interfaces")
    return remarks


def _report(derived: "Derived") -> Document:
    record = derived.record
    claims = [
        {"field": claim.field, "text": claim.text, "confidence": claim.confidence, "note": claim.note}
        for claim in record.claims
    ]
    head: Document = {"id": record.worker_id, "commit": record.commit}
    return {**head, "mode": record.mode, "interface": record.interface, "claims": claims, "notes": list(derived.notes)}


def _write(path: str, text: str) -> None:
    files.write(path, text.encode(), "name another file with -o")


# --- interfaces ---


def _list(repository: Repository, options: DeriveOptions) -> int:
    from workermd.derive.interfaces.kinds import kind_of, spelled, survey
    from workermd.system.text import marked

    wanted = options.interface if options.interface != NONE else None
    found, skipped = survey(repository, [kind_of(wanted)] if wanted else [])
    if options.format == "json":
        listed = [
            {
                "interface": spelled(each),
                "kind": each.kind,
                "path": each.path,
                "name": each.name,
                "summary": each.summary,
                "evidence": [evidence._asdict() for evidence in each.evidence],
                "notes": list(each.notes),
            }
            for each in found
        ]
        head: Document = {"schema_version": 1, "commit": repository.commit}
        say.document(encoded({**head, "interfaces": listed, "skipped": [each._asdict() for each in skipped]}))
    else:
        say.text("".join(f"{marked(spelled(each), 300)}\t{marked(each.summary, 120)}\n" for each in found))
    if not options.quiet:
        _say_skipped(skipped)
        if not found:
            say.note("no interface was found; a contract derived from this repository has the mode's starter schemas")
    return 0


def _say_skipped(skipped: "tuple[Skipped, ...]") -> None:
    from workermd.system.text import marked

    by_reason: dict[str, list[str]] = {}
    for each in skipped:
        by_reason.setdefault(each.reason, []).append(each.path)
    for reason, paths in list(by_reason.items())[:MOST_REASONS]:
        more = f" and {len(paths) - 1} more (--format json lists them)" if len(paths) > 1 else ""
        say.note(f"left out: {marked(paths[0], 120)}{more}: {marked(reason, 200)}")
    if len(by_reason) > MOST_REASONS:
        say.note(f"left out for {len(by_reason) - MOST_REASONS} other reasons: see --format json")


# --- checking ---


def _check(path: str, contract: str, repository: Repository, options: DeriveOptions) -> int:
    from workermd.derive.check import DRIFTED, examine
    from workermd.derive.record import find

    of = find(contract, path).record.url
    if of and repository.facts.url and of.lower() != repository.facts.url.lower() and not options.quiet:
        say.note(f"{path} was derived from {of}; it is held against {repository.facts.url}")
    examined = examine(contract, repository, path)
    drifts = tuple(drift for drift in examined if drift.state != "true")
    count = sum(drift.state != "new" for drift in examined)
    _print(path, repository.commit, drifts, count, options)
    drifted = any(drift.state in DRIFTED for drift in drifts)
    if options.update and drifted:
        return _update(path, contract, repository, options)
    return EXIT_FINDINGS if drifted and not options.exit_zero else 0


def _print(path: str, commit: str, drifts: "tuple[Drift, ...]", count: int, options: DeriveOptions) -> None:
    from workermd.report import drift as report
    from workermd.report import outputs

    def made(name: str) -> bytes:
        return report.made(name, path, commit, drifts, count)

    def printed(name: str) -> bytes:
        return report.text(path, drifts).encode("utf-8", "replace") if name == "text" else made(name)

    wanted = outputs.outputs(options.format, options.report, report.FORMATS)
    outputs.deliver(wanted, made, printed=printed, read=(path,))
    if options.format == "text" and not options.quiet:
        sys.stderr.write(report.summary(drifts, count))


def _update(path: str, contract: str, repository: Repository, options: DeriveOptions) -> int:
    """0 when everything that drifted was rewritten, 1 when the author's own words stand in the way."""
    from workermd.derive.check import update
    from workermd.derive.compose import derive
    from workermd.derive.record import find

    record = find(contract, path).record
    project = InFolder(repository, record.folder) if record.folder else repository
    interface, lost = None, ""
    if record.interface:
        try:
            interface = _interface(project, record.interface)
        except UsageError as error:
            lost = error.message
    fresh = derive(project, interface, mode=record.mode, quotes=record.quotes, worker_id=record.worker_id)
    updated = update(contract, repository, fresh, path)
    _write(options.write or path, updated.text)
    if lost:
        say.note(f"{lost}; the schemas stay as they are: choose another interface and derive again")
    for part in updated.left:
        say.note(f"{path}: {part} drifted and was edited by hand: left as it is")
    return EXIT_FINDINGS if (updated.left or lost) and not options.exit_zero else 0
