"""The stress itself: some short rounds of each manner pass, and what is wrong is found.

The long runs are started by hand: `python -m iris.testing.stress --minutes 60`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live


def test_short_rounds_of_every_manner_pass(script: Callable[..., Any]) -> None:
    run = script("""
        import sys
        from iris.testing import stress
        sys.exit(stress.main(["--seed", "0", "--rounds", "5", "--round-s", "0.7"]))
    """)
    assert run.end(110) == 0, run.out + run.err
    assert "PASSED" in run.out
    assert "5 rounds" in run.out


# What each does to the stress's own actors and senders, and what has to be said then.
MISCOUNTS = {
    "a message that is handled twice": (
        """
        original = storm_actors.Actor.receive
        def receive(self, message, version):
            original(self, message, version)
            if type(message) is storm_actors.Note and message.number % 20 == 19:
                original(self, message, version)
        storm_actors.Actor.receive = receive
        """,
        "after number",
    ),
    "a message that is never handled": (
        """
        original = storm_actors.Actor.receive
        def receive(self, message, version):
            if type(message) is not storm_actors.Note or message.number % 20 != 19:
                original(self, message, version)
        storm_actors.Actor.receive = receive
        """,
        "counted here",
    ),
    "a send that is counted as another answer": (
        """
        original = storm_actors.Sender.send_raw
        def send_raw(self, target, data):
            accepted = original(self, target, data)
            self.answers[target.side.index].true += self.number % 20 == 0
            return accepted
        storm_actors.Sender.send_raw = send_raw
        """,
        "fewer offers than sends",
    ),
    "two messages of one actor at once": (
        """
        import _thread
        original = storm_actors.Actor._user
        def user(self, message, version):
            original(self, message, version)
            if self.kind == "push" and self.number == 0 and not done:
                done.append(message)
                _thread.start_new_thread(self.receive, (b"beside", 1))
                time.sleep(0.5)
        done = []
        storm_actors.Actor._user = user
        """,
        "at once",
    ),
}


@pytest.mark.parametrize("what", MISCOUNTS)
def test_the_stress_finds(script: Callable[..., Any], what: str) -> None:
    change, complaint = MISCOUNTS[what]
    lines = "\n".join(line[8:] for line in change.splitlines())
    run = script(
        "import sys, time\n"
        "from iris.testing import storm_actors, stress\n"
        f"{lines}\n"
        # Seed 5: without timers and without ends of observed actors, so all counts are exact.
        'sys.exit(stress.main(["--seed", "5", "--rounds", "1", "--round-s", "1"]))\n'
    )
    assert run.end(110) == 1, run.out + run.err
    assert "VIOLATION" in run.out
    assert complaint in run.out, run.out
    assert "seed 5" in run.out
