"""The e-variables are what they claim: under every null hypothesis their expectation, summed exactly, is at most 1."""

from __future__ import annotations

from math import comb, exp, log

import pytest

from tidegate.rollout.betting import bet, nearest, odds, one_sample, two_sample
from tidegate.rollout.intervals import difference, rate
from tidegate.rollout.means import price

RATES = (0.0, 0.003, 0.02, 0.1, 0.35, 0.5, 0.8, 0.99, 1.0)


def binomial(n: int, p: float) -> list[float]:
    return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def expected_one(n: int, truth: float, alternative: float, bound: float) -> float:
    return sum(w * exp(one_sample(k, n, alternative, bound)) for k, w in enumerate(binomial(n, truth)) if w > 0)


def expected_two(n_a: int, n_b: int, truth: tuple[float, float], alternative, margin: float, above: bool) -> float:
    weights_a, weights_b = binomial(n_a, truth[0]), binomial(n_b, truth[1])
    return sum(
        u * v * exp(two_sample((j, n_a), (k, n_b), alternative, margin, above))
        for j, u in enumerate(weights_a)
        for k, v in enumerate(weights_b)
        if u * v > 0
    )


@pytest.mark.parametrize("bound", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("alternative", [0.001, 0.05, 0.3, 0.9])
def test_one_sample_is_an_e_variable_against_its_side_of_the_bound(alternative, bound):
    for truth in RATES:
        inside = truth <= bound if alternative > bound else truth >= bound
        if inside:
            assert expected_one(12, truth, alternative, bound) <= 1 + 1e-9
    assert expected_one(12, bound, alternative, bound) == pytest.approx(1.0)  # it wastes nothing on the edge


@pytest.mark.parametrize("margin", [-0.05, 0.0, 0.02, 0.2])
@pytest.mark.parametrize("alternative", [(0.02, 0.02), (0.02, 0.3), (0.5, 0.1), (0.3, 0.9), (0.001, 0.001)])
@pytest.mark.parametrize("sizes", [(9, 2), (3, 8)])
@pytest.mark.parametrize("above", [True, False])
def test_two_sample_is_an_e_variable_whatever_the_common_rate(sizes, alternative, margin, above):
    for a in RATES:
        for b in RATES:
            if (b - a >= margin) if above else (b - a <= margin):
                assert expected_two(*sizes, (a, b), alternative, margin, above) <= 1 + 1e-7


def test_two_sample_gains_where_its_alternative_is_true():
    gain = sum(
        u * v * two_sample((j, 40), (k, 10), (0.05, 0.5), 0.0, False)
        for j, u in enumerate(binomial(40, 0.05))
        for k, v in enumerate(binomial(10, 0.5))
    )
    assert gain > 2


def test_requests_of_a_window_need_not_be_alike():
    # Ten requests with rates spread around the bound: on average at it. The expectation is a product here.
    alternative, bound = 0.3, 0.1
    spread = [0.0, 0.0, 0.05, 0.05, 0.1, 0.1, 0.15, 0.15, 0.2, 0.2]
    up, down = alternative / bound, (1 - alternative) / (1 - bound)
    expectation = 1.0
    for p in spread:
        expectation *= p * up + (1 - p) * down
    assert expectation <= 1


@pytest.mark.parametrize("margin", [-0.3, -0.01, 0.001, 0.05, 0.6])
@pytest.mark.parametrize("rates", [(0.01, 0.01), (0.0001, 0.4), (0.9, 0.2), (0.5, 0.95), (1e-9, 1e-9)])
@pytest.mark.parametrize("sizes", [(990.0, 10.0), (5.0, 5.0), (1.0, 400.0)])
def test_the_nearest_point_is_the_nearest(rates, margin, sizes):
    (a, b), (n_a, n_b) = rates, sizes
    low, high = max(0.0, -margin) + 1e-9, min(1.0, 1 - margin) - 1e-9

    def far(x: float) -> float:
        y = x + margin
        return -n_a * (a * log(x) + (1 - a) * log(1 - x)) - n_b * (b * log(y) + (1 - b) * log(1 - y))

    best = min(far(low + (high - low) * k / 20_000) for k in range(1, 20_000))
    found = min(max(nearest(a, b, n_a, n_b, margin), low), high)
    assert far(found) <= best + 1e-6 * (1 + abs(best))


@pytest.mark.parametrize("stake", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("guess", [0.0, 0.3, 1.0])
def test_the_bernstein_bet_is_an_e_variable(stake, guess):
    for low, high in ((0.0, 1.0), (0.2, 0.4), (0.0, 0.1), (0.5, 0.5)):
        for share in RATES:
            mean = low + share * (high - low)
            worth = sum(
                p * exp(stake * (x - mean) - price(stake) * (x - guess) ** 2)
                for p, x in ((1 - share, low), (share, high))
            )
            assert worth <= 1 + 1e-12


def test_wealth_is_dealt_out_anew_without_making_any():
    start = (0.2, 0.3, 0.5)
    wealth = bet(start, start, (0.0, 1.0, -2.0))
    assert sum(wealth) == pytest.approx(0.2 + 0.3 * exp(1.0) + 0.5 * exp(-2.0))
    ruined = bet((1e-12, 0.0, 0.0), start, (0.0, 0.0, 0.0))
    assert sum(ruined) == pytest.approx(1e-12)


def test_wealth_stays_finite():
    assert sum(bet((1e29, 1e29), (0.5, 0.5), (1e6, 700.0))) <= 1.001e30


def test_odds():
    assert odds(0.5, 3.0) == pytest.approx(0.75)
    assert odds(1.0, 3.0) == 1.0


def test_intervals_hold_the_rate_and_close_on_it():
    wide, narrow = rate(3, 100), rate(300, 10_000)
    assert wide[0] < narrow[0] < 0.03 < narrow[1] < wide[1]
    assert rate(0, 0) == (0.0, 1.0)
    assert rate(0, 50)[0] == 0.0
    assert rate(50, 50)[1] == 1.0
    low, high = difference((100, 10_000), (300, 10_000))
    assert low < 0.02 < high
    assert low > 0


def test_an_interval_misses_seldom_however_often_one_looks():
    # Exactly, by dynamic programming: P(the interval ever excludes 0.2 in 60 looks) stays below its level.
    p, level, alive, missed = 0.2, 0.1, {0: 1.0}, 0.0
    for n in range(1, 61):
        after: dict[int, float] = {}
        for hits, weight in alive.items():
            for more, chance in ((0, 1 - p), (1, p)):
                after[hits + more] = after.get(hits + more, 0.0) + weight * chance
        for hits in list(after):
            low, high = rate(hits, n, level)
            if not low <= p <= high:
                missed += after.pop(hits)
        alive = after
    assert 0 < missed <= level
