"""What the user named, the API that answers for it, and the token that belongs to that API.

    named text → Place (a host's repository, or a folder)
    host → Api (base URL, token)

A host is spoken to only when it is known to be GitHub: github.com, a `*.ghe.com`, or one that the operator's own
variables name (GH_HOST, GITHUB_SERVER_URL, GITHUB_API_URL). A token goes to the host it is for and to no other.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from workermd.protocol.errors import DeriveError
from workermd.system.text import printable

OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_SHORT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]{0,99})/([A-Za-z0-9._-]{1,100}?)(?:@(.*))?", re.DOTALL)
_SCP = re.compile(r"(?:[A-Za-z0-9_.-]+@)([A-Za-z0-9.-]+):(?!//)(.+)")
_BARE_URL = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?/[^/]+/[^/]+.*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")
_FORMS = "OWNER/REPO, OWNER/REPO@REF, a GitHub URL, or the folder of a clone"
# Words between a repository and a ref in the addresses of GitHub's pages.
_PAGES = {"tree": 1, "blob": 1, "commit": 1, "commits": 1, "raw": 1, "blame": 1, "releases": 2}
_MAX_REF_PARTS = 6


class RepositoryAddress(NamedTuple):
    """A repository on a host. `refs` are tried in turn; empty means the default branch.

    The address of a page does not tell where the ref ends and a path begins: `tree/a/b` is the ref `a`, or `a/b`.
    """

    host: str
    owner: str
    name: str
    refs: tuple[str, ...] = ()


class Token:
    """A secret that no message, record or log shows by accident."""

    __slots__ = ("_value", "variable")

    def __init__(self, value: str, variable: str) -> None:
        self._value = value
        self.variable = variable

    def __repr__(self) -> str:
        return f"<token of {self.variable}>"

    def reveal(self) -> str:
        return self._value


class Api(NamedTuple):
    """Where a host's REST API is, without a slash at the end, and what identifies us there."""

    host: str
    base: str
    token: Token | None


def check_ref(ref: str, named: str) -> str:
    """The ref, unless git itself would not allow it as a name; such text never reaches git or a URL."""
    wrong = (
        not ref
        or len(ref) > 250
        or ref.startswith(("-", "/", "."))
        or ref.endswith(("/", ".", ".lock"))
        or any(part in ref for part in ("..", "//", "@{", "/."))
        or any(character in " ~^:?*[\\\x7f" or character < " " for character in ref)
        or not ref.isprintable()
    )
    if wrong:
        raise DeriveError(
            f"{shown(named)}: the ref is not one that git allows",
            "Name a branch, a tag or a commit after the @, for example OWNER/REPO@v1.2.0.",
        )
    return ref


def shown(text: str) -> str:
    """Text of the user or of a host for a message: one line, printable, cut, without what may be credentials."""
    line = printable(text, "?")
    line = re.sub(r"//[^/@\s]*@", "//", line)
    return line if len(line) <= 120 else f"{line[:117]}..."


def is_path(named: str) -> bool:
    """Whether the text can only be meant as a folder, whatever stands in the current one."""
    return named.startswith(("/", "./", "../", "~", "file://")) or named in {".", ".."}


def parse(named: str, environ: Mapping[str, str]) -> RepositoryAddress | None:
    """The repository that the text names; None when it has the form of a path. Raises DeriveError."""
    if is_path(named):
        return None
    short = _SHORT.fullmatch(named)
    if short:
        owner, name, ref = short.groups()
        refs = () if ref is None else (check_ref(ref, named),)
        return _place(default_host(environ), owner, name, refs, named=named, environ=environ)
    scp = _SCP.fullmatch(named)
    if scp:
        return _of_path(scp[1], scp[2], named, environ)
    if "://" in named or _BARE_URL.fullmatch(named):
        return _of_url(named, environ)
    return None


def _of_url(named: str, environ: Mapping[str, str]) -> RepositoryAddress:
    try:
        parts = urlsplit(named if "://" in named else f"https://{named}")
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        raise DeriveError(f"{shown(named)} is not a URL", f"Name {_FORMS}.") from None
    if parts.scheme not in {"http", "https", "ssh", "git", "git+ssh", "git+https"}:
        raise DeriveError(f"{shown(named)}: {shown(parts.scheme)} addresses are not read", f"Name {_FORMS}.")
    if parts.password or (parts.username and parts.scheme.endswith(("http", "https"))):
        raise DeriveError(
            f"{shown(named)} carries credentials, which would end up in files and logs",
            "Leave them out of the address and set GH_TOKEN (github.com) or GH_ENTERPRISE_TOKEN (GH_HOST).",
        )
    if parts.scheme in {"ssh", "git+ssh", "git"}:
        host = parts.hostname or ""
    return _of_path(host, parts.path, named, environ)


def _of_path(host: str, path: str, named: str, environ: Mapping[str, str]) -> RepositoryAddress:
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    if len(segments) < 2:
        raise DeriveError(f"{shown(named)} names no repository", f"Name {_FORMS}.")
    owner, name, *rest = segments
    at = ""
    if "@" in name:
        name, _, at = name.partition("@")
    if at:
        refs: tuple[str, ...] = (check_ref("/".join([at, *rest]), named),)
    elif rest and rest[0] in _PAGES:
        refs = _candidates(rest[_PAGES[rest[0]] :], named)
    else:
        refs = ()
    return _place(host, owner, name, refs, named=named, environ=environ)


def _candidates(parts: list[str], named: str) -> tuple[str, ...]:
    """The shortest first: a ref and a longer one that begins with it cannot both be branches."""
    kept = [part for part in parts if part][:_MAX_REF_PARTS]
    return tuple(check_ref("/".join(kept[:count]), named) for count in range(1, len(kept) + 1))


def _place(
    host: str, owner: str, name: str, refs: tuple[str, ...], *, named: str, environ: Mapping[str, str]
) -> RepositoryAddress:
    name = name.removesuffix(".git")
    host = web_host(host)
    if not OWNER.fullmatch(owner) or not NAME.fullmatch(name):
        raise DeriveError(f"{shown(named)}: this cannot be the name of a repository on GitHub", f"Name {_FORMS}.")
    if not is_github(host, environ):
        raise DeriveError(
            f"{shown(named)}: {shown(host)} is not known as a GitHub host",
            f"If it runs GitHub Enterprise, set GH_HOST={shown(host)}; otherwise clone it and name the folder.",
        )
    return RepositoryAddress(host, owner, name, refs)


def web_host(host: str) -> str:
    """A host in lower case; the other names of github.com become one."""
    host = host.lower().rstrip(".").removesuffix(":443")
    return "github.com" if host in {"www.github.com", "ssh.github.com", "api.github.com"} else host


def is_github(host: str, environ: Mapping[str, str]) -> bool:
    return host == "github.com" or host.endswith(".ghe.com") or host in _own_hosts(environ)


def _own_hosts(environ: Mapping[str, str]) -> set[str]:
    return {_gh_host(environ), _server_host(environ), _host_of_api(environ.get("GITHUB_API_URL", ""))} - {""}


def default_host(environ: Mapping[str, str]) -> str:
    """The host of a bare OWNER/REPO."""
    return _gh_host(environ) or _server_host(environ) or _host_of_api(environ.get("GITHUB_API_URL", "")) or "github.com"


def _gh_host(environ: Mapping[str, str]) -> str:
    given = environ.get("GH_HOST", "").strip()
    if given and not _HOST.fullmatch(given):
        raise DeriveError(
            "GH_HOST is not a host name", "Set it to a name such as github.example.com, without https://."
        )
    return web_host(given)


def _server_host(environ: Mapping[str, str]) -> str:
    given = environ.get("GITHUB_SERVER_URL", "").strip()
    return web_host(_netloc(given, "GITHUB_SERVER_URL")) if given else ""


def _netloc(url: str, variable: str) -> str:
    try:
        parts = urlsplit(url)
        netloc = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        parts, netloc = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(netloc) or "@" in parts.netloc:
        raise DeriveError(
            f"{variable} is not a plain http or https URL", f"Set {variable} as https://HOST/..., or unset it."
        )
    return netloc


def _host_of_api(url: str) -> str:
    """The host that an API's address belongs to by GitHub's own rules; empty for a proxy or a test server."""
    if not url.strip():
        return ""
    host = _netloc(url.strip(), "GITHUB_API_URL").lower()
    if host == "api.github.com":
        return "github.com"
    if host.startswith("api.") and host.endswith(".ghe.com"):
        return host.removeprefix("api.")
    return web_host(host) if url.strip().rstrip("/").endswith("/api/v3") else ""


def api_of(host: str, environ: Mapping[str, str]) -> Api:
    """The API of a host.

    GITHUB_API_URL counts for the host it belongs to; an address that belongs to none counts for the default host.
    """
    given = environ.get("GITHUB_API_URL", "").strip()
    owner = _host_of_api(given) or (default_host(environ) if given else "")
    if given and owner == host:
        base = given.rstrip("/")
    elif host == "github.com":
        base = "https://api.github.com"
    elif host.endswith(".ghe.com"):
        base = f"https://api.{host}"
    else:
        base = f"https://{host}/api/v3"
    return Api(host, base, _token(host, environ))


def _token(host: str, environ: Mapping[str, str]) -> Token | None:
    if host == "github.com":
        variables: tuple[str, ...] = ("GH_TOKEN", "GITHUB_TOKEN")
    elif host == _gh_host(environ):
        variables = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    else:
        variables = ()
    for variable in variables:
        value = environ.get(variable, "").strip()
        if value and not re.fullmatch(r"[\x21-\x7e]+", value):
            raise DeriveError(f"{variable} holds characters that no token has", f"Set {variable} again, or unset it.")
        if value:
            return Token(value, variable)
    return None


def token_variable(host: str) -> str:
    """The variable to set for a host, for a hint."""
    return "GH_TOKEN" if host == "github.com" else f"GH_ENTERPRISE_TOKEN (with GH_HOST={host})"
