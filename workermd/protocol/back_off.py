"""When the next attempt may start: exponential back-off with full jitter inside the one deadline (S3.4).

After a failure that says "not there now" the attempts that are left are spread over the time that is left: what is away
for a few seconds must not use all of them up in the first second.
"""

FIRST_PAUSE = 0.5
"""Seconds: the first pause is drawn from 0 to this, each further one from twice the span."""

LONGEST_PAUSE = 30.0

USEFUL_SHARE = 0.1
"""An attempt that could not get this share of `timeout_seconds` is not started."""


def pause_before(
    attempt: int, *, time_left: float, timeout: float, after: float | None, spread_over: int = 0
) -> float | None:
    """Seconds to wait before starting `attempt` (2 or more), or None when it would come too late to be useful.

    `after` is what a provider asked for (`Retry-After`): it is obeyed or the attempt is not made. Our own
    back-off is clipped to the time left instead. `spread_over` is how many attempts are left where they are to be
    spread over the time left, with twice as much time for each attempt as for the pause before it.
    """
    # tenacity takes 40 ms to import; most runs never get here.
    from tenacity import RetryCallState, Retrying, wait_random_exponential

    latest = time_left - USEFUL_SHARE * timeout
    if latest < 0 or (after is not None and after > latest):
        return None
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt - 1
    drawn = wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)(state)
    if spread_over and after is None:
        drawn = max(drawn, min(time_left / (2 * spread_over + 1), LONGEST_PAUSE))
    return max(min(drawn, latest), after or 0.0)
