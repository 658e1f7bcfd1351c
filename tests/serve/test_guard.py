"""What stands before every request: for us, from us, by somebody, and not too much."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.serve.serving import ADDRESS, access_of, bearer, offered, serving
from workermd.protocol.errors import ConfigurationError
from workermd.serve import callers
from workermd.serve.application import Addition

GOOD = "t" * callers.FEWEST_CHARACTERS


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (200, None)),
        ({"Origin": ADDRESS}, (200, None)),
        ({"Host": "evil.example"}, (421, "foreign_host")),
        ({"Host": "127.0.0.1:80"}, (421, "foreign_host")),
        ({"Origin": "http://evil.example"}, (403, "foreign_origin")),
        ({"Origin": "null"}, (403, "foreign_origin")),
        ({"Authorization": ""}, (401, "unauthorized")),
        ({"Authorization": "Bearer wrong"}, (401, "unauthorized")),
        ({"Authorization": "Basic " + "a" * 30}, (401, "unauthorized")),
        ({"Authorization": "Bearer \u00e4".encode("latin-1")}, (401, "unauthorized")),
    ],
)
def test_a_request_is_let_in_only_for_us_from_us_and_by_somebody(tmp_path, headers, expected):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, "")) as served:
            return await served.client.get("/workers", headers=headers)

    response = asyncio.run(scenario())
    assert (response.status_code, response.json().get("code")) == expected
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert ("www-authenticate" in response.headers) == (expected[0] == 401)


def test_bodies_and_callers_are_bounded(tmp_path):
    async def endless():
        while True:
            yield b" " * 1000

    async def never():
        yield b"{"
        await asyncio.sleep(60)

    async def scenario():
        access = access_of(max_body_bytes=5000, body_seconds=0.2, calls_per_minute=4)
        async with serving(tmp_path, offered(tmp_path, ""), access=access) as served:
            found = [await served.run(body) for body in (b" " * 6000, endless(), never())]
            others = [await served.client.get("/workers", headers=bearer(name)) for name in ("ada", "ada", "bob")]
            return [(each.status_code, each.json().get("code")) for each in (*found, *others)]

    assert asyncio.run(scenario()) == [
        (413, "body_too_large"),
        (413, "body_too_large"),
        (408, "body_too_slow"),
        (200, None),
        (429, "too_many_requests"),
        (200, None),
    ]


def test_what_others_add_stands_behind_the_same_guard(tmp_path):
    """A browser that is known by a cookie changes something only from a page of ours."""

    async def page(request):
        return PlainTextResponse(request.state.caller or "nobody")

    addition = Addition(
        [Route("/page", page, methods=["GET", "POST"]), Route("/open/link", page), Route("/healthz", page)],
        open_paths=["/open/"],
        recognised=[lambda connection: "eve" if connection.cookies.get("session") == "s" else ""],
    )

    async def scenario():
        async with serving(tmp_path, offered(tmp_path, ""), additions=[addition]) as served:
            del served.client.headers["Authorization"]
            served.client.cookies.set("session", "s")
            get, post, own = (
                await served.client.get("/page"),
                await served.client.post("/page"),
                await served.client.post("/page", headers={"Origin": ADDRESS}),
            )
            health = await served.client.get("/healthz")
            served.client.cookies.clear()
            shut = [await served.client.get(path) for path in ("/page", "/healthzz", "/open", "/openly")]
            return get, post, own, health, await served.client.get("/open/link"), shut

    get, post, own, health, opened, shut = asyncio.run(scenario())
    assert (get.text, own.text, opened.text) == ("eve", "eve", "nobody")
    assert (post.status_code, post.json()["code"]) == (403, "foreign_origin")
    assert health.json() == {"status": "ok"}
    assert [each.status_code for each in shut] == [401] * 4


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        (f"# who\n\nada:{GOOD}\nbob: {GOOD}2\n", 0o600, ""),
        (f"ada:{GOOD}\n", 0o640, "others may read the tokens"),
        ("ada\n", 0o600, "tokens:1: no line NAME:TOKEN"),
        ("\nada:short\n", 0o600, "tokens:2: the token of 'ada' has 5 characters"),
        (f"ada:{GOOD}\nbob:{GOOD}\n", 0o600, "stands in it twice"),
        ("# nobody\n", 0o600, "no token stands in it"),
    ],
)
def test_a_file_of_tokens_is_read_or_refused(tmp_path, text, mode, expected):
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(mode)
    if not expected:
        known = callers.read(str(path))
        assert [known.named(token) for token in (GOOD, f"{GOOD}2", GOOD[:-1], "")] == ["ada", "bob", "", ""]
        assert GOOD not in repr(known)
        return
    with pytest.raises(ConfigurationError) as refused:
        callers.read(str(path))
    assert expected in refused.value.message
    assert GOOD not in f"{refused.value.message}{refused.value.hint}"
