"""What has to be true of ends: who ends with whom, and who is told, how often and of what."""

from __future__ import annotations

from iris.testing.trial_book import Reader


class Ends(Reader):
    """Reads who was born, tied and told, and compares with who has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.parents: dict[str, str] = {}
        self.unseen: set[str] = set()
        # Who had ended before anybody knew whose child it was.
        self.traps: dict[str, bool] = {}
        self.ended: dict[str, str] = {}
        # Actor -> reason.
        self.orphans: set[str] = set()
        self.monitors: dict[int, tuple[str, str]] = {}
        # Number -> (watcher, target); those that were taken back are not in it.
        self.fired: dict[int, None] = {}
        # Numbers of the monitors whose target has ended.
        self.downs: dict[tuple[str, str], int] = {}
        self.links: dict[frozenset[str], None] = {}
        self.exits: dict[tuple[str, str], int] = {}
        self.owed: dict[tuple[str, str], None] = {}
        # (who, of whom): who has to be told EXIT once.
        self.doomed: dict[str, str] = {}
        # Who has to end -> for whom.
        self.keys: dict[str, str] = {}
        # Place -> its supervisor.
        self.what: dict[str, str] = {}
        # Place -> what is made there.
        self.nested: set[str] = set()
        # Supervisors below others.
        self.confirmed: set[str] = set()
        # Whose restart was reported.
        self.seats: dict[str, str] = {}
        # Actor -> the place that it fills.
        self.leaders: set[str] = set()
        self.released: set[str] = set()
        # Unsupervised: an observer is told of them or not, for they end with the supervisor.
        self.observers: dict[str, str] = {}
        # Supervisor -> who observes it.

    # -- who there is --------------------------------------------------------------------------

    def on_born(self, who: str, parent: str, trap: bool, what: str) -> None:
        self.parents[who] = parent
        self.traps[who] = trap
        if what == "unseen":
            self.unseen.add(who)
        if parent in self.ended and what != "unseen":
            self.fault(f"{who} was born below {parent}, which has ended")

    def on_place(self, who: str, key: str, what: str) -> None:
        self.keys[who] = key
        self.what[who] = what

    def on_restart(self, actor: str) -> None:
        self.confirmed.add(actor)

    def on_fills(self, who: str, actor: str) -> None:
        self.seats[actor] = who
        if self.what[who] == "supervisor":
            self.nested.add(actor)

    def on_leads(self, actor: str) -> None:
        self.leaders.add(actor)

    def on_release(self, who: str, done: bool) -> None:
        if done:
            self.released.add(who)

    def on_observer(self, who: str, key: str) -> None:
        self.observers[key] = who

    def on_link(self, who: str, other: str) -> None:
        self.links[frozenset((who, other))] = None

    def on_unlink(self, who: str, other: str) -> None:
        self.links.pop(frozenset((who, other)), None)

    def on_monitor(self, who: str, number: int, target: str) -> None:
        self.monitors[number] = (who, target)
        if target in self.ended:
            self.fired[number] = None

    def on_demonitor(self, number: int) -> None:
        if number in self.fired:
            self.fault(f"monitor {number} could be taken back after its target had ended")
        self.monitors.pop(number, None)

    # -- ends ----------------------------------------------------------------------------------

    def on_orphan(self, who: str) -> None:
        self.orphans.add(who)

    def on_end(self, who: str, reason: str) -> None:
        if who in self.ended:
            self.fault(f"{who} has ended twice")
        self.ended[who] = reason
        below = [child for child, parent in self.parents.items() if parent == who]
        for child in below:
            if child not in self.ended and child not in self.orphans:
                self.fault(f"{who} has ended before its child {child}")
        for number, (_, target) in self.monitors.items():
            if target == who:
                self.fired[number] = None
        told: dict[str, None] = {}
        for pair in [pair for pair in self.links if who in pair]:
            del self.links[pair]
            (other,) = pair - {who}
            if self.traps[other]:
                told[other] = None
            elif reason != "Normal" and other not in self.ended:
                self.doomed.setdefault(other, who)
        parent = self.parents[who]
        if parent and self.traps.get(parent):
            told[parent] = None
        observer = self.observers.get(self.keys.get(self.seats.get(who, ""), ""))
        if who in self.nested and who not in self.confirmed:
            # It may have ended while its children were being started, when it was none itself.
            self.released.add(who)
        elif observer:
            told[observer] = None
        for other in told:
            self.owed[other, who] = None

    def on_told(self, who: str, what: str, target: str, reason: str) -> None:
        if what not in ("DOWN", "EXIT"):
            return
        book = self.downs if what == "DOWN" else self.exits
        book[who, target] = book.get((who, target), 0) + 1
        gone = what == "DOWN" and reason == "NoSuchActor"
        # That one is true from the moment in which it is dead, before its children have ended.
        if target not in self.ended and not gone:
            self.fault(f"{who} was told {what} of {target}, which lives")
        elif not gone and reason != self.ended[target]:
            self.fault(f"{who} was told that {target} ended as {reason}: {self.ended[target]}")
        if what == "EXIT" and book[who, target] > 1:
            self.fault(f"{who} was told twice of the end of {target}")
        if self.parents[target] in self.leaders:
            # An observer is told of all that end with the supervisor, supervised or not.
            return
        told_so = (who, target) in self.owed or target in self.unseen or target in self.released
        if what == "EXIT" and not told_so:
            self.fault(f"{who} was told EXIT of {target}, with which it has nothing to do")

    # -- at rest -------------------------------------------------------------------------------

    def on_is_alive(self, who: str, alive: bool) -> None:
        if alive is (who in self.ended):
            self.fault(f"is_alive({who}) is {alive}")

    def on_rest(self, stats: dict[str, int]) -> None:
        fired: dict[tuple[str, str], int] = {}
        for number in self.fired:
            if number in self.monitors:
                pair = self.monitors[number]
                fired[pair] = fired.get(pair, 0) + 1
        for watcher, target in sorted({**fired, **self.downs}):
            heard, due = self.downs.get((watcher, target), 0), fired.get((watcher, target), 0)
            if heard > due or (heard < due and watcher not in self.ended):
                self.fault(f"{watcher} was told DOWN of {target} {heard} times, for {due} monitors")
        for who_, target in self.owed:
            if who_ in self.ended or target in self.released:
                continue
            if (who_, target) not in self.exits:
                self.fault(f"{who_} was not told EXIT of {target}")
        for doomed, partner in self.doomed.items():
            if doomed not in self.ended:
                self.fault(f"{doomed} lives although {partner}, linked to it, has failed")
        living = len(self.parents) - len(self.ended)
        hidden = any(who in self.nested and who not in self.ended for who in self.released)
        # Nobody can look below a supervisor that was released.
        if stats["actors"] < living or (stats["actors"] > living and not hidden):
            self.fault(f"{stats['actors']} actors live, of which the book knows {living}")
        if stats["spawned"] - stats["ended"] != stats["actors"]:
            self.fault(f"spawned - ended is not actors: {stats}")
        if stats["ended"] != len(self.ended):
            self.fault(f"{stats['ended']} actors ended, of which the book knows {len(self.ended)}")

    def on_closed(self, left: str) -> None:
        for actor in self.parents:
            if actor not in self.ended:
                self.fault(f"{actor} has outlived the runtime")
        if left:
            self.fault(f"shutdown has left {left}")

    def on_error(self, text: str) -> None:
        self.fault(f"something failed that no actor caused: {text}")
