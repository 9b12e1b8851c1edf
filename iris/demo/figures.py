"""The numbers of the demonstration: means, volatility and trend of a window of prices. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Optional

SIMPLE = "simple mean"
EXPONENTIAL = "exponential mean"

WINDOW = 12
"""Rows of a symbol that its rolling figures look back on: a year of the shipped series."""

SMOOTHING = 2 / (WINDOW + 1)
"""Weight of the newest price in the exponential mean; the usual choice for a window's length."""


class Trend(NamedTuple):
    """A straight line through the logarithms of the prices."""

    slope: float
    """Growth a row, as a fraction: 0.01 is one percent."""

    fit: float
    """R squared: the share of the movement that the line explains, 0 to 1."""


def simple_mean(prices: Sequence[float]) -> float:
    """The plain average of a window that is not empty."""
    return math.fsum(prices) / len(prices)


def exponential_mean(before: Optional[float], price: float) -> float:
    """The mean that forgets: `before` pulled towards `price`. Without a `before`, the price."""
    return price if before is None else before + SMOOTHING * (price - before)


def volatility(prices: Sequence[float]) -> Optional[float]:
    """Standard deviation of the logarithmic returns; None for under three prices."""
    if len(prices) < 3:
        return None
    # Logs are subtracted and not prices divided: a quotient of extreme prices overflows.
    logs = [math.log(price) for price in prices]
    returns = [after - before for before, after in zip(logs, logs[1:])]
    mean = math.fsum(returns) / len(returns)
    squares = math.fsum((value - mean) ** 2 for value in returns)
    return math.sqrt(squares / (len(returns) - 1))


def trend(prices: Sequence[float]) -> Optional[Trend]:
    """Least squares of log price over row; None for under three prices."""
    count = len(prices)
    if count < 3:
        return None
    logs = [math.log(price) for price in prices]
    middle_x = (count - 1) / 2
    middle_y = math.fsum(logs) / count
    spread_x = math.fsum((x - middle_x) ** 2 for x in range(count))
    spread_y = math.fsum((y - middle_y) ** 2 for y in logs)
    together = math.fsum((x - middle_x) * (y - middle_y) for x, y in enumerate(logs))
    slope = together / spread_x
    if spread_y == 0:
        return Trend(slope, 1.0)  # A flat line through flat prices misses nothing.
    return Trend(slope, min(1.0, slope * together / spread_y))
