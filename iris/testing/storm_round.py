"""One round of the stress: starts the traffic, waits for rest, and settles the accounts.

What Iris says of a round (its statistics, its hooks, who lives) has to agree with what the
senders and the actors have counted, to the message.
"""

from __future__ import annotations

import functools
import sys
import traceback
from typing import Any, Callable

from iris.run.clock import monotonic, sleep
from iris.run.hub import drop_hub_of_thread
from iris.run.native import allocate_lock, start_thread
from iris.testing.storm_actors import Actor, Note, Sender, World, gevent_sleep
from iris.testing.storm_side import Plan, Side
from iris.testing.storm_traffic import Task

PLAIN = ("push", "small", "trap", "worker", "pull", "pull_timed")
"""Kinds of which no actor passes a message on to another: each is handled there, and once."""

REST_S = 60.0
"""How long a runtime may need to come to rest, and an actor to end, before that is a hang."""


class Round:
    """Runs one plan. `run` gives what went wrong; `figures` says how much was done."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed, plan.traffic_s, plan.runtimes)
        self.sides: list[Side] = []
        self.tasks: list[Task] = []
        self.figures: dict[str, int] = {}
        self.stage = "starting"
        self._ends: list[Any] = []
        self._embedded_over = False

    def run(self) -> list[str]:
        """Start, make traffic, rest, check, end everything, check again."""
        world, plan = self.world, self.plan
        world.set_acts(plan.stormy)
        before = sys.getswitchinterval()
        if plan.switch_s is not None:
            sys.setswitchinterval(plan.switch_s)
        try:
            self._start_sides()
            self._traffic()
            if not plan.shut_in_traffic:
                self._check_rest()
                self._end_actors()
            self._shut_down()
            self._check_senders()
        finally:
            sys.setswitchinterval(before)
        return world.violations

    # -- threads -------------------------------------------------------------------------------

    def _thread(self, entry: Callable[[], Any]) -> None:
        over = allocate_lock()
        over.acquire()
        self._ends.append(over)

        def run() -> None:
            try:
                entry()
            except BaseException:  # noqa: BLE001  # A thread's entry.
                self.world.violation("a thread of the stress failed:\n" + traceback.format_exc())
            finally:
                drop_hub_of_thread()
                over.release()

        start_thread(run)

    def _start_sides(self) -> None:
        up = allocate_lock()
        up.acquire()

        def embedded() -> None:
            try:
                self.sides.append(Side(self.world, 0, self.plan, "current"))
            finally:
                up.release()
            while not self._embedded_over:
                gevent_sleep(0.002)

        if self.plan.embedded:
            self._thread(embedded)
            up.acquire()
        for index in range(len(self.sides), self.plan.runtimes):
            self.sides.append(Side(self.world, index, self.plan, "thread"))
        for kind in ("push", "push", "small", "bounded", "bounded", "bounded", "trap", "observed"):
            for side in self.sides:
                side.spawn(kind)
        for kind in (
            "pull", "pull_timed", "pull_selective", "push", "bounded", "bounded", "worker",
            "worker", "worker", "worker",
        ):  # fmt: skip
            self.world.pick(self.sides).spawn(kind)

    def _traffic(self) -> None:
        self.stage = "traffic"
        world, plan = self.world, self.plan
        world.end = monotonic() + plan.traffic_s

        def greenlets(tasks: list[Task]) -> None:
            gevent = sys.modules["gevent"]
            gevent.joinall([gevent.spawn(task.run) for task in tasks], raise_error=True)

        for number in range(plan.threads):
            many = 3 if number < plan.greenlet_threads else 1
            tasks = [Task(world, self.sides, plan, many > 1) for _ in range(many)]
            self.tasks += tasks
            self._thread(functools.partial(greenlets, tasks) if many > 1 else tasks[0].run)
        if plan.shut_in_traffic:
            sleep(plan.traffic_s * 0.7)
            self.stage = "shutdown in traffic"
            for side in self.sides:
                self._shut(side)
        first = 1 if plan.embedded else 0
        for over in self._ends[first:]:
            if not over.acquire(True, plan.traffic_s + REST_S):
                world.violation("a thread of the stress did not come to its end")

    # -- the accounts --------------------------------------------------------------------------

    def _check_rest(self) -> None:
        self.stage = "rest"
        world = self.world
        for task in self.tasks:
            for side, beat in task.intervals:
                side.rt.cancel_timer(beat)
        notes = world.timed + [note for task in self.tasks for _, _, note in task.timers]
        end = monotonic() + 0.1
        while monotonic() < end:
            # The last timer is due within 50 ms.
            sleep(0.02)
        for side in self.sides:
            if not side.rt.quiesce(REST_S):
                world.violation(f"runtime {side.index} found no rest: {side.rt.stats()}")
        for side in self.sides:
            # Anew, for the first one's actors may have sent to the second one's.
            side.rt.quiesce(REST_S)
        self._check_timers(notes)
        for side in self.sides:
            self._check_books(side)
            self._check_families(side)
            self._check_idle_ends(side)
        self._check_links()

    def _check_timers(self, notes: list[Note]) -> None:
        for note in notes:
            plain = note.target.kind in PLAIN
            ended = note.target.pid in note.target.side.exits
            late = monotonic() + 10
            while plain and not ended and not note.runs and monotonic() < late:
                sleep(0.01)
                ended = not note.target.side.rt.is_alive(note.target.pid)
            # Another kind may have passed a copy on.
            if plain and (note.runs > 1 or (not ended and note.runs != 1)):
                self.world.violation(f"timer of {note!r} was handled {note.runs} times")

    def _check_books(self, side: Side) -> None:
        world = self.world
        for actor in side.born:
            if "observed" in actor.kind and side.rt.is_alive(actor.pid):
                side.fetch(actor)
        books = side.rt.stats()
        senders: list[Sender] = [*self.tasks, *world.actors]
        true = sum(sender.answers[side.index].true for sender in senders)
        false = sum(sender.answers[side.index].false for sender in senders)
        cut = sum(sender.answers[side.index].cut for sender in senders)
        handled = sum(actor.handled for actor in side.born)
        failed = sum(actor.failed for actor in side.born)
        self._add(true=true, false=false, handled=handled, failed=failed)
        self._add(
            **{key: books[key] for key in ("expired", "dropped_old", "redirected", "spilled")}
        )
        fates = sum(
            books[fate]
            for fate in (
                "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
                "queued", "running",
            )
        )  # fmt: skip
        # What was offered beyond the counted sends: the messages of timers.
        offers = books["accepted"] + books["refused"] + books["undeliverable"]
        timed = offers - books["spilled"] - true - false
        lost_observed = self.plan.stop_observed
        timers = self.plan.timers or bool(world.timed)
        for wrong, what in (
            (books["accepted"] != fates, "accepted is not the sum of its fates"),
            (books["queued"] or books["running"], "something is queued or running at rest"),
            (books["failed"] != failed, f"failed is not {failed}, the count of the handlers"),
            (books["handled"] < handled, f"handled is less than {handled}, counted here"),
            (
                books["handled"] != handled and not lost_observed,
                f"handled is not {handled}, counted here",
            ),
            (not 0 <= timed <= cut and not timers, f"{timed} more offers than sends"),
            (timed < 0, f"{-timed} fewer offers than sends"),
            (
                not timers and not self.plan.spill and not true <= books["accepted"] <= true + cut,
                "accepted is not the count of sends that gave True",
            ),
            (books["spawned"] != len(side.born), f"spawned is not {len(side.born)}"),
        ):
            if wrong:
                world.violation(
                    f"runtime {side.index}: {what}; sends: True {true}, False {false}, cut {cut};"
                    f" {books}"
                )

    def _check_families(self, side: Side) -> None:
        exits = side.exits
        for actor in side.born:
            if len(exits.get(actor.pid, ())) > 1:
                self.world.violation(f"{actor!r} ended more than once: {exits[actor.pid]}")
            parent = actor.parent
            if parent is None or parent.pid not in exits:
                continue
            if actor.pid not in exits:
                self.world.violation(f"{actor!r} lives after the end of its parent {parent!r}")
            elif exits[actor.pid][0] > exits[parent.pid][0]:
                self.world.violation(f"{actor!r} ended after its parent {parent!r}")

    def _check_idle_ends(self, side: Side) -> None:
        """A virtual actor that ended as idle has handled all that it accepted."""
        parents = {actor.parent for actor in side.born}
        for actor in side.born:
            told = side.exits.get(actor.pid)
            if actor.kind != "virtual" or not told or told[0][1] != "Normal":
                continue
            if actor.ended_itself or actor in parents:
                # The stop word ends parents, and what is behind it expires, as after a stop.
                continue
            self._add(idle=1)
            done = actor.handled + actor.failed
            # More where timers and full mailboxes have sent to it as well.
            if done < len(actor.accepted):
                self.world.violation(
                    f"{actor!r} ended as idle; it accepted {len(actor.accepted)}, handled {done}"
                )

    def _check_links(self) -> None:
        unlinked = {frozenset(pair) for task in self.tasks for pair in task.unlinked}
        for task in self.tasks:
            for pair in task.links:
                for actor, other in (pair, pair[::-1]):
                    told = actor.side.exits.get(actor.pid)
                    if told is None or told[0][1] == "Normal" or other.traps:
                        continue
                    if frozenset(pair) in unlinked:
                        continue
                    if not other.side.rt.join(other.pid, 10):
                        self.world.violation(f"{other!r} survived the end of its link {actor!r}")

    def _end_actors(self) -> None:
        self.stage = "ending the actors"
        world = self.world
        watchers = [watcher for side in self.sides for watcher in side.watchers]
        for actor in world.actors:
            if actor not in watchers:
                actor.side.rt.stop(actor.pid)
        for actor in world.actors:
            if actor in watchers:
                continue
            rt = actor.side.rt
            if not rt.join(actor.pid, REST_S):
                world.violation(f"{actor!r} does not end")
            elif rt.is_alive(actor.pid) or rt.send(actor.pid, b"") or rt.stop(actor.pid):
                world.violation(f"{actor!r} has ended and is not dead")
            if len(actor.side.exits.get(actor.pid, ())) != 1:
                world.violation(f"{actor!r} ended {actor.side.exits.get(actor.pid)}")
        for side in self.sides:
            side.rt.quiesce(REST_S)
            side.fetch(side.watchers[0])
            if side.rt.stats()["actors"] != len(side.watchers):
                world.violation(f"actors are left: {side.rt.stats()}")
            for number in range(20):
                if side.rt.whereis(f"name {number}") is not None:
                    world.violation(f"'name {number}' outlived its actor")
            if side.rt.list_children("/"):
                world.violation("paths outlived their actors")
        self._check_monitors(watchers)

    def _check_monitors(self, watchers: list[Actor]) -> None:
        expected: dict[Actor, dict[int, int]] = {watcher: {} for watcher in watchers}
        for task in self.tasks:
            for (watcher, pid), times in task.expected_downs.items():
                if times:
                    expected[watcher][pid] = expected[watcher].get(pid, 0) + times
        for watcher in watchers:
            late = monotonic() + 10
            while watcher.downs != expected[watcher] and monotonic() < late:
                # A pull actor handles system messages after quiesce, too.
                sleep(0.01)
            if watcher.downs != expected[watcher]:
                wrong = {
                    pid: (watcher.downs.get(pid, 0), expected[watcher].get(pid, 0))
                    for pid in {*watcher.downs, *expected[watcher]}
                    if watcher.downs.get(pid) != expected[watcher].get(pid)
                }
                self.world.violation(f"{watcher!r}: (DOWNs got, expected) by pid: {wrong}")

    def _shut_down(self) -> None:
        self.stage = "shutdown"
        for side in self.sides:
            self._shut(side)
        self._embedded_over = True
        for over in self._ends[: 1 if self.plan.embedded else 0]:
            if not over.acquire(True, REST_S):
                self.world.violation("the thread of the embedded runtime does not end")

    def _shut(self, side: Side) -> None:
        began = monotonic()
        left = side.rt.shutdown(10)
        if left:
            self.world.violation(f"shutdown gave up {left}")
        if monotonic() - began > 20:
            self.world.violation(f"shutdown took {monotonic() - began:.1f} s of 10")
        if side.rt.send(side.watchers[0].pid, b""):
            self.world.violation("a send after shutdown gave True")

    def _check_senders(self) -> None:
        for sender in [*self.tasks, *self.world.actors]:
            for answers in sender.answers:
                for note in answers.refused:
                    if note.runs:
                        self.world.violation(f"{note!r} was refused and handled")
        for task in self.tasks:
            for note in task.cancelled:
                if note.runs:
                    self.world.violation(f"{note!r} came although its timer was cancelled")

    def _add(self, **figures: int) -> None:
        for name, figure in figures.items():
            self.figures[name] = self.figures.get(name, 0) + figure
