"""The compute sidecar: numeric Python functions as machine code, with exactly Python's results.

`iris.offload` marks a function; what is here tells what became of it and sets how it is run. The
names are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iris.jit.decorator import explain, stats
    from iris.jit.loops import loop_limit as get_loop_limit
    from iris.jit.loops import set_loop_limit
    from iris.jit.refusal import Refusal
    from iris.jit.report import Report, SignatureReport, Stats
    from iris.jit.shim import available, why_unavailable
    from iris.jit.switches import (
        force,
        get_jit_logging,
        get_quantum_speculation,
        set_jit_logging,
        set_quantum_speculation,
    )

__all__ = [
    "Refusal",
    "Report",
    "SignatureReport",
    "Stats",
    "available",
    "explain",
    "force",
    "get_jit_logging",
    "get_loop_limit",
    "get_quantum_speculation",
    "set_jit_logging",
    "set_loop_limit",
    "set_quantum_speculation",
    "stats",
    "why_unavailable",
]

_HOMES = {
    "Refusal": ("refusal", "Refusal"),
    "Report": ("report", "Report"),
    "SignatureReport": ("report", "SignatureReport"),
    "Stats": ("report", "Stats"),
    "available": ("shim", "available"),
    "explain": ("decorator", "explain"),
    "force": ("switches", "force"),
    "get_jit_logging": ("switches", "get_jit_logging"),
    "get_loop_limit": ("loops", "loop_limit"),
    "get_quantum_speculation": ("switches", "get_quantum_speculation"),
    "set_jit_logging": ("switches", "set_jit_logging"),
    "set_loop_limit": ("loops", "set_loop_limit"),
    "set_quantum_speculation": ("switches", "set_quantum_speculation"),
    "stats": ("decorator", "stats"),
    "why_unavailable": ("shim", "why_unavailable"),
}
# Module and name of each public name.


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'iris.jit' has no attribute {name!r}")
    module, original = _HOMES[name]
    value = getattr(import_module(f"iris.jit.{module}"), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *__all__})
