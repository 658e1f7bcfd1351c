"""Refusals because of a limit, permission, and a host that does not answer: what is waited for and what is said."""

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from tests.derive.conftest import FILES
from tests.derive.github_server import GitHubServer, Reply
from workermd.derive.address import RepositoryAddress, api_of
from workermd.derive.api import ApiSession, Limit, Patience, limit_of
from workermd.derive.github import GitHubRepository
from workermd.derive.response import ApiResponse
from workermd.protocol.errors import DeriveError

SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
PRIMARY = {"message": "API rate limit exceeded for 192.0.2.1. (But here's the good news: ...)"}
PLAIN = {"message": "Resource not accessible by integration"}


class Patient:
    """Opens `acme/thing` with a clock that sleeping moves; `slept` and `said` tell what happened."""

    def __init__(self, github: GitHubServer) -> None:
        self.slept: list[float] = []
        self.said: list[str] = []
        self._github = github
        self._ahead = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._ahead += seconds

    def open(self, patience: Patience | None = None, token: str = "") -> GitHubRepository:
        environ = {"GITHUB_API_URL": self._github.base, "GH_TOKEN": token}
        talk = ApiSession(
            api_of("github.com", environ),
            offline=False,
            progress=self.said.append,
            patience=patience,
            sleep=self.sleep,
            clock=lambda: time.monotonic() + self._ahead,
            now=lambda: time.time() + self._ahead,
        )
        try:
            repository = GitHubRepository(RepositoryAddress("github.com", "acme", "thing"), talk, self.said.append)
            repository.files()
            return repository
        finally:
            talk.close()


@pytest.fixture
def patient(github: GitHubServer) -> Patient:
    github.add("acme/thing", FILES)
    return Patient(github)


def later(seconds: float) -> str:
    return str(int(time.time() + seconds))


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("body", "headers", "least", "most"),
    [
        (SECONDARY, lambda: {"Retry-After": "7"}, 7, 7),
        (PLAIN, lambda: {"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": later(50)}, 7, 7),
        (SECONDARY, lambda: {"Retry-After": formatdate(time.time() + 30, usegmt=True)}, 25, 31),
        (PRIMARY, lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": later(40)}, 35, 42),
        (PRIMARY, lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": later(-5)}, 1, 1),
        (SECONDARY, dict, 60, 60),
        (PRIMARY, lambda: {"X-RateLimit-Remaining": "0"}, 60, 60),
    ],
)
def test_a_short_limit_is_waited_for_and_told(github, patient, status, body, headers, least, most):
    github.script("/languages", Reply(status, body, headers()))
    assert patient.open().commit
    assert len(patient.slept) == 1
    assert least <= patient.slept[0] <= most
    assert any(re.search(r"github.com: .*: waiting until \d\d:\d\d:\d\d UTC \(\d+ s\)", line) for line in patient.said)


def test_limits_again_and_again_wait_longer_and_end(github, patient):
    github.script("/languages", *[Reply(403, SECONDARY)] * 9)
    with pytest.raises(DeriveError, match="GitHub asks for fewer requests"):
        patient.open(Patience(wait=500))
    assert patient.slept == [60, 120, 240]
    assert sum("languages" in seen.path for seen in github.requests) == 4


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "3600"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "32503680000", "X-RateLimit-Limit": "60"},
    ],
)
def test_a_long_limit_ends_at_once_with_the_time_and_what_to_do(github, patient, status, headers):
    github.script("/commits/", Reply(status, PRIMARY, headers))
    with pytest.raises(DeriveError) as failure:
        patient.open()
    assert patient.slept == []
    assert re.search(r"free again at \d\d:\d\d:\d\d UTC|a time far away", failure.value.message)
    assert "set GH_TOKEN" in failure.value.hint
    assert "--offline" in failure.value.hint
    assert ("(60 requests an hour)" in failure.value.message) == ("X-RateLimit-Limit" in headers)


def test_with_a_token_no_token_is_advised(github, patient):
    github.tokens = {"t0ken"}
    github.script("/commits/", Reply(429, PRIMARY, {"Retry-After": "3600"}))
    with pytest.raises(DeriveError) as failure:
        patient.open(token="t0ken")
    assert "GH_TOKEN" not in failure.value.hint


def test_plain_permission_is_no_limit(github, patient):
    github.script("/languages", Reply(403, PLAIN, {"X-RateLimit-Remaining": "4000"}))
    with pytest.raises(DeriveError, match="permission denied, which is not a limit: it says") as failure:
        patient.open()
    assert patient.slept == []
    assert "Resource not accessible" in failure.value.message


def test_waiting_stays_within_the_whole_time(github, patient):
    github.script(
        "/languages", Reply(429, SECONDARY, {"Retry-After": "50"}), Reply(429, SECONDARY, {"Retry-After": "50"})
    )
    with pytest.raises(DeriveError, match="free again at"):
        patient.open(Patience(total=80))
    assert patient.slept == [50]


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        # The host's clock counts, not ours.
        ({"date": "Thu, 01 Jan 1970 00:16:40 GMT", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1010"}, 11.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5010"}, 11.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Thu, 01 Jan 1970 01:23:30 GMT"}, 10.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_odd_headers_of_a_limit(headers, limit):
    found = limit_of(ApiResponse(429, headers, b""), 5000.0)
    assert isinstance(found, Limit)
    assert found.seconds == limit


@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"retry-after": "5"}), (404, {"x-ratelimit-remaining": "0"}), (403, {})]
)
def test_other_answers_are_no_limits(status, headers):
    assert limit_of(ApiResponse(status, headers, b"{}"), 0.0) is None


@pytest.mark.parametrize(
    "trouble",
    [Reply(502, b"<html>bad gateway"), Reply(500, {"message": "oops"}), Reply(200, {"a": "b" * 90}, cut=20)],
    ids=["gateway", "error", "dropped"],
)
def test_a_passing_fault_is_tried_again(github, patient, trouble):
    github.script("/languages", trouble, trouble)
    assert patient.open().facts.languages
    assert patient.slept == [1.0, 2.0]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Reply(503, b""), "it answered 503"),
        (Reply(200, {"a": "b" * 90}, cut=20), "the connection broke before the answer was whole"),
    ],
)
def test_a_lasting_fault_is_told(github, patient, trouble, reason):
    github.script("/languages", *[trouble] * 9)
    with pytest.raises(DeriveError, match=f"github.com cannot be reached: {reason}"):
        patient.open()
    assert sum("languages" in seen.path for seen in github.requests) == 3


def test_an_answer_cut_short_is_not_kept(github, patient):
    sha = github.repositories["acme/thing"].commits
    assert sha
    github.script("/git/trees/", Reply(200, {"tree": [], "x": "y" * 90}, cut=20))
    assert patient.open().files()
    assert Patient(github).open().files()


def test_a_host_that_does_not_answer(github, patient):
    github.script("/repos/", Reply(200, {}, delay=3.0))
    started = time.monotonic()
    with pytest.raises(DeriveError, match="no answer within the time"):
        patient.open(Patience(total=0.7, retries=0))
    assert time.monotonic() - started < 2.9


def test_the_whole_time_is_held_over_many_requests(github, patient):
    slow: Callable[..., Any] = github.answer

    def answer(path: str, headers: dict[str, str]) -> Reply:
        time.sleep(0.3)
        return slow(path, headers)

    github.answer = answer  # type: ignore[method-assign]
    with pytest.raises(DeriveError, match=r"cannot be reached|are over"):
        patient.open(Patience(total=0.8, retries=0))
    assert len(github.requests) <= 4
