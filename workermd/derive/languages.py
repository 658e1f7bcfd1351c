"""The main language of a repository by its tree: extensions and sizes, as a host would count them."""

from typing import NamedTuple

from workermd.derive.model import Repository

_EXTENSIONS: dict[str, str] = {
    **dict.fromkeys(("py", "pyi", "pyx"), "Python"),
    **dict.fromkeys(("ts", "tsx", "mts", "cts"), "TypeScript"),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), "JavaScript"),
    **dict.fromkeys(("cpp", "cc", "cxx", "hpp", "hh", "hxx"), "C++"),
    **dict.fromkeys(("c", "h"), "C"),
    **dict.fromkeys(("kt", "kts"), "Kotlin"),
    **dict.fromkeys(("ex", "exs"), "Elixir"),
    **dict.fromkeys(("sh", "bash", "zsh"), "Shell"),
    "rs": "Rust",
    "go": "Go",
    "java": "Java",
    "cs": "C#",
    "rb": "Ruby",
    "php": "PHP",
    "swift": "Swift",
    "scala": "Scala",
    "clj": "Clojure",
    "hs": "Haskell",
    "lua": "Lua",
    "dart": "Dart",
    "jl": "Julia",
    "r": "R",
    "ml": "OCaml",
    "erl": "Erlang",
    "zig": "Zig",
    "nim": "Nim",
    "pl": "Perl",
    "vue": "Vue",
    "svelte": "Svelte",
    "ps1": "PowerShell",
    "fs": "F#",
    "m": "Objective-C",
    "cu": "Cuda",
    "sol": "Solidity",
    "ipynb": "Jupyter Notebook",
}
_ASIDE = {
    "node_modules",
    "vendor",
    "vendored",
    "third_party",
    "third-party",
    "dist",
    "build",
    "site-packages",
    ".venv",
    ".yarn",
    "docs",
    "doc",
}
_GENERATED = (".min.js", "_pb2.py", "_pb2.pyi", ".pb.go", ".bundle.js", ".d.ts")


class Counted(NamedTuple):
    """The largest language and its share of the bytes that are code."""

    name: str
    share: float


def of_tree(repository: Repository) -> Counted | None:
    """None where nothing in the tree is code. Notebooks count only where nothing else does."""
    sizes: dict[str, int] = {}
    for file in repository.files():
        name = _EXTENSIONS.get(file.path.rpartition(".")[2].lower()) if "." in file.path else None
        if name is None or file.path.endswith(_GENERATED) or _ASIDE & set(file.path.lower().split("/")[:-1]):
            continue
        sizes[name] = sizes.get(name, 0) + file.size
    code = {name: size for name, size in sizes.items() if name != "Jupyter Notebook"} or sizes
    if not sum(code.values()):
        return None
    best = max(sorted(code), key=lambda name: code[name])
    return Counted(best, code[best] / sum(code.values()))
