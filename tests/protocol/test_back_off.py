"""When the next attempt starts: never so late that it could not be useful, never before a provider's time."""

import pytest

from workermd.protocol.back_off import FIRST_PAUSE, LONGEST_PAUSE, USEFUL_SHARE, pause_before

DRAWS = 40
"""A pause is drawn anew each time: so many draws meet the end of their span."""


def pauses(attempt, **given):
    return [
        pause_before(attempt, **{"time_left": 1000.0, "timeout": 100.0, "after": None, **given}) for _ in range(DRAWS)
    ]


@pytest.mark.rule("S3.4")
def test_a_useful_share_of_the_time_is_left_after_every_pause():
    """A tenth of `timeout_seconds`, however long the pause that was drawn."""
    left = 10.5
    assert USEFUL_SHARE == 0.1
    drawn = pauses(12, time_left=left)
    assert all(pause is not None and left - pause >= 10.0 for pause in drawn)
    assert max(drawn) == 0.5  # clipped, not drawn again


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(("left", "starts"), [(10.0, True), (9.999, False), (0.0, False), (-1.0, False)])
def test_an_attempt_that_would_get_less_is_not_started(left, starts):
    assert (pause_before(2, time_left=left, timeout=100.0, after=None) is not None) == starts


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(("after", "starts"), [(40.0, True), (40.001, False)])
def test_a_provider_is_obeyed_or_the_attempt_is_not_made(after, starts):
    """Its time counts in full, also where our own pause would be shorter."""
    found = pauses(2, time_left=50.0, after=after)
    assert found == [after if starts else None] * DRAWS


@pytest.mark.rule("S3.4")
def test_our_own_pause_stays_where_a_provider_asks_for_less():
    assert max(pauses(9, after=0.0)) > 1.0


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(
    ("attempt", "span"), [(2, FIRST_PAUSE), (3, 2 * FIRST_PAUSE), (4, 4 * FIRST_PAUSE), (99, LONGEST_PAUSE)]
)
def test_the_span_of_a_pause_doubles_up_to_its_bound(attempt, span):
    """Full jitter: from nothing to the span."""
    drawn = pauses(attempt)
    assert max(drawn) <= span
    assert max(drawn) > span / 2
    assert min(drawn) < span / 2


@pytest.mark.rule("S3.4")
def test_attempts_after_not_there_now_are_spread_over_the_time_left():
    """Two attempts of a contract of 30 s outlive an endpoint that is away for a few seconds."""
    assert all(10.0 <= pause <= 10.5 for pause in pauses(2, time_left=30.0, timeout=30.0, spread_over=1))
    assert min(pauses(2, time_left=30.0, timeout=30.0, spread_over=3)) >= 30 / 7
    assert max(pauses(2, time_left=9000.0, timeout=9000.0, spread_over=1)) == LONGEST_PAUSE
    assert pauses(2, time_left=30.0, timeout=30.0, after=0.25, spread_over=1) != [10.0] * DRAWS, (
        "a provider's word goes before"
    )
