"""Install commands in the code fences of a README: what installs the project itself, and what is only for its developers."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from workermd.derive.markdown import Passage
from workermd.derive.model import Evidence
from workermd.derive.readme import Readme
from workermd.system.text import marked

MOST_COMMANDS = 12
MAX_COMMAND = 300

Role = Literal["package", "source", "development", "other"]

SHELLS = {
    "",
    "bash",
    "sh",
    "shell",
    "zsh",
    "fish",
    "console",
    "shell-session",
    "shellsession",
    "terminal",
    "cmd",
    "bat",
}
SHELLS |= {"powershell", "ps1", "pwsh", "text", "sh-session", "bash-session", "command"}
SESSIONS = {"console", "shell-session", "shellsession", "sh-session", "bash-session", "terminal"}

INSTALLERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("pip", "install"), "pip"),
    (("pip3", "install"), "pip"),
    (("python", "-m", "pip", "install"), "pip"),
    (("python3", "-m", "pip", "install"), "pip"),
    (("py", "-m", "pip", "install"), "pip"),
    (("uv", "pip", "install"), "uv"),
    (("uv", "tool", "install"), "uv"),
    (("uv", "add"), "uv"),
    (("uv", "sync"), "uv"),
    (("pipx", "install"), "pipx"),
    (("poetry", "add"), "poetry"),
    (("poetry", "install"), "poetry"),
    (("pdm", "add"), "pdm"),
    (("conda", "install"), "conda"),
    (("mamba", "install"), "conda"),
    (("npm", "install"), "npm"),
    (("npm", "i"), "npm"),
    (("npm", "add"), "npm"),
    (("npm", "ci"), "npm"),
    (("npx",), "npx"),
    (("yarn", "global", "add"), "yarn"),
    (("yarn", "add"), "yarn"),
    (("yarn", "install"), "yarn"),
    (("pnpm", "add"), "pnpm"),
    (("pnpm", "install"), "pnpm"),
    (("pnpm", "i"), "pnpm"),
    (("bun", "add"), "bun"),
    (("bun", "install"), "bun"),
    (("deno", "install"), "deno"),
    (("cargo", "install"), "cargo"),
    (("cargo", "add"), "cargo"),
    (("go", "install"), "go"),
    (("go", "get"), "go"),
    (("gem", "install"), "gem"),
    (("bundle", "add"), "gem"),
    (("brew", "install"), "brew"),
    (("apt", "install"), "apt"),
    (("apt-get", "install"), "apt"),
    (("dnf", "install"), "dnf"),
    (("docker", "pull"), "docker"),
    (("dotnet", "add", "package"), "dotnet"),
    (("dotnet", "tool", "install"), "dotnet"),
    (("composer", "require"), "composer"),
    (("helm", "install"), "helm"),
    (("winget", "install"), "winget"),
    (("choco", "install"), "choco"),
    (("scoop", "install"), "scoop"),
    (("git", "clone"), "git"),
)

DEVELOPMENT = {
    *(
        "playwright",
        "eslint",
        "prettier",
        "jest",
        "vitest",
        "mocha",
        "typescript",
        "ts-node",
        "husky",
        "nodemon",
        "rimraf",
    ),
    *(
        "pytest",
        "ruff",
        "black",
        "mypy",
        "flake8",
        "isort",
        "pylint",
        "tox",
        "nox",
        "pre-commit",
        "coverage",
        "hatch",
        "twine",
    ),
    *(
        "poetry",
        "uv",
        "pip",
        "setuptools",
        "wheel",
        "virtualenv",
        "build",
        "pipx",
        "sphinx",
        "mkdocs",
        "cargo-watch",
        "cargo-nextest",
    ),
    *(
        "astral-sh.uv",
        "node",
        "nodejs",
        "python",
        "python3",
        "python@3.12",
        "git",
        "make",
        "cmake",
        "docker",
        "go",
        "rust",
    ),
    *(
        "cargo-edit",
        "golangci-lint",
        "yarn",
        "pnpm",
        "npm",
        "bundler",
        "rubocop",
        "@playwright/mcp",
        "@playwright/test",
    ),
}
"""Packages that build, test or format a project; a project of that very name is still its own package."""

_DEV_FLAGS = {"-D", "--save-dev", "--dev", "--development"}
_DEV_EXTRA = re.compile(r"\[[^\]]*\b(dev|develop|development|test|tests|testing|lint|docs?)\b[^\]]*\]$", re.IGNORECASE)
_PROMPT = re.compile(
    r"\s*(\([\w.-]{1,40}\)\s*)?(?:[\w.-]{1,40}@[\w.-]{1,60}[^$#%>]{0,60}|PS [A-Z]:[^>]{0,80}|[A-Z]:\\[^>]{0,80}|~)?[$%>\u276f\u279c]\s+|\s*~\s+(?=\w)"
)
_ROOT_PROMPT = re.compile(r"\s*#\s+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")
_PLACEHOLDER = re.compile(
    r"<[^<>\s][^<>]{0,40}>|\$\{?\w+\}?|%\w+%|\{\{?\s*\w+\s*\}?\}|\b(?:your|my)[-_]\w+|\bYOUR_\w+|\b[xX]\.[yY](?:\.[zZ])?\b"
)
_VERSION_TAIL = re.compile(r"(?<=.)(@[\w.^~*-]*|[=<>!~]=?.*|==.*)$")
_VALUE_FLAGS = {
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-t",
}
_VALUE_FLAGS |= {
    "--target",
    "--branch",
    "-b",
    "--depth",
    "--channel",
    "--registry",
    "--tag",
    "--python",
    "-p",
    "--group",
    "-G",
}
_VALUE_FLAGS |= {"--version", "-v", "--features", "-F", "--git", "--path", "--source", "-n", "--name", "--filter", "-C"}


class InstallCommand(NamedTuple):
    """`text` is one command without prompt and comment; `placeholders` must be replaced before it can be used."""

    text: str
    tool: str
    role: Role
    placeholders: tuple[str, ...]
    evidence: Evidence
    inline: bool = False
    """In a sentence, not in a fence."""


class _Line(NamedTuple):
    text: str
    first: int
    last: int
    inline: bool = False


def commands(readme: Readme, own_names: frozenset[str]) -> tuple[InstallCommand, ...]:
    """The install commands, each once, in the README's order. `own_names` are the packages of the repository."""
    found: dict[str, InstallCommand] = {}
    for read in readme.reads:
        passage = read.passage
        if len(found) == MOST_COMMANDS:
            break
        for line in _lines_of(passage):
            for words in [*_commands_of(line.text), *_piped(line.text)]:
                command = _command(words, line, readme, own_names)
                if command and command.text not in found and len(found) < MOST_COMMANDS:
                    found[command.text] = command
    # A sentence names commands of others and ways of use too: only what installs the project counts there.
    return tuple(command for command in found.values() if not command.inline or command.role == "package")


def _lines_of(passage: Passage) -> Iterator[_Line]:
    """The command lines of a passage: of a fence of a shell, of code, and of the code in a sentence."""
    shell = passage.kind == "fence" and passage.info.strip("{}.") in SHELLS
    plain = passage.kind == "code" and passage.info in SHELLS
    if shell or plain:
        first = passage.first_line + (passage.kind == "fence")
        yield from _logical_lines(passage.text, first, session=passage.info in SESSIONS)
    elif passage.kind in ("paragraph", "cell", "html"):
        for code in passage.codes:
            if len(code) <= MAX_COMMAND and not re.search(r"[.…]{3}|\.\.$", code):
                text = _PROMPT.sub("", code, count=1) if _PROMPT.match(code) else code
                yield _Line(text.strip(), passage.first_line, passage.last_line, inline=True)


_SCRIPT = re.compile(
    r"(?:curl|wget)\b[^|;&]{0,200}?(?P<url>https?://[^\s|;&'\"]+)[^|;&]{0,100}\|\s*(?:sudo\s+)?(?:-E\s+)?(?:ba|z|da)?sh\b[^|;&]{0,60}"
    r"|(?:irm|iwr|Invoke-RestMethod|Invoke-WebRequest)\s+[^|;&]{0,60}?(?P<ps>https?://[^\s|;&'\"]+)[^|;&]{0,60}\|\s*(?:iex|Invoke-Expression)",
    re.IGNORECASE,
)


def _piped(line: str) -> Iterator[list[str]]:
    """A script that is fetched and run: one command, pipe and all."""
    match = _SCRIPT.search(line[: MAX_COMMAND * 2])
    if match:
        yield ["|", match["url"] or match["ps"], match[0].strip()]


def _logical_lines(text: str, first: int, *, session: bool) -> Iterator[_Line]:
    """Lines without prompts, continued ones joined. Where any line has a prompt, the others are output."""
    raw = text.split("\n")[:400]
    prompted = any(_PROMPT.match(line[:200]) for line in raw) or (
        session and any(_ROOT_PROMPT.match(line) for line in raw)
    )
    at = 0
    while at < len(raw):
        start, line = at, raw[at][: MAX_COMMAND * 4]
        prompt = _PROMPT.match(line[:200]) or (_ROOT_PROMPT.match(line) if session else None)
        at += 1
        if prompted and not prompt:
            continue
        line = line[prompt.end() :] if prompt else line
        while (
            line.rstrip()[-1:] in ("\\", "`")
            and len(line) < MAX_COMMAND * 4
            and at < len(raw)
            and not line.rstrip().endswith("\\\\")
        ):
            if line.rstrip()[-1] == "`" and line.count("`") > 1:
                break
            line = f"{line.rstrip()[:-1].rstrip()} {re.sub(r'^[>.]{1,3} ', '', raw[at].strip())[: MAX_COMMAND * 4]}"
            at += 1
        if line.strip():
            yield _Line(line.strip(), first + start, first + at - 1)


_TOKEN = re.compile(r"""\s*(?:(?P<comment>#.*)|(?P<join>&&|\|\||[;|&])|(?P<word>(?:[^\s'";|&]|'[^']*'|"[^"]*")+))""")


def _commands_of(line: str) -> Iterator[list[str]]:
    """The words of each command, quotes kept; a comment is dropped, `&&`, `;` and `|` separate. None for open quotes."""
    line = line.removeprefix("!").removeprefix("%").rstrip()
    commands: list[list[str]] = [[]]
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            return
        if match["comment"]:
            break
        if match["join"]:
            commands.append([])
        else:
            commands[-1].append(match["word"])
        at = match.end()
    yield from commands


def _command(words: list[str], line: _Line, readme: Readme, own_names: frozenset[str]) -> InstallCommand | None:
    if words[:1] == ["|"]:
        return _script(words[1], words[2], line, readme)
    while words and (words[0] in ("sudo", "env", "time", "command") or _ASSIGNMENT.fullmatch(words[0])):
        words = words[1:]
    found = next(((start, tool) for start, tool in INSTALLERS if tuple(words[: len(start)]) == start), None)
    if found is None:
        return None
    start, tool = found
    text = " ".join(words)
    if len(text) > MAX_COMMAND or marked(text, MAX_COMMAND) != text:
        return None
    role = _role(words[len(start) :], tool, readme, own_names)
    if _is_use(words, tool, role, readme.repository.facts.name):
        return None
    placeholders = tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))
    return InstallCommand(text, tool, role, placeholders, readme.evidence(line.first, line.last), line.inline)


def _is_use(words: list[str], tool: str, role: Role, project: str) -> bool:
    """A command that shows how something is used: the project's own, npx with options or of others, a clone of others."""
    if tool == "npx":
        consent = {"-y", "--yes"} & set(words)
        further = any(word.startswith("-") and word not in consent for word in words)
        return (role != "package" and not consent) or further
    return normal(words[0]) == normal(project) or (tool == "git" and role == "other")


def _script(url: str, text: str, line: _Line, readme: Readme) -> InstallCommand | None:
    """A script of the project's own site installs the project; scripts of others are for what it needs."""
    facts = readme.repository.facts
    plain = re.sub(r"[^a-z0-9]", "", url.lower())
    own = any(len(name) > 2 and re.sub(r"[^a-z0-9]", "", name.lower()) in plain for name in (facts.name, facts.owner))
    if not own or len(text) > MAX_COMMAND or marked(text, MAX_COMMAND) != text:
        return None
    return InstallCommand(text, "script", "package", (), readme.evidence(line.first, line.last), line.inline)


_MANIFESTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("pip", "uv", "pipx", "poetry", "pdm"), ("pyproject.toml", "setup.py", "setup.cfg")),
    (("npm", "npx", "yarn", "pnpm", "bun"), ("package.json",)),
    (("cargo",), ("Cargo.toml",)),
    (("go",), ("go.mod",)),
    (("gem",), (".gemspec", "Gemfile")),
    (("composer",), ("composer.json",)),
    (("dotnet",), (".csproj", ".fsproj", ".vbproj")),
)


_ASIDE = re.compile(r"(?:^|/)(?:ui|web|webui|website|frontend|site|docs?|examples?|tests?|samples?)/").search
"""Folders whose manifests are not those of what is installed."""


def _is_made_for(tool: str, readme: Readme) -> bool:
    """False for the client of another language: the repository has manifests, and none of the tool's sort."""
    wanted = next((names for tools, names in _MANIFESTS if tool in tools), None)
    if wanted is None:
        return True
    every = tuple(name for _, names in _MANIFESTS for name in names)
    paths = [file.path for file in readme.repository.files() if file.path.endswith(every) and not _ASIDE(file.path)]
    return not paths or any(path.endswith(wanted) for path in paths)


def _is_assembly(names: list[str], tool: str, readme: Readme) -> bool:
    """A package of .NET is named as its project file is."""
    files = {f"{_bare(name)}.csproj".lower() for name in names} if tool == "dotnet" else set()
    return bool(files) and any(file.path.rpartition("/")[2].lower() in files for file in readme.repository.files())


def _role(rest: list[str], tool: str, readme: Readme, own_names: frozenset[str]) -> Role:
    names = _names(rest)
    if tool == "npx":
        names = names[:1]  # what follows the package are its arguments
    facts = readme.repository.facts
    if tool == "git":
        here = any(f"/{facts.name.lower()}" in name.lower() for name in names)
        return "source" if here else "other"
    own = {normal(name) for name in own_names} | {normal(facts.name)}
    plain = [normal(_bare(name)) for name in names]
    if any(_DEV_EXTRA.search(name) for name in names) or _DEV_FLAGS & set(rest) or _dev_group(rest):
        return "development"
    from_here = re.compile(rf"git\+\w+://\S*/{re.escape(facts.name)}(\.git)?([@#]|$)|[./]", re.IGNORECASE)
    if all(from_here.match(name) for name in names):
        return "source" if names or tool not in _SYSTEM else "other"
    dotted = tool in ("dotnet", "winget") and any(_is_dotted(name, facts.name) for name in names)
    if dotted or any(_is_own(name, own, normal(facts.name)) for name in plain) or _is_assembly(names, tool, readme):
        return "package" if _is_made_for(tool, readme) else "other"
    return "development" if all(_bare(name) in DEVELOPMENT for name in names) else "other"


_SYSTEM = {"brew", "apt", "dnf", "docker", "helm", "winget", "choco", "scoop"}


def _is_dotted(name: str, project: str) -> bool:
    """`Owner.Project` and what stands below it, as NuGet and winget name packages."""
    wanted = re.sub(r"[^a-z0-9]", "", project.lower())
    return any(re.sub(r"[^a-z0-9]", "", part.lower()) == wanted for part in name.split("."))


def _dev_group(rest: list[str]) -> bool:
    return any(
        flag in ("--group", "-G", "--extra") and value in ("dev", "test", "lint", "docs")
        for flag, value in pairwise(rest)
    )


def _names(rest: list[str]) -> list[str]:
    """The words that name packages: no flags, no values of flags, no quotes."""
    names, skip = [], False
    for word in rest:
        if skip:
            skip = False
        elif word.startswith("--id="):
            names.append(word.removeprefix("--id="))
        elif word.startswith("-"):
            skip = word in _VALUE_FLAGS
        else:
            names.append(word.strip("'\""))
    return names


def _bare(name: str) -> str:
    """A package without extras and version."""
    return _VERSION_TAIL.sub("", name.partition("[")[0] if not name.startswith("[") else name)


def normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _is_own(name: str, own: set[str], project: str) -> bool:
    """The package is of the repository: named in a manifest, or its name is the project's with a part more."""
    if name in own or any(name.endswith(f"-{each}") for each in own if len(each) > 3):
        return True
    return len(project) > 3 and name.startswith(project)
