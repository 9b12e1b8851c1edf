"""Words of the mesh: addresses, limits, what a peer has done wrong, the bytes of version 1.

What both sides of a connection need to write and to name things. Reading is in
`iris.mesh.protocol`, because what a byte means depends on those before it. Big-endian all over.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from iris.config import NAME_BYTES_MAX, some_seconds, whole_number
from iris.errors import BadInput

VERSION_1 = 1
"""The first byte that a client sends. A server answers nothing to it."""

VERSION_2 = 2
"""The same of version 2, in which a greeting follows at once."""

# The types of frame, the first byte of each.
USER = 0
"""u64 pid, u32 length, payload. No answer."""
RESOLVE = 1
"""u32 length, name in UTF-8. The answer is a bare u64 pid, 0 for unknown."""
PING = 2
"""Nothing more. The answer is the one byte of a pong."""
PONG = 3
"""Nothing more. No answer."""

USER_HEADER = Struct(">BQI")
"""Type, pid and length of a user message."""
RESOLVE_HEADER = Struct(">BI")
"""Type and length of a question for a name."""
ANSWER = Struct(">Q")
"""The answer to one."""

PING_FRAME = bytes([PING])
PONG_FRAME = bytes([PONG])

LENGTH_MOST = (1 << 32) - 1
"""What the length of a frame can say at most."""

HOST_CHARS_MAX = 255
"""What the domain name system allows, with the dot that may stand at the end."""

_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,63}", re.ASCII)
_pack_user_header = USER_HEADER.pack


class WireError(Exception):
    """What a peer has done wrong, so that its connection is closed. Holds no byte of a payload.

    It is handed over as a value, in a `Broken` or by `check`. Only parsers raise it, to those
    who call them inside the mesh.

    Args:
        kind: a short word for counters and for who has to tell cases apart: "version", "type",
            "payload", "name", "utf8", "progress", "slow", "silent", "answer"; in the opening of
            version 2 also "hello", "key", "tls", "proof", "replay", "reflection", "closed", and
            in its records "record", "tag".
        text: what was wrong, with the value and the limit.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class WireLimits:
    """What a peer may ask of this node on one connection. Out of range: TypeError or BadInput."""

    payload_bytes: int = 1 << 20
    """Of one user message."""

    name_bytes: int = NAME_BYTES_MAX
    """Of a name to be resolved, in UTF-8."""

    progress_s: float = 5.0
    """How long a frame that has begun may stand still."""

    frame_s: float = 60.0
    """How long all of a frame may take: a byte now and then is progress, too."""

    silent_s: float = 60.0
    """From the opening of a connection to its version byte."""

    handshake_s: float = 5.0
    """For the whole opening of version 2, from its first byte to the last proof."""

    def __post_init__(self) -> None:
        for name in ("payload_bytes", "name_bytes"):
            whole_number(name, getattr(self, name), least=1, most=LENGTH_MOST)
        for name in ("progress_s", "frame_s", "silent_s", "handshake_s"):
            some_seconds(name, getattr(self, name))


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    """A name, or an IP address in numbers; an IPv6 address without brackets."""

    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, any_port: bool = False) -> Address:
    """The address that is written as "host:port" or "[IPv6]:port".

    The host comes back in lower case and an IPv6 address in its shortest form, so that a node
    that is written in two ways is one node. Nothing is looked up.

    Args:
        text: the address.
        any_port: whether port 0 is allowed, by which a listener asks for any free one.

    Raises:
        TypeError: no str.
        BadInput: no address; the message says what is wrong with it and what to give.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"an address is a str such as '127.0.0.1:9000', not {text!r} of type"
            f" {type(text).__name__}"
        )
    if text.startswith("["):
        inside, bracket, after = text[1:].partition("]")
        if not bracket or after[:1] != ":":
            raise _bad_address(text, "has no port; give '[host]:port', as in '[::1]:9000'")
        host, port = _ipv6(text, inside), after[1:]
    else:
        before, colon, port = text.rpartition(":")
        if not colon:
            raise _bad_address(text, "has no port; give 'host:port', as in '127.0.0.1:9000'")
        host = _name(text, before)
    least = 0 if any_port else 1
    if not _PORT.fullmatch(port) or not least <= int(port) <= 65535:
        raise _bad_address(text, f"has a port that is no number from {least} to 65535; give one")
    return Address(host, int(port))


def _ipv6(text: str, host: str) -> str:
    address, percent, zone = host.partition("%")
    try:
        shortest = str(ipaddress.IPv6Address(address))
    except ValueError:
        shortest = ""
    # A zone names a network interface, in which upper and lower case differ.
    if not shortest or (percent and not _ZONE.fullmatch(zone)):
        raise _bad_address(text, "has no IPv6 address in its brackets; give one, as '[::1]:9000'")
    return shortest + percent + zone


def _name(text: str, host: str) -> str:
    if not host:
        raise _bad_address(text, "has no host; give 'host:port', as in '127.0.0.1:9000'")
    if len(host) > HOST_CHARS_MAX:
        raise _bad_address(
            text, f"has a host of {len(host)} characters, over the limit of {HOST_CHARS_MAX}"
        )
    if ":" in host:
        raise _bad_address(
            text, "has a ':' in its host; put an IPv6 address in brackets, as in '[::1]:9000'"
        )
    lower = host.lower()
    # The dot at the end of a complete domain name belongs to no label. What is refused here would
    # make the look-up raise a UnicodeError, which nobody expects of a network.
    for label in lower[:-1].split(".") if lower.endswith(".") else lower.split("."):
        if not _LABEL.fullmatch(label):
            raise _bad_address(
                text,
                "has a host that cannot be looked up; between its dots there are 1 to 63 letters,"
                " digits, '-' or '_' (a name in other letters has a form that begins with 'xn--')",
            )
    return lower


def _bad_address(text: str, wrong: str) -> BadInput:
    shown = text if len(text) <= 2 * HOST_CHARS_MAX else text[:HOST_CHARS_MAX] + "..."
    return BadInput(f"address {shown!r} {wrong}")


def pack_user(pid: int, payload: bytes) -> bytes:
    """The frame of a user message. Checks nothing, because it is made for each message."""
    return _pack_user_header(USER, pid, len(payload)) + payload


def pack_resolve(name: str) -> bytes:
    """The frame that asks for a name, which is not longer than the peer allows.

    Raises:
        UnicodeEncodeError: the name has half a surrogate pair in it.
    """
    encoded = name.encode()
    return RESOLVE_HEADER.pack(RESOLVE, len(encoded)) + encoded


def pack_answer(pid: int) -> bytes:
    """The answer to a question for a name; 0 says that it is unknown."""
    return ANSWER.pack(pid)
