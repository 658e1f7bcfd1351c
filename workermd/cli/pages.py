"""The pages that messages cite: they ship with the package, so that nobody needs the repository to read one."""

import os

from workermd.cli.values import nearest
from workermd.protocol.errors import UsageError

_END = ".md"


def names() -> dict[str, str]:
    """Each page's name, such as `validate` or `how-to/ci`, and its file."""
    root = _folder()
    found = {}
    for place, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.endswith(_END):
                path = os.path.join(place, name)
                found[os.path.relpath(path, root).removesuffix(_END)] = path
    return found


def title(path: str) -> str:
    """The first heading of a page."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("# "):
                return line[2:].strip()
    return ""


def find(wanted: str) -> str:
    """The file of a page, named as `names` has it, by its last word alone, or as `docs/NAME.md`. Raises UsageError."""
    known = names()
    name = wanted.removeprefix("docs/").removesuffix(_END)
    if name in known:
        return known[name]
    same = [each for each in known if each.rpartition("/")[2] == name]
    if len(same) == 1:
        return known[same[0]]
    near = nearest(name, [*known])
    raise UsageError(
        f"there is no page {wanted[:40]!r}",
        f"did you mean {near}? see: workermd docs" if near else "see: workermd docs",
    )


def _folder() -> str:
    """Inside the installed package, or beside it in a checkout. Raises UsageError."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in (os.path.join(package, "docs_data"), os.path.join(os.path.dirname(package), "docs")):
        if os.path.isdir(folder):
            return folder
    raise UsageError(
        "this installation has no pages", "install workermd from its wheel, or read them in its repository"
    )
