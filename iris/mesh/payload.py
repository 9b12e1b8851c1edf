"""What a payload is: bytes as they are, or a value that msgpack has packed.

It owns the choice and the table of dataclasses that may travel. Nothing in the bytes of a peer
names a class or runs code: a registered class has a number, and what comes for it is its fields.
It refuses everything else, on both sides. It stands apart from the frames, which only carry a bit
that says which of the two a payload is.

Bytes of a peer are unpacked by a fresh unpacker for each message. What they claim to hold costs no
memory before it is there, and how deep they nest is limited, because code that walks a value
recurses.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Optional

from iris.errors import BadInput

DEPTH_MOST = 100
"""Values inside each other, and registered classes inside each other. Python gives up at 1,000."""

UNCHECKED_BYTES = 1 << 17
"""An array may claim to have as many items as its payload has bytes, and space for them is made at
once, for each array inside another. Where that comes to more than this, a first pass sees whether
the items are there."""

CODE_MOST = 127
"""Of a registered class. The numbers below 0 are msgpack's own."""

_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
# The first byte of each array and map.

_PLAIN = (
    "None, bool, int of 64 bits, float, str, bytes, and lists, tuples and dicts of them; a"
    " dataclass once it is registered on both nodes"
)


class Undecodable(Exception):
    """A packed payload of a peer is not what it should be. Holds no byte of it."""


class Codec:
    """Packs and unpacks payloads. After the registrations it is used by any thread.

    Args:
        leaking: whether the fast unpacker of this msgpack loses memory when it is given bad maps,
            so that the slow one is used; None finds out.
    """

    __slots__ = ("_by_code", "_by_type", "_pack", "_unpacker")

    def __init__(self, leaking: Optional[bool] = None) -> None:
        import msgpack
        import msgpack.fallback

        if leaking is None:
            leaking = sys.implementation.name == "cpython" and msgpack.version < (1, 2, 3)
        self._pack = msgpack.packb
        self._unpacker = msgpack.fallback.Unpacker if leaking else msgpack.Unpacker
        self._by_code: dict[int, tuple[type[Any], tuple[str, ...]]] = {}
        self._by_type: dict[type[Any], tuple[int, tuple[str, ...]]] = {}

    def register(self, code: int, cls: type[Any]) -> None:
        """Let a dataclass travel. To be called alike on all nodes, before anything is sent.

        Its fields travel without names, in their order. So fields may only be added at the end, and
        with a default: what comes from a node without them gets that.

        Args:
            code: 0 to 127, the number of the class on all nodes.
            cls: the dataclass. It is made by its constructor, which is the one piece of code that
                a peer can have called; subclasses of it are other classes.

        Raises:
            TypeError: it is no dataclass, or is also a list, dict, str or other plain value.
            BadInput: a field is not set by the constructor, or code or class are taken.
        """
        if type(code) is not int:
            raise TypeError(f"code is a whole number, not {code!r}")
        if not 0 <= code <= CODE_MOST:
            raise BadInput(f"code={code} is out of range; give 0 to {CODE_MOST}")
        if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
            raise TypeError(f"{cls!r} is no dataclass; put @dataclass before its class")
        if issubclass(cls, (bool, int, float, str, bytes, bytearray, list, tuple, dict)):
            raise TypeError(f"{cls.__qualname__} is also a plain value and would travel as such")
        fields = dataclasses.fields(cls)
        for field in fields:
            if not field.init:
                raise BadInput(
                    f"field {field.name!r} of {cls.__qualname__} is not set by its constructor"
                )
        names = tuple(field.name for field in fields)
        if (code in self._by_code or cls in self._by_type) and self._by_type.get(cls, ())[:1] != (
            code,
        ):
            raise BadInput(
                f"code={code} or {cls.__qualname__} is registered already, for another; give each"
                " class a code of its own"
            )
        self._by_code[code] = cls, names
        self._by_type[cls] = code, names

    def encode(self, message: Any) -> tuple[bool, bytes]:
        """The payload for a message, and whether it is packed.

        Bytes-like objects go as they are. Of everything else a copy goes: a tuple arrives as a
        list, and what is derived from a plain value as that.

        Raises:
            TypeError: there is something in it that cannot travel.
            BadInput: an int is too large, a str has half a surrogate pair in it, or it nests too
                deep.
        """
        if isinstance(message, bytes):
            return False, bytes(message)
        if isinstance(message, (bytearray, memoryview)):
            return False, bytes(message)
        return True, self._packed(message, 0)

    def _packed(self, message: Any, depth: int) -> bytes:
        from msgpack import ExtType

        if depth > DEPTH_MOST:
            raise _too_deep()

        def other(value: Any) -> Any:
            known = self._by_type.get(type(value))
            if known is None:
                raise TypeError(
                    f"a {type(value).__module__}.{type(value).__qualname__} cannot go to another"
                    f" node; what can: {_PLAIN}"
                )
            code, names = known
            fields = [getattr(value, name) for name in names]
            return ExtType(code, self._packed(fields, depth + 1))

        try:
            packed: bytes = self._pack(message, default=other, use_bin_type=True)
        except (OverflowError, UnicodeEncodeError) as error:
            raise BadInput(f"this cannot go to another node: {error}; what can: {_PLAIN}") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, BadInput):
                raise
            raise _too_deep() from None
        if _may_nest(packed) > DEPTH_MOST and _depth(message) > DEPTH_MOST:
            raise _too_deep()
        return packed

    def decode(self, packed: bool, payload: bytes) -> Any:
        """The message of a payload of a peer.

        Raises:
            Undecodable: it is not packed, or by other rules than those of this class.
        """
        return self._unpacked(payload, 0) if packed else payload

    def _unpacked(self, payload: bytes, depth: int) -> Any:
        if depth > DEPTH_MOST:
            raise Undecodable(f"registered classes lie in each other over {DEPTH_MOST} deep")

        def other(code: int, data: bytes) -> Any:
            return self._made(code, data, depth)

        containers = _may_nest(payload)
        try:
            if containers * len(payload) > UNCHECKED_BYTES:
                check = self._unpacker(max_buffer_size=len(payload))
                check.feed(payload)
                check.skip()
            unpacker = self._unpacker(
                max_buffer_size=len(payload), raw=False, strict_map_key=False, timestamp=1,
                ext_hook=other,
            )  # fmt: skip
            unpacker.feed(payload)
            message = unpacker.unpack()
            used = unpacker.tell()
        except Undecodable:
            raise
        except Exception as error:  # noqa: BLE001  # msgpack has no base error.
            raise Undecodable(
                f"a payload of {len(payload)} bytes is not packed by msgpack:"
                f" {type(error).__name__}"
            ) from None
        if used != len(payload):
            raise Undecodable(f"a payload of {len(payload)} bytes has its value in {used} of them")
        if containers > DEPTH_MOST and _depth(message) > DEPTH_MOST:
            raise Undecodable(f"values lie in each other over {DEPTH_MOST} deep")
        return message

    def _made(self, code: int, data: bytes, depth: int) -> Any:
        known = self._by_code.get(code)
        if known is None:
            raise Undecodable(f"no class is registered for code={code}; register it on both nodes")
        cls, names = known
        fields = self._unpacked(bytes(data), depth + 1)
        if type(fields) is not list or len(fields) > len(names):
            raise Undecodable(
                f"what came for code={code}, {cls.__qualname__}, is no list of at most {len(names)}"
                " fields"
            )
        try:
            return cls(**dict(zip(names, fields)))
        except Exception as error:  # noqa: BLE001  # The constructor is a user's.
            raise Undecodable(
                f"what came for code={code} made no {cls.__qualname__}: {type(error).__name__}"
            ) from None


def _may_nest(packed: bytes) -> int:
    """How deep these bytes may nest at most: how many of them could begin an array or a map."""
    return len(packed) - len(packed.translate(None, _CONTAINERS))


def _depth(message: Any) -> int:
    """How deep lists, tuples and dicts nest, without recursion; what is deeper counts as that."""
    depth, level = 0, [message]
    while level and depth <= DEPTH_MOST:
        inside: list[Any] = []
        for value in level:
            if isinstance(value, (list, tuple)):
                inside.extend(value)
            elif isinstance(value, dict):
                inside.extend(value.values())
                inside.extend(value.keys())
        depth += bool(inside)
        level = inside
    return depth


def _too_deep() -> BadInput:
    return BadInput(f"a message nests over {DEPTH_MOST} deep and cannot go to another node")
