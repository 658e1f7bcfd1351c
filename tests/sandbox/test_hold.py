"""The one signal that ends an attempt: sent only from behind a fence."""

import os
import signal

import pytest

from workermd.sandbox import hold


@pytest.mark.parametrize(("answer", "sent"), [(None, []), (ProcessLookupError, []), (PermissionError, [-1])])
def test_everything_is_killed_only_where_nobody_outside_can_be(monkeypatch, answer, sent):
    """The signal itself is recorded and not sent: without the fence it would end whatever this user runs."""
    killed = []

    def kill(pid, number):
        if number == 0:
            if answer:
                raise answer
            return
        assert number == signal.SIGKILL
        killed.append(pid)

    monkeypatch.setattr(os, "kill", kill)
    assert hold.end_all() is bool(sent)
    assert killed == sent
