"""Random specs for a trial: children and supervisors, each noted in the book when it is made."""

from __future__ import annotations

from typing import Any, Union

from iris import ChildSpec, SupervisorSpec
from iris.testing.trial_world import PATIENCE_S, Place, World

KINDS = ("push", "push", "push", "worker", "pull", "bounded", "trap")


class Specs:
    """Makes specs for one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def make(
        self, key: str, depth: int = 0, added: bool = False
    ) -> Union[ChildSpec, SupervisorSpec]:
        """A spec of a child or of a supervisor below `key`, noted in the book."""
        world = self.world
        restart = world.pick(("permanent", "permanent", "permanent", "transient", "temporary"))
        if depth < 2 and world.chance(0.25):
            label = world.label("s")
            self._note_place(label, key, restart, "supervisor", added)
            rules = self.rules()
            self.note_group(label, key, rules)
            children = tuple(
                self.make(label, depth + 1) for _ in range(1 + int(world.random() * 3))
            )
            nested = SupervisorSpec(
                label, children, *rules, restart=restart, shutdown_timeout_s=20.0
            )
            world.places[label] = Place(label, key, nested)
            return nested
        label, kind = world.label("c"), world.pick(KINDS)
        place = Place(label, key, None)
        spec = place.spec = ChildSpec(
            label, world.factory(place), restart, world.pick(PATIENCE_S),
            budget=1 + int(world.random() * 3),
            release_gil=kind == "worker", mailbox=kind == "pull", trap_exit=kind == "trap",
            capacity=2 if kind == "bounded" else None,
            name=f"name-{label}" if world.chance(0.6) else None,
            path=f"/trial/{label}" if world.chance(0.4) else None,
            drop_queue=kind == "push" and world.chance(0.2),
            redeliver=kind == "trap" and world.chance(0.6),
        )  # fmt: skip
        world.places[label] = place
        self._note_place(
            label, key, restart, "spec", added, drops=spec.drop_queue, redeliver=spec.redeliver
        )
        return spec

    def _note_place(
        self, label: str, key: str, restart: str, what: str, added: bool, **more: Any
    ) -> None:
        self.world.book.note(
            "place", label, key=key, restart=restart, what=what, added=added, **more
        )

    def rules(self) -> tuple[str, int, float, tuple[float, float]]:
        """Strategy, limit and pauses of a supervisor."""
        pick = self.world.pick
        return (
            pick(("RestartOne", "RESTARTALL", "restartrest")),
            pick((0, 1, 2, 3, 5, 10, 50)),
            pick((0.5, 5.0, 50.0)),
            pick(((0, 0), (10, 1000), (100, 5000))),
        )

    def note_group(self, label: str, above: str, rules: tuple[Any, ...]) -> None:
        """A supervisor with these rules is about to be."""
        strategy, max_restarts, within_s, _ = rules
        self.world.book.note(
            "group", label, strategy=strategy.lower(), max_restarts=max_restarts,
            within_s=within_s, above=above,
        )  # fmt: skip
