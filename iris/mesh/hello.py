"""The HELLO of version 2: what each side says about itself before anything is proved.

A value and its bytes. It refuses to judge: whether this peer is wanted, and whether it has the
key, is decided in `iris.mesh.secure`. What is read here may come from anybody, so each length is
checked before what it counts is looked at, and the texts are fit to be written to a log.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import NamedTuple

from iris.errors import BadInput
from iris.mesh.wire import HOST_CHARS_MAX, WireError, parse_address

HELLO_BYTES_MAX = 512
"""Of all of it, with the length in front."""

INCARNATION_BYTES = 16
NONCE_BYTES = 32

NODE_NAME_BYTES_MAX = 128
"""Of the name of a node in UTF-8: it stands in log lines and in the labels of metrics."""

LISTEN_BYTES_MAX = HOST_CHARS_MAX + len(":65535")
"""The longest that an address can be written."""

KEYED = 1
"""Feature: this side proves a key, and wants the same of the other."""

INSIDE_TLS = 2
"""Feature: this side speaks inside of TLS, so that records carry no tags."""

SECURITY = KEYED | INSIDE_TLS
"""The features that must be the same on both sides."""

HELLO_LENGTH = Struct(">H")
"""What stands in front: how many bytes follow."""

_FIXED = Struct(f">{INCARNATION_BYTES}s{NONCE_BYTES}sI")
_SIZE = Struct(">H")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

HELLO_BODY_LEAST = _FIXED.size + 2 * _SIZE.size + 1
HELLO_BODY_MOST = HELLO_BYTES_MAX - HELLO_LENGTH.size


class Hello(NamedTuple):
    """What one side of a connection says about itself."""

    name: str
    """The name of the node: 1 to 128 bytes of UTF-8 without control characters."""

    incarnation: bytes
    """16 random bytes, made when the node starts: pids are pids of one incarnation."""

    nonce: bytes
    """32 bytes from the random source of the system, fresh for each connection."""

    features: int = 0
    """A bit for each thing that this side is able to do, 32 in all. `KEYED` and `INSIDE_TLS` are
    set by who opens the connection, whatever stands here."""

    listen: str = ""
    """Where the node can be reached, "host:port"; empty when it does not listen."""


def pack_hello(hello: Hello) -> bytes:
    """Its bytes, with the length in front.

    Raises:
        BadInput: what the other side would refuse; the message says why.
    """
    for what, value, size in (
        ("incarnation", hello.incarnation, INCARNATION_BYTES),
        ("nonce", hello.nonce, NONCE_BYTES),
    ):
        if len(value) != size:
            raise BadInput(f"the {what} of a hello has {len(value)} bytes; give {size}")
    if not 0 <= hello.features < 1 << 32:
        raise BadInput(f"features={hello.features} of a hello do not fit into 32 bits")
    try:
        name, listen = hello.name.encode(), hello.listen.encode()
        _check_sizes(len(name), len(listen))
        _check_texts(hello.name, hello.listen)
    except UnicodeEncodeError as error:
        raise BadInput("a text of a hello has half a surrogate pair in it") from error
    except WireError as error:
        raise BadInput(str(error)) from error
    body = b"".join(
        (
            _FIXED.pack(hello.incarnation, hello.nonce, hello.features),
            _SIZE.pack(len(name)),
            name,
            _SIZE.pack(len(listen)),
            listen,
        )
    )
    return HELLO_LENGTH.pack(len(body)) + body


def hello_body_bytes(length: bytes) -> int:
    """How many bytes follow the length, which is checked before any of them is kept.

    Raises:
        WireError: "hello", no hello has this length.
    """
    (size,) = HELLO_LENGTH.unpack(length)
    if not HELLO_BODY_LEAST <= size <= HELLO_BODY_MOST:
        raise WireError(
            "hello",
            f"a hello of {size} bytes; it has from {HELLO_BODY_LEAST} to {HELLO_BODY_MOST}, or"
            " the other side does not speak version 2",
        )
    return int(size)


def parse_hello(body: bytes) -> Hello:
    """What these bytes say, which are all that follow the length.

    Raises:
        WireError: "hello" or "utf8", it breaks the format.
    """
    if not HELLO_BODY_LEAST <= len(body) <= HELLO_BODY_MOST:
        raise WireError(
            "hello",
            f"a hello of {len(body)} bytes; it has from {HELLO_BODY_LEAST} to {HELLO_BODY_MOST}",
        )
    incarnation, nonce, features = _FIXED.unpack_from(body)
    offset = _FIXED.size
    (name_bytes,) = _SIZE.unpack_from(body, offset)
    offset += _SIZE.size
    _check_sizes(name_bytes, 0)
    if offset + name_bytes + _SIZE.size > len(body):
        raise WireError(
            "hello", f"a name of {name_bytes} bytes in a hello of {len(body)} is not all there"
        )
    name = _text("name", body[offset : offset + name_bytes])
    offset += name_bytes
    (listen_bytes,) = _SIZE.unpack_from(body, offset)
    offset += _SIZE.size
    _check_sizes(name_bytes, listen_bytes)
    if offset + listen_bytes != len(body):
        raise WireError(
            "hello",
            f"a hello of {len(body)} bytes should end after {offset + listen_bytes}, with its"
            " address",
        )
    listen = _text("address", body[offset:])
    _check_texts(name, listen)
    return Hello(name, incarnation, nonce, features, listen)


def _check_sizes(name_bytes: int, listen_bytes: int) -> None:
    if not 1 <= name_bytes <= NODE_NAME_BYTES_MAX:
        raise WireError(
            "hello", f"a node's name of {name_bytes} bytes; it has from 1 to {NODE_NAME_BYTES_MAX}"
        )
    if listen_bytes > LISTEN_BYTES_MAX:
        raise WireError(
            "hello", f"an address of {listen_bytes} bytes is over the limit of {LISTEN_BYTES_MAX}"
        )


def _text(what: str, encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise WireError(
            "utf8", f"the {what} of {len(encoded)} bytes in a hello is not UTF-8"
        ) from None


def _check_texts(name: str, listen: str) -> None:
    if _CONTROL.search(name):
        raise WireError("hello", "a node's name has a control character in it")
    if listen:
        try:
            parse_address(listen)
        except BadInput as error:
            raise WireError("hello", f"the {error}") from None
