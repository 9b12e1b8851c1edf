"""How often a while form may evaluate its body, and the error when that is not enough.

`sum_while` and its kin have no loop that a reader can see, and their condition is easily never
false. The limit turns an endless one into an error. It is apart from `desugar`, because machine
code has to obey the same number: rewritten functions read it here at every turn, and whoever makes
a native call hands it in as it is at that time.
"""

from __future__ import annotations

from iris.errors import BadInput, LoopLimit

# Some hundredths of a second of native code, a tenth of a second of Python.
BODIES_DEFAULT = 1_000_000
# What a counter of machine code can hold.
BODIES_MAX = 2**63 - 1

_bodies_max = BODIES_DEFAULT


def loop_limit() -> int:
    """Tell how many evaluations of its body one `sum_while`, `any_while` or `all_while` may make.

    Never blocks; may be called from any thread.
    """
    return _bodies_max


def set_loop_limit(bodies_max: int) -> None:
    """Sets the limit for all while forms of the process, also for those that run right now.

    Never blocks; may be called from any thread.

    Raises:
        TypeError: no int.
        BadInput: below 1 or above 2**63 - 1.
    """
    global _bodies_max  # one number for the process, read at every turn of a loop
    if isinstance(bodies_max, bool) or not isinstance(bodies_max, int):
        raise TypeError(f"a loop limit is an int, not {type(bodies_max).__name__}")
    if not 1 <= bodies_max <= BODIES_MAX:
        raise BadInput(f"loop limit {bodies_max} is not from 1 to 2**63 - 1")
    _bodies_max = bodies_max


def limit_met(form: str, bodies: int) -> LoopLimit:
    """The error for a form that has evaluated its body so often and is not done."""
    return LoopLimit(
        f"{form} has evaluated its body {bodies} times and its condition still holds; "
        "if that is meant, raise the limit with iris.jit.set_loop_limit"
    )
