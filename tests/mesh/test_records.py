"""Records: however the stream is cut it gives the same; bent anywhere it gives nothing false."""

from __future__ import annotations

import hmac
import pickle
from collections.abc import Iterable
from hashlib import sha256
from random import Random
from typing import Optional

import pytest

from iris.errors import BadInput, InternalError
from iris.mesh.records import RECORD_BYTES_MAX, TAG_BYTES, Opener, Sealer
from iris.mesh.wire import WireLimits

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
LIMITS = WireLimits(progress_s=5, frame_s=60)
BOTH = pytest.mark.parametrize("key", [KEY, None], ids=["tagged", "untagged"])


def opened(
    chunks: Iterable[bytes], key: Optional[bytes] = KEY
) -> tuple[list[bytes], Optional[str], int]:
    """What all these chunks give, the kind of the fault if there is one, and what is held then."""
    opener = Opener(key, LIMITS)
    seen: list[bytes] = []
    fault = None
    for chunk in chunks:
        plaintexts, error = opener.receive_data(chunk, 0.0)
        seen += plaintexts
        if error is not None:
            assert fault is None
            fault = error.kind
    return seen, fault, opener.held


def sealed(plaintexts: Iterable[bytes], key: Optional[bytes] = KEY) -> list[bytes]:
    sealer = Sealer(key)
    return [sealer.seal(plaintext) for plaintext in plaintexts]


TEXTS = [b"one", b"x", b"the third of them", b"four"]


def by_hand(number: int, plaintext: bytes) -> bytes:
    counted = number.to_bytes(8, "big") + len(plaintext).to_bytes(4, "big") + plaintext
    tag = hmac.new(KEY, counted, sha256).digest()[:16]
    return len(plaintext).to_bytes(4, "big") + plaintext + tag


def test_records_have_these_bytes() -> None:
    assert sealed(TEXTS) == [by_hand(number, text) for number, text in enumerate(TEXTS)]
    assert sealed(TEXTS, None)[0] == bytes.fromhex("00000003 6f6e65")
    assert sealed([b"hi"])[0].hex() == "00000002" + "6869" + "ecc9b5e4700749c39a559fcaac6aa3b7"


@BOTH
def test_every_cut_into_three_gives_the_same(key: Optional[bytes]) -> None:
    stream = b"".join(sealed(TEXTS, key))
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            chunks = (stream[:first], stream[first:second], stream[second:])
            assert opened(chunks, key) == (TEXTS, None, 0)


@BOTH
def test_byte_by_byte_gives_the_same(key: Optional[bytes]) -> None:
    stream = b"".join(sealed(TEXTS, key))
    assert opened((stream[n : n + 1] for n in range(len(stream))), key) == (TEXTS, None, 0)


@BOTH
def test_large_records_in_chunks_of_any_size(key: Optional[bytes]) -> None:
    random = Random(3)
    texts = [random.randbytes(random.choice((1, 100, 65535, RECORD_BYTES_MAX))) for _ in range(20)]
    stream = b"".join(sealed(texts, key))
    for most in (5000, 70_000, 500_000):
        chunks, at = [], 0
        while at < len(stream):
            size = random.randint(1, most)
            chunks.append(stream[at : at + size])
            at += size
        assert opened(chunks, key) == (texts, None, 0)


def test_a_flipped_bit_is_found_wherever_it_is() -> None:
    records = sealed(TEXTS)
    stream = b"".join(records)
    ends = [sum(map(len, records[: n + 1])) for n in range(len(records))]
    for place in range(len(stream)):
        whole = sum(end <= place for end in ends)
        for bit in range(8):
            bent = bytearray(stream)
            bent[place] ^= 1 << bit
            seen, fault, held = opened([bytes(bent)])
            assert seen == TEXTS[:whole]
            # A length that has grown waits for bytes that do not come; time is up for it, then.
            assert fault in {"tag", "record"} or (fault is None and held > 0)


def test_a_longer_length_is_found_when_the_bytes_come() -> None:
    first, second = sealed([b"a" * 40, b"b" * 40])
    bent = first[:3] + bytes([41]) + first[4:]
    assert opened([bent + second]) == ([], "tag", 0)


@pytest.mark.parametrize(
    "order",
    [(1,), (0, 0), (0, 2), (0, 2, 1), (1, 0), (0, 1, 1), (0, 1, 2, 0), (0, 1, 3)],
)
def test_records_that_are_moved_left_out_or_sent_again_are_found(order: tuple[int, ...]) -> None:
    records = sealed(TEXTS)
    seen, fault, held = opened([b"".join(records[number] for number in order)])
    right = 0
    while right < len(order) and order[right] == right:
        right += 1
    assert (seen, fault, held) == (TEXTS[:right], "tag", 0)


def test_records_of_another_key_or_direction_are_found() -> None:
    assert opened(sealed(TEXTS, OTHER)) == ([], "tag", 0)
    assert opened(sealed(TEXTS, None)) == ([], "tag", 0)


@BOTH
def test_a_stream_that_was_cut_inside_a_record_holds_bytes(key: Optional[bytes]) -> None:
    records = sealed(TEXTS, key)
    stream = b"".join(records)
    ends = {sum(map(len, records[:n])): n for n in range(len(records) + 1)}
    whole = 0
    for length in range(len(stream) + 1):
        whole = ends.get(length, whole)
        seen, fault, held = opened([stream[:length]], key)
        assert (seen, fault) == (TEXTS[:whole], None)
        assert (held == 0) == (length in ends)


@BOTH
def test_a_length_out_of_range_is_refused_at_once(key: Optional[bytes]) -> None:
    for size in (0, RECORD_BYTES_MAX + 1, 2**32 - 1):
        opener = Opener(key, LIMITS)
        plaintexts, error = opener.receive_data(size.to_bytes(4, "big"), 0.0)
        assert plaintexts == []
        assert error is not None
        assert error.kind == "record"
        assert f"a record of {size} bytes" in str(error)
        assert opener.held == 0
        assert opener.deadline is None


def test_no_more_is_held_than_one_record() -> None:
    text = bytes(RECORD_BYTES_MAX)
    (record,) = sealed([text])
    opener = Opener(KEY, LIMITS)
    for n in range(0, len(record) - 1, 1000):
        opener.receive_data(record[n : min(n + 1000, len(record) - 1)], 0.0)
        assert opener.held <= 4 + RECORD_BYTES_MAX + TAG_BYTES
    assert opener.held == len(record) - 1


def test_nothing_comes_after_a_fault() -> None:
    opener = Opener(KEY, LIMITS)
    plaintexts, error = opener.receive_data(b"".join(sealed(TEXTS)) + bytes(4), 0.0)
    assert plaintexts == TEXTS
    assert error is not None
    for chunk in sealed(TEXTS):
        assert opener.receive_data(chunk, 0.0) == ([], None)
    assert (opener.held, opener.deadline, opener.check(1e9)) == (0, None, None)


def test_a_sealer_refuses_what_no_record_holds() -> None:
    for key in (KEY, None):
        sealer = Sealer(key)
        for wrong in (b"", bytes(RECORD_BYTES_MAX + 1)):
            with pytest.raises(InternalError, match=f"a record of {len(wrong)} bytes"):
                sealer.seal(wrong)
        # The refused ones have taken no number.
        assert opened([sealer.seal(b"a"), sealer.seal(bytes(RECORD_BYTES_MAX))], key) == (
            [b"a", bytes(RECORD_BYTES_MAX)],
            None,
            0,
        )


def test_a_key_has_32_bytes() -> None:
    for wrong in (b"", KEY[:31], KEY + b"x"):
        with pytest.raises(BadInput, match="for records; give 32"):
            Sealer(wrong)
        with pytest.raises(BadInput, match="for records; give 32"):
            Opener(wrong, LIMITS)


def test_a_sealer_and_an_opener_show_no_key() -> None:
    for one in (Sealer(KEY), Opener(KEY, LIMITS)):
        assert KEY.hex()[:12] not in repr(one)
        assert repr(KEY)[2:20] not in repr(one)
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(one)


def test_an_idle_stream_has_no_deadline_and_a_record_that_has_begun_has() -> None:
    opener = Opener(KEY, LIMITS)
    (record,) = sealed([b"x" * 100])
    assert opener.deadline is None
    opener.receive_data(record[:2], 10.0)
    assert opener.deadline == 15.0
    opener.receive_data(record[2:50], 12.0)
    assert opener.deadline == 17.0
    assert opener.check(16.9) is None
    error = opener.check(17.0)
    assert error is not None
    assert error.kind == "progress"
    assert opener.receive_data(record[50:], 17.0) == ([], None)
    assert opener.deadline is None


def test_a_record_that_drips_is_late_in_all() -> None:
    opener = Opener(KEY, LIMITS)
    (record,) = sealed([b"x" * 100])
    for second in range(59):
        opener.receive_data(record[second : second + 1], float(second))
    assert opener.deadline == 60.0
    error = opener.check(60.0)
    assert error is not None
    assert error.kind == "slow"


def test_a_whole_record_ends_the_deadline() -> None:
    opener = Opener(KEY, LIMITS)
    first, second = sealed([b"one", b"two"])
    opener.receive_data(first[:5], 1.0)
    assert opener.receive_data(first[5:] + second[:1], 3.0) == ([b"one"], None)
    assert opener.deadline == 8.0
    assert opener.receive_data(second[1:], 7.0) == ([b"two"], None)
    assert opener.deadline is None


def test_bent_streams_give_a_prefix_of_what_was_sealed() -> None:
    random = Random(8)
    records = sealed(TEXTS)
    for _ in range(3000):
        stream = bytearray(b"".join(random.choices(records, k=random.randint(1, 6))))
        for _ in range(random.randint(0, 3)):
            what, at = random.randrange(3), random.randrange(len(stream))
            if what == 0:
                stream[at] = random.randrange(256)
            elif what == 1:
                stream[at:at] = random.randbytes(random.randint(1, 30))
            elif len(stream) > 40:
                del stream[at : at + random.randint(1, 30)]
        seen, fault, _ = opened([bytes(stream)])
        assert seen == TEXTS[: len(seen)]
        assert fault in {None, "tag", "record"}
