"""What `iris.jit.explain` and `iris.jit.stats` tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from iris.jit.refusal import Refusal


@dataclass
class SignatureReport:
    """One call shape of a function."""

    kinds: tuple[str, ...]
    """The types of the arguments, in the order of the parameters."""
    profile: str
    """"scalar", "container", "element-wise" or "packed"."""
    reduction: Optional[str]
    """"sum", "any" or "all" where the function is made of one of these; else None."""
    arm: str
    """What makes the calls: "native" or "python"."""
    arms: dict[str, Optional[float]]
    """All that could, and their nanoseconds a call where these were measured."""
    native_calls: int
    """Calls that machine code has made to the end."""
    reruns: int
    """Calls that machine code has begun and Python has made."""
    python_calls: int
    """Calls that Python has made alone."""
    refusal: Optional[Refusal]
    """Why there is no machine code; None where there is."""
    ir: Optional[str]
    """The program in its intermediate representation, as text."""


@dataclass
class Report:
    """What became of one offloaded function."""

    name: str
    available: bool
    """Whether there is a compute sidecar at all."""
    refusal: Optional[Refusal]
    """Why no signature of it is ever compiled; None where some may be."""
    signatures: list[SignatureReport] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        result = asdict(self)
        result["refusal"] = _refusal(self.refusal)
        for plain, one in zip(result["signatures"], self.signatures):
            plain["refusal"] = _refusal(one.refusal)
            plain["kinds"] = list(one.kinds)
        return result

    def __str__(self) -> str:
        lines = [self.name]
        if not self.available:
            lines.append("  no compute sidecar: plain Python (see iris.jit.why_unavailable)")
        if self.refusal is not None:
            lines.append(f"  stays in Python: {self.refusal}")
        if not self.signatures and self.refusal is None:
            lines.append("  not called yet")
        for one in self.signatures:
            lines += _lines(one)
        return "\n".join(lines)


def _refusal(refusal: Optional[Refusal]) -> Optional[dict[str, Any]]:
    return None if refusal is None else refusal._asdict()


def _lines(one: SignatureReport) -> list[str]:
    shape = ", ".join(one.kinds)
    mode = "" if one.reduction is None else f", {one.reduction}"
    lines = [f"  ({shape})  {one.profile}{mode}: {one.arm}"]
    lines.append(
        f"    {one.native_calls} native calls, {one.reruns} reruns, {one.python_calls} in Python"
    )
    if one.refusal is not None:
        lines.append(f"    stays in Python: {one.refusal}")
    return lines


@dataclass(frozen=True)
class Stats:
    """Totals of the process."""

    functions: int
    """Offloaded functions that are alive."""
    signatures: int
    """Their call shapes."""
    compiled: int
    """Programs compiled so far, those again after a change of a name included."""
    compile_s: float
    """Seconds spent on them, from the source to machine code."""
    native_calls: int
    reruns: int
    python_calls: int
    code_used_bytes: int
    """Executable memory in use."""
    code_reserved_bytes: int
    """Executable memory taken from the system."""
