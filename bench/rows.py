"""The table of workloads: their sizes, what is measured in them, and the floors Iris has to reach.

Only data: `workloads/` and `peers/` say how a row is run, `common.py` how it is shown. A floor is a
bound for the best run; it is shown beside the figure and never asserted, because machines differ
and are noisy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure of a workload."""

    key: str
    """Its key among the figures that the workload gives."""
    title: str
    """What the table calls it; empty for the figure that the row is named after."""
    unit: str
    more_is_better: bool = True
    floors: Mapping[str, float] | None = None
    """`sys.implementation.name` -> floor, in the unit; None where none is set."""
    compared: bool = True
    """Whether the table compares it with the peers."""


@dataclass(frozen=True)
class Row:
    """One workload."""

    name: str
    """The word for `--only`."""
    title: str
    n: int
    """Its size: actors, messages, swaps or firings, as the title says."""
    n_quick: int
    """Its size under `--quick`."""
    repeats: int
    """How often one process repeats it: the best counts, the first is shown as "cold". 1 where
    repeating would spoil the figure."""
    metrics: tuple[Metric, ...]


def _rate(cpython: float | None = None, pypy: float | None = None) -> tuple[Metric, ...]:
    floors = (
        {"cpython": cpython, "pypy": pypy} if cpython is not None and pypy is not None else None
    )
    return (Metric("rate", "", "/s", floors=floors),)


def _trip(cpython: float | None = None, pypy: float | None = None) -> tuple[Metric, ...]:
    floors = (
        {"cpython": cpython * 1e6, "pypy": pypy * 1e6}
        if cpython is not None and pypy is not None
        else None
    )
    return (
        Metric("p50", "p50", "us", more_is_better=False, floors=floors),
        Metric("p99", "p99", "us", more_is_better=False),
    )


def _bytes(cpython: float | None = None, pypy: float | None = None) -> tuple[Metric, ...]:
    floors = (
        {"cpython": cpython, "pypy": pypy} if cpython is not None and pypy is not None else None
    )
    return (Metric("bytes", "", "B", more_is_better=False, floors=floors),)


def _storm() -> tuple[Metric, ...]:
    limit = {"cpython": 50.0, "pypy": 50.0}
    return (
        Metric("rate", "restarts", "/s"),
        Metric("p99_ms", "a 5 ms timer, p99 late", "ms", more_is_better=False, floors=limit),
        Metric("max_ms", "latest", "ms", more_is_better=False),
        Metric("skipped", "skipped", "", more_is_better=False),
        Metric("grown", "RSS after the third storm over the first, per actor", "B",
               more_is_better=False),
    )  # fmt: skip


def _timer() -> tuple[Metric, ...]:
    return (
        Metric("p99_ms", "p99", "ms", more_is_better=False, floors={"cpython": 8.0, "pypy": 12.0}),
        Metric("p50_ms", "p50", "ms", more_is_better=False),
        Metric("max_ms", "worst", "ms", more_is_better=False),
        Metric("firings", "firings seen", "", compared=False),
        Metric("skipped", "firings skipped", "", more_is_better=False, compared=False),
        Metric("storm_rate", "messages beside it", "/s"),
    )


ROWS: tuple[Row, ...] = (
    Row("spawn", "spawn 100k push actors", 100_000, 20_000, 5, _rate(600e3, 1.5e6)),
    Row(
        "spread",
        "100k actors x 10 messages from the main thread",
        1_000_000,
        200_000,
        5,
        _rate(1.5e6, 6e6),
    ),
    Row(
        "sink",
        "one actor x 1M messages from the main thread",
        1_000_000,
        200_000,
        5,
        _rate(2.5e6, 20e6),
    ),
    Row(
        "pingpong",
        "ping-pong of two actors, 1M messages",
        1_000_000,
        200_000,
        5,
        _rate(1.5e6, 10e6),
    ),
    Row(
        "ask_thread",
        "ask from the main thread, a round trip",
        20_000,
        2_000,
        3,
        _trip(30e-6, 80e-6),
    ),
    Row(
        "ask_inside",
        "ask of one actor by another of its hub, a round trip",
        50_000,
        5_000,
        3,
        _trip(6e-6, 15e-6),
    ),
    Row("fanout", "one actor to 1,000 actors x 100 messages", 100_000, 100_000, 5, _rate(2e6, 6e6)),
    Row(
        "pull",
        "one pull actor x 1M messages from the main thread",
        1_000_000,
        200_000,
        5,
        _rate(4e6, 10e6),
    ),
    Row(
        "release_gil",
        "one actor with release_gil x 1M messages from the main thread",
        1_000_000,
        200_000,
        3,
        (
            Metric("rate", "", "/s"),
            Metric("pool", "8 actors through a pool of 4 threads", "/s"),
        ),
    ),
    Row(
        "swaps",
        "300k hot swaps under load",
        300_000,
        50_000,
        3,
        (
            Metric("rate", "", "/s", floors={"cpython": 1e6, "pypy": 5e6}),
            Metric("messages_during", "messages beside the swaps", "/s"),
            Metric("messages_alone", "messages without swaps", "/s"),
        ),
    ),
    Row("crash", "100k actors crash and end", 100_000, 20_000, 3, _rate()),
    Row(
        "storm_pids",
        "100k actors crash and are replaced by the global supervisor, 3 times",
        100_000,
        10_000,
        1,
        _storm(),
    ),
    Row(
        "storm_specs",
        "100k children of one Supervisor crash and restart in place, 3 times",
        100_000,
        10_000,
        1,
        _storm(),
    ),
    Row(
        "rss_idle",
        "RSS per idle push actor, 1M actors, with the list of pids",
        1_000_000,
        200_000,
        1,
        _bytes(300, 300),
    ),
    Row("rss_idle_unlisted", "the same without the list", 1_000_000, 200_000, 1, _bytes()),
    Row(
        "rss_drained",
        "RSS per actor after 10 x (message, drained), 100k actors",
        100_000,
        100_000,
        1,
        _bytes(500, 500),
    ),
    Row("rss_burst", "the same, the ten messages sent in one go", 100_000, 100_000, 1, _bytes()),
    Row(
        "rss_pull",
        "RSS per pull actor on a thread, 1,000 actors",
        1_000,
        1_000,
        1,
        _bytes(20 * 1024, 28 * 1024),
    ),
    Row(
        "rss_pull_greenlet",
        "RSS per pull actor on a greenlet, 100k actors",
        100_000,
        20_000,
        1,
        _bytes(8 * 1024, 10 * 1024),
    ),
    Row(
        "timer_0us",
        "lateness of a 5 ms interval beside 500 busy actors, handlers of 0 us",
        1_000,
        200,
        1,
        _timer(),
    ),
    Row("timer_100us", "the same, handlers of 100 us", 1_000, 200, 1, _timer()),
    Row(
        "import",
        "import, over a bare start (15 of each)",
        15,
        5,
        1,
        (
            Metric(
                "min_ms", "best", "ms", more_is_better=False, floors={"cpython": 30.0, "pypy": 60.0}
            ),
            Metric("median_ms", "median", "ms", more_is_better=False),
            Metric("bare_ms", "bare start", "ms", more_is_better=False, compared=False),
        ),
    ),
)


MESH_ROWS: tuple[Row, ...] = (
    Row(
        "oneway",
        "one way, 64 B, from the main thread to one actor of another process",
        1_000_000,
        100_000,
        5,
        _rate(700e3, 1.5e6),
    ),
    Row("oneway_actor", "the same from an actor", 1_000_000, 100_000, 5, _rate(700e3, 1.5e6)),
    Row(
        "oneway_100",
        "one way, 64 B, from the main thread to 100 actors in turn",
        1_000_000,
        100_000,
        5,
        _rate(700e3, 1.5e6),
    ),
    Row("oneway_actor_100", "the same from an actor", 1_000_000, 100_000, 5, _rate(700e3, 1.5e6)),
    Row(
        "oneway_1k",
        "one way, 1 KiB, from the main thread to one actor",
        300_000,
        50_000,
        5,
        _rate(350e3, 600e3),
    ),
    Row(
        "oneway_keyed",
        "one way, 64 B, from the main thread to one actor, with a key (version 2)",
        1_000_000,
        100_000,
        5,
        _rate(400e3, 600e3),
    ),
    Row(
        "trip",
        "a message to an actor of another process and one back, link idle",
        5_000,
        1_000,
        3,
        _trip(),
    ),
    Row(
        "trip_flood",
        "the same while a thread floods another actor there",
        200,
        50,
        2,
        (*_trip(), Metric("flood", "messages beside it", "/s")),
    ),
    Row(
        "ask",
        "an actor asks one of another process, with a key, link idle",
        5_000,
        1_000,
        3,
        _trip(120e-6, 120e-6),
    ),
    Row(
        "ask_flood",
        "the same while a thread floods another actor there",
        200,
        50,
        2,
        (*_trip(10e-3, 10e-3), Metric("flood", "messages beside it", "/s")),
    ),
    Row(
        "rss_peer",
        "1,000 idle peers, watched; per peer",
        1_000,
        200,
        1,
        (
            *_bytes(),
            Metric("bytes_far", "at the side that was connected to", "B", more_is_better=False),
            Metric(
                "busy", "all of them keep a core busy for", "%", more_is_better=False,
                compared=False,
            ),
        ),
    ),
)
