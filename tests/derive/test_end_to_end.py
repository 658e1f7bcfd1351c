"""`workermd derive` as a process, against a GitHub on loopback: what it writes, asks, waits for, says and exits with."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, patience
from tests.derive.contracts import texts
from tests.derive.contracts.conftest import commit
from tests.derive.contracts.test_compose import TOOL_FILES
from tests.derive.github_server import GitHubServer, Reply, release
from workermd.contract.reader import read

FILES = {path: text.encode() for path, text in TOOL_FILES.items()}
FACTS = {
    "description": "A toolkit for widgets",
    "topics": ["cli"],
    "license": {"key": "mit", "name": "MIT License", "spdx_id": "MIT", "url": "https://api.github.com/licenses/mit"},
}
PRIMARY = {
    "message": "API rate limit exceeded for 192.0.2.1. (But here's the good news: Authenticated requests get a higher rate limit.)",
    "documentation_url": "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting",
}
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
}


@pytest.fixture
def github(github, cli):
    """The server, the command's API, with a token that it accepts."""
    cli.environment |= {"GITHUB_API_URL": github.base, "GH_TOKEN": "t0ken"}
    github.tokens = {"t0ken"}
    github.add("acme/widget", FILES, **FACTS, releases=[release("v1.0.0")])
    return github


def contract_of(done):
    assert done.code == 0, done.err
    reading = read(done.out, "widget.worker.md")
    assert reading.findings == ()
    return reading.contract


def refused(done, *said):
    """Exit 2, nothing on standard output, what is wrong and what to do on the last line of standard error."""
    assert (done.code, done.out) == (2, b""), done.err
    assert "Traceback" not in done.err
    assert "t0ken" not in done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("workermd: ")
    for words in said:
        assert words in last, last


# --- sources ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "ref"),
    [
        ("acme/widget", "main"),
        ("acme/widget@v0.9", "v0.9"),
        ("https://github.com/acme/widget", "main"),
        ("https://github.com/acme/widget.git", "main"),
        ("https://github.com/acme/widget/tree/v0.9", "v0.9"),
        ("https://github.com/acme/widget/blob/v0.9/README.md", "v0.9"),
        ("git@github.com:acme/widget.git", "main"),
        ("github.com/acme/widget", "main"),
    ],
)
def test_every_way_to_name_a_repository(cli, github, named, ref):
    hosted = github.repositories["acme/widget"]
    hosted.push({**FILES, "README.md": b"# Widget\n\nWidget was a small tool to arrange widgets.\n"}, "v0.9")
    done = cli("derive", named)
    contract = contract_of(done)
    commit = hosted.refs[ref]
    assert contract.front_matter["x-commit"] == commit
    assert contract.front_matter["source_repository"] == "https://github.com/acme/widget"
    assert f"https://github.com/acme/widget/blob/{commit}/README.md?plain=1#L3".encode() in done.out
    assert (b"was a small tool" in done.out) == (ref == "v0.9")


@pytest.mark.parametrize("commit", [None, 40, 9])
def test_a_commit_is_pinned_by_its_digest(cli, github, commit):
    hosted = github.repositories["acme/widget"]
    old = hosted.push({**FILES, "README.md": b"# Widget\n\nWidget was a small tool to arrange widgets.\n"}, "old")
    named = "acme/widget" if commit is None else f"acme/widget@{old[:commit]}"
    assert (contract_of(cli("derive", named)).front_matter["x-commit"] == old) == (commit is not None)


@pytest.mark.parametrize("named", ["acme/widget", "https://{host}/acme/widget", "https://{host}/acme/widget/tree/main"])
def test_an_enterprise_host_has_its_own_api_and_token(cli, named):
    server = GitHubServer(prefix="/api/v3")
    server.tokens = {"enterprise"}
    server.add("acme/widget", FILES, private=True, **FACTS)
    cli.environment |= {"GH_HOST": server.netloc, "GITHUB_API_URL": server.base}
    cli.environment |= {"GH_TOKEN": "t0ken", "GITHUB_TOKEN": "t0ken", "GH_ENTERPRISE_TOKEN": "enterprise"}
    try:
        done = cli("derive", named.format(host=server.netloc))
        assert contract_of(done).front_matter["source_repository"] == f"https://{server.netloc}/acme/widget"
        assert {seen.headers["authorization"] for seen in server.requests} == {"Bearer enterprise"}
        assert all(seen.path.startswith("/api/v3/repos/acme/widget") for seen in server.requests)
    finally:
        server.close()


def test_what_the_host_says_stands_in_the_contract(cli, github):
    hosted = github.repositories["acme/widget"]
    hosted.languages = {"Shell": 10, "TypeScript": 600, "Python": 1234}
    hosted.releases = [release("v2.0-rc.1", prerelease=True), release("v1.2.0"), release("v1.1.0")]
    path = cli.folder / "widget.worker.md"
    assert cli("derive", "acme/widget", "-o", path).code == 0
    text = path.read_text()
    for line in (
        "- Repository description: `A toolkit for widgets` (the host's field)",
        "- Primary language: `Python` (the host's field)",
        "- Languages: `Python, TypeScript` (the host's field)",
        "- Latest release: `v1.2.0` (the host's field)",
        "- Stars (snapshot): 80",
    ):
        assert line in text.splitlines()
    assert read(text.encode(), "widget.worker.md").contract.front_matter["tags"] == ["cli"]
    hosted.releases.insert(0, release("v1.3.0"))
    hosted.languages["Rust"] = 500
    hosted.facts["stargazers_count"] = 99
    found = cli("derive", "acme/widget", "--check", path, "--format", "json", "--report", "markdown=drift.md").document
    assert {(each["state"], each["field"]) for each in found["claims"]} == {
        ("changed", "latest_release"),
        ("changed", "repository_languages"),
    }
    assert cli("derive", "acme/widget", "--check", path, "--update").code == 0
    assert "- Latest release: `v1.3.0` (the host's field)" in path.read_text()
    assert cli("derive", "acme/widget", "--check", path).code == 0


def test_a_renamed_repository_is_followed_and_reported(cli, github):
    github.moved["old-owner/old-name"] = "acme/widget"
    done = cli("derive", "old-owner/old-name")
    contract = contract_of(done)
    assert "workermd: old-owner/old-name has moved to acme/widget" in done.err.splitlines()
    assert contract.front_matter["source_repository"] == "https://github.com/acme/widget"
    assert contract.front_matter["x-repository-status"] == ["moved"]


def test_an_archived_repository_is_told_before_and_in_the_contract(cli, github):
    github.repositories["acme/widget"].facts["archived"] = True
    done = cli("derive", "acme/widget")
    assert contract_of(done).front_matter["x-repository-status"] == ["archived"]
    assert "acme/widget is archived: it is read-only and no longer maintained" in done.err


def test_a_private_repository_is_read_with_a_token(cli, github):
    github.repositories["acme/widget"].private = True
    assert contract_of(cli("derive", "acme/widget")).id == "widget-repo-derived-worker"
    del cli.environment["GH_TOKEN"]
    refused(cli("derive", "acme/widget"), "does not exist, or it is private: no token was given", "set GH_TOKEN")


def test_a_tree_that_was_cut_short_is_completed(cli, github):
    deep = {f"src/d{folder}/f{name}.txt": b"%d %d" % (folder, name) for folder in range(5) for name in range(9)}
    hosted = github.repositories["acme/widget"]
    hosted.push(
        {
            **FILES,
            **deep,
            "zz/action.yml": b"name: Last\ndescription: The last.\ninputs:\n  path:\n    required: true\nruns:\n  using: composite\n",
        }
    )
    hosted.truncate_at = 40
    done = cli("derive", "acme/widget", "--list-interfaces")
    assert (done.code, done.out.split(b"\t")[0]) == (0, b"action:zz/action.yml#Last"), done.err
    assert "the tree is too large for one answer: asking for its folders one by one" in done.err
    assert contract_of(cli("derive", "acme/widget")).front_matter["repository_license"] == "MIT"


def test_a_large_file_is_left_out_and_told(cli, github):
    hosted = github.repositories["acme/widget"]
    hosted.push({**FILES, "README.md": b"# Widget\n\n" + b"word " * 300_000, "openapi.json": b" " * (3 << 20)})
    done = cli("derive", "acme/widget")
    contract_of(done)
    assert "README.md was not read: it has more than 1,048,576 bytes." in done.err
    assert "A toolkit for widgets" in done.out.decode(), "the host's description in its place"
    asked = {seen.path.rpartition("/")[2] for seen in github.requests if "/git/blobs/" in seen.path}
    large = [sha for sha, content in hosted.blobs.items() if len(content) > 1 << 20]
    assert len(large) == 2
    assert asked.isdisjoint(large)
    listed = cli("derive", "acme/widget", "--list-interfaces")
    assert "left out: openapi.json: is larger than" in listed.err


# --- refusals --------------------------------------------------------------------------------------------

REFUSALS = {
    "absent": ("acme/nothing", None, ["does not exist, or the token of GH_TOKEN may not see it", "Check the name"]),
    "empty": ("acme/empty", None, ["acme/empty on github.com is empty: it has no commits yet"]),
    "no such ref": ("acme/widget@v9", None, ["has no branch, tag or commit v9"]),
    "bad ref": ("acme/widget@a..b", None, ["the ref is not one that git allows"]),
    "another host": ("https://gitlab.example/acme/widget", None, ["not known as a GitHub host", "set GH_HOST="]),
    "credentials": ("https://me:t0ken@github.com/acme/widget", None, ["carries credentials"]),
    "no name": ("https://github.com/acme", None, ["names no repository"]),
    "nothing": ("widget", None, ["is neither OWNER/REPO, nor a GitHub URL, nor a folder"]),
    "no folder": ("./widget", None, ["./widget: there is no such folder"]),
    "bad token": ("acme/widget", Reply(401, {"message": "Bad credentials"}), ["refused the token of GH_TOKEN"]),
    "permission": (
        "acme/widget",
        Reply(403, {"message": "Resource not accessible by personal access token"}, {"X-RateLimit-Remaining": "4990"}),
        ["permission denied, which is not a limit", "read access to contents and metadata"],
    ),
    "single sign-on": (
        "acme/widget",
        Reply(403, {"message": "Resource protected by organization SAML enforcement."}, {"X-GitHub-SSO": "required; url=https://x"}),
        ["asks for single sign-on", "Authorise the token"],
    ),
    "legal": (
        "acme/widget",
        Reply(451, {"message": "Repository access blocked", "block": {"reason": "dmca"}}),
        ["is not available for legal reasons"],
    ),
    "not GitHub": ("acme/widget", Reply(200, b"<html>Sign in</html>"), ["not what GitHub's API documents"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_derived_from_says_why(cli, github, name):
    github.add("acme/empty", {})
    named, reply, said = REFUSALS[name]
    if reply:
        github.script("/repos/acme/widget", reply)
    refused(cli("derive", named), *said)


def test_nobody_listens(cli, github):
    github.close()
    done = cli("derive", "acme/widget")
    refused(done, "github.com cannot be reached: no connection", "use --offline with what is cached")
    assert [line for line in done.err.splitlines() if "trying again (1 s)" in line]


@pytest.mark.parametrize(
    "trouble", [Reply(403, PRIMARY, {"Retry-After": "3600"}), Reply(404, {"message": "Not Found"})]
)
def test_a_file_that_the_host_keeps_back_ends_the_derive(cli, github, trouble):
    """Or a limit would make a contract that knows of no README and no licence."""
    github.script("/git/blobs/", trouble)
    refused(cli("derive", "acme/widget"))
    assert contract_of(cli("derive", "acme/widget")).front_matter["repository_license"] == "MIT"


# --- requests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forget", [(), ("derived",)])
def test_the_second_derive_costs_only_conditional_requests(cli, github, forget):
    first = cli("derive", "acme/widget")
    asked = len(github.requests)
    github.requests.clear()
    for folder in forget:
        shutil.rmtree(cli.folder / "cache" / "workermd" / folder)
    second = cli("derive", "acme/widget")
    assert (second.out, second.err) == (first.out, first.err)
    assert github.statuses() == [304] * 5
    assert all("if-none-match" in seen.headers for seen in github.requests)
    assert asked > 5
    without = cli("derive", "acme/widget", env={"WORKERMD_CACHE": "off"})
    assert (without.out, without.err) == (first.out, first.err)


@pytest.mark.parametrize("more", [(), ("--list-interfaces",), ("--interface", "cli")])
def test_the_tree_is_asked_for_once_and_every_file_too(cli, github, more):
    github.repositories["acme/widget"].push(
        {
            **FILES,
            "pyproject.toml": b'[project]\nname = "w"\n[project.scripts]\nw = "w:main"\n',
            "w.py": b"def main(): ...\n",
        }
    )
    assert cli("derive", "acme/widget", *more, env={"WORKERMD_CACHE": "off"}).code == 0
    assert sum("/git/trees/" in seen.path for seen in github.requests) == 1
    blobs = [seen.path for seen in github.requests if "/git/blobs/" in seen.path]
    assert len(blobs) == len(set(blobs)) >= 1


def test_what_was_derived_before_is_made_again_when_anything_changed(cli, github):
    hosted = github.repositories["acme/widget"]
    texts_seen = [cli("derive", "acme/widget").out]
    hosted.facts["stargazers_count"] = 81
    texts_seen.append(cli("derive", "acme/widget").out)
    hosted.push({**FILES, "LICENSE": texts.BSD_3.encode()})
    texts_seen.append(cli("derive", "acme/widget").out)
    texts_seen.append(cli("derive", "acme/widget", "--mode", "agent-orchestration-worker").out)
    texts_seen.append(cli("derive", "acme/widget", "--quotes", "none").out)
    assert len(set(texts_seen)) == 5
    assert b"Stars (snapshot): 81" in texts_seen[1]
    assert b"BSD-3-Clause" in texts_seen[2]
    assert len(list((cli.folder / "cache" / "workermd" / "derived").iterdir())) == 5


def test_a_kept_result_that_was_changed_is_not_taken(cli, github):
    first = cli("derive", "acme/widget")
    (entry,) = (cli.folder / "cache" / "workermd" / "derived").iterdir()
    entry.write_bytes(entry.read_bytes().replace(b"arrange", b"arrenge"))
    assert cli("derive", "acme/widget").out == first.out


def test_offline_answers_from_the_cache_alone(cli, github):
    refused(
        cli("derive", "acme/widget", "--offline"), "offline: ", "is not in the cache", "Derive once without --offline"
    )
    first = cli("derive", "acme/widget")
    github.close()
    assert cli("derive", "acme/widget", "--offline").out == first.out
    shutil.rmtree(cli.folder / "cache" / "workermd" / "derived")
    assert cli("derive", "acme/widget", "--offline").out == first.out
    refused(cli("derive", "acme/other", "--offline"), "is not in the cache")
    refused(cli("derive", "acme/widget", "--offline", env={"GH_TOKEN": "other"}), "is not in the cache")


def test_offline_ends_where_a_file_is_not_in_the_cache(cli, github):
    cli("derive", "acme/widget")
    refused(cli("derive", "acme/widget", "--offline", "--interface", "npm-bin"), "nothing of the kind npm-bin")
    hosted = github.repositories["acme/widget"]
    hosted.push({**FILES, "LICENSE": b"other\n"})
    github.script("/git/blobs/", Reply(404, {"message": "Not Found"}))
    cli("derive", "acme/widget")
    github.close()
    refused(cli("derive", "acme/widget", "--offline"), "is not in the cache")


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("kind", ["retry-after", "retry-after as a date", "reset"])
def test_a_limit_is_waited_for_with_a_line_that_says_until_when(cli, github, status, kind):
    from email.utils import formatdate

    now = time.time()
    headers = {
        "retry-after": {"Retry-After": "1"},
        "retry-after as a date": {"Retry-After": formatdate(now + 3, usegmt=True)},
        "reset": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(now) + 2), "X-RateLimit-Limit": "60"},
    }[kind]
    github.script("/languages", Reply(status, SECONDARY if "after" in kind else PRIMARY, headers))
    done = cli("derive", "acme/widget")
    contract_of(done)
    (line,) = [line for line in done.err.splitlines() if "waiting until" in line]
    said = "the limit of requests is used up" if kind == "reset" else "GitHub asks for fewer requests"
    assert re.fullmatch(rf"workermd: github\.com: {said}: waiting until \d\d:\d\d:\d\d UTC \(\d s\)", line), line
    assert time.time() - now >= 1
    assert sum("/languages" in seen.path for seen in github.requests) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_without_headers_is_a_minute_and_can_be_interrupted(cli, github, status):
    github.script("/languages", Reply(status, SECONDARY))
    process = cli.start("derive", "acme/widget")
    try:
        line = process.stderr.readline().decode()
        assert re.fullmatch(
            r"workermd: github\.com: GitHub asks for fewer requests: waiting until .* UTC \(60 s\)\n", line
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=patience(20))
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Retry-After": "3600"}, "GitHub asks for fewer requests"),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800", "X-RateLimit-Limit": "60"},
            "the limit of requests is used up (60 requests an hour)",
        ),
    ],
)
def test_a_long_limit_ends_at_once(cli, github, status, headers, said):
    del cli.environment["GH_TOKEN"]
    github.script("/repos/acme/widget", Reply(status, PRIMARY, headers))
    done = cli("derive", "acme/widget")
    refused(done, said, "it is free again at", "set GH_TOKEN for a higher limit", "--offline")
    assert len(github.requests) == 1


# --- the token -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("part", ["/repos/acme/widget", "/git/trees/", "/git/blobs/"])
def test_a_redirect_to_another_host_gets_neither_token_nor_request(cli, github, status, part):
    elsewhere = GitHubServer("127.0.0.2")
    elsewhere.add("acme/widget", FILES)
    try:
        location = f"{elsewhere.base}/repos/acme/widget"
        github.script(part, Reply(status, {"message": "Moved", "url": location}, {"Location": location}))
        refused(cli("derive", "acme/widget"), "redirects to another host, 127.0.0.2:", "which is not followed")
        assert elsewhere.requests == []
        assert {seen.headers["authorization"] for seen in github.requests} == {"Bearer t0ken"}
    finally:
        elsewhere.close()


def test_no_file_that_is_written_holds_the_token(cli, github):
    path = cli.folder / "widget.worker.md"
    cli("derive", "acme/widget", "-o", path)
    written = [each for each in cli.folder.rglob("*") if each.is_file()]
    assert path in written
    assert len(written) > 2
    assert not [each for each in written if b"t0ken" in each.read_bytes()]


def test_a_link_and_permissions_survive_a_contract_that_is_written(cli, github):
    real, link = cli.folder / "real.worker.md", cli.folder / "widget.worker.md"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert cli("derive", "acme/widget", "-o", link).code == 0
    assert link.is_symlink()
    assert real.read_text().startswith("---")
    assert real.stat().st_mode & 0o777 == 0o640
    real.chmod(0o444)
    refused = cli("derive", "acme/widget", "-o", link)
    assert refused.code == 2
    assert "cannot be written (Permission denied); name another file with -o" in refused.err


# --- the contract's life ---------------------------------------------------------------------------------


@pytest.mark.parametrize("quotes", ["full", "none"])
def test_derive_edit_validate_run_check_update(cli, github, program, quotes):
    path = cli.folder / "widget.worker.md"
    assert cli("derive", "acme/widget", "-o", path, "--quotes", quotes).code == 0
    path.write_text(path.read_text().replace("Purpose: Call one tool of the repository", "Purpose: Arrange widgets"))
    strict = cli("validate", "--strict", path)
    assert strict.code == 0, strict.out + strict.err.encode()
    given = json.dumps({"run_id": "r1", "tool": "arrange", "arguments": {"by": "size"}})
    ran = cli("run", path, "-", *program('reply({"result": {"arranged": 3}})'), given=given)
    assert (ran.code, ran.document["status"]) == (0, "ok"), ran.err
    assert cli("derive", "acme/widget", "--check", path).code == 0
    github.repositories["acme/widget"].push({**FILES, "README.md": FILES["README.md"].replace(b"arrange", b"sort")})
    drifted = cli("derive", "acme/widget", "--check", path)
    assert (drifted.code, b"changed: summary: README.md:3-3" in drifted.out) == (1, True)
    assert cli("derive", "acme/widget", "--check", path, "--update").code == 0
    assert cli("derive", "acme/widget", "--check", path).code == 0
    assert "Purpose: Arrange widgets" in path.read_text()
    assert cli("validate", "--strict", path).code == 0
    assert ("to sort widgets" in path.read_text()) == (quotes == "full")


def test_a_contract_is_held_against_the_cache_and_against_a_clone(cli, github):
    path, clone = cli.folder / "widget.worker.md", cli.folder / "clone"
    cli("derive", "acme/widget", "-o", path)
    github.close()
    assert cli("derive", "acme/widget", "--check", path, "--offline").code == 0
    commit(clone, {**FILES, "more.txt": "x"})
    here = cli("derive", clone, "--check", path, "--format", "json")
    assert {each["state"] for each in here.document["claims"]} == {"unchecked"}, "what the host said"
    assert (here.code, here.document["drifted"]) == (0, 0)
    commit(clone, {"LICENSE": texts.BSD_3})
    changed = cli("derive", clone, "--check", path, "--format", "json")
    assert {each["state"] for each in changed.document["claims"]} == {"unchecked", "changed", "new"}
    assert changed.code == 1


def test_httpx_and_hishel_come_without_what_they_are_not_used_for(tmp_path):
    """Where these are installed, they would be imported too. Whoever wants them later still gets them."""
    unwanted = ["anysqlite", "anyio", "click", "h2", "redis", "trio"]
    for name in unwanted:
        (tmp_path / f"{name}.py").write_text("")
    script = f"""
import sys
from workermd.derive.address import Api
from workermd.derive.transport import Door, httpx
import workermd.derive.api_cache, hishel.httpx
Door(Api("github.com", "http://127.0.0.1:9", None), lambda: 0.0)._connect(httpx.URL("http://127.0.0.1:9"))
print(sorted(set({unwanted}) & set(sys.modules)))
import click, redis, trio
"""
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
