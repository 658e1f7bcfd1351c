"""When the next attempt may start: exponential back-off with full jitter inside the one deadline (S3.4)."""

FIRST_PAUSE = 0.5
"""Seconds: the first pause is drawn from 0 to this, each further one from twice the span."""

LONGEST_PAUSE = 30.0

USEFUL_SHARE = 0.1
"""An attempt that could not get this share of `timeout_seconds` is not started."""


def pause_before(attempt: int, *, time_left: float, timeout: float, after: float | None) -> float | None:
    """Seconds to wait before starting `attempt` (2 or more), or None when it would come too late to be useful.

    `after` is what a provider asked for (`Retry-After`): it is obeyed or the attempt is not made. Our own
    back-off is clipped to the time left instead.
    """
    # tenacity takes 40 ms to import; most runs never get here.
    from tenacity import RetryCallState, Retrying, wait_random_exponential

    latest = time_left - USEFUL_SHARE * timeout
    if latest < 0 or (after is not None and after > latest):
        return None
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt - 1
    drawn = wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)(state)
    return max(min(drawn, latest), after or 0.0)
