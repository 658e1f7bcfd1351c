"""The way to a host's API: an answer within its caps, and kept for whoever asked."""

import httpx
import pytest

from tests.derive.github_server import Reply
from workermd.derive.address import Api, Token
from workermd.derive.api_cache import key_of
from workermd.derive.transport import Door, ResponseTooLarge


@pytest.fixture
def asked(github):
    """The same answer through the door; `seconds` is what the clock says at each look."""
    github.script("/x", *[Reply(200, {"a": "0123456789"})] * 3)

    def ask(cap, deadline=9.0, seconds=0.0):
        door = Door(Api("github.com", github.base, None), lambda: seconds)
        with httpx.Client(transport=door) as client:
            return client.get(f"{github.base}/x", extensions={"cap": cap, "deadline": deadline}).content

    return ask


def test_an_answer_is_taken_up_to_its_cap(asked):
    whole = asked(10_000)
    assert asked(len(whole)) == whole
    with pytest.raises(ResponseTooLarge):
        asked(len(whole) - 1)


def test_an_answer_has_an_end_in_time(asked):
    """However slowly it comes: the clock is looked at with every piece."""
    assert asked(10_000, deadline=9.0, seconds=9.0)
    with pytest.raises(httpx.ReadTimeout):
        asked(10_000, deadline=9.0, seconds=9.001)


def test_each_token_has_answers_of_its_own():
    """What one token may see is not shown to another, nor to nobody."""
    asking = [
        ("u", "a", None),
        ("u", "a", Token("t", "X")),
        ("u", "a", Token("s", "X")),
        ("u", "b", None),
        ("v", "a", None),
    ]
    assert len({key_of(*each) for each in asking}) == len(asking)
    assert key_of("u", "a", Token("t", "X")) == key_of("u", "a", Token("t", "ANOTHER"))
    assert "t0ken" not in key_of("u", "a", Token("t0ken", "X"))
