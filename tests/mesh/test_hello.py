"""The hello of version 2: its bytes, its limits, and that nothing else is taken for one."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iris.errors import BadInput
from iris.mesh.hello import (
    HELLO_BODY_LEAST,
    HELLO_BODY_MOST,
    HELLO_BYTES_MAX,
    INSIDE_TLS,
    KEYED,
    LISTEN_BYTES_MAX,
    NODE_NAME_BYTES_MAX,
    Hello,
    hello_body_bytes,
    pack_hello,
    parse_hello,
)
from iris.mesh.wire import WireError

INCARNATION, NONCE = bytes(range(16)), bytes(range(100, 132))
ALPHA = Hello("alpha", INCARNATION, NONCE, KEYED, "127.0.0.1:9000")
BYTES = bytes.fromhex(
    "004b"
    + INCARNATION.hex()
    + NONCE.hex()
    + "00000001"
    + "0005 616c706861"
    + "000e 3132372e302e302e313a39303030"
)


def body(
    name: bytes = b"n",
    listen: bytes = b"",
    name_bytes: int = -1,
    listen_bytes: int = -1,
    after: bytes = b"",
) -> bytes:
    """A body made by hand, with lengths that may be wrong."""
    sizes = [
        given if given >= 0 else len(text)
        for given, text in ((name_bytes, name), (listen_bytes, listen))
    ]
    return b"".join(
        (
            INCARNATION,
            NONCE,
            bytes(4),
            struct.pack(">H", sizes[0]),
            name,
            struct.pack(">H", sizes[1]),
            listen,
            after,
        )
    )


def fault(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        parse_hello(data)
    assert str(caught.value)
    return caught.value.kind


def test_a_hello_has_these_bytes() -> None:
    assert pack_hello(ALPHA) == BYTES
    assert hello_body_bytes(BYTES[:2]) == len(BYTES) - 2
    assert parse_hello(BYTES[2:]) == ALPHA


def test_the_shortest_and_the_longest_are_within_the_limits() -> None:
    assert len(pack_hello(Hello("n", INCARNATION, NONCE))) - 2 == HELLO_BODY_LEAST
    listen = ".".join(["h" * 63] * 3) + "." + "h" * 62 + ".:65535"
    assert len(listen) == LISTEN_BYTES_MAX
    longest = Hello("n" * NODE_NAME_BYTES_MAX, INCARNATION, NONCE, (1 << 32) - 1, listen)
    packed = pack_hello(longest)
    assert len(packed) <= HELLO_BYTES_MAX
    assert parse_hello(packed[2:]) == longest


def test_a_length_out_of_range_is_refused_before_the_bytes_come() -> None:
    for size in (HELLO_BODY_LEAST, HELLO_BODY_MOST):
        assert hello_body_bytes(struct.pack(">H", size)) == size
    for size in (0, HELLO_BODY_LEAST - 1, HELLO_BODY_MOST + 1, 65535):
        with pytest.raises(WireError, match=f"{size} bytes") as caught:
            hello_body_bytes(struct.pack(">H", size))
        assert caught.value.kind == "hello"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        body()[:-1],
        body(after=b"x"),
        body(name=b"", listen=b"h:1"),
        body(name=b"n" * (NODE_NAME_BYTES_MAX + 1)),
        body(name_bytes=2),
        body(name_bytes=4),
        body(name_bytes=65535),
        body(listen=b"h:1", listen_bytes=2),
        body(listen=b"h:1", listen_bytes=4),
        body(listen_bytes=65535),
        body(listen=b"h" * LISTEN_BYTES_MAX + b":1"),
        body(listen=b"no port"),
        body(listen=b"host:0"),
        body(listen=b"host:65536"),
        body(listen=b"two words:80"),
        body(name=b"two\nlines"),
        body(name=b"\x7f"),
        body(name="\x85".encode()),
        body(name=b"n" * 128, listen=b"h" * 330),
        body(name=b"n" * 600),
    ],
)
def test_what_breaks_the_format_is_refused(data: bytes) -> None:
    assert fault(data) == "hello"


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"caf\xc3"])
def test_text_that_is_not_utf_8_is_refused(text: bytes) -> None:
    assert fault(body(name=text)) == "utf8"
    assert fault(body(listen=text + b":1")) == "utf8"


@given(
    some.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()),
    some.binary(min_size=16, max_size=16),
    some.binary(min_size=32, max_size=32),
    some.integers(0, (1 << 32) - 1),
    some.sampled_from(["", "127.0.0.1:1", "[::1]:65535", "node-1.example.org:80"]),
)
def test_what_is_packed_is_read_again(
    name: str, incarnation: bytes, nonce: bytes, features: int, listen: str
) -> None:
    hello = Hello(name, incarnation, nonce, features, listen)
    assert parse_hello(pack_hello(hello)[2:]) == hello


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "name of 0 bytes"),
        ({"name": "ö" * 65}, "name of 130 bytes"),
        ({"name": "a\tb"}, "control character"),
        ({"name": "\ud800"}, "surrogate"),
        ({"incarnation": b"short"}, "incarnation of a hello has 5 bytes; give 16"),
        ({"nonce": bytes(33)}, "nonce of a hello has 33 bytes; give 32"),
        ({"features": -1}, "features=-1"),
        ({"features": 1 << 32}, "32 bits"),
        ({"listen": "host"}, "no port"),
        ({"listen": "h" * 400}, "address of 400 bytes"),
    ],
)
def test_a_hello_that_would_be_refused_is_not_packed(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        pack_hello(ALPHA._replace(**changed))


def test_a_length_is_checked_before_what_it_counts() -> None:
    assert fault(body(name=b"\xff" * (NODE_NAME_BYTES_MAX + 1))) == "hello"
    with pytest.raises(WireError, match=f"address of {LISTEN_BYTES_MAX + 1} bytes is over"):
        parse_hello(body(listen=b"\xff" * (LISTEN_BYTES_MAX + 1)))


def test_any_bytes_are_a_hello_or_a_documented_fault() -> None:
    random = Random(20)
    good = pack_hello(ALPHA)[2:]
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(len(data))] = random.randrange(256)
        if random.random() < 0.3:
            data = data[: random.randrange(len(data))] + random.randbytes(random.randint(0, 600))
        try:
            hello = parse_hello(bytes(data))
        except WireError as error:
            assert error.kind in {"hello", "utf8"}  # noqa: PT017 - the kind is the result
        else:
            assert pack_hello(hello)[2:] == data


def test_the_bits_of_security_are_those_of_the_page() -> None:
    assert (KEYED, INSIDE_TLS) == (1, 2)
