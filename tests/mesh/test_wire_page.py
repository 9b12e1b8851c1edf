"""`docs/WIRE.md` says what the code does: its limits, its examples, its formulas.

The formulas are computed here once more, with what the page says and without the code of the mesh,
so that somebody who has only the page comes to the same bytes.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from pathlib import Path

import pytest

from iris.mesh import hello as hellos
from iris.mesh.hello import Hello, parse_hello
from iris.mesh.keyring import KEY_BYTES_LEAST, KEY_BYTES_MOST, Keyring
from iris.mesh.protocol import ClientV1, Messages, Ponged, Resolve, Resolved, ServerV1
from iris.mesh.records import RECORD_BYTES_MAX
from iris.mesh.secure import NONCES_MAX, ClientHandshake, Nonces, Secured, ServerHandshake
from iris.mesh.wire import WireLimits, pack_answer, pack_resolve, pack_user

PAGE = (Path(__file__).parents[2] / "docs" / "WIRE.md").read_text(encoding="utf-8")
LIMITS = WireLimits()
ECHO = 0x500000001


def read_vectors() -> dict[str, bytes]:
    """What stands in the blocks of vectors: `name = hex`, or the hex on indented lines below."""
    digits: dict[str, str] = {}
    name = ""
    for block in re.findall(r"^```vectors\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith(" "):
                digits[name] += line.strip()
            else:
                name, _, value = line.partition(" =")
                assert name not in digits
                digits[name] = value.strip()
    return {name: bytes.fromhex(value) for name, value in digits.items()}


VECTORS = read_vectors()
KEY = VECTORS["key"]


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), sha256).digest()


# -- limits ----------------------------------------------------------------------------------------

ROWS = {
    "payload of a user message, bytes": LIMITS.payload_bytes,
    "name to be resolved, bytes": LIMITS.name_bytes,
    "from the opening of a connection to its version byte, seconds": LIMITS.silent_s,
    "a frame or record that has begun stands still, seconds": LIMITS.progress_s,
    "a frame or record from its first byte to its last, seconds": LIMITS.frame_s,
    "the whole opening, seconds": LIMITS.handshake_s,
    "hello with its length in front, bytes": hellos.HELLO_BYTES_MAX,
    "name of a node, bytes": hellos.NODE_NAME_BYTES_MAX,
    "address in a hello, bytes": hellos.LISTEN_BYTES_MAX,
    "bytes in one record": RECORD_BYTES_MAX,
    "shortest key, bytes": KEY_BYTES_LEAST,
    "longest key, bytes": KEY_BYTES_MOST,
}


def test_the_table_of_limits_is_that_of_the_code() -> None:
    table = PAGE.partition("## Limits")[2].partition("## Version 1")[0]
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \|", table, re.MULTILINE)
    assert {what: float(limit.replace(",", "")) for what, limit in rows} == ROWS


@pytest.mark.parametrize(
    "said",
    [
        f"how many bytes follow: {hellos.HELLO_BODY_LEAST} to {hellos.HELLO_BODY_MOST} |",
        f"| {hellos.INCARNATION_BYTES} | incarnation",
        f"| {hellos.NONCE_BYTES} | nonce",
        f"name of the node: 1 to {hellos.NODE_NAME_BYTES_MAX} bytes",
        f"| {hellos.KEYED} | keyed |",
        f"| {hellos.INSIDE_TLS} | inside TLS |",
        f"it remembers the last {NONCES_MAX:,} at least",
        f"the opening is not over {LIMITS.handshake_s:g} seconds after it began",
    ],
)
def test_what_the_text_says_is_that_of_the_code(said: str) -> None:
    assert said in PAGE


def test_every_kind_of_refusal_is_on_the_page() -> None:
    table = PAGE.partition("### What is refused")[2].partition("### Records")[0]
    kinds = {
        kind
        for row in re.findall(r"^\| ([a-z0-9, ]+) \| (?:both|server)", table, re.MULTILINE)
        for kind in row.split(", ")
    }
    assert kinds == {
        "version", "hello", "utf8", "tls", "key", "proof", "replay", "reflection", "slow"
    }  # fmt: skip


# -- version 1 -------------------------------------------------------------------------------------


def test_the_frames_of_version_1() -> None:
    assert VECTORS["v1 resolve"] == pack_resolve("echo")
    assert VECTORS["v1 resolved"] == pack_answer(ECHO)
    assert VECTORS["v1 user message"] == pack_user(ECHO, b"hi")


def test_the_connection_of_version_1() -> None:
    client, server = ClientV1(LIMITS), ServerV1(LIMITS, 0.0)
    client.resolve("echo", "name")
    client.send(ECHO, b"hi")
    client.ping("ping")
    assert client.data_to_send() == VECTORS["v1 stream"]
    assert server.receive_data(VECTORS["v1 stream"], 0.0) == [
        Resolve("echo"),
        Messages(ECHO, [b"hi"]),
    ]
    server.answer(ECHO)
    assert server.data_to_send() == VECTORS["v1 answers"]
    assert client.receive_data(VECTORS["v1 answers"], 0.0) == [
        Resolved("name", ECHO),
        Ponged("ping"),
    ]


# -- version 2: by hand, from the page -------------------------------------------------------------

SAID = b"\x02" + VECTORS["client hello"] + VECTORS["server hello"] + VECTORS["key id"]


def test_the_hellos_by_hand() -> None:
    for whose, features, name, listen in (
        ("client hello", 1, b"alpha", b"127.0.0.1:9000"),
        ("server hello", 1, b"beta", b""),
        ("client keyless hello", 0, b"alpha", b"127.0.0.1:9000"),
        ("server keyless hello", 0, b"beta", b""),
    ):
        body = VECTORS[whose][2:]
        assert int.from_bytes(VECTORS[whose][:2], "big") == len(body)
        assert body[48:] == b"".join(
            (
                features.to_bytes(4, "big"),
                len(name).to_bytes(2, "big"),
                name,
                len(listen).to_bytes(2, "big"),
                listen,
            )
        )


def test_the_proofs_by_hand() -> None:
    assert VECTORS["key id"] == mac(KEY, b"iris-mesh-2 key id")[:8]
    assert VECTORS["client proof"] == mac(KEY, b"iris-mesh-2 client proof", SAID)
    said = SAID + VECTORS["client proof"]
    assert VECTORS["server proof"] == mac(KEY, b"iris-mesh-2 server proof", said)


def test_the_keys_of_the_records_by_hand() -> None:
    said = SAID + VECTORS["client proof"] + VECTORS["server proof"]
    assert VECTORS["salt"] == sha256(said).digest()
    extracted = mac(VECTORS["salt"], KEY)
    for who in ("client", "server"):
        info = f"iris-mesh-2 {who} records".encode()
        assert VECTORS[f"{who} record key"] == mac(extracted, info, b"\x01")


@pytest.mark.parametrize(("who", "number"), [("client", 0), ("client", 1), ("server", 0)])
def test_the_records_by_hand(who: str, number: int) -> None:
    text = VECTORS[f"{who} text {number}"]
    length = len(text).to_bytes(4, "big")
    tag = mac(VECTORS[f"{who} record key"], number.to_bytes(8, "big"), length, text)[:16]
    assert VECTORS[f"{who} record {number}"] == length + text + tag


# -- version 2: by the code ------------------------------------------------------------------------


def hello(whose: str) -> Hello:
    return parse_hello(VECTORS[f"{whose} hello"][2:])


def test_the_connection_of_version_2() -> None:
    client = ClientHandshake(hello("client"), Keyring(KEY), LIMITS, 0.0)
    server = ServerHandshake(hello("server"), Keyring(KEY), Nonces(), LIMITS, 0.0)
    said = client.data_to_send()
    assert said == b"\x02" + VECTORS["client hello"]
    assert server.receive_data(said) is None
    assert server.data_to_send() == VECTORS["server hello"]
    assert client.receive_data(VECTORS["server hello"]) is None
    said = client.data_to_send()
    assert said == VECTORS["key id"] + VECTORS["client proof"]
    there = server.receive_data(said)
    assert server.data_to_send() == VECTORS["server proof"]
    here = client.receive_data(VECTORS["server proof"] + VECTORS["server record 0"])
    assert isinstance(there, Secured)
    assert isinstance(here, Secured)
    for number in (0, 1):
        record = here.sealer.seal(VECTORS[f"client text {number}"])
        assert record == VECTORS[f"client record {number}"]
        assert there.opener.receive_data(record, 0.0) == ([VECTORS[f"client text {number}"]], None)
    assert there.sealer.seal(VECTORS["server text 0"]) == here.rest == VECTORS["server record 0"]
    assert here.opener.receive_data(here.rest, 0.0) == ([VECTORS["server text 0"]], None)


def test_the_connection_of_version_2_without_a_key() -> None:
    client = ClientHandshake(hello("client keyless"), None, LIMITS, 0.0)
    server = ServerHandshake(hello("server keyless"), None, Nonces(), LIMITS, 0.0)
    said = client.data_to_send()
    assert said == b"\x02" + VECTORS["client keyless hello"]
    there = server.receive_data(said)
    assert server.data_to_send() == VECTORS["server keyless hello"]
    here = client.receive_data(VECTORS["server keyless hello"])
    assert isinstance(there, Secured)
    assert isinstance(here, Secured)
    assert here.sealer.seal(VECTORS["client text 0"]) == VECTORS["keyless record"]
    assert there.opener.receive_data(VECTORS["keyless record"], 0.0)[0] == [b"first"]
