"""Words of the mesh: the bytes of each frame, what is an address, what is a limit."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iris.errors import BadInput
from iris.mesh.wire import (
    PING_FRAME,
    PONG_FRAME,
    VERSION_1,
    Address,
    WireError,
    WireLimits,
    pack_answer,
    pack_resolve,
    pack_user,
    parse_address,
)

# -- the bytes of version 1 ------------------------------------------------------------------------

GOLDEN = {
    "the version": (bytes([VERSION_1]), "01"),
    "resolve echo": (pack_resolve("echo"), "01 00000004 6563686f"),
    "the answer to it": (pack_answer(0x500000001), "0000000500000001"),
    "hi for it": (pack_user(0x500000001, b"hi"), "00 0000000500000001 00000002 6869"),
    "an unknown name": (pack_answer(0), "0000000000000000"),
    "the highest pid": (pack_answer(2**64 - 1), "ffffffffffffffff"),
    "a message to it": (pack_user(2**64 - 1, b"\x00"), "00 ffffffffffffffff 00000001 00"),
    "an empty message": (pack_user(1, b""), "00 0000000000000001 00000000"),
    "a large message": (pack_user(1, b"x" * 258), "00 0000000000000001 00000102" + "78" * 258),
    "a name beyond ASCII": (pack_resolve("größe"), "01 00000007 6772c3b6c39f65"),
    "a name beyond 16 bits": (pack_resolve("\U0001f338"), "01 00000004 f09f8cb8"),
    "an empty name": (pack_resolve(""), "01 00000000"),
    "ping": (PING_FRAME, "02"),
    "pong": (PONG_FRAME, "03"),
}


@pytest.mark.parametrize("what", GOLDEN)
def test_frames_have_these_bytes(what: str) -> None:
    frame, expected = GOLDEN[what]
    assert type(frame) is bytes
    assert frame == bytes.fromhex(expected)


def test_a_payload_in_another_buffer_gives_the_same_frame() -> None:
    for payload in (bytearray(b"hi"), memoryview(b"hi")):
        assert pack_user(1, payload) == pack_user(1, b"hi")  # type: ignore[arg-type]


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        pack_resolve("\ud800")


# -- addresses -------------------------------------------------------------------------------------

ADDRESSES = {
    "127.0.0.1:9000": Address("127.0.0.1", 9000),
    "localhost:1": Address("localhost", 1),
    "LocalHost:65535": Address("localhost", 65535),
    "a:00080": Address("a", 80),
    "Node-1.my_net.Example.:80": Address("node-1.my_net.example.", 80),
    "xn--gre-6ka8i.example:80": Address("xn--gre-6ka8i.example", 80),
    "[::1]:9000": Address("::1", 9000),
    "[0:0:0:0:0:0:0:1]:9000": Address("::1", 9000),
    "[2001:DB8::A]:9000": Address("2001:db8::a", 9000),
    "[fe80::1%Eth0.7]:9000": Address("fe80::1%Eth0.7", 9000),
    "[::]:9000": Address("::", 9000),
    ("a" * 63 + ".") * 3 + "b" * 63 + ":1": Address(("a" * 63 + ".") * 3 + "b" * 63, 1),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_these_are_addresses(text: str) -> None:
    assert parse_address(text) == ADDRESSES[text]


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=str)
def test_an_address_is_written_as_it_is_read(address: Address) -> None:
    assert parse_address(str(address)) == address


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert str(Address("::1", 9000)) == "[::1]:9000"
    assert str(Address("127.0.0.1", 9000)) == "127.0.0.1:9000"


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:0", "a:00000"])
def test_port_0_is_for_those_who_ask_for_any(text: str) -> None:
    assert parse_address(text, any_port=True).port == 0
    with pytest.raises(BadInput, match="no number from 1 to 65535"):
        parse_address(text)


NO_ADDRESSES = {
    "": "has no port; give 'host:port', as in '127.0.0.1:9000'",
    "localhost": "has no port; give 'host:port'",
    "localhost:": "has a port that is no number from 1 to 65535; give one",
    "localhost:65536": "no number from 1 to 65535",
    "localhost:-1": "no number from 1 to 65535",
    "localhost:+80": "no number from 1 to 65535",
    "localhost:8_0": "no number from 1 to 65535",
    "localhost: 80": "no number from 1 to 65535",
    "localhost:80\n": "no number from 1 to 65535",
    "localhost:http": "no number from 1 to 65535",
    "localhost:000080": "no number from 1 to 65535",
    "localhost:²": "no number from 1 to 65535",
    "localhost:٣": "no number from 1 to 65535",
    "localhost:80/x": "no number from 1 to 65535",
    "localhost:" + "9" * 5000: "no number from 1 to 65535",
    ":9000": "has no host; give 'host:port'",
    " :9000": "cannot be looked up",
    "a b:9000": "cannot be looked up; between its dots there are 1 to 63 letters",
    " localhost:9000": "cannot be looked up",
    "local\x00host:9000": "cannot be looked up",
    "localhost\n:9000": "cannot be looked up",
    "\ud800:9000": "cannot be looked up",
    "größe.example:9000": "has a form that begins with 'xn--'",
    "user@host:9000": "cannot be looked up",
    "a..b:9000": "cannot be looked up",
    ".:9000": "cannot be looked up",
    ".a:9000": "cannot be looked up",
    "a" * 64 + ":9000": "cannot be looked up",
    ("a" * 63 + ".") * 4 + ":9000": "has a host of 256 characters, over the limit of 255",
    "a" * 100_000 + ":9000": "has a host of 100000 characters",
    "::1": "put an IPv6 address in brackets, as in '[::1]:9000'",
    "::1:9000": "put an IPv6 address in brackets",
    "http://localhost:80": "has a ':' in its host",
    "[::1]": "has no port; give '[host]:port', as in '[::1]:9000'",
    "[::1]9000": "has no port",
    "[::1:9000": "has no port",
    "[::1]:": "no number from 1 to 65535",
    "[]:9000": "has no IPv6 address in its brackets; give one, as '[::1]:9000'",
    "[127.0.0.1]:9000": "has no IPv6 address in its brackets",
    "[localhost]:9000": "has no IPv6 address in its brackets",
    "[::1%]:9000": "has no IPv6 address in its brackets",
    "[::1%a b]:9000": "has no IPv6 address in its brackets",
    "[::1%a%b]:9000": "has no IPv6 address in its brackets",
    "[::1/64]:9000": "has no IPv6 address in its brackets",
    "[ ::1]:9000": "has no IPv6 address in its brackets",
    "[" + ":" * 100_000 + "]:9000": "has no IPv6 address in its brackets",
}


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=lambda text: ascii(text)[:30])
def test_these_are_none(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_address(text)
    said = str(caught.value)
    assert NO_ADDRESSES[text] in said
    assert said.startswith("address ")
    if len(text) < 200:
        assert repr(text) in said
    assert len(said) < 1000


@pytest.mark.parametrize("value", [None, 9000, b"localhost:9000", ("localhost", 9000)])
def test_an_address_is_a_str(value: Any) -> None:
    with pytest.raises(TypeError, match=r"an address is a str such as '127\.0\.0\.1:9000', not"):
        parse_address(value)


@given(some.text(some.sampled_from("a1.:[]%-_\x00 é") | some.characters(), max_size=40))
def test_any_text_is_an_address_or_bad_input(text: str) -> None:
    try:
        address = parse_address(text)
    except BadInput:
        return
    assert 0 < address.port <= 65535
    assert address.host
    assert address.host.isascii()
    assert parse_address(str(address)) == address
    address.host.partition("%")[0].encode("idna")  # As a look-up does.


# -- limits ----------------------------------------------------------------------------------------


def test_the_limits_are_those_of_the_protocol() -> None:
    limits = WireLimits()
    assert (limits.payload_bytes, limits.name_bytes) == (1024 * 1024, 1024)
    assert (limits.progress_s, limits.frame_s, limits.silent_s) == (5.0, 60.0, 60.0)
    assert limits.handshake_s == 5.0


@pytest.mark.parametrize("name", ["payload_bytes", "name_bytes"])
def test_a_length_is_a_whole_number_that_a_frame_can_say(name: str) -> None:
    for good in (1, 2**32 - 1):
        assert getattr(WireLimits(**{name: good}), name) == good
    for bad in (0, -1, 2**32):
        with pytest.raises(BadInput, match=f"{name}={bad} is"):
            WireLimits(**{name: bad})
    for wrong in (None, 1.5, True, "9"):
        with pytest.raises(TypeError, match=f"{name} is a whole number"):
            WireLimits(**{name: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["progress_s", "frame_s", "silent_s", "handshake_s"])
def test_a_time_is_a_number_of_seconds_that_timers_bear(name: str) -> None:
    for good in (0.001, 1, 1e6):
        assert getattr(WireLimits(**{name: good}), name) == good
    for bad in (0, -1, 1e6 + 1, float("inf"), float("nan"), 10**400):
        with pytest.raises(BadInput, match=f"{name}=.* is out of range; give more than 0"):
            WireLimits(**{name: bad})  # type: ignore[arg-type]
    for wrong in (None, True, "9"):
        with pytest.raises(TypeError, match=f"{name} is a number of seconds, not"):
            WireLimits(**{name: wrong})  # type: ignore[arg-type]


# -- what a peer has done wrong --------------------------------------------------------------------


def test_a_fault_has_a_kind_and_a_text_and_survives_a_copy() -> None:
    fault = WireError("type", "no such type")
    copy = pickle.loads(pickle.dumps(fault))
    for one in (fault, copy):
        assert (one.kind, str(one)) == ("type", "no such type")
    assert type(copy) is WireError
