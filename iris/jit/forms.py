"""The lazy forms: what each name means. `desugar` rewrites them by these tables."""

from __future__ import annotations

from typing import NamedTuple, Optional

IF_ELSE = "if_else"
# Each with the value of one that nothing has ended early; `__iris_s` is the sum so far.
WHILE_FORMS = {"sum_while": "__iris_s", "any_while": "False", "all_while": "True"}


class Control(NamedTuple):
    """What a `break_*` or a `continue_*` does, beside having a value."""

    stops: bool
    """Ends the reduction; otherwise passes over this element only."""
    condition: Optional[bool]
    """The truth of the first argument that makes it act; None: it acts on a value of nan."""


CONTROLS: dict[str, Control] = {
    "break_if": Control(True, True),
    "break_when": Control(True, True),
    "break_unless": Control(True, False),
    "break_on_nan": Control(True, None),
    "continue_if": Control(False, True),
    "continue_when": Control(False, True),
    "continue_unless": Control(False, False),
    "continue_on_nan": Control(False, None),
}
FORMS = frozenset({IF_ELSE, *WHILE_FORMS, *CONTROLS})
# The builtins whose generator expression a control may end.
REDUCTIONS = frozenset({"sum", "any", "all", "min", "max"})
