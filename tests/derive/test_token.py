"""A token goes to the API it belongs to and nowhere else. The servers tell what reached them."""

from __future__ import annotations

import os
import ssl
import subprocess

import pytest

from tests.derive.conftest import FILES
from tests.derive.github_server import GitHubServer, Reply
from tests.late import LATE
from workermd.derive.address import Api, Token, api_of
from workermd.derive.source import open_repository
from workermd.derive.transport import Door, origin_of
from workermd.protocol.errors import DeriveError

if LATE:
    import httpx

ENVIRON = {"GH_TOKEN": "t0ken", "GITHUB_TOKEN": "t0ken2", "GH_ENTERPRISE_TOKEN": "t0ken3"}


@pytest.fixture
def elsewhere():
    server = GitHubServer("127.0.0.2")
    yield server
    server.close()


@pytest.fixture
def neighbour():
    """The same address, another port: another origin all the same."""
    server = GitHubServer()
    yield server
    server.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("part", ["/repos/acme/thing", "/commits/", "/languages", "/git/trees/", "/git/blobs/"])
def test_a_redirect_to_another_host_is_not_followed(github, elsewhere, neighbour, derive, status, part):
    github.tokens = {"t0ken"}
    github.add("acme/thing", FILES)
    for other in (elsewhere, neighbour):
        other.add("acme/thing", FILES)
        github.script(part, Reply(status, {"message": "Moved"}, {"Location": f"{other.base}/repos/acme/thing"}))
        with pytest.raises(DeriveError, match="redirects to another host") as failure:
            derive("acme/thing", environ=ENVIRON).read("README.md")
        assert other.netloc in failure.value.message
        assert other.requests == []


@pytest.mark.parametrize(
    "location",
    ["//127.0.0.2:9/x", "https://api.github.com/repos/a/b", "http://t@127.0.0.1/x", "file:///etc/passwd"],
)
def test_odd_locations_are_not_followed(github, derive, location):
    github.add("acme/thing", FILES)
    github.script("/repos/", Reply(301, {}, {"Location": location}))
    with pytest.raises(DeriveError, match="redirects to"):
        derive("acme/thing")


def test_a_location_that_is_no_address_is_not_followed(github, derive):
    github.add("acme/thing", FILES)
    github.script("/repos/", Reply(301, {}, {"Location": "http://[::1"}))
    with pytest.raises(DeriveError, match=r"redirects to http://\[::1, which is no address"):
        derive("acme/thing")
    assert len(github.requests) == 1


def test_redirects_without_end(github, derive):
    github.script("/", *[Reply(302, {}, {"Location": f"{github.base}/repos/a/b"})] * 9)
    with pytest.raises(DeriveError, match="too many redirects"):
        derive("acme/thing")
    assert len(github.requests) == 4


def test_a_next_page_on_another_host_is_not_asked_for(github, elsewhere, derive):
    github.add("acme/thing", FILES)
    github.script(
        "/releases", Reply(200, [], {"Link": f'<{elsewhere.base}/repos/acme/thing/releases?page=2>; rel="next"'})
    )
    with pytest.raises(DeriveError, match="another host"):
        derive("acme/thing", environ={"GH_TOKEN": ""})
    assert elsewhere.requests == []


def test_the_door_itself_gives_the_token_to_one_origin_only(github, elsewhere, neighbour):
    door = Door(Api("github.com", github.base, Token("t0ken", "GH_TOKEN")), lambda: 0.0)
    with httpx.Client(transport=door) as client:
        for server in (github, elsewhere, neighbour):
            client.get(f"{server.base}/x", extensions={"cap": 1000, "deadline": 9.0})
    assert github.requests[0].headers["authorization"] == "Bearer t0ken"
    assert "authorization" not in elsewhere.requests[0].headers
    assert "authorization" not in neighbour.requests[0].headers


def test_a_token_of_another_host_stays_here(github, derive):
    github.add("acme/thing", FILES)
    # The server is the API of a host that is neither github.com nor GH_HOST.
    derive("https://corp.ghe.com/acme/thing", environ={**ENVIRON, "GITHUB_SERVER_URL": "https://corp.ghe.com"})
    assert github.requests
    assert all("authorization" not in seen.headers for seen in github.requests)
    github.requests.clear()
    github.tokens = {"t0ken3"}
    derive("acme/thing", environ={**ENVIRON, "GH_HOST": "git.example.com"})
    assert {seen.headers["authorization"] for seen in github.requests} == {"Bearer t0ken3"}


def test_a_token_does_not_travel_in_the_clear(monkeypatch):
    for base, sent in (
        ("http://git.example.com/api/v3", False),
        ("https://git.example.com/api/v3", True),
        ("http://localhost:8080/api/v3", True),
    ):
        assert Door(Api("git.example.com", base, Token("t", "GH_ENTERPRISE_TOKEN")), lambda: 0.0).token_is_sent is sent
    assert origin_of(httpx.URL("https://X.example/a")) == origin_of(httpx.URL("https://x.example:443/b"))


def test_the_proxy_of_the_environment_is_used(github, derive, neighbour, monkeypatch):
    neighbour.add("acme/thing", FILES)
    monkeypatch.setenv("http_proxy", neighbour.base)
    monkeypatch.setenv("no_proxy", "")
    github.add("acme/thing", FILES)
    with pytest.raises(DeriveError):  # the stand-in is no proxy; what counts is who was asked
        derive("acme/thing", environ={"GITHUB_API_URL": "http://git.example.com/api/v3"})
    assert neighbour.requests[0].path == "http://git.example.com/api/v3/repos/acme/thing"


def test_no_message_or_progress_shows_a_token(github, derive):
    github.add("acme/thing", FILES)
    for reply in (
        Reply(401, {"message": "Bad credentials"}),
        Reply(403, {"message": "no"}),
        Reply(418, {"message": "x"}),
    ):
        github.script("/repos/", reply)
        with pytest.raises(DeriveError) as failure:
            derive("acme/thing", environ=ENVIRON)
        assert "t0ken" not in f"{failure.value.message} {failure.value.hint} {derive.said} {failure.value!r}"


def test_an_enterprise_host_is_asked_over_tls_below_api_v3(tmp_path, monkeypatch):
    server = GitHubServer(prefix="/api/v3")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=loopback"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    try:
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        server.close()
        pytest.skip("openssl is not installed, and a certificate is needed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server.listen_with(context)
    server.tokens = {"t0ken3"}
    server.add("acme/thing", FILES)
    environ = {**ENVIRON, "GH_HOST": server.netloc}
    assert api_of(server.netloc, environ).base == f"https://{server.netloc}/api/v3"
    said: list[str] = []
    try:
        with pytest.raises(DeriveError, match="its certificate does not verify"):
            open_repository("acme/thing", environ=environ, progress=said.append)
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(tmp_path / "cert.pem"))
        repository = open_repository(f"https://{server.netloc}/acme/thing/tree/main", environ=environ)
        assert repository.facts.url == f"https://{server.netloc}/acme/thing"
        assert repository.read("README.md") == FILES["README.md"]
        repository.close()
        assert {seen.headers["authorization"] for seen in server.requests} == {"Bearer t0ken3"}
        assert all(seen.path.startswith("/api/v3/repos/acme/thing") for seen in server.requests)
    finally:
        server.close()
