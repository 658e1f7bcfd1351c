"""`doctor --probe`: what an endpoint takes is found by asking, and put into the configuration with its comments kept."""

import tomllib

import pytest

from workermd.backends.agents.probe import probed
from workermd.task.binding import Model
from workermd.testing import Problem, Server, Text

OK = '{"ok": true}'

ENDPOINTS = {
    "all": ({}, {}),
    "names": ({"refuses": {"names"}}, {"names": False}),
    "system": ({"refuses": {"system"}}, {"system": "user"}),
    "one role": ({"refuses": {"same_role"}}, {"merge_roles": True}),
    "streams only": ({"refuses": {"unstreamed"}}, {"stream": True}),
    "no schema": ({"supports": {"json_object"}}, {"structured": "json"}),
    "no form, and 500 for it": ({"supports": set(), "refuses_with": Problem(500)}, {"structured": "text"}),
    "a narrow one": (
        {
            "supports": {"stream"},
            "refuses": {"names", "system", "same_role", "unstreamed"},
            "refuses_with": Problem(400),
        },
        {"stream": True, "system": "user", "names": False, "merge_roles": True, "structured": "text"},
    ),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_keys_are_those_that_the_endpoint_needs(name):
    serve, keys = ENDPOINTS[name]
    with Server([Text(OK)], loop=True, **serve) as server:
        found = probed(Model("small", server.url))
    assert (found.keys, found.problem) == (keys, "")
    assert len(server.requests) <= 12


def test_an_endpoint_that_refuses_everything_is_told_in_its_words():
    with Server(lambda _: Problem(401, "Who is there?")) as server:
        found = probed(Model("small", server.url))
    assert "it says: Who is there?" in found.problem
    assert found.keys == {}


CONFIGURATION = """# ours
[models.local]   # at home
model = "small"  # the small one
base_url = "URL"
"""


def test_write_keeps_comments_and_shows_the_difference(cli, tmp_path):
    with Server([Text(OK)], loop=True, refuses={"names"}) as server:
        file = tmp_path / "workermd.toml"
        file.write_text(CONFIGURATION.replace("URL", server.url))
        done = cli("doctor", "--probe", "local", "--write")
        assert (done.code, done.out.decode()) == (0, "[models.local]\nnames = false\n"), done.err
        assert "+names = false" in done.err
        assert file.read_text() == CONFIGURATION.replace("URL", server.url) + "names = false\n"
        assert tomllib.loads(file.read_text())["models"]["local"]["names"] is False
        wrong = cli("doctor", "--probe", "locla")
    assert wrong.code == 2
    assert "it has: local" in wrong.err
