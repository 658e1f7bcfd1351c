"""What `doctor` says of this machine is what happens on it."""

import os

from workermd.sandbox import landlock, probe


def test_every_means_is_tried_and_said():
    found = {each.name: each for each in probe.means()}
    assert bool(found["landlock"].problem) == (landlock.version() == 0)
    assert all(each.holds for each in found.values())


def test_a_trial_that_refuses_nothing_is_a_problem():
    """The call alone proves nothing."""
    assert "nothing is refused" in probe._tried(lambda: probe._refused(os.getpid))


def test_a_trial_leaves_this_process_as_it_was():
    before = os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/user")
    probe.modes()
    assert before == (os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/user"))
    with open("/proc/self/status") as file:
        assert "NoNewPrivs:\t0" in file.read()


def test_both_modes_are_tried_whole():
    modes = probe.modes()
    assert set(modes) == {"auto", "strict"}
    assert all(set(held) >= {"signals", "files", "calls", "failed"} for held in modes.values())
