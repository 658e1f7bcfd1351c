"""Programs that try to touch what is not theirs, as root and as an ordinary user, in `auto` and in `strict`."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, patience
from tests.sandbox.attacks import BOUNDED, BOUNDED_WITHOUT_A_FENCE, CONFINED, REACHED, WITHOUT_A_FENCE
from tests.sandbox.hogs import HOGS, PRELUDE
from workermd.sandbox import landlock

NOBODY = 65534 - int("0" + "".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))))
"""An ordinary user of this process of tests alone: attackers of one user may well reach each other."""
ORDINARY = ["/usr/bin/python3.13", "/usr/bin/python3.12", "/usr/bin/python3.11", "/usr/bin/python3"]


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Each trial runs once, whatever is asked of it."""
    known = {}

    def trial(mode, user, *more):
        if (mode, user, more) not in known:
            known[mode, user, more] = tried(mode, user, tmp_path_factory.mktemp("trial"), *more)
        return known[mode, user, more]

    return trial


def tried(mode, user, folder, *more):
    words = [python_of(user), "-m", "tests.sandbox.trial", mode, str(folder / "t"), *more]
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 and user == "ordinary" else {}
    if other:
        os.chown(folder, NOBODY, NOBODY)
        for each in (folder, *folder.parents):
            if each.stat().st_uid == 0 and str(each).startswith(str(folder.parents[2])):
                each.chmod(each.stat().st_mode | 0o055)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=patience(120), **other
    )
    if "this machine does not hold" in done.stderr:
        pytest.skip(f"this machine cannot hold {mode}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def python_of(user):
    if user == "root":
        if os.getuid() != 0:
            pytest.skip("the tests are not run as root")
        return sys.executable
    if os.getuid() != 0:
        return sys.executable
    for each in (sys.executable, *ORDINARY):
        if usable(each):
            return each
    pytest.skip("no interpreter that another user may read and that is new enough")


def usable(python):
    """Whether another user can run what a trial needs."""
    asked = [python, "-c", "import sys, workermd.attempt.host; sys.exit(sys.version_info < (3, 11))"]
    try:
        return subprocess.run(asked, cwd=ROOT, user=NOBODY, group=NOBODY, extra_groups=[], check=False).returncode == 0
    except OSError:
        return False


USERS = ("root", "ordinary")


def worked(trial):
    """What worked of the attacks, and what was found from outside."""
    assert trial["attacks"] is not None, trial["log"] or trial["failure"]
    return {name for name, success in trial["attacks"].items() if success}


def test_there_are_enough_attacks():
    assert len(REACHED | CONFINED) >= 40


@pytest.mark.rule("S10.3")
@pytest.mark.parametrize("user", USERS)
def test_nothing_works_in_strict(trials, user):
    trial = trials("strict", user)
    assert worked(trial) == set()
    assert (trial["changed"], trial["noted"], trial["left"]) == ([], [], [])
    assert trial["bystander_lives"]


@pytest.mark.rule("S10.2")
@pytest.mark.parametrize("user", USERS)
def test_auto_holds_what_it_says(trials, user):
    """The ledger, its results, what belongs to other attempts, the cache, the configuration, and foreign processes."""
    trial = trials("auto", user)
    reached = set(REACHED)
    if not trial["held"]["files"]:
        pytest.skip(f"this machine lets nobody hide files: {trial['held']['failed']}")
    if not trial["held"]["signals"]:
        reached -= {name for name in reached if "kill" in name or "another_user" in name}
    assert worked(trial) & reached == set()
    planted = f"{os.path.join(os.path.dirname(trial['ledger']), 'ledger.db')}.forged"
    assert set(trial["changed"]) <= {planted}, "a new file beside the ledger is all that there may be"
    assert trial["left"] == []
    assert trial["bystander_lives"]


@pytest.mark.rule("S10.8", "S10.9")
@pytest.mark.parametrize(
    ("user", "mode"),
    [
        ("ordinary", "strict"),
        ("root", "auto"),
        pytest.param("ordinary", "auto", marks=pytest.mark.deep),
        pytest.param("root", "strict", marks=pytest.mark.deep),
    ],
)
def test_nothing_leads_past_the_listed_hosts_and_the_granted_folders(trials, user, mode):
    trial = trials(mode, user, "bounded")
    assert worked(trial) == set()
    assert (len(trial["attacks"]), trial["came"]) == (len(BOUNDED), 0)


@pytest.mark.rule("S10.6", "S10.7")
@pytest.mark.parametrize("hog", HOGS)
def test_hogs_are_bounded_in_strict_for_an_ordinary_user(trials, hog):
    """They end within seconds, and neither a process nor an artifact of theirs is left."""
    name, (most, code) = hog.split()[0], HOGS[hog]
    trial = trials("strict", "ordinary", json.dumps({name: most}), PRELUDE + code)
    failure = trial["failure"]
    assert failure["code"] == "budget_exceeded" or hog in ("max_memory_mb", "max_processes bomb"), trial
    assert (trial["left"], trial["written"], trial["bystander_lives"]) == ([], 0, True)
    assert trial["seconds"] < 30


@pytest.mark.parametrize("user", USERS)
def test_without_a_fence_the_attacks_do_work(trials, user):
    """Or the two tests above would prove nothing."""
    assert worked(trials("off", user)) == set(WITHOUT_A_FENCE) - {"inherited_descriptors"}


def test_without_a_fence_the_ways_past_hosts_and_folders_do_work(trials):
    trial = trials("off", "ordinary", "bounded")
    assert worked(trial) == {*BOUNDED_WITHOUT_A_FENCE} - {"datagrams_to_the_machine"}
    assert trial["came"] == 1


@pytest.mark.rule("S10.1")
def test_the_lock_is_not_handed_on_whatever_the_fence(trials):
    assert not trials("off", "ordinary")["attacks"]["inherited_descriptors"]


@pytest.mark.skipif(landlock.version() < landlock.SCOPES_VERSION, reason="this kernel's Landlock has no scopes")
def test_auto_does_not_need_a_process_to_be_stopped_before_it_is_ended(trials):
    """A chain of processes that fork and end, and one that left its session and its environment: none is left."""
    trial = trials("auto", "ordinary")
    assert trial["left"] == []
    assert trial["seconds"] < 30
