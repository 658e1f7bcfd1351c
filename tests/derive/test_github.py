"""A repository behind GitHub's API: what is asked, what is kept, what each answer means. The server records every request."""

import json
import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from tests.derive.conftest import FILES, README
from tests.derive.github_server import Reply, release
from workermd.derive import api
from workermd.derive.api import Patience
from workermd.derive.source import open_repository
from workermd.protocol.errors import DeriveError

TOKEN = {"GH_TOKEN": "t0ken"}


@pytest.fixture(autouse=True)
def known_token(github):
    github.tokens = {"t0ken", "other"}


def failure_of(derive, named="acme/thing", **options):
    with pytest.raises(DeriveError) as failure:
        derive(named, **options)
    assert failure.value.message.isprintable()
    assert failure.value.hint
    assert "t0ken" not in failure.value.message + failure.value.hint
    return failure.value.message


def test_what_the_host_says_of_a_repository(github, derive):
    hosted = github.add(
        "acme/thing",
        FILES,
        description="Does things",
        topics=["tools", "agents"],
        license={"key": "mit", "spdx_id": "MIT", "url": "https://api.github.com/licenses/mit"},
        homepage="https://thing.example",
        releases=[release("v2.0rc1", prerelease=True), release("v1.0.1"), release("v1.1", marked=True)],
    )
    hosted.links = {"link": "README.md", "vendored": "commit:x"}
    commit = hosted.push(FILES)
    repository = derive("acme/thing")
    facts = repository.facts
    assert (facts.owner, facts.name, facts.url) == ("acme", "thing", "https://github.com/acme/thing")
    assert (facts.description, facts.language, facts.licence) == ("Does things", "Python", "MIT")
    assert facts.topics == ("agents", "tools")
    assert list(facts.languages) == ["Python", "Shell"]
    assert (facts.latest_release, facts.stars, facts.homepage) == ("v1.1", 80, "https://thing.example")
    assert (facts.default_branch, facts.updated_on, facts.archived, facts.moved_from) == (
        "main",
        "2026-03-04",
        False,
        None,
    )
    assert repository.commit == commit
    # Links and submodules are left out.
    assert [file.path for file in repository.files()] == sorted(FILES)
    assert repository.read("README.md") == README
    page = f"https://github.com/acme/thing/blob/{commit}"
    assert repository.permalink("src/thing/b b.py", 1, 2) == f"{page}/src/thing/b%20b.py#L1-L2"
    assert repository.permalink("README.md", 3, 3) == f"{page}/README.md?plain=1#L3"


def test_every_request_says_who_asks_and_for_which_version(github, derive):
    github.add("acme/thing", FILES, releases=[release("v1")])
    derive("acme/thing", environ=TOKEN).read("README.md")
    assert len(github.requests) == 7
    for seen in github.requests:
        assert seen.headers["user-agent"].startswith("workermd/")
        assert seen.headers["x-github-api-version"] == "2022-11-28"
        assert seen.headers["authorization"] == "Bearer t0ken"
        assert seen.headers["accept"].startswith("application/vnd.github")
    assert [seen.path for seen in github.requests if "recursive" in seen.path] != []
    assert sum("git/trees" in seen.path for seen in github.requests) == 1


def test_the_second_derive_of_an_unchanged_repository_costs_only_conditional_requests(github, derive):
    github.add("acme/thing", FILES, releases=[release("v1")])
    first = derive("acme/thing", environ=TOKEN)
    first.read("README.md")
    github.requests.clear()
    second = derive("acme/thing", environ=TOKEN)
    assert second.read("README.md") == README
    assert second.facts == first.facts
    assert second.files() == first.files()
    # The tree and the file are named by their digest: nothing needs to be asked.
    assert github.statuses() == [304] * 5
    assert all("if-none-match" in seen.headers for seen in github.requests)


def test_a_repository_without_releases_costs_no_plain_request_either(github, derive):
    github.add("acme/thing", FILES)
    assert derive("acme/thing").facts.latest_release is None
    github.requests.clear()
    derive("acme/thing")
    assert github.statuses() == [304] * 4


def test_a_push_is_seen_at_once_and_costs_what_changed(github, derive):
    hosted = github.add("acme/thing", FILES)
    derive("acme/thing").read("LICENSE")
    commit = hosted.push({**FILES, "README.md": b"# New\n"})
    github.requests.clear()
    repository = derive("acme/thing")
    assert repository.commit == commit
    assert (repository.read("README.md"), repository.read("LICENSE")) == (b"# New\n", FILES["LICENSE"])
    assert sorted(github.statuses()) == [200, 200, 200, 304, 304, 304]
    github.requests.clear()
    derive("acme/thing")
    assert github.statuses() == [304] * 4


def test_what_one_token_saw_is_not_shown_to_another(github, derive):
    github.add("acme/thing", FILES, private=True)
    derive("acme/thing", environ=TOKEN)
    github.requests.clear()
    derive("acme/thing", environ={"GH_TOKEN": "other"})
    assert set(github.statuses()) == {200}
    assert "does not exist, or it is private: no token was given" in failure_of(derive)
    with pytest.raises(DeriveError, match="not in the cache"):
        derive("acme/thing", offline=True)
    assert derive("acme/thing", environ=TOKEN, offline=True).commit


def test_the_cache_is_private_and_holds_no_token(github, derive, cache):
    github.add("acme/thing", FILES)
    derive("acme/thing", environ=TOKEN).read("README.md")
    for path in cache.iterdir():
        assert b"t0ken" not in path.read_bytes()
        assert b"uthorization: " not in path.read_bytes()
        assert path.name == ".gitignore" or stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    with sqlite3.connect(cache / "answers.db") as database:
        assert database.execute("select count(*) from entries where chunk_count is not null").fetchone()[0] >= 5
    database.close()


def test_a_damaged_cache_is_told_and_done_without(github, derive, cache):
    github.add("acme/thing", FILES)
    cache.mkdir(parents=True)
    (cache / "answers.db").write_bytes(b"not a database, and long enough to be looked at" * 100)
    assert derive("acme/thing").read("README.md") == README
    assert sum("is not used" in line for line in derive.said) == 1


def test_a_cache_of_another_format_is_told(github, derive, cache):
    github.add("acme/thing", FILES)
    cache.mkdir(parents=True)
    with sqlite3.connect(cache / "answers.db") as database:
        database.execute("create table entries (id, cache_key, data, created_at, deleted_at)")
    database.close()
    assert "has a form that cannot be used" in failure_of(derive)


def test_no_cache_is_kept_where_it_is_switched_off(github, derive, cache, monkeypatch):
    monkeypatch.setenv("WORKERMD_CACHE", "off")
    github.add("acme/thing", FILES)
    derive("acme/thing")
    assert not cache.exists()
    assert "WORKERMD_CACHE is off" in failure_of(derive, offline=True)


def test_a_cache_that_cannot_be_made_is_told(github, derive, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    github.add("acme/thing", FILES)
    assert "cannot be made: Not a directory" in failure_of(derive)


def test_offline_answers_from_the_cache_alone(github, derive):
    github.add("acme/thing", FILES, releases=[release("v1")])
    online = derive("acme/thing", environ=TOKEN)
    online.read("README.md")
    github.close()
    offline = derive("acme/thing", environ=TOKEN, offline=True)
    assert (offline.facts, offline.commit, offline.files()) == (online.facts, online.commit, online.files())
    assert offline.read("README.md") == README
    with pytest.raises(DeriveError, match=r"offline: .*/git/blobs/.* is not in the cache"):
        offline.read("LICENSE")
    assert "offline: " in failure_of(derive, "acme/other", environ=TOKEN, offline=True)


def test_offline_loads_nothing_that_speaks_http(github, derive, cache):
    github.add("acme/thing", FILES)
    derive("acme/thing")
    script = (
        "import sys\nfrom workermd.derive.source import open_repository\n"
        f"open_repository('acme/thing', offline=True, environ={{'GITHUB_API_URL': {github.base!r}}}).close()\n"
        "print('httpx' in sys.modules)"
    )
    environ = {**os.environ, "XDG_CACHE_HOME": str(cache.parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_library_is_named_with_the_line_that_installs_it(tmp_path):
    script = (
        "import sys\nsys.modules['hishel'] = None\n"
        "from workermd.derive.source import open_repository\nfrom workermd.protocol.errors import DeriveError\n"
        "try:\n    open_repository('acme/thing')\nexcept DeriveError as e:\n    print(e.message, e.hint)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "needs the module hishel" in done.stdout
    assert "pip install 'workermd[derive]'" in done.stdout


@pytest.mark.parametrize(
    ("named", "ref"),
    [
        ("acme/thing@v1.0", "v1.0"),
        ("acme/thing@feature/x y".replace(" ", "-"), "feature/x-y"),
        ("https://github.com/acme/thing/tree/feature/x-y", "feature/x-y"),
        ("https://github.com/acme/thing/tree/v1.0/src/thing", "v1.0"),
    ],
)
def test_a_ref_is_pinned_to_its_commit(github, derive, named, ref):
    hosted = github.add("acme/thing", FILES)
    commit = hosted.push({"README.md": b"old\n"}, ref)
    repository = derive(named)
    assert repository.commit == commit
    assert repository.read("README.md") == b"old\n"
    assert repository.facts.default_branch == "main"
    assert any("folder" in line for line in derive.said) == named.endswith("src/thing")


def test_a_commit_is_named_by_its_digest(github, derive):
    hosted = github.add("acme/thing", FILES)
    commit = hosted.push({"README.md": b"old\n"}, "old")
    hosted.push(FILES)
    assert derive(f"acme/thing@{commit}").commit == commit
    assert derive(f"https://github.com/acme/thing/commit/{commit[:9]}").commit == commit


def test_a_ref_that_does_not_exist(github, derive):
    github.add("acme/thing", FILES)
    assert "has no branch, tag or commit v9" in failure_of(derive, "acme/thing@v9")
    assert "has no branch, tag or commit a/b" in failure_of(derive, "https://github.com/acme/thing/tree/a/b")


def test_a_renamed_repository_is_followed_and_reported(github, derive):
    hosted = github.add("new-owner/new-thing", FILES)
    github.moved["acme/thing"] = "new-owner/new-thing"
    for offline in (False, False, True):
        repository = derive("acme/thing", environ=TOKEN, offline=offline)
        assert repository.facts.moved_from == "acme/thing"
        assert (repository.facts.owner, repository.facts.name) == ("new-owner", "new-thing")
        assert repository.permalink("LICENSE", 1, 1) == (
            f"https://github.com/new-owner/new-thing/blob/{hosted.refs['main']}/LICENSE#L1"
        )
    assert "acme/thing has moved to new-owner/new-thing" in derive.said
    assert not any(seen.path.startswith("/repos/acme/thing/") for seen in github.requests)


def test_another_spelling_is_not_a_move(github, derive):
    github.add("Acme/Thing", FILES)
    assert derive("acme/thing").facts.moved_from is None


def test_an_archived_repository_is_told(github, derive):
    github.add("acme/thing", FILES, archived=True)
    assert derive("acme/thing").facts.archived is True
    assert any("archived" in line for line in derive.said)


def test_empty_private_and_absent_repositories_are_told_apart(github, derive):
    github.add("acme/empty", {})
    github.add("acme/private", FILES, private=True)
    assert "is empty: it has no commits yet" in failure_of(derive, "acme/empty")
    assert "or it is private: no token was given" in failure_of(derive, "acme/private")
    assert "or the token of GH_TOKEN may not see it" in failure_of(derive, "acme/absent", environ=TOKEN)
    assert derive("acme/private", environ=TOKEN).commit


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(403, {"message": "Resource not accessible by personal access token"}),
            "permission denied, which is not a limit",
        ),
        (Reply(403, {"message": "SAML"}, {"X-GitHub-SSO": "required; url=https://x"}), "single sign-on"),
        (Reply(451, {"message": "Repository access blocked"}), "legal reasons"),
        (Reply(418, {"message": "tea\x1b[31m"}), 'answered 418: it says "tea?[31m"'),
        (Reply(200, b"<html>"), "is not what GitHub's API documents"),
        (Reply(200, [1]), "is not what GitHub's API documents"),
        (Reply(200, b"[" * 100_000), "is not what GitHub's API documents"),
        (Reply(200, b" " * (9 << 20)), "has more than 8,388,608 bytes"),
        (Reply(200, b"\x1f\x8bxx", {"Content-Encoding": "gzip"}), "compression is damaged"),
    ],
)
def test_an_answer_that_is_no_repository_is_explained(github, derive, monkeypatch, reply, message):
    monkeypatch.setattr(api, "PATIENCE", Patience(retries=0))
    github.add("acme/thing", FILES)
    github.script("/repos/acme/thing", reply)
    assert message in failure_of(derive, environ=TOKEN)


@pytest.mark.parametrize("part", ["/commits/", "/languages", "/releases", "/git/trees/"])
def test_odd_answers_further_on_are_explained_and_not_kept(github, derive, part):
    github.add("acme/thing", FILES)
    github.script(part, Reply(200, b"3"))
    assert "is not what GitHub's API documents" in failure_of(derive)
    assert derive("acme/thing").read("README.md") == README


def test_a_bad_token_is_named_by_its_variable(github, derive):
    github.add("acme/thing", FILES)
    assert "refused the token of GH_TOKEN" in failure_of(derive, environ={"GH_TOKEN": "stale"})


def test_a_tree_cut_short_is_completed_by_its_folders(github, derive):
    files = {f"d{folder}/f{name:02}.txt": b"%d %d" % (folder, name) for folder in range(4) for name in range(9)}
    hosted = github.add("acme/thing", {"README.md": README, **files})
    hosted.truncate_at = 20
    repository = derive("acme/thing")
    assert [file.path for file in repository.files()] == sorted({"README.md", *files})
    assert repository.read("d3/f08.txt") == b"3 8"
    # One call that was cut, one for the top, one for each folder.
    assert sum("git/trees" in seen.path for seen in github.requests) == 6
    assert any("too large for one answer" in line for line in derive.said)
    github.requests.clear()
    derive("acme/thing")
    assert set(github.statuses()) == {304}


def test_a_tree_beyond_the_calls_is_refused_rather_than_cut(github, derive):
    hosted = github.add("acme/thing", {f"d{folder:02}/f": b"x" for folder in range(70)})
    hosted.truncate_at = 75
    assert "too many files for the API" in failure_of(derive)
    hosted.truncate_at = 10
    assert "too many files for the API" in failure_of(derive)


def test_releases_are_read_page_by_page_until_one_is_stable(github, derive):
    github.add("acme/thing", FILES, releases=[release(f"n{n}", prerelease=True) for n in range(15)] + [release("v1")])
    assert derive("acme/thing").facts.latest_release == "v1"
    assert [seen.path for seen in github.requests if "page=2" in seen.path]
    github.requests.clear()
    derive("acme/thing")
    assert set(github.statuses()) == {304}


def test_files_beyond_the_cap_and_absent_ones_are_refused(github, derive):
    github.add("acme/thing", {**FILES, "big": b"x" * ((1 << 20) + 1), "fits": b"y" * (1 << 20)})
    repository = derive("acme/thing")
    github.requests.clear()
    with pytest.raises(DeriveError, match=re.escape("big has 1,048,577 bytes; at most 1,048,576 are read")):
        repository.read("big")
    with pytest.raises(DeriveError, match="nothing is not a file of this commit"):
        repository.read("nothing")
    assert github.requests == []
    assert len(repository.read("fits")) == 1 << 20


def test_a_file_that_is_longer_than_the_tree_says_is_cut_off(github, derive):
    github.add("acme/thing", FILES)
    github.script("/git/blobs/", Reply(200, b"z" * (2 << 20)))
    with pytest.raises(DeriveError, match="more than 1,048,576 bytes"):
        derive("acme/thing").read("LICENSE")


def test_a_file_whose_digest_differs_is_refused_and_asked_for_again(github, derive):
    github.add("acme/thing", FILES)
    github.script("/git/blobs/", Reply(200, b"forged"))
    repository = derive("acme/thing")
    with pytest.raises(DeriveError, match="its digest differs"):
        repository.read("README.md")
    assert repository.read("README.md") == README


def test_a_file_is_asked_for_once(github, derive):
    github.add("acme/thing", FILES)
    repository = derive("acme/thing")
    github.requests.clear()
    assert repository.read("LICENSE") is repository.read("LICENSE")
    assert len(github.requests) == 1


def test_all_that_is_read_is_bounded(github, derive, monkeypatch):
    monkeypatch.setattr(api, "PATIENCE", Patience(volume=2 << 20))
    github.add("acme/thing", {f"f{number}": b"%d" % number * 1_000_000 for number in range(3)})
    repository = derive("acme/thing")
    repository.read("f0")
    repository.read("f1")
    with pytest.raises(DeriveError, match="more than 2 MiB were read"):
        repository.read("f2")


def test_hostile_names_and_texts_do_not_break_records(github, derive):
    hosted = github.add(
        "acme/thing", FILES, description="half \ud800 pair", topics=["a", 7], language=3, stargazers_count="x"
    )
    tree = next(entries for entries in hosted.trees.values() if any(entry["path"] == "LICENSE" for entry in entries))
    tree += [
        {"path": "line\nbreak", "mode": "100644", "type": "blob", "sha": "2" * 40, "size": 1},
        {"path": "esc\x1b", "mode": "100644", "type": "blob", "sha": "2" * 40, "size": 1},
        {"path": "short", "mode": "100644", "type": "blob", "sha": "../../user", "size": 1},
        {"path": "nosize", "mode": "100644", "type": "blob", "sha": "2" * 40},
        {"path": 7, "mode": "100644", "type": "blob", "sha": "2" * 40, "size": 1},
        "text",
    ]
    repository = derive("acme/thing")
    assert [file.path for file in repository.files()] == sorted(FILES)
    assert repository.facts.description == "half ? pair"
    assert (repository.facts.topics, repository.facts.language, repository.facts.stars) == (("a",), None, None)
    json.dumps(repository.facts).encode()


def test_a_folder_of_the_same_name_is_pointed_out(github, derive, tmp_path, monkeypatch):
    github.add("acme/thing", FILES)
    (tmp_path / "acme" / "thing").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    derive("acme/thing")
    assert any("write ./acme/thing for the folder" in line for line in derive.said)


def test_nothing_listens(derive, github, monkeypatch):
    monkeypatch.setattr(api, "PATIENCE", Patience(retries=1, first_pause=0.01))
    github.close()
    assert "cannot be reached: no connection" in failure_of(derive)


def test_requests_go_one_at_a_time(github, derive):
    inside, most, lock = 0, 0, threading.Lock()
    real = github.answer

    def counted(path, headers):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        answer = real(path, headers)
        with lock:
            inside -= 1
        return answer

    github.answer = counted
    github.add("acme/thing", FILES)
    derive("acme/thing").read("README.md")
    assert most == 1


def test_an_answer_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr(api, "PATIENCE", Patience(total=1.0, retries=0))
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        environ = {"GITHUB_API_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        with pytest.raises(DeriveError, match="no answer within the time"):
            open_repository("acme/thing", environ=environ)
        stop.set()
        thread.join(5)
