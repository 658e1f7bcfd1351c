"""Small repositories for the tests of interfaces: built in a folder from a text, read by the plainest Repository.

`python -m tests.derive.interfaces.interface_cases` writes the expected files anew; read the difference before you keep it.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from workermd.derive.interfaces.kinds import survey
from workermd.derive.model import Facts, File, Interface
from workermd.protocol.errors import DeriveError

CASES = Path(__file__).parent / "cases"
KINDS = ("a2a", "action", "cli", "function", "mcp", "npm-bin", "openapi")


class FolderRepository:
    """A folder as a repository at one commit. `reads` counts how often each file was read."""

    kept = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commit = "c0ffee" + "0" * 34
        self.facts = Facts(
            owner="o", name="n", url="https://example.org/o/n", description=None, default_branch="main", language=None,
            languages={}, licence=None, topics=(), stars=None, archived=False, updated_on="2026-01-01", homepage=None,
            latest_release=None,
        )  # fmt: skip
        self.reads: dict[str, int] = {}

    def files(self) -> tuple[File, ...]:
        found = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        return tuple(sorted(File(path.relative_to(self.root).as_posix(), path.stat().st_size, "") for path in found))

    def read(self, path: str) -> bytes:
        self.reads[path] = self.reads.get(path, 0) + 1
        try:
            return (self.root / path).read_bytes()
        except OSError:
            raise DeriveError(f"{path} cannot be read") from None

    def permalink(self, path: str, first: int, last: int) -> str:
        return f"https://example.org/o/n/blob/{self.commit}/{path}#L{first}-L{last}"


def build(root: Path, text: str) -> FolderRepository:
    """The repository that a text of `=== path` sections describes."""
    for section in text.split("=== ")[1:]:
        path, _, content = section.partition("\n")
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return FolderRepository(root)


def case(root: Path, kind: str) -> FolderRepository:
    return build(root, (CASES / f"{kind}.txt").read_text())


def as_json(interfaces: tuple[Interface, ...]) -> list[dict[str, Any]]:
    """Interfaces as they stand in the expected files; hashes are checked against the files instead."""
    return [
        {
            **{key: value for key, value in interface._asdict().items() if key != "call" or value is not None},
            "notes": list(interface.notes),
            "evidence": [f"{one.path}:{one.first_line}-{one.last_line}" for one in interface.evidence],
        }
        for interface in interfaces
    ]


def main() -> None:
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            found = survey(case(Path(folder), kind), [kind])
        expected = {"interfaces": as_json(found.interfaces), "skipped": [list(one) for one in found.skipped]}
        (CASES / f"{kind}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
        sys.stdout.write(f"{kind}: {len(found.interfaces)}\n")


if __name__ == "__main__":
    main()
