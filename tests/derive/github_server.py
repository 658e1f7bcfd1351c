"""GitHub's REST API on loopback, as far as a derive needs it, in the shapes that GitHub documents.

Repositories are made of files; digests of blobs are git's own. Every request is recorded. Answers carry an ETag that differs
by token, and rate-limit headers; `script` puts other answers in front of the real ones.
"""

import contextlib
import gzip
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

ALWAYS = {
    "X-GitHub-Media-Type": "github.v3; format=json",
    "x-github-api-version-selected": "2022-11-28",
    "X-GitHub-Request-Id": "0400:0CA3:1A2B3C:4D5E6F:60000000",
    "X-RateLimit-Used": "1",
    "X-RateLimit-Resource": "core",
    "X-Content-Type-Options": "nosniff",
}
"""What GitHub sends with every answer and a derive makes no use of."""


class Seen(NamedTuple):
    """A request as it arrived, and the status it got."""

    method: str
    path: str
    headers: dict[str, str]
    status: int


class Reply(NamedTuple):
    """`cut`: close the connection after so many bytes of the body. `delay`: seconds before anything is sent."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never mutated
    cut: int | None = None
    delay: float = 0.0


def blob_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hosted:
    """A repository on the server. Set its fields between requests; `push` makes a new commit."""

    def __init__(self, full_name: str, files: dict[str, bytes], **facts: Any) -> None:
        self.full_name = full_name
        self.branch = facts.pop("default_branch", "main")
        self.private = facts.pop("private", False)
        self.languages: dict[str, int] = facts.pop("languages", {"Shell": 10, "Python": 1234})
        self.releases: list[dict[str, Any]] = facts.pop("releases", [])
        self.facts = facts
        self.refs: dict[str, str] = {}
        self.commits: dict[str, dict[str, Any]] = {}
        self.trees: dict[str, list[dict[str, Any]]] = {}
        self.blobs: dict[str, bytes] = {}
        self.truncate_at = 100_000
        self.links: dict[str, str] = {}
        if files:
            self.push(files)

    def push(self, files: dict[str, bytes], *refs: str, date: str = "2026-03-04T05:06:07Z") -> str:
        """The SHA of a commit with exactly these files, which the refs (default: the default branch) then name."""
        tree = self._tree("", files)
        sha = hashlib.sha1(f"{tree}{date}{len(self.commits)}".encode()).hexdigest()
        self.commits[sha] = {
            "sha": sha,
            "node_id": "C_kwDO",
            "commit": {
                "author": {"name": "A", "email": "a@example.org", "date": "2026-03-01T00:00:00Z"},
                "committer": {"name": "GitHub", "email": "noreply@example.org", "date": date},
                "message": "Change",
                "tree": {"sha": tree, "url": "https://api.github.com/x"},
                "comment_count": 0,
                "verification": {"verified": False, "reason": "unsigned"},
            },
            "parents": [],
            "stats": {"total": 1, "additions": 1, "deletions": 0},
            "files": [{"filename": "a", "status": "modified", "patch": "@@"}],
        }
        for ref in refs or (self.branch,):
            self.refs[ref] = sha
        return sha

    def _tree(self, folder: str, files: dict[str, bytes]) -> str:
        entries: dict[str, dict[str, Any]] = {}
        for path, content in sorted(files.items()):
            name, _, rest = path.partition("/")
            if rest:
                below = {p[len(name) + 1 :]: c for p, c in files.items() if p.startswith(f"{name}/")}
                if name not in entries:
                    sha = self._tree(f"{folder}{name}/", below)
                    entries[name] = {"path": name, "mode": "040000", "type": "tree", "sha": sha}
            else:
                sha = blob_sha(content)
                self.blobs[sha] = content
                entries[name] = {"path": name, "mode": "100644", "type": "blob", "sha": sha, "size": len(content)}
        for path, target in self.links.items():
            if path.startswith(folder) and "/" not in path[len(folder) :]:
                name = path[len(folder) :]
                mode, kind = ("160000", "commit") if target.startswith("commit:") else ("120000", "blob")
                entries[name] = {"path": name, "mode": mode, "type": kind, "sha": "1" * 40}
                if kind == "blob":
                    entries[name]["size"] = len(target)
        sha = hashlib.sha1(json.dumps(entries, sort_keys=True).encode()).hexdigest()
        self.trees[sha] = list(entries.values())
        return sha

    def listing(self, sha: str, *, recursive: bool) -> dict[str, Any]:
        def walk(tree: str, folder: str) -> Iterator[dict[str, Any]]:
            for entry in self.trees[tree]:
                if not isinstance(entry, dict) or not isinstance(entry["path"], str):
                    yield entry
                    continue
                yield {**entry, "path": folder + entry["path"]}
                if recursive and entry["type"] == "tree":
                    yield from walk(entry["sha"], f"{folder}{entry['path']}/")

        everything = list(walk(sha, ""))
        return {"sha": sha, "tree": everything[: self.truncate_at], "truncated": len(everything) > self.truncate_at}

    def document(self) -> dict[str, Any]:
        owner, name = self.full_name.split("/")
        return {
            "id": 1296269,
            "node_id": "MDEw",
            "name": name,
            "full_name": self.full_name,
            "owner": {"login": owner, "id": 1, "type": "Organization"},
            "private": self.private,
            "html_url": f"https://github.com/{self.full_name}",
            "description": None,
            "fork": False,
            "homepage": "",
            "language": "Python",
            "stargazers_count": 80,
            "default_branch": self.branch,
            "topics": [],
            "archived": False,
            "disabled": False,
            "visibility": "private" if self.private else "public",
            "pushed_at": "2026-03-04T05:06:07Z",
            "updated_at": "2026-03-05T05:06:07Z",
            "license": None,
            **self.facts,
        }


class GitHubServer:
    """`base` is what GITHUB_API_URL is set to. `tokens`: the ones that are accepted, each with what it may see."""

    def __init__(self, address: str = "127.0.0.1", prefix: str = "") -> None:
        self.prefix = prefix
        self.requests: list[Seen] = []
        self.repositories: dict[str, Hosted] = {}
        self.moved: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.remaining = 4_999
        self._scripts: list[tuple[str, Reply]] = []
        self._server = ThreadingHTTPServer((address, 0), _handler(self))
        self._server.daemon_threads = True
        self.netloc = f"{address}:{self._server.server_address[1]}"
        self.base = f"http://{self.netloc}{prefix}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def listen_with(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def add(self, full_name: str, files: dict[str, bytes], **facts: Any) -> Hosted:
        hosted = Hosted(full_name, files, **facts)
        self.repositories[full_name.lower()] = hosted
        return hosted

    def script(self, part: str, *replies: Reply) -> None:
        """The next requests whose path holds `part` get these replies, one each."""
        self._scripts.extend((part, reply) for reply in replies)

    def statuses(self) -> list[int]:
        return [seen.status for seen in self.requests]

    def answer(self, path: str, headers: dict[str, str]) -> Reply:
        for index, (part, reply) in enumerate(self._scripts):
            if part in path:
                del self._scripts[index]
                return reply
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return Reply(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        found = self._found(path, token)
        if found.status != 200:
            return found
        etag = f'W/"{hashlib.sha256((json.dumps(found.body, default=repr) + token).encode()).hexdigest()}"'
        cache = {
            "ETag": etag,
            "Cache-Control": f"{'private' if token else 'public'}, max-age=60, s-maxage=60",
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
            "Last-Modified": "Wed, 04 Mar 2026 05:06:07 GMT",
        }
        if headers.get("if-none-match") == etag:
            return Reply(304, None, cache)
        return Reply(200, found.body, {**cache, **found.headers})

    def _found(self, path: str, token: str) -> Reply:
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if not parts.path.startswith(self.prefix):
            return _absent()
        words = unquote(parts.path[len(self.prefix) :]).strip("/").split("/")
        if words[0] == "repositories" and len(words) == 2:
            return Reply(200, self.repositories[self.moved[words[1]].lower()].document())
        if words[0] != "repos" or len(words) < 3:
            return _absent()
        name = f"{words[1]}/{words[2]}".lower()
        if name in self.moved:
            location = f"{self.base}/repositories/{name.replace('/', '-')}"
            self.moved[name.replace("/", "-")] = self.moved[name]
            return Reply(301, {"message": "Moved Permanently", "url": location}, {"Location": location})
        hosted = self.repositories.get(name)
        if hosted is None or (hosted.private and not token):
            return _absent()
        return self._of(hosted, words[3:], query, parts.path)

    def _of(self, hosted: Hosted, words: list[str], query: dict[str, str], path: str) -> Reply:
        match words:
            case []:
                return Reply(200, hosted.document())
            case ["commits", *ref]:
                return self._commit(hosted, "/".join(ref))
            case ["git", "trees", sha] if sha in hosted.trees:
                return Reply(200, hosted.listing(sha, recursive=query.get("recursive") == "1"))
            case ["git", "blobs", sha] if sha in hosted.blobs:
                return Reply(200, hosted.blobs[sha], {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"})
            case ["languages"]:
                return Reply(200, hosted.languages)
            case ["releases"]:
                return self._releases(hosted, query, path)
            case ["releases", "latest"]:
                stable = [r for r in hosted.releases if not r["prerelease"] and not r["draft"]]
                marked = [r for r in stable if r.get("marked")] or stable
                return Reply(200, marked[0]) if marked else _absent()
        return _absent()

    def _commit(self, hosted: Hosted, ref: str) -> Reply:
        if not hosted.commits:
            return Reply(409, {"message": "Git Repository is empty.", "documentation_url": "https://docs.github.com/x"})
        full = hosted.refs.get(ref) or next((sha for sha in hosted.commits if len(ref) > 6 and sha.startswith(ref)), "")
        if not full:
            return Reply(422, {"message": f"No commit found for SHA: {ref}", "status": "422"})
        return Reply(200, hosted.commits[full])

    def _releases(self, hosted: Hosted, query: dict[str, str], path: str) -> Reply:
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        shown = hosted.releases[size * (page - 1) : size * page]
        links = {}
        if len(hosted.releases) > size * page:
            url = f"http://{self.netloc}{path}?per_page={size}&page={page + 1}"
            links = {"Link": f'<{url}>; rel="next", <{url}>; rel="last"'}
        return Reply(200, shown, links)


def _absent() -> Reply:
    return Reply(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})


def release(tag: str, *, prerelease: bool = False, marked: bool = False) -> dict[str, Any]:
    return {"id": 1, "tag_name": tag, "name": tag, "draft": False, "prerelease": prerelease, "marked": marked}


def _handler(server: GitHubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.answer(self.path, headers)
            server.requests.append(Seen("GET", self.path, headers, reply.status))
            time.sleep(reply.delay)
            with contextlib.suppress(OSError):
                self._send(reply, zipped="gzip" in headers.get("accept-encoding", ""))

        def _send(self, reply: Reply, *, zipped: bool) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            body = b"" if reply.body is None else body
            zipped = zipped and len(body) > 500 and "Content-Encoding" not in reply.headers
            body = gzip.compress(body) if zipped else body
            self.send_response(reply.status)
            if reply.body is not None:
                self.send_header("Content-Length", str(len(body)))
            given = {name.lower() for name in reply.headers}
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            if "x-ratelimit-remaining" not in given:
                self.send_header("X-RateLimit-Remaining", str(server.remaining))
            for name, value in ALWAYS.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: reply.cut])
            if reply.cut is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, *_arguments: Any) -> None:
            """The tests look at `requests`."""

    return Handler
