"""What a user may name, which API answers for it, and which token goes there."""

import pytest

from workermd.derive.address import RepositoryAddress, Token, api_of, parse
from workermd.protocol.errors import DeriveError

GHE = {"GH_HOST": "git.example.com"}


@pytest.mark.parametrize(
    ("named", "environ", "expected"),
    [
        ("acme/thing", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("acme/thing.git", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("acme/thing.js", {}, RepositoryAddress("github.com", "acme", "thing.js")),
        ("acme/thing@v1.2", {}, RepositoryAddress("github.com", "acme", "thing", ("v1.2",))),
        ("acme/thing@feature/x", {}, RepositoryAddress("github.com", "acme", "thing", ("feature/x",))),
        ("acme_corp/.github", {}, RepositoryAddress("github.com", "acme_corp", ".github")),
        ("acme/thing", GHE, RepositoryAddress("git.example.com", "acme", "thing")),
        (
            "acme/thing",
            {"GITHUB_SERVER_URL": "https://git.example.com"},
            RepositoryAddress("git.example.com", "acme", "thing"),
        ),
        ("acme/thing", {"GITHUB_API_URL": "https://g.example/api/v3"}, RepositoryAddress("g.example", "acme", "thing")),
        ("https://github.com/acme/thing", GHE, RepositoryAddress("github.com", "acme", "thing")),
        ("https://github.com/acme/thing/", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("http://www.GitHub.com/acme/thing.git", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("https://github.com/acme/thing?tab=readme#top", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("https://github.com/acme/thing@v2", {}, RepositoryAddress("github.com", "acme", "thing", ("v2",))),
        ("https://github.com/acme/thing/tree/main", {}, RepositoryAddress("github.com", "acme", "thing", ("main",))),
        ("https://github.com/acme/thing/tree/a/b", {}, RepositoryAddress("github.com", "acme", "thing", ("a", "a/b"))),
        (
            "https://github.com/acme/thing/blob/v1/R.md",
            {},
            RepositoryAddress("github.com", "acme", "thing", ("v1", "v1/R.md")),
        ),
        (
            "https://github.com/acme/thing/releases/tag/v%2B1",
            {},
            RepositoryAddress("github.com", "acme", "thing", ("v+1",)),
        ),
        (
            "https://github.com/acme/thing/commit/0a1b2c3",
            {},
            RepositoryAddress("github.com", "acme", "thing", ("0a1b2c3",)),
        ),
        ("https://github.com/acme/thing/issues/4", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("github.com/acme/thing", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("git@github.com:acme/thing.git", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("ssh://git@github.com:22/acme/thing.git", {}, RepositoryAddress("github.com", "acme", "thing")),
        ("https://git.example.com/acme/thing", GHE, RepositoryAddress("git.example.com", "acme", "thing")),
        ("https://corp.ghe.com/acme/thing", {}, RepositoryAddress("corp.ghe.com", "acme", "thing")),
        ("./acme/thing", {}, None),
        ("/srv/thing", {}, None),
        ("~/thing", {}, None),
        ("thing", {}, None),
        ("a/b/c", {}, None),
    ],
)
def test_what_is_named_is_understood(named, environ, expected):
    assert parse(named, environ) == expected


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("https://gitlab.com/acme/thing", "gitlab.com is not known as a GitHub host"),
        ("https://github.com.evil.example/acme/thing", "is not known as a GitHub host"),
        ("https://evil.example\\@github.com/acme/thing", "carries credentials"),
        ("https://s3cret@github.com/acme/thing", "carries credentials"),
        ("https://user:s3cret@github.com/acme/thing", "carries credentials"),
        ("ftp://github.com/acme/thing", "ftp addresses are not read"),
        ("https://github.com/acme", "names no repository"),
        ("https://github.com/acme/..", "cannot be the name"),
        ("https://github.com/a%2Fb/thing", "cannot be the name"),
        ("https://[::1/acme/thing", "is not a URL"),
        ("acme/thing@", "not one that git allows"),
        ("acme/thing@--upload-pack=x", "not one that git allows"),
        ("acme/thing@a..b", "not one that git allows"),
        ("acme/thing@HEAD^{/x}", "not one that git allows"),
        ("acme/thing@a\nb", "not one that git allows"),
        ("acme/thing@\u202emain", "not one that git allows"),
        ("https://github.com/acme/thing/tree/..%2f..%2fx", "not one that git allows"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(named, message):
    with pytest.raises(DeriveError) as failure:
        parse(named, {})
    assert message in failure.value.message
    assert "s3cret" not in failure.value.message + failure.value.hint
    assert failure.value.message.isprintable()
    assert failure.value.hint


@pytest.mark.parametrize(
    ("host", "environ", "base", "variable"),
    [
        ("github.com", {}, "https://api.github.com", None),
        ("github.com", {"GITHUB_TOKEN": "b", "GH_TOKEN": "a"}, "https://api.github.com", "GH_TOKEN"),
        ("github.com", {"GITHUB_TOKEN": "b", "GH_TOKEN": ""}, "https://api.github.com", "GITHUB_TOKEN"),
        ("github.com", {**GHE, "GH_ENTERPRISE_TOKEN": "e"}, "https://api.github.com", None),
        ("git.example.com", {**GHE, "GH_TOKEN": "a"}, "https://git.example.com/api/v3", None),
        (
            "git.example.com",
            {**GHE, "GH_ENTERPRISE_TOKEN": "e"},
            "https://git.example.com/api/v3",
            "GH_ENTERPRISE_TOKEN",
        ),
        (
            "git.example.com",
            {**GHE, "GITHUB_ENTERPRISE_TOKEN": "e"},
            "https://git.example.com/api/v3",
            "GITHUB_ENTERPRISE_TOKEN",
        ),
        # Known as a host, but not the one that the token is for.
        ("other.ghe.com", {**GHE, "GH_ENTERPRISE_TOKEN": "e", "GH_TOKEN": "a"}, "https://api.other.ghe.com", None),
        (
            "corp.ghe.com",
            {"GH_HOST": "corp.ghe.com", "GH_ENTERPRISE_TOKEN": "e"},
            "https://api.corp.ghe.com",
            "GH_ENTERPRISE_TOKEN",
        ),
        # GITHUB_API_URL counts for the host it belongs to.
        (
            "git.example.com",
            {**GHE, "GITHUB_API_URL": "https://api.github.com"},
            "https://git.example.com/api/v3",
            None,
        ),
        ("github.com", {**GHE, "GITHUB_API_URL": "https://git.example.com/api/v3"}, "https://api.github.com", None),
        (
            "git.example.com",
            {"GITHUB_API_URL": "https://git.example.com/api/v3/"},
            "https://git.example.com/api/v3",
            None,
        ),
        ("github.com", {"GITHUB_API_URL": "http://127.0.0.1:9", "GH_TOKEN": "a"}, "http://127.0.0.1:9", "GH_TOKEN"),
        (
            "github.com",
            {**GHE, "GITHUB_API_URL": "http://127.0.0.1:9", "GH_TOKEN": "a"},
            "https://api.github.com",
            "GH_TOKEN",
        ),
        ("git.example.com", {**GHE, "GITHUB_API_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9", None),
    ],
)
def test_each_host_has_its_api_and_its_own_token(host, environ, base, variable):
    api = api_of(host, environ)
    assert api.base == base
    assert (api.token.variable if api.token else None) == variable


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"GH_HOST": "https://git.example.com"}, "GH_HOST is not a host name"),
        ({"GITHUB_API_URL": "ftp://x"}, "GITHUB_API_URL is not a plain"),
        ({"GITHUB_API_URL": "https://u:p@x/api/v3"}, "GITHUB_API_URL is not a plain"),
        ({"GITHUB_SERVER_URL": "git.example.com"}, "GITHUB_SERVER_URL is not a plain"),
        ({"GH_TOKEN": "a\nb"}, "GH_TOKEN holds characters"),
    ],
)
def test_variables_that_cannot_be_used_are_named(environ, message):
    with pytest.raises(DeriveError, match=message) as failure:
        api_of("github.com", environ) if "GH_TOKEN" in environ else parse("acme/thing", environ)
    assert "a\nb" not in str(failure.value)


def test_a_token_shows_itself_nowhere():
    api = api_of("github.com", {"GH_TOKEN": "s3cret"})
    assert "s3cret" not in f"{api} {api!r} {Token('s3cret', 'GH_TOKEN')!s}"
    assert api.token is not None
    assert api.token.reveal() == "s3cret"
