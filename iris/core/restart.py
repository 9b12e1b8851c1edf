"""Who is restarted after a failure, how often, and after which pause. Values in, decisions out.

Nothing here knows actors, clocks or threads: children are whatever the caller orders in a
list, the time and the random number are arguments. `iris.run.supervisor` carries out what is
decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import TypeVar, Union

from iris.core.messages import ExitReason
from iris.errors import BadInput

Item = TypeVar("Item")
Times = Union[list[float], "deque[float]"]
"""A list where only a few are allowed, else a deque: a list is slow at its front, a deque large."""

DOUBLINGS_MAX = 32
"""A pause that has doubled this often is over every upper bound; larger powers overflow."""


class Strategy(Enum):
    """Who is restarted with a child that failed; the values are the words of the public API."""

    ONE = "restartone"
    """Only the child itself."""
    ALL = "restartall"
    """All children of the supervisor."""
    REST = "restartrest"
    """The child and those that were started after it."""


class Restart(Enum):
    """After which ends a child is started again; the values are the words of the public API."""

    PERMANENT = "permanent"
    """After every end, a stop too."""
    TRANSIENT = "transient"
    """After a failure only: not when it ended as Normal or was stopped."""
    TEMPORARY = "temporary"
    """Never."""

    def wants(self, reason: ExitReason) -> bool:
        """Whether a child that ended with this reason is to be started again."""
        if self is Restart.TRANSIENT:
            return reason not in (ExitReason.NORMAL, ExitReason.KILLED)
        return self is Restart.PERMANENT


def strategy_of(word: object) -> Strategy:
    """The strategy with this name, in any letter case.

    Raises:
        TypeError: no string.
        BadInput: no strategy is called so.
    """
    return _member(Strategy, "strategy", word)


def restart_of(word: object) -> Restart:
    """The kind of restart with this name, in any letter case; raises as `strategy_of`."""
    return _member(Restart, "restart", word)


Word = TypeVar("Word", bound=Enum)


def _member(words: type[Word], name: str, word: object) -> Word:
    if not isinstance(word, str):
        raise TypeError(f"{name} is a word, not {word!r} of type {type(word).__name__}")
    try:
        return words(word.lower())
    except ValueError:
        choice = ", ".join(repr(member.value) for member in words)
        raise BadInput(f"{name}={word!r} is unknown; give one of {choice}") from None


def affected(strategy: Strategy, children: Sequence[Item], failed: Item) -> list[Item]:
    """Who is restarted when `failed` has failed, in the order of their start.

    Those that run are ended in the reverse of this order before the first is started again.

    Args:
        strategy: the supervisor's.
        children: all its children, in the order of their start; `failed` is one of them.
        failed: which of them.
    """
    if strategy is Strategy.ONE:
        return [failed]
    if strategy is Strategy.ALL:
        return list(children)
    return list(children[children.index(failed) :])


def admit(times: Times, max_restarts: int, within_s: float, now: float) -> bool:
    """Whether one more restart is allowed at this time; if so, it is counted.

    Args:
        times: when there were restarts, rising; those that are too old are taken off.
        max_restarts: so many are allowed in any period of `within_s` seconds; 0 allows none.
        within_s: see there.
        now: the time, in seconds.
    """
    while times and now - times[0] > within_s:
        del times[0]
    if len(times) >= max_restarts:
        return False
    times.append(now)
    return True


def backoff_s(bounds_s: tuple[float, float], failures: int, luck: float) -> float:
    """How long to wait before a restart: exponential backoff with full jitter.

    The pause is drawn evenly between 0 and a bound that doubles with each failure, so that
    many children that failed together do not come back together. (M. Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015.)

    Args:
        bounds_s: the bound after the first failure, and the highest bound, in seconds.
        failures: how often the child has failed in a row, at least 1.
        luck: a random number from 0 up to 1.
    """
    least, most = bounds_s
    return luck * min(most, least * 2.0 ** min(failures - 1, DOUBLINGS_MAX))
