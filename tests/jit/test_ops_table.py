"""The table of operations stands in ir.py, in the crate and (its words) in the header: the same."""

from __future__ import annotations

import re
from pathlib import Path

from iris.jit import ir, shim
from iris.jit.check import _ENUMERATED
from iris.jit.ir import OPS, Opcode, Type, Use

CRATE = Path(__file__).resolve().parents[2] / "jitshim"
OPS_RS = (CRATE / "src" / "ops.rs").read_text(encoding="utf-8")
IR_RS = (CRATE / "src" / "ir.rs").read_text(encoding="utf-8")
HEADER = (CRATE / "jitshim.h").read_text(encoding="utf-8")

ENTRY = re.compile(r"^    ([A-Z0-9_]+) = (\d+), \[([^\]]*)\], (\w+), (\w+)\(([\d, ]+)\);$", re.M)


def camel(name: str) -> str:
    return name.title().replace("_", "")


def gives(op: Opcode) -> str:
    rule = OPS[op]
    if rule.result is not None:
        return camel(rule.result.name)
    return "Depends" if rule.gives else "Nothing"


def flags(op: Opcode) -> tuple[str, str]:
    if op not in _ENUMERATED:
        return "Bits", str(int(OPS[op].flags))
    first = ir.MATH2_FIRST if op is Opcode.MATH2 else 0
    return "Range", f"{first}, {int(OPS[op].flags)}"


def test_each_operation_has_one_rule() -> None:
    assert set(OPS) == set(Opcode)


def test_the_crate_has_the_same_operations_and_rules() -> None:
    theirs = {found[0]: found[1:] for found in ENTRY.findall(OPS_RS)}
    ours = {
        op.name: (
            str(int(op)),
            ", ".join(camel(use.name) for use in OPS[op].operands),
            gives(op),
            *flags(op),
        )
        for op in Opcode
    }
    assert theirs == ours


def enum_of(name: str) -> dict[str, int]:
    body = re.search(rf"pub enum {name} \{{(.*?)\n\}}", OPS_RS, re.S)
    assert body is not None
    found = re.findall(r"^\s*(\w+) = (\d+),$", body[1], re.M)
    return {one.upper(): int(number) for one, number in found}


def test_types_and_formats_have_the_same_numbers() -> None:
    assert enum_of("Type") == {one.name: int(one) for one in Type}
    assert enum_of("Format") == {one.name: int(one) for one in ir.Format}


def test_operands_are_of_the_same_kinds() -> None:
    body = re.search(r"pub enum Use \{(.*?)\n\}", OPS_RS, re.S)
    assert body is not None
    assert re.findall(r"\w+", body[1]) == [camel(one.name) for one in Use]


def test_functions_of_the_c_library_stand_in_the_same_order() -> None:
    for name, first in (("MATH1", 0), ("MATH2", ir.MATH2_FIRST)):
        listed = re.search(rf"const {name}: \[.*?\] = \[(.*?)\];", OPS_RS, re.S)
        assert listed is not None
        ours = [one.name.lower() for one in ir.Math if (one >= ir.MATH2_FIRST) is (first > 0)]
        assert re.findall(r"\w+", listed[1]) == ours
        numbers = [int(one) for one in ir.Math if one.name.lower() in ours]
        assert numbers == list(range(first, first + len(ours)))


def constant(name: str, text: str = OPS_RS) -> int:
    found = re.search(rf"^(?:pub )?const {name}: \w+ = (\w+);", text, re.M)
    assert found is not None
    return int(found[1].replace("_", ""), 0)


def test_limits_and_statuses_are_the_same() -> None:
    names = ("OPERATIONS", "OUT_SLOTS", "PARAMS", "LOCALS", "FUNCTIONS", "DEPTH", "CALLS_OPEN")
    for name in names:
        assert constant(f"{name}_MAX") == getattr(ir, f"{name}_MAX")
    for status in ir.Status:
        assert constant(f"STATUS_{status.name}") == status
    assert constant("CHECKED") == ir.CHECKED
    assert constant("NONNEGATIVE") == ir.NONNEGATIVE


def test_magic_and_versions_are_the_same_everywhere() -> None:
    assert constant("MAGIC", IR_RS) == ir.WORDS_MAGIC
    assert constant("VERSION", IR_RS) == ir.WORDS_VERSION
    assert f'magic "IRJ1" (0x{ir.WORDS_MAGIC:X})' in HEADER
    abi = (CRATE / "src" / "abi.rs").read_text(encoding="utf-8")
    assert constant("ABI_VERSION", abi) == shim.ABI_VERSION
