"""The push actors of the demonstration, in the order in which a row meets them.

Each class is the state of one actor and its methods are the behaviours. They run on the
runtime's thread, one message at a time for one actor, so no state here needs a lock.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from typing import Callable, NamedTuple, Optional, Union

import iris
from iris.demo import figures
from iris.demo.feed import BadRow, Columns, Price, RawRow, parse_row
from iris.demo.tally import Failure, Summary

WORKERS = 4
"""In the pool, wherever it is."""


class Swapped(NamedTuple):
    """News for the collector: the symbols' behaviour was changed in mid-stream."""

    actors: int
    """How many living actors were swapped; later ones start with the new behaviour."""

    after_rows: int
    """How many rows had been routed to the old behaviour by then."""


class EndOfRows(NamedTuple):
    """Goes through the parser behind the last row.

    When it was handled, each row before it was, too, and after each that failed the parser
    has come back.
    """


class Parser:
    """The bounded stage in front: makes a price of each row.

    A row that makes no sense crashes it. That is left to its supervisor, which gives the actor a
    new parser as its handler; the rows that wait in its mailbox are there still.
    """

    def __init__(
        self,
        rt: iris.Runtime,
        columns: Columns,
        collector: int,
        market: int,
        lose_row: Optional[int] = None,
    ) -> None:
        self._rt = rt
        self._columns = columns
        self._collector = collector
        self._market = market
        self._lose_row = lose_row

    def take(self, row: Union[RawRow, EndOfRows]) -> None:
        """Parse a row and pass it on."""
        if isinstance(row, EndOfRows):
            return
        if row.number == self._lose_row:
            self._lose(row)
            return
        try:
            price = parse_row(row, self._columns)
        except BadRow as error:
            # A last word, for the screen. To go on is not this actor's business.
            failure = Failure(self._rt.self_pid(), f"{type(error).__name__}: {error}")
            self._rt.send(self._collector, failure)
            raise
        self._rt.send(self._market, price)

    def _lose(self, row: RawRow) -> None:
        # The accounting's own test: an actor ends with the row still in its mailbox.
        dead_end = self._rt.spawn_child(self._rt.self_pid(), self.take)
        self._rt.send(dead_end, row)
        self._rt.stop(dead_end)


class Market:
    """The parent of the symbols: routes prices, and swaps its children's behaviour once."""

    def __init__(
        self, rt: iris.Runtime, workers: list[int], collector: int, swap_after: int
    ) -> None:
        self._rt = rt
        self._workers = itertools.cycle(workers)
        self._collector = collector
        self._swap_after = swap_after
        self._swapped = False
        self._routed = 0
        self._children: dict[str, tuple[int, Symbol]] = {}

    def route(self, price: Price) -> None:
        """Hand a price to its symbol's actor, which is started by the first one."""
        if self._routed == self._swap_after and not self._swapped:
            self._swap()
        if price.symbol not in self._children:
            self._children[price.symbol] = self._open(price.symbol)
        pid, _ = self._children[price.symbol]
        self._rt.send(pid, price)
        self._routed += 1

    def _open(self, name: str) -> tuple[int, Symbol]:
        symbol = Symbol(self._rt, name, self._workers)
        handler = symbol.by_exponential_mean if self._swapped else symbol.by_simple_mean
        return self._rt.spawn_child(self._rt.self_pid(), handler), symbol

    def _swap(self) -> None:
        # What was sent to a symbol before this line runs on its old behaviour, what is sent
        # after it on the new one. Nothing stops, and no mailbox is emptied.
        for pid, symbol in self._children.values():
            self._rt.hot_swap(pid, symbol.by_exponential_mean)
        self._swapped = True
        self._rt.send(self._collector, Swapped(len(self._children), self._routed))


class Symbol:
    """Rolling statistics of one symbol. Both behaviours share this state, so a swap keeps it."""

    def __init__(self, rt: iris.Runtime, name: str, workers: Iterator[int]) -> None:
        self._rt = rt
        self._name = name
        self._workers = workers
        self._window: deque[float] = deque(maxlen=figures.WINDOW)
        self._mean: Optional[float] = None

    def by_simple_mean(self, price: Price) -> None:
        """The behaviour before the swap."""
        self._window.append(price.price)
        self._mean = figures.simple_mean(self._window)
        self._pass_on(price, figures.SIMPLE)

    def by_exponential_mean(self, price: Price) -> None:
        """The behaviour after the swap; it goes on from the mean it finds."""
        self._window.append(price.price)
        self._mean = figures.exponential_mean(self._mean, price.price)
        self._pass_on(price, figures.EXPONENTIAL)

    def _pass_on(self, price: Price, method: str) -> None:
        job = iris.serialize_args(
            self._name, price.number, method, price.date, self._mean, list(self._window)
        )
        self._rt.send(next(self._workers), job)


def worker(answer: Callable[[Summary], object]) -> Callable[[bytes], None]:
    """The handler of the workers: the figures that look at a whole window.

    Args:
        answer: what is done with what it has found.
    """

    def work(job: bytes) -> None:
        name, number, method, date, mean, window = iris.deserialize_args(job)
        spread, line = figures.volatility(window), figures.trend(window)
        answer(Summary(name, number, method, date, window[-1], mean, spread, line))

    return work
