"""Several threads, one commit: each part is on disk when its block ends, fails alone, and waits for nobody who went away."""

import threading
import time

import pytest

from workermd.ledger.records import Key
from workermd.ledger.sqlite.group import CommitGroup
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import LedgerBusy, LedgerUnavailable


def key(name):
    return Key("w", name, b"i" * 32, b"{}", b"c" * 32, 1, 1)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "ledger.db")


@pytest.fixture
def group(path):
    made = CommitGroup(Ledger.open(path))
    yield made
    made.close()


def in_threads(count, do):
    errors = []

    def guarded(number):
        try:
            do(number)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return errors


@pytest.mark.rule("S4.3", "S4.16")
def test_parts_share_a_commit_and_each_is_on_disk_when_its_block_ends(group, path):
    """Another connection sees committed rows only."""
    gate, each = threading.Barrier(8), 5

    def work(number):
        with Ledger.open(path) as own:
            own.share_commits(group.transaction)
            gate.wait()
            for turn in range(each):
                with own.transaction(time.monotonic() + 20) as transaction:
                    transaction.admit(key(f"{number}-{turn}"))
                    time.sleep(0.002)  # the others come meanwhile
                assert own.look("w", f"{number}-{turn}") is not None

    assert in_threads(8, work) == []
    assert group.commits <= 8 * each / 2


@pytest.mark.rule("S4.3", "S4.16")
def test_a_part_that_fails_takes_nothing_of_others_with_it(group, path):
    entered = threading.Event()

    def work(number):
        if number:
            entered.wait(10)
        with group.transaction(time.monotonic() + 20) as transaction:
            entered.set()
            time.sleep(0.1)
            transaction.admit(key(str(number)))
            if number:
                raise ValueError(number)

    (error,) = in_threads(2, work)
    assert error.args == (1,)
    with Ledger.open(path) as other:
        assert other.look("w", "0") is not None
        assert other.look("w", "1") is None


@pytest.mark.rule("S4.8", "S4.16")
def test_where_a_commit_fails_nobody_in_it_goes_on(group, path, monkeypatch):
    entered = threading.Event()

    def fail(*_, **__):
        raise LedgerUnavailable("the disk is full", "free some space")

    monkeypatch.setattr("workermd.ledger.sqlite.transaction.Transaction.commit", fail)

    def work(number):
        if number:
            entered.wait(10)
        with group.transaction(time.monotonic() + 20) as transaction:
            entered.set()
            time.sleep(0.1)
            transaction.admit(key(str(number)))

    errors = in_threads(2, work)
    assert [type(error) for error in errors] == [LedgerUnavailable] * 2
    monkeypatch.undo()
    with group.transaction(time.monotonic() + 20) as transaction:
        transaction.admit(key("after"))
    with Ledger.open(path) as other:
        assert [other.look("w", name) is not None for name in ("0", "1", "after")] == [False, False, True]


@pytest.mark.rule("S4.16")
def test_who_was_to_commit_may_give_up_and_the_others_do_it(group, path):
    """The second one stands in line while the first one leaves the commit to it, and then its time is over."""
    entered, queued = threading.Event(), threading.Event()
    real = group._turn

    class Slow:
        """A turn that the second one never gets."""

        def acquire(self, blocking=True, timeout=-1):
            if threading.current_thread().name == "second":
                queued.set()
                time.sleep(0.3)
                return False
            return real.acquire(blocking, timeout)

        def release(self):
            real.release()

    group._turn = Slow()

    def work(number):
        if number:
            entered.wait(10)
            threading.current_thread().name = "second"
        with group.transaction(time.monotonic() + 20) as transaction:
            entered.set()
            queued.wait(10)
            transaction.admit(key(str(number)))

    (error,) = in_threads(2, work)
    assert isinstance(error, LedgerBusy)
    with Ledger.open(path) as other:
        assert other.look("w", "0") is not None
