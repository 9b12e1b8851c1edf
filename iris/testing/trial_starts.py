"""What has to be true of starts: who comes back, in which order, how often, and who must not.

Some 400 lines, because all of it is judged by one picture of who is up under which supervisor.
"""

from __future__ import annotations

from typing import Optional

from iris.testing.trial_book import Reader

CLOSE_S = 1e-6
"""Times this near to the edge of a window may be counted either way."""


class Group:
    """A supervisor, as the rules see it."""

    def __init__(
        self, key: str, strategy: str, max_restarts: int, within_s: float, above: str, by_pid: bool
    ) -> None:
        self.key = key
        self.by_pid = by_pid
        # The global one, or that of a path.
        self.strategy = strategy
        self.max_restarts = max_restarts
        self.within_s = within_s
        self.above = above
        self.actor = ""
        # Who it is now; another one after a restart of the supervisor. Empty for those by pid.
        self.places: list[Place] = []
        self.over = False
        self.sure: list[float] = []
        # When something happened that was surely counted as a restart.
        self.told_at_s = -1.0
        # When the latest of them was reported.
        self.perhaps: list[float] = []
        # When something happened that may have been.


class Place:
    """A child, as the rules see it."""

    def __init__(self, label: str, group: Group, restart: str, what: str, added: bool) -> None:
        self.label = label
        self.group = group
        self.restart = restart
        self.what = what
        self.added = added
        self.rests = what == "spec" and restart != "temporary"
        # Whether it restarts in place.
        self.placed = 0
        # When it was made known.
        self.begun = 0
        # When its latest actor began something: then it was not being ended.
        self.actor = ""
        self.lives = 0
        # The number of the latest call of its factory.
        self.starts: list[int] = []
        # When it was called under this supervisor, counted in what was read.
        self.sign = 0
        # When it last showed that it was up.
        self.down: Optional[tuple[str, str]] = None
        # How its latest actor has ended: (reason, by).
        self.failed = False
        # Whether something of it has failed since the latest call.
        self.fail_at_s = 0.0
        self.second = False
        # Whether the failure was that of a message on its second try.
        self.gone = False
        # Removed, released or given up: it has to stay away.
        self.going = False
        # It is being removed.
        self.banned = ""
        # Why its present life must not handle anything any more.
        self.runs = False
        # Whether it was started and has not failed since.
        self.up = False
        # Whether an actor is known to fill it.


class Starts(Reader):
    """Reads calls of factories and the reports of restarts, and compares with the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, Group] = {}
        self.places: dict[str, Place] = {}
        self.seats: dict[str, Place] = {}
        self.now = 0
        # Counts what was read.
        self.ended: dict[str, tuple[str, str]] = {}
        self.tried: dict[tuple[str, str, int], None] = {}
        self.shut = False
        self.released: set[str] = set()
        # Actors that nobody need list: unsupervised, or of a supervisor that was removed.
        self.spawned: dict[str, Place] = {}
        # Made by a factory of pids.
        self.found: set[str] = set()
        self.lists: set[str] = set()
        # What was found at rest: places of supervisors that are actors, actors on the other lists.

    # -- what there is -------------------------------------------------------------------------

    def on_group(
        self, who: str, strategy: str, max_restarts: int, within_s: float, above: str
    ) -> None:
        by_pid = not who or who.startswith("/")
        above = above or "none"
        self.groups[who] = Group(who, strategy, max_restarts, within_s, above, by_pid)

    def on_void(self, who: str) -> None:
        """It could not be started, so nobody has seen who its children were."""
        self._end_group(self.groups[who])

    def on_place(self, who: str, key: str, restart: str, what: str, added: bool) -> None:
        place = self.places[who] = Place(who, self.groups[key], restart, what, added)
        place.placed = self.now
        self.groups[key].places.append(place)

    def on_leads(self, who: str, actor: str) -> None:
        group = self.groups[who]
        if group.actor != actor:
            group.actor = actor
            if actor in self.ended:
                self._end_group(group)

    def on_fills(self, at_s: float, who: str, actor: str) -> None:
        place = self.places[who]
        self.now += 1
        if place.gone and actor not in self.ended and actor not in self.released:
            self.fault(f"{actor} is in {who}, which was removed or released")
        place.actor, place.down = actor, None
        place.sign = place.begun = self.now
        place.up = place.runs = True
        self.seats[actor] = place
        if place.what == "supervisor":
            self._begin_anew(self.groups[who], actor)
        if actor in self.ended:
            self._came_down(place, at_s, *self.ended[actor])

    def _begin_anew(self, group: Group, actor: str) -> None:
        """The supervisor was restarted: its children are new, and so is its window."""
        first = not group.actor
        group.actor, group.over = actor, False
        if first:
            return
        group.sure, group.perhaps = [], []
        for place in group.places:
            place.gone = place.going = place.up = place.failed = False
            place.banned, place.down = "", None
            place.starts.clear()

    def on_call(self, who: str, life: int) -> None:
        """A factory begins: whatever has to be before this start must have been."""
        place = self.places[who]
        group = place.group
        self.now += 1
        if self.shut and place.lives:
            # Called before, and come too late for it: nothing may come of it, see `on_restart`.
            return
        if group.over and place.starts:
            # Called before the end of the supervisor, and come too late.
            return
        if place.gone:
            # Asked for before that; nothing may come of it, see `on_fills`.
            return
        if place.starts and place.up and not group.over:
            self._check_cause(place)
        if place.starts:
            self._check_order(place)
        place.starts.append(self.now)
        place.lives, place.banned, place.failed = life, "", False

    def _check_cause(self, place: Place) -> None:
        """It was up before, and is started again: was there a reason?"""
        if place.restart == "temporary":
            self.fault(f"{place.label} is temporary and is started again")
        if place.group.strategy != "restartone":
            return
        if not place.failed and place.down is None:
            self.fault(f"{place.label} is started again although it has not failed")
        elif place.restart == "transient" and place.down is not None:
            reason, by = place.down
            if reason in ("Normal", "Killed") and by != place.group.actor:
                self.fault(f"{place.label} is transient and is started again after {reason}")

    def _check_order(self, place: Place) -> None:
        """With the other strategies the younger ones are down now; or all, who start anew."""
        group = place.group
        if group.strategy == "restartone":
            return
        younger = group.places[group.places.index(place) + 1 :]
        for other in younger:
            self._must_rest(other, place, f"{place.label}, which is older, is started")
        if group.strategy == "restartall":
            for other in group.places[: group.places.index(place)]:
                if other.starts and other.starts[-1] < place.sign:
                    self._must_rest(other, place, f"{place.label} is started anew without it")

    def _must_rest(self, other: Place, place: Place, why: str) -> None:
        if not other.up or other.gone or other.down is not None or other.actor in self.ended:
            return
        if not other.starts or (
            other.added and (len(other.starts) == 1 or other.placed > place.begun)
        ):
            # Supervised by pid and never started here, or it came meanwhile.
            return
        if other.rests:
            other.banned = why
        else:
            self.fault(f"{other.label} lives although {why}")

    def on_made(self, at_s: float, who: str, what: str, actor: str = "") -> None:
        place = self.places[who]
        if what == "ok" and actor:
            self.spawned[actor] = place
        if what != "ok":
            self._note_incident(place, at_s)
            place.failed = True

    # -- what becomes of them ------------------------------------------------------------------

    def on_in(
        self,
        place: str,
        life: int,
    ) -> None:
        self.now += 1
        if place not in self.places:
            return
        seat = self.places[place]
        if life == seat.lives:
            seat.begun = self.now
        if seat.what == "spec" and life == seat.lives:
            if seat.banned:
                self.fault(f"{place} handles a message although {seat.banned}")
            seat.sign = self.now
        elif seat.what == "spec":
            self.fault(f"{place} handles a message in life {life} after life {seat.lives} began")

    def on_out(
        self, at_s: float, who: str, place: str, life: int, sender: str, number: int, how: str
    ) -> None:
        if how == "done" or place not in self.places:
            return
        seat = self.places[place]
        message = (sender, who, number)
        seat.second, self.tried[message] = message in self.tried, None
        if seat.what == "spec" and life == seat.lives:
            seat.failed, seat.fail_at_s, seat.runs = True, at_s, False
            self._note_incident(seat, at_s)

    def on_end(self, at_s: float, who: str, reason: str, by: str) -> None:
        self.now += 1
        self.ended[who] = (reason, by)
        place = self.seats.get(who)
        if place is not None and place.actor == who:
            self._came_down(place, at_s, reason, by)
        for group in self.groups.values():
            if group.actor == who:
                self._end_group(group)

    def _came_down(self, place: Place, at_s: float, reason: str, by: str) -> None:
        group = place.group
        by_supervisor = bool(group.actor) and by == group.actor and reason == "Killed"
        if by_supervisor and not place.going and not place.gone:
            later = group.places[group.places.index(place) + 1 :]
            for other in later:
                if not other.gone:
                    self._must_rest(other, place, f"{place.label}, which is older, was ended")
        place.down = (reason, by)
        if not place.rests:
            # One that rests may be stopped at rest, so its end does not say that it was up.
            place.sign = self.now
        if not by_supervisor:
            if place.runs or not place.rests:
                # Else it was stopped at rest, and the failure before that is what counts.
                place.failed, place.fail_at_s, place.second = True, at_s, False
            place.runs = False
            self._note_incident(place, at_s)

    def _end_group(self, group: Group) -> None:
        group.over = True

    def _note_incident(self, place: Place, at_s: float) -> None:
        group: Optional[Group] = place.group
        while group is not None:
            # A start that fails may be the failure of the start of those above.
            group.perhaps.append(at_s)
            group = self.groups.get(group.above)

    def on_restart(self, at_s: float, who: str, actor: str, previous: str, reason: str) -> None:
        place = self.places[who]
        group = place.group
        if self.shut:
            self.fault(f"{who} was restarted during the shutdown")
        if place.gone:
            self.fault(f"{who} was restarted although it was removed or released")
        if place.what == "spec" and actor == previous and actor in self.ended:
            self.fault(f"{who} was restarted in place after its end")
        place.runs = True
        if reason and not group.by_pid and not place.second:
            self._count(group, place, place.fail_at_s, at_s)

    def _count(self, group: Group, place: Place, at_s: float, now_s: float) -> None:
        if group.strategy != "restartone" and at_s <= group.told_at_s:
            # It failed while others were on their way down, and would have ended with them.
            return
        group.told_at_s = now_s
        group.sure.append(at_s)
        near = [when for when in group.sure if 0 <= at_s - when < group.within_s - CLOSE_S]
        if len(near) > group.max_restarts:
            self.fault(
                f"{place.label} was restarted for a failure at {at_s:.4f} s, the {len(near)}th"
                f" within {group.within_s} s, and {group.max_restarts} are allowed"
            )

    def on_give_up(
        self,
        at_s: float,
        who: str,
    ) -> None:
        place = self.places[who]
        group = place.group
        if place.what == "pid":
            place.gone = True
            return
        near = [when for when in group.perhaps if at_s - when <= group.within_s + CLOSE_S]
        if len(near) <= group.max_restarts:
            self.fault(
                f"the supervisor of {who} gave up after {len(near)} failures within"
                f" {group.within_s} s, and {group.max_restarts} are allowed"
            )

    def on_removing(self, who: str) -> None:
        if who in self.places:
            self.places[who].going = True

    def on_gone(self, who: str) -> None:
        if who in self.places:
            self.places[who].gone = True
            self.places[who].going = False

    def on_release(self, who: str, done: bool) -> None:
        place = self.seats.get(who)
        if done:
            self.released.add(who)
            if place is not None and place.actor == who:
                place.gone = True

    def on_forget(self, who: str) -> None:
        group = self.groups[who]
        for place in group.places:
            place.gone = True
            self.released.add(place.actor)
        group.places.clear()

    def on_shutdown(self) -> None:
        self.shut = True

    # -- at rest -------------------------------------------------------------------------------

    def on_has(self, who: str, actor: str, state: str) -> None:
        place = self.places[who]
        if place.gone or place.group.over:
            return
        if state != "up" or not actor or actor in self.ended:
            self.fault(f"{who} is {state} at rest, with {actor or 'nobody'} in it")
        self.found.add(who)

    def on_listed(self, who: str, actors: str) -> None:
        # A list and `update`, no union of sets: PyPy's JIT compiles `a |= b` and a loop over `b` to
        # code that ends with a segmentation fault now and then (pypy issue 5245, 7.3.11 to 7.3.19).
        listed = actors.split()
        self.lists.update(listed)
        for actor in listed:
            if actor in self.ended:
                self.fault(f"{actor} is listed and has ended")
        for place in self.groups[who].places:
            if not place.gone and place.actor not in listed:
                self.fault(f"{place.label} is not listed at rest")

    def on_resolves(self, who: str, text: str, actor: str) -> None:
        place = self.places[who]
        if self._belongs(place) and actor != place.actor:
            self.fault(f"{text} names {actor or 'nobody'}, and {who} is {place.actor}")

    def _belongs(self, place: Place) -> bool:
        """Whether somebody has to fill this place at rest."""
        group: Optional[Group] = place.group
        while group is not None and not group.by_pid:
            if group.over or not group.actor:
                return False
            if group.key in self.places and self.places[group.key].gone:
                # A supervisor that was released: it lives on, and nobody can look below it.
                return False
            group = self.groups.get(group.above)
        if place.gone or (not place.starts and place.what == "spec"):
            return False
        if place.what == "pid" or place.restart == "permanent":
            return True
        if place.down is None:
            return not (place.restart == "temporary" and place.failed)
        reason, by = place.down
        if place.restart == "temporary":
            return False
        return by == place.group.actor or reason not in ("Normal", "Killed")

    def on_rest(self) -> None:
        for place in self.places.values():
            if place.what != "pid" and self._belongs(place) and place.label not in self.found:
                self.fault(f"{place.label} is {place.restart} and is not up at rest")
        for actor, place in self.spawned.items():
            if actor in self.ended or actor in self.lists or actor in self.released:
                continue
            self.fault(f"{actor}, which a factory has made for {place.label}, lives unlisted")
