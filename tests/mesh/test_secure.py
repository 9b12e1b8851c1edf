"""The opening of version 2: who is let in, and that nobody else is, whatever he sends."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Callable, Optional, Union

import pytest

from iris.errors import BadInput
from iris.mesh.hello import INSIDE_TLS, KEYED, Hello, pack_hello
from iris.mesh.keyring import Keyring
from iris.mesh.secure import ClientHandshake, Nonces, Secured, ServerHandshake
from iris.mesh.wire import WireError, WireLimits

LIMITS = WireLimits()
OLD, NEW, FOREIGN = (bytes(range(n, n + 32)) for n in (0, 40, 80))
ALPHA = Hello("alpha", b"a" * 16, b"A" * 32, 0, "127.0.0.1:9001")
BETA = Hello("beta", b"b" * 16, b"B" * 32, 0, "127.0.0.1:9002")
FAULTS = {"version", "hello", "utf8", "tls", "key", "proof", "replay", "reflection"}
SIZES = {"client hello": 1 + 2 + 75, "server hello": 2 + 74, "client proof": 40, "server proof": 32}

Side = Union[ClientHandshake, ServerHandshake]
Outcome = Optional[Union[Secured, WireError]]
Bend = Callable[[bytes], bytes]


def ring(*keys: bytes) -> Optional[Keyring]:
    return Keyring(*keys) if keys else None


def client(*keys: bytes, hello: Hello = ALPHA, **options: Any) -> ClientHandshake:
    return ClientHandshake(hello, ring(*keys), LIMITS, 0.0, **options)


def server(
    *keys: bytes, hello: Hello = BETA, nonces: Optional[Nonces] = None, **options: Any
) -> ServerHandshake:
    return ServerHandshake(
        hello, ring(*keys), Nonces() if nonces is None else nonces, LIMITS, 0.0, **options
    )


@dataclass
class Talk:
    """All that two sides have said, and what has become of each."""

    client: Outcome = None
    server: Outcome = None
    to_server: list[bytes] = field(default_factory=list)
    to_client: list[bytes] = field(default_factory=list)

    @property
    def kinds(self) -> tuple[Optional[str], Optional[str]]:
        """How each side ended: "in", the kind of its refusal, or None when it still waits."""

        def kind(outcome: Outcome) -> Optional[str]:
            return outcome.kind if isinstance(outcome, WireError) else outcome and "in"

        return kind(self.client), kind(self.server)


def unbent(data: bytes) -> bytes:
    return data


def talk(
    ours: ClientHandshake, theirs: ServerHandshake, bend: Bend = unbent, bend_back: Bend = unbent
) -> Talk:
    """Let both talk until neither has anything to say; what they say may be bent on its way.

    A bend sees all bytes of its direction so far, and gives what has arrived of them.
    """
    seen = Talk()
    arrived = [b"", b""]
    while True:
        said, answered = ours.data_to_send(), theirs.data_to_send()
        if not said and not answered:
            return seen
        if said:
            seen.to_server.append(said)
            before, arrived[0] = arrived[0], bend(b"".join(seen.to_server))
            outcome = theirs.receive_data(arrived[0][len(before) :])
            seen.server = outcome or seen.server
        if answered:
            seen.to_client.append(answered)
            before, arrived[1] = arrived[1], bend_back(b"".join(seen.to_client))
            outcome = ours.receive_data(arrived[1][len(before) :])
            seen.client = outcome or seen.client


def secured(outcome: Outcome) -> Secured:
    assert isinstance(outcome, Secured)
    return outcome


def assert_they_understand_each_other(seen: Talk) -> None:
    one, other = secured(seen.client), secured(seen.server)
    for sealer, opener in ((one.sealer, other.opener), (other.sealer, one.opener)):
        for text in (b"first", b"second"):
            assert opener.receive_data(sealer.seal(text), 0.0) == ([text], None)


# -- those who are let in --------------------------------------------------------------------------


def test_two_nodes_with_one_key_know_each_other() -> None:
    seen = talk(client(OLD), server(OLD))
    assert seen.kinds == ("in", "in")
    assert secured(seen.client).peer == BETA._replace(features=KEYED)
    assert secured(seen.server).peer == ALPHA._replace(features=KEYED)
    for side in (seen.client, seen.server):
        assert secured(side).key_id == Keyring(OLD).key_id
        assert secured(side).rest == b""
    assert_they_understand_each_other(seen)


def test_what_is_said_has_these_sizes_and_this_order() -> None:
    seen = talk(client(OLD), server(OLD))
    assert [len(data) for data in seen.to_server] == [SIZES["client hello"], SIZES["client proof"]]
    assert [len(data) for data in seen.to_client] == [SIZES["server hello"], SIZES["server proof"]]
    assert seen.to_server[0] == b"\x02" + pack_hello(ALPHA._replace(features=KEYED))
    assert seen.to_client[0] == pack_hello(BETA._replace(features=KEYED))


def test_the_proofs_cover_all_that_was_said_before() -> None:
    seen = talk(client(OLD), server(OLD))
    hellos = seen.to_server[0] + seen.to_client[0]
    key_id, proof = seen.to_server[1][:8], seen.to_server[1][8:]
    assert key_id == Keyring(OLD).key_id
    message = b"iris-mesh-2 client proof" + hellos + key_id
    assert proof == hmac.new(OLD, message, sha256).digest()
    message = b"iris-mesh-2 server proof" + hellos + key_id + proof
    assert seen.to_client[1] == hmac.new(OLD, message, sha256).digest()


def test_the_directions_have_keys_of_their_own() -> None:
    seen = talk(client(OLD), server(OLD))
    one, other = secured(seen.client), secured(seen.server)
    record = one.sealer.seal(b"hi")
    assert record != other.sealer.seal(b"hi")
    error = one.opener.receive_data(record, 0.0)[1]  # Its own record, sent back to it.
    assert error is not None
    assert error.kind == "tag"


def test_each_connection_has_keys_of_its_own() -> None:
    records = set()
    for nonce in (b"1" * 32, b"2" * 32):
        for theirs in (BETA, BETA._replace(nonce=b"3" * 32)):
            seen = talk(client(OLD, hello=ALPHA._replace(nonce=nonce)), server(OLD, hello=theirs))
            records.add(secured(seen.client).sealer.seal(b"hi"))
    assert len(records) == 4


def test_without_keys_anybody_is_let_in_and_records_have_no_tags() -> None:
    seen = talk(client(), server())
    assert seen.kinds == ("in", "in")
    assert len(seen.to_server) == len(seen.to_client) == 1
    assert secured(seen.client).key_id is None
    assert secured(seen.client).peer.features == 0
    assert secured(seen.client).sealer.seal(b"hi").hex() == "000000026869"
    assert_they_understand_each_other(seen)


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_inside_tls_records_have_no_tags_and_keys_are_proved_all_the_same(
    keys: tuple[bytes, ...],
) -> None:
    seen = talk(client(*keys, inside_tls=True), server(*keys, inside_tls=True))
    assert seen.kinds == ("in", "in")
    assert secured(seen.server).peer.features == INSIDE_TLS | (KEYED if keys else 0)
    assert secured(seen.server).key_id == (Keyring(OLD).key_id if keys else None)
    assert secured(seen.server).sealer.seal(b"hi").hex() == "000000026869"
    assert_they_understand_each_other(seen)


def test_the_other_features_are_handed_over_as_they_are() -> None:
    ours = ALPHA._replace(features=0x80000010 | KEYED | INSIDE_TLS)
    seen = talk(client(hello=ours), server())
    assert secured(seen.server).peer.features == 0x80000010


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        # The three steps in which a key is changed, with a node that is a step behind.
        ((OLD,), (OLD, NEW), ("in", "in")),
        ((OLD, NEW), (OLD,), ("in", "in")),
        ((OLD, NEW), (OLD, NEW), ("in", "in")),
        ((NEW, OLD), (OLD, NEW), ("in", "in")),
        ((OLD, NEW), (NEW, OLD), ("in", "in")),
        ((NEW,), (NEW, OLD), ("in", "in")),
        ((NEW, OLD), (NEW,), ("in", "in")),
        # Two steps apart is too much.
        ((NEW, OLD), (OLD,), (None, "key")),
        ((OLD,), (NEW,), (None, "key")),
    ],
)
def test_keys_are_changed_node_by_node(
    ours: tuple[bytes, ...], theirs: tuple[bytes, ...], expected: tuple[str, str]
) -> None:
    seen = talk(client(*ours), server(*theirs))
    assert seen.kinds == expected
    if expected == ("in", "in"):
        assert secured(seen.server).key_id == Keyring(ours[0]).key_id
        assert_they_understand_each_other(seen)


def chunked(side: Side, chunks: Iterator[bytes]) -> tuple[Outcome, bytes]:
    """What comes of these chunks; all of them together hold no more than this side waits for."""
    outcome: Outcome = None
    for chunk in chunks:
        assert outcome is None
        outcome = side.receive_data(chunk)
    return outcome, side.data_to_send()


def test_every_cut_of_what_is_said_gives_the_same() -> None:
    seen = talk(client(OLD), server(OLD))
    said, answered = b"".join(seen.to_server), b"".join(seen.to_client)
    for place in range(1, len(said)):
        outcome, data = chunked(server(OLD), iter((said[:place], said[place:])))
        assert secured(outcome).peer.name == "alpha"
        assert data == answered
    for place in range(1, len(answered)):
        outcome, data = chunked(client(OLD), iter((answered[:place], answered[place:])))
        assert secured(outcome).peer.name == "beta"
        assert data == said
    outcome, data = chunked(server(OLD), (said[n : n + 1] for n in range(len(said))))
    assert (secured(outcome).peer.name, data) == ("alpha", answered)


def test_what_comes_behind_the_opening_is_handed_over() -> None:
    seen = talk(client(OLD), server(OLD))
    record = secured(seen.server).sealer.seal(b"at once")
    again = client(OLD)
    outcome = secured(again.receive_data(b"".join(seen.to_client) + record))
    assert outcome.rest == record
    assert outcome.opener.receive_data(outcome.rest, 0.0) == ([b"at once"], None)
    assert again.receive_data(b"more") is None


# -- those who are not -----------------------------------------------------------------------------


def test_a_node_with_a_key_refuses_one_without_and_tells_it_nothing() -> None:
    seen = talk(client(), server(OLD))
    assert seen.kinds == (None, "key")
    assert seen.to_client == []


def test_a_node_without_a_key_refuses_one_with_a_key() -> None:
    seen = talk(client(OLD), server())
    assert seen.kinds == (None, "key")
    assert seen.to_client == []


def test_a_client_sends_no_proof_to_a_server_without_a_key() -> None:
    ours = client(OLD)
    ours.data_to_send()
    outcome = ours.receive_data(pack_hello(BETA))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "key"
    assert ours.data_to_send() == b""


def test_a_client_without_a_key_refuses_a_server_with_one() -> None:
    outcome = client().receive_data(pack_hello(BETA._replace(features=KEYED)))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "key"


@pytest.mark.parametrize("inside", [True, False])
def test_both_sides_have_to_be_inside_of_tls_or_outside(inside: bool) -> None:
    seen = talk(client(OLD, inside_tls=inside), server(OLD, inside_tls=not inside))
    assert seen.kinds == (None, "tls")
    assert seen.to_client == []


def test_a_foreign_key_is_refused_before_the_server_proves_anything() -> None:
    seen = talk(client(FOREIGN), server(OLD, NEW))
    assert seen.kinds == (None, "key")
    assert [len(data) for data in seen.to_client] == [SIZES["server hello"]]
    assert isinstance(seen.server, WireError)
    assert Keyring(FOREIGN).key_id.hex() in str(seen.server)


def test_a_client_that_knows_only_the_id_of_a_key_is_refused() -> None:
    def claimed(data: bytes) -> bytes:
        at = SIZES["client hello"]
        return data if len(data) == at else data[:at] + Keyring(OLD).key_id + data[at + 8 :]

    seen = talk(client(FOREIGN), server(OLD), claimed)
    assert seen.kinds == (None, "proof")
    assert [len(data) for data in seen.to_client] == [SIZES["server hello"]]


def test_what_a_server_sends_before_the_proof_does_not_depend_on_its_key() -> None:
    hello = b"\x02" + pack_hello(ALPHA._replace(features=KEYED))
    answers = set()
    for key in (OLD, NEW):
        one = server(key)
        one.receive_data(hello)
        answers.add(one.data_to_send())
    assert len(answers) == 1


def test_a_server_that_has_not_the_key_is_refused() -> None:
    ours = client(OLD)
    ours.receive_data(pack_hello(BETA._replace(features=KEYED)))
    proof = ours.data_to_send()[SIZES["client hello"] :]
    for wrong in (bytes(32), proof[8:], hmac.new(FOREIGN, b"", sha256).digest()):
        again = client(OLD)
        outcome = again.receive_data(pack_hello(BETA._replace(features=KEYED)) + wrong)
        assert isinstance(outcome, WireError)
        assert outcome.kind == "proof"


@pytest.mark.parametrize("first", [0, 1, 3, 0x47, 255])
def test_another_version_is_refused(first: int) -> None:
    one = server(OLD)
    outcome = one.receive_data(bytes([first]) + bytes(100))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "version"
    assert f"{first:#04x}" in str(outcome)
    assert one.data_to_send() == b""


def test_a_server_of_something_else_is_refused() -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x03\x00\x02\x02F"):
        outcome = client(OLD).receive_data(answer)
        assert isinstance(outcome, WireError)
        assert outcome.kind == "hello"


# -- what was said before --------------------------------------------------------------------------


def test_a_recorded_opening_is_refused_as_a_replay() -> None:
    nonces = Nonces()
    seen = talk(client(OLD), server(OLD, nonces=nonces))
    later = server(OLD, hello=BETA._replace(nonce=b"C" * 32), nonces=nonces)
    outcome = later.receive_data(b"".join(seen.to_server))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "replay"
    assert later.data_to_send() == b""


def test_a_recorded_opening_that_was_forgotten_has_no_right_proof() -> None:
    seen = talk(client(OLD), server(OLD))
    later = server(OLD, hello=BETA._replace(nonce=b"C" * 32))
    outcome = later.receive_data(b"".join(seen.to_server))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "proof"
    assert later.data_to_send() == b""


def test_a_recorded_server_is_refused() -> None:
    seen = talk(client(OLD), server(OLD))
    later = client(OLD, hello=ALPHA._replace(nonce=b"C" * 32))
    outcome = later.receive_data(b"".join(seen.to_client))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "proof"


def test_without_a_key_a_hello_that_comes_again_is_refused_too() -> None:
    nonces = Nonces()
    assert talk(client(), server(nonces=nonces)).kinds == ("in", "in")
    assert talk(client(), server(nonces=nonces)).kinds == (None, "replay")


def test_a_client_that_hears_itself_refuses() -> None:
    for keys in ((), (OLD,)):
        ours = client(*keys)
        echo = ours.data_to_send()[1:]
        outcome = ours.receive_data(echo)
        assert isinstance(outcome, WireError)
        assert outcome.kind == "reflection"
        assert ours.data_to_send() == b""


@pytest.mark.parametrize("same", ["incarnation", "nonce"])
def test_one_thing_of_our_own_is_enough_to_refuse(same: str) -> None:
    theirs = BETA._replace(**{same: getattr(ALPHA, same)})
    assert talk(client(OLD), server(OLD, hello=theirs)).kinds == (None, "reflection")
    outcome = client(OLD).receive_data(pack_hello(theirs._replace(features=KEYED)))
    assert isinstance(outcome, WireError)
    assert outcome.kind == "reflection"


def test_a_proof_that_is_sent_back_is_no_proof() -> None:
    ours = client(OLD)
    ours.receive_data(pack_hello(BETA._replace(features=KEYED)))
    proof = ours.data_to_send()[SIZES["client hello"] + 8 :]
    outcome = ours.receive_data(proof)
    assert isinstance(outcome, WireError)
    assert outcome.kind == "proof"


def test_a_proof_of_one_connection_is_none_on_another() -> None:
    """Somebody between takes a client's proof to a server that he has opened himself."""
    ours = client(OLD)
    hello = ours.data_to_send()
    theirs = server(OLD)
    # He changes the nonce of the client, because the server might know it, and passes the rest on.
    theirs.receive_data(hello.replace(b"A" * 32, b"M" * 32))
    ours.receive_data(theirs.data_to_send())
    outcome = theirs.receive_data(ours.data_to_send())
    assert isinstance(outcome, WireError)
    assert outcome.kind == "proof"


# -- bytes that were bent --------------------------------------------------------------------------


def flipped(place: int, mask: int) -> Bend:
    def bend(data: bytes) -> bytes:
        if place >= len(data):
            return data
        return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]

    return bend


@pytest.mark.parametrize("mask", [1, 2, 0x10, 0x80, 0xFF])
def test_with_a_key_no_bent_byte_is_let_in_by_both(mask: int) -> None:
    for place in range(SIZES["client hello"] + SIZES["client proof"]):
        seen = talk(client(OLD), server(OLD), flipped(place, mask))
        assert seen.kinds[0] is None
        assert seen.kinds[1] in FAULTS | {None}
    for place in range(SIZES["server hello"] + SIZES["server proof"]):
        seen = talk(client(OLD), server(OLD), bend_back=flipped(place, mask))
        assert seen.kinds[0] in FAULTS | {None}
        # The proof of a server is its last word: when that is bent, it has let the client in, and
        # will hear nothing from it.
        bent_proof = place >= SIZES["server hello"]
        assert seen.kinds[1] == "in" if bent_proof else seen.kinds[1] in {"proof", None}


def test_the_keys_of_a_server_are_of_no_use_to_a_client_that_has_not_the_same_transcript() -> None:
    seen = talk(client(OLD), server(OLD), bend_back=flipped(SIZES["server hello"] + 3, 4))
    assert seen.kinds == ("proof", "in")


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_random_bytes_are_refused_or_waited_for(keys: tuple[bytes, ...]) -> None:
    random = Random(11)
    seen = talk(client(*keys), server(*keys))
    good = [b"".join(seen.to_server), b"".join(seen.to_client)]
    for number in range(2000):
        side: Side = client(*keys) if number % 2 else server(*keys)
        data = bytearray(good[number % 2])
        for _ in range(random.randint(1, 5)):
            what, at = random.randrange(4), random.randrange(len(data))
            if what == 0:
                data[at] ^= 1 << random.randrange(8)
            elif what == 1:
                data[at:at] = random.randbytes(random.randint(1, 9))
            elif what == 2 and len(data) > 20:
                del data[at : at + random.randint(1, 9)]
            else:
                data[at:] = random.randbytes(random.randint(1, 600))
        if bytes(data) == good[number % 2]:
            continue
        outcome = side.receive_data(bytes(data))
        if isinstance(outcome, Secured):
            # The opening came whole, and what follows it was bent.
            assert data.startswith(good[number % 2]) or not keys
        else:
            assert outcome is None or outcome.kind in FAULTS
        assert side.receive_data(b"") is None


# -- time and ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [client, server])
def test_the_opening_has_five_seconds_in_all(make: Callable[..., Side]) -> None:
    side = make(OLD)
    side.data_to_send()
    assert side.deadline == 5.0
    assert side.check(4.9) is None
    side.receive_data(b"\x02\x00" if isinstance(side, ServerHandshake) else b"\x00")
    assert side.deadline == 5.0
    error = side.check(5.0)
    assert error is not None
    assert error.kind == "slow"
    assert "handshake_s=5" in str(error)
    assert side.deadline is None
    assert side.check(6.0) is None
    assert side.receive_data(b"\x4b") is None
    assert side.data_to_send() == b""


def test_a_late_peer_is_let_in_while_nobody_has_looked() -> None:
    ours, theirs = client(OLD), server(OLD)
    assert talk(ours, theirs).kinds == ("in", "in")
    for side in (ours, theirs):
        assert (side.deadline, side.check(1e9), side.closed()) == (None, None, None)


def test_a_refusal_is_the_end() -> None:
    one = server(OLD)
    outcome = one.receive_data(b"\x01")
    assert isinstance(outcome, WireError)
    assert outcome.__traceback__ is None
    assert one.receive_data(b"".join(talk(client(OLD), server(OLD)).to_server)) is None
    assert (one.data_to_send(), one.deadline, one.check(9.0), one.closed()) == (b"",) + (None,) * 3


def test_a_peer_that_closes_is_explained() -> None:
    ours = client()
    error = ours.closed()
    assert error is not None
    assert error.kind == "closed"
    assert "which has no key" in str(error)
    assert ours.closed() is None
    ours = client(OLD)
    ours.receive_data(pack_hello(BETA._replace(features=KEYED)))
    assert "does not accept the key" in str(ours.closed())
    theirs = server(OLD)
    theirs.receive_data(b"\x02\x00\x4b")
    assert "0 of the next 75 bytes" in str(theirs.closed())


def test_a_hello_that_cannot_be_sent_is_refused_before_anything_is_sent() -> None:
    for make in (client, server):
        with pytest.raises(BadInput, match="nonce of a hello has 3 bytes"):
            make(OLD, hello=ALPHA._replace(nonce=b"abc"))


def test_no_error_and_no_result_shows_a_key() -> None:
    shown = []
    for ours, theirs in ((OLD, OLD), (FOREIGN, OLD)):
        seen = talk(client(ours), server(theirs))
        shown += [repr(seen.client), repr(seen.server), str(seen.server)]
    for text in shown:
        assert not any(form in text for form in (OLD.hex()[:16], repr(OLD)[2:20]))


# -- nonces ----------------------------------------------------------------------------------------


def test_a_nonce_is_new_once() -> None:
    nonces = Nonces()
    assert nonces.remember(b"1" * 32)
    assert nonces.remember(b"2" * 32)
    assert not nonces.remember(b"1" * 32)
    assert len(nonces) == 2


def test_the_last_nonces_are_remembered_and_never_more_than_twice_as_many() -> None:
    nonces = Nonces(10)
    made = [n.to_bytes(32, "big") for n in range(105)]
    for count, nonce in enumerate(made, 1):
        assert nonces.remember(nonce)
        assert len(nonces) <= 20
        assert not any(nonces.remember(earlier) for earlier in made[max(0, count - 10) : count])
    assert nonces.remember(made[0])


def test_there_is_room_for_one_nonce_at_least() -> None:
    with pytest.raises(BadInput, match="most=0"):
        Nonces(0)
