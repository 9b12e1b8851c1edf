"""The words that go over the wire for what is wrong with a question.

Both sides of a connection need them, and neither owns them.
"""

from __future__ import annotations

from iris.errors import ActorDead, ActorRestarting, AskCycle, IrisError, LimitReached

WORDS: dict[str, type[IrisError]] = {
    "dead": ActorDead,
    "full": LimitReached,
    "cycle": AskCycle,
    "restarting": ActorRestarting,
}
"""The errors of questions, by the word that goes over the wire; any other is an ActorError."""


def word_of(error: IrisError) -> str:
    """The word for an error of a question."""
    for word, kind in WORDS.items():
        if isinstance(error, kind):
            return word
    return "error"
