"""Payloads: what may travel and how it arrives, and bytes of peers that mean harm."""

from __future__ import annotations

import contextlib
import sys
from collections import OrderedDict
from dataclasses import InitVar, dataclass, field
from enum import IntEnum
from random import Random
from typing import Any, NamedTuple, Optional

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as some

from iris.core.messages import ExitReason
from iris.errors import BadInput
from iris.mesh.payload import CODE_MOST, DEPTH_MOST, Codec, Undecodable


class Point(NamedTuple):
    x: int
    y: int


class Level(IntEnum):
    HIGH = 3


@dataclass(frozen=True)
class Order:
    item: str
    count: int = 1
    note: Optional[str] = None


@dataclass
class Basket:
    orders: list[Any] = field(default_factory=list)


@dataclass
class Fussy:
    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise RuntimeError("secret of a user's class")


def made(leaking: Optional[bool] = None) -> Codec:
    """A codec that knows the classes above."""
    codec = Codec(leaking)
    codec.register(0, Order)
    codec.register(1, Basket)
    codec.register(CODE_MOST, Fussy)
    return codec


CODECS = [made(leaking=False), made(leaking=True)]
"""One with the unpacker that is usual here, and one with the slow one."""

CODEC = made()


def there_and_back(message: Any) -> Any:
    packed, payload = CODEC.encode(message)
    assert type(payload) is bytes
    seen = [codec.decode(packed, payload) for codec in CODECS]
    assert repr(seen[0]) == repr(seen[1])
    return seen[0]


# -- what travels --------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [b"", b"hi", bytearray(b"hi"), memoryview(b"hi")])
def test_bytes_go_as_they_are(message: Any) -> None:
    assert CODEC.encode(message) == (False, bytes(message))
    assert there_and_back(message) == bytes(message)


def test_a_slice_of_a_buffer_goes_as_its_bytes() -> None:
    assert CODEC.encode(memoryview(b"abcdef")[1::2]) == (False, b"bdf")


@pytest.mark.parametrize(
    "message",
    [
        None, True, False, 0, -1, 2**64 - 1, -(2**63), 1.5, float("inf"), "", "\u20ac",
        "a" * 70_000,
        [], [1, [2, [3]]], {}, {"a": 1, 2: b"b", None: None, 1.5: True}, [b"bytes", bytes(70_000)],
        {"deep": [{"er": [None]}]}, ["x"] * 70_000,
    ],
    ids=repr,
)  # fmt: skip
def test_plain_values_arrive_equal_and_of_the_same_type(message: Any) -> None:
    seen = there_and_back(message)
    assert (seen, type(seen)) == (message, type(message))


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        ((1, (2,)), [1, [2]]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(b=1), {"b": 1}),
        (Level.HIGH, 3),
        (ExitReason.PANIC, "Panic"),
        ([bytearray(b"a"), memoryview(b"b")], [b"a", b"b"]),
    ],
)
def test_what_is_derived_from_a_plain_value_arrives_as_that(message: Any, arrives: Any) -> None:
    seen = there_and_back(message)
    assert (seen, type(seen)) == (arrives, type(arrives))


def test_registered_classes_arrive_as_objects_of_their_class() -> None:
    for message in (
        Order("tea"),
        Basket([Order("tea", 2, "now"), {"more": Order("milk")}, Basket()]),
        {"in a dict": [Order("x")]},
    ):
        assert there_and_back(message) == message


def test_a_field_that_an_older_node_does_not_send_gets_its_default() -> None:
    older = msgpack.packb(msgpack.ExtType(0, msgpack.packb(["tea"])))
    for codec in CODECS:
        assert codec.decode(True, older) == Order("tea", 1, None)


def test_the_bytes_of_a_registered_class() -> None:
    assert CODEC.encode(Order("tea")) == (True, bytes.fromhex("c707 00 93 a3746561 01 c0"))


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1)
        | some.floats(allow_nan=False) | some.text() | some.binary(),
        lambda inner: some.lists(inner)
        | some.dictionaries(some.text() | some.integers(0, 9), inner)
        | some.builds(Order, some.text(), inner, inner),
        max_leaves=20,
    )
)  # fmt: skip
def test_values_of_chance_go_there_and_back(message: Any) -> None:
    assert there_and_back(message) == message


# -- what does not travel ------------------------------------------------------------------------


class Plain:
    pass


@dataclass
class Unregistered:
    x: int = 0


@dataclass(frozen=True)
class Sub(Order):
    pass


@pytest.mark.parametrize(
    "message", [Plain(), Unregistered(), Sub("x"), {1}, 1j, object, [lambda: None], {"a": Plain()}]
)
def test_other_objects_are_refused_with_what_can_travel(message: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot go to another node; what can: None, bool, int"):
        CODEC.encode(message)


def test_the_class_of_what_cannot_travel_is_named() -> None:
    with pytest.raises(TypeError, match=r"a \S*\.Plain cannot go"):
        CODEC.encode([1, {"a": [Plain()]}])


@pytest.mark.parametrize("message", [2**64, -(2**63) - 1, [2**70], "\ud800", {"\udfff": 1}])
def test_numbers_and_texts_that_msgpack_cannot_hold_are_bad_input(message: Any) -> None:
    with pytest.raises(BadInput, match=r"^(this|an int of \d+ bits) cannot go to another node"):
        CODEC.encode(message)


def nested(depth: int, inner: Any = None) -> Any:
    """A list in a list, so many deep."""
    for _ in range(depth - 1):
        inner = [inner]
    return [inner]


def test_a_message_nests_only_so_deep() -> None:
    assert there_and_back(nested(DEPTH_MOST)) == nested(DEPTH_MOST)
    itself: list[Any] = []
    itself.append(itself)
    for message in (nested(DEPTH_MOST + 1), nested(600), nested(5000), itself):
        with pytest.raises(BadInput, match="a message nests over 100 deep"):
            CODEC.encode(message)
    wide = [[[index]] for index in range(3000)]
    assert there_and_back(wide) == wide


def test_registered_classes_nest_only_so_deep() -> None:
    def baskets(depth: int) -> Basket:
        basket = Basket()
        for _ in range(depth):
            basket = Basket([basket])
        return basket

    assert there_and_back(baskets(DEPTH_MOST - 1)) == baskets(DEPTH_MOST - 1)
    with pytest.raises(BadInput, match="a message nests over 100 deep"):
        CODEC.encode(baskets(DEPTH_MOST + 1))


# -- registering ---------------------------------------------------------------------------------


def test_a_class_has_one_code_and_a_code_one_class() -> None:
    codec = made()
    codec.register(0, Order)
    for code, cls in ((0, Unregistered), (2, Order)):
        with pytest.raises(BadInput, match="is registered already, for another"):
            codec.register(code, cls)


@pytest.mark.parametrize(
    ("code", "error"), [(-1, BadInput), (128, BadInput), ("1", TypeError), (True, TypeError)]
)
def test_codes_out_of_range_are_refused(code: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="code"):
        Codec().register(code, Unregistered)


def test_only_dataclasses_can_be_registered_that_their_fields_make() -> None:
    @dataclass
    class Hidden:
        x: int = field(init=False, default=0)

    @dataclass
    class AlsoDict(dict):  # type: ignore[type-arg]
        x: int = 0

    for cls in (Plain, Order("x"), int):
        with pytest.raises(TypeError, match="is no dataclass"):
            Codec().register(0, cls)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"'x' of .*Hidden is not set by its constructor"):
        Codec().register(0, Hidden)
    with pytest.raises(TypeError, match="AlsoDict is also a plain value"):
        Codec().register(0, AlsoDict)


def test_a_class_that_wants_more_than_its_fields_is_undecodable() -> None:
    @dataclass
    class Wants:
        x: int
        y: InitVar[int]

    codec = Codec()
    codec.register(0, Wants)
    with pytest.raises(Undecodable, match="TypeError"):
        codec.decode(*codec.encode(Wants(1, 2)))


# -- payloads that mean harm -----------------------------------------------------------------------


def ext(code: int, data: bytes) -> bytes:
    return bytes(msgpack.packb(msgpack.ExtType(code, data)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x02",
        b"\xa2\xff\xff",
        b"\xd9\x05abc",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x00",
        b"\xc7\x03\xff\x00\x00\x00",
        ext(5, b"\x90"),
        ext(0, b""),
        ext(0, b"\x80"),
        ext(0, b"\xc0"),
        ext(0, b"\x90"),
        ext(0, b"\x94\x01\x01\x01\x01"),
        ext(0, b"\x91\x01\x01"),
        ext(CODE_MOST, b"\x91\xff"),
        ext(CODE_MOST, b"\x91\xa1a"),
        ext(1, b"\x91\x91" + ext(0, b"\x90")),
        b"\x91" * 101 + b"\x00",
        b"\x81\x00" * 101 + b"\x00",
        b"\x91" * 5000 + b"\x00",
        b"\x91" * 100_000,
    ],
    ids=lambda payload: payload[:12].hex() or "empty",
)
def test_bytes_that_are_no_value_are_undecodable(payload: bytes) -> None:
    for codec in CODECS:
        with pytest.raises(Undecodable):
            codec.decode(True, payload)


def test_classes_in_classes_too_deep_are_undecodable() -> None:
    payload = b"\x90"
    for _ in range(3000):
        payload = ext(1, b"\x91" + payload)
    for codec in CODECS:
        with pytest.raises(Undecodable):
            codec.decode(True, payload)


def test_classes_in_classes_may_be_so_deep_and_no_deeper() -> None:
    payload = b"\x90"
    for _ in range(DEPTH_MOST):
        payload = ext(1, b"\x91" + b"\x91" + payload)
    for codec in CODECS:
        assert isinstance(codec.decode(True, payload), Basket)
        with pytest.raises(Undecodable, match="registered classes lie in each other over 100 deep"):
            codec.decode(True, ext(1, b"\x91" + payload))


def test_no_error_shows_what_a_payload_holds() -> None:
    for payload in (b"\x93\xa5horse", ext(CODE_MOST, b"\x91\xff"), ext(0, b"\x91\xa5horse\x01")):
        for codec in CODECS:
            with pytest.raises(Undecodable) as caught:
                codec.decode(True, payload)
            assert "horse" not in str(caught.value)
            assert "secret" not in str(caught.value)
            assert caught.value.__cause__ is None


def test_a_timestamp_is_a_float() -> None:
    for codec in CODECS:
        assert codec.decode(True, b"\xd6\xff\x00\x00\x00\x05") == 5.0


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="tracemalloc is CPython's")
@pytest.mark.parametrize(
    "opening", [b"\xdd\x00\x0f\xff\xf0", b"\xdc\xff\xff", b"\xdf\x00\x07\xff\xf0", b"\xde\xff\xff"]
)
def test_what_a_payload_claims_to_hold_costs_nothing_before_it_is_there(opening: bytes) -> None:
    import tracemalloc

    key = b"\x00" if opening[0] in b"\xde\xdf" else b""
    for size, codecs in ((1000, CODECS), (20_000, CODECS), (1 << 20, CODECS[:1])):
        payload = (opening + key) * 90
        payload += bytes(size - len(payload))
        for codec in codecs:
            tracemalloc.start()
            try:
                with pytest.raises(Undecodable):
                    codec.decode(True, payload)
                assert tracemalloc.get_traced_memory()[1] < 2 * len(payload) + (2 << 20)
            finally:
                tracemalloc.stop()


@pytest.mark.parametrize("seed", range(40))
def test_bent_payloads_give_a_value_or_are_undecodable(seed: int) -> None:
    random = Random(seed)
    message = [
        Basket([Order("tea", 2), {"a": [1, -5, 2**40, 1.5, None, True, "\u20ac" * 40]}]),
        {index: bytes(index) for index in range(20)}, [[]] * 20, Fussy(7),
    ]  # fmt: skip
    _, whole = CODEC.encode(message)
    for _ in range(60):
        payload = bytearray(whole)
        for _ in range(random.choice((1, 1, 3, 10))):
            payload[random.randrange(len(payload))] = random.randrange(256)
        for codec in CODECS:
            with contextlib.suppress(Undecodable):
                codec.decode(True, bytes(payload))


@pytest.mark.parametrize("seed", range(20))
def test_bytes_of_chance_give_a_value_or_are_undecodable(seed: int) -> None:
    random = Random(seed)
    for _ in range(200):
        payload = random.randbytes(random.randint(0, 40))
        outcomes = []
        for codec in CODECS:
            try:
                outcomes.append(repr(codec.decode(True, payload)))
            except Undecodable:
                outcomes.append("undecodable")
        assert outcomes[0] == outcomes[1]


def test_the_slow_unpacker_is_for_the_msgpack_that_leaks() -> None:
    leaks = sys.implementation.name == "cpython" and sys.version_info < (3, 10)
    assert Codec().leaking is leaks  # There is no msgpack for 3.9 that does not.
