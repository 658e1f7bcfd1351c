"""The statistics against published values, and against the truth of a simulation."""

import itertools
import math

import pytest

from workermd.bench import statistics as st


@pytest.mark.parametrize(
    ("passed", "tries", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # Brown, Cai and DasGupta, Statistical Science 16 (2001): all of n.
        (5, 5, 0.5655, 1.0),
        (17, 20, 0.6396, 0.9476),
    ],
)
def test_wilson_gives_the_published_intervals(passed, tries, low, high):
    assert st.wilson(passed, tries) == pytest.approx((low, high), abs=5e-5)


def test_the_chances_of_k_tries_are_those_of_drawing_without_putting_back():
    """Against the definition: every choice of k of the tries is looked at."""
    tries = [True] * 4 + [False] * 3
    for k in range(1, 8):
        chosen = [[tries[at] for at in each] for each in itertools.combinations(range(7), k)]
        assert st.pass_at(k, 4, 7) == pytest.approx(sum(map(any, chosen)) / len(chosen))
        assert st.pass_all(k, 4, 7) == pytest.approx(sum(map(all, chosen)) / len(chosen))
    assert (st.pass_at(3, 9, 10), st.pass_all(3, 9, 10)) == (1.0, pytest.approx(0.7))


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        (8, 1, 0.0390625),
        (5, 3, 0.7265625),
        (0, 0, 1.0),
        (4, 4, 1.0),
        (10, 2, 0.038574),  # R: binom.test(2, 12)$p.value
        (6, 0, 0.03125),
        (5, 0, 0.0625),
    ],
)
def test_mcnemar_is_the_exact_test_of_signs(one, other, p):
    assert st.mcnemar(one, other) == pytest.approx(p, abs=1e-6)


def test_holm_corrects_as_published():
    """R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"), and one out of order."""
    assert st.holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert st.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert st.holm([]) == []


def test_how_many_cases_a_claim_needs():
    assert [st.cases_for(bound) for bound in (0.9, 0.95, 0.99)] == [35, 73, 381]
    for bound in (0.5, 0.8, 0.9, 0.97):
        need = st.cases_for(bound)
        assert st.wilson(need, need).low >= bound > st.wilson(need - 1, need - 1).low
    # Connor's formula by hand: discordant 0.2, difference 0.1.
    by_hand = (1.959964 * math.sqrt(0.2) + 0.841621 * math.sqrt(0.19)) ** 2 / 0.01
    assert st.cases_to_tell(15, 5, 100) == math.ceil(by_hand)
    assert st.cases_to_tell(5, 5, 100) is None
    assert st.cases_to_tell(1, 0, 1) >= st.FEWEST_DISCORDANT


@pytest.mark.parametrize("tries", [10, 20, 50, 100])
def test_the_mean_coverage_of_wilson_is_what_is_stated(tries, record_property):
    """For p from 0.05 to 0.95 the chance that the interval holds p is summed exactly: no draws, no luck."""
    shares = [step / 100 for step in range(5, 96)]
    covered = []
    for share in shares:
        held = [passed for passed in range(tries + 1) if _holds(st.wilson(passed, tries), share)]
        covered.append(sum(math.comb(tries, each) * share**each * (1 - share) ** (tries - each) for each in held))
    mean, least = sum(covered) / len(covered), min(covered)
    print(f"n = {tries}: mean coverage {mean:.4f}, least {least:.4f}")
    assert mean == pytest.approx(0.95, abs=0.01)
    assert least > 0.83, "Wilson's known low points lie near 0.84"


def _holds(interval, share):
    return interval.low <= share <= interval.high


def test_repeats_of_a_case_count_as_much_as_they_tell():
    """The coverage where cases differ: five repeats of each case, half of the cases always pass, half never."""
    assert st.effective_tries([(5, 5)] * 10 + [(0, 5)] * 10) == pytest.approx(20, abs=1.1)
    assert st.effective_tries([(1, 1)] * 8) == 8
    assert st.effective_tries([(5, 5)] * 8) == 8, "where all agree nothing says how much repeats add"
    alike = st.effective_tries([(2, 4), (3, 4), (2, 4), (1, 4), (2, 4), (2, 4)])
    assert alike == 24, "cases that vary less than chance are worth all their tries"


def test_simulated_coverage_with_repeats_is_near_what_is_stated():
    """Cases with chances of their own, three repeats each: the naive interval is too narrow, ours is not."""
    import random

    chance = random.Random(7)
    held = naive = 0
    rounds, cases, repeats = 800, 30, 3
    for _ in range(rounds):
        rows = []
        for _ in range(cases):
            share = chance.betavariate(0.8, 0.8)  # mean 0.5, cases very unlike
            rows.append((sum(chance.random() < share for _ in range(repeats)), repeats))
        passed, total = sum(row[0] for row in rows), cases * repeats
        held += _holds(st.wilson(passed / total * st.effective_tries(rows), st.effective_tries(rows)), 0.5)
        naive += _holds(st.wilson(passed, total), 0.5)
    print(f"coverage {held / rounds:.3f}; as if repeats were cases {naive / rounds:.3f}")
    assert held / rounds == pytest.approx(0.95, abs=0.03)
    assert naive / rounds < 0.9


def test_the_bootstrap_draws_cases_and_is_the_same_again():
    rows = [0.0] * 10 + [1.0] * 10
    first = st.bootstrap(20, lambda drawn: sum(rows[at] for at in drawn) / len(drawn))
    assert first == st.bootstrap(20, lambda drawn: sum(rows[at] for at in drawn) / len(drawn))
    assert first.low == pytest.approx(0.3, abs=0.06)  # 0.5 -+ 1.96 * sqrt(0.25 / 20)
    assert first.high == pytest.approx(0.7, abs=0.06)
    assert st.bootstrap(1, lambda drawn: 1.0) is None
    assert st.bootstrap(5, lambda drawn: None) is None
