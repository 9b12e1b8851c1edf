"""The numbers, on values that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

from iris.demo import figures


def test_simple_mean_is_the_average_of_the_window():
    assert figures.simple_mean([1.0, 2.0, 6.0]) == 3.0


def test_exponential_mean_starts_at_the_price_and_moves_by_the_smoothing():
    assert figures.exponential_mean(None, 7.0) == 7.0
    assert figures.exponential_mean(0.0, 1.0) == figures.SMOOTHING


def test_steady_growth_has_no_volatility_and_a_perfect_trend():
    prices = [100 * 1.1**row for row in range(12)]
    assert figures.volatility(prices) == pytest.approx(0.0, abs=1e-12)
    line = figures.trend(prices)
    assert line is not None
    assert line.slope == pytest.approx(math.log(1.1))
    assert line.fit == pytest.approx(1.0)


def test_alternating_prices_have_volatility_and_no_trend():
    prices = [1.0, 2.0, 1.0, 2.0, 1.0]
    assert figures.volatility(prices) == pytest.approx(math.log(2) * math.sqrt(4 / 3))
    line = figures.trend(prices)
    assert line is not None
    assert line.slope == pytest.approx(0.0, abs=1e-12)
    assert line.fit == pytest.approx(0.0, abs=1e-12)


def test_flat_prices_are_a_line_that_fits():
    assert figures.trend([5.0, 5.0, 5.0]) == (0.0, 1.0)


def test_two_prices_are_too_few():
    assert figures.volatility([1.0, 2.0]) is None
    assert figures.trend([1.0, 2.0]) is None


def test_extreme_prices_do_not_overflow():
    prices = [1e-12, 1e12] * 6
    assert math.isfinite(figures.simple_mean(prices))
    assert math.isfinite(figures.volatility(prices) or math.inf)
