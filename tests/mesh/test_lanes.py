"""What waits to be written: which frame goes first, what fits, and what is cut."""

from __future__ import annotations

from random import Random

import pytest

from iris.mesh import frames as f
from iris.mesh.lanes import (
    CONTROL_BYTES_MOST,
    CONTROL_FRAMES_MOST,
    FRAGMENT_BYTES_LEAST,
    QUICK_BYTES,
    Lanes,
)
from iris.mesh.requests import REQUESTS_MOST

PAIR = (1, 2)


def message(size: int) -> bytes:
    """The frame of a message with so many bytes in all."""
    return f.pack_message(1, 2, False, bytes(size - f.MESSAGE_BYTES))


def ask(number: int, size: int = 0) -> bytes:
    return f.pack_ask(number, 1, 2, 3, (), False, bytes(size))


def put(lanes: Lanes, *frames: bytes) -> None:
    lanes.add(PAIR, list(frames), sum(map(len, frames)))


def test_control_goes_first_and_only_as_much_as_there_is_room_for() -> None:
    lanes = Lanes(9, 999)
    for size in (30, 40, 50):
        lanes.add_control(bytes(size))
    parts: list[bytes] = []
    assert lanes.take_control(75, parts) == 0
    assert [len(part) for part in parts] == [30, 40]
    assert (lanes.controls, lanes.control_bytes) == (1, 50)
    assert lanes.take_control(75, parts) == 25
    assert lanes.take_control(25, parts) == 25
    assert lanes.control_bytes == 0


def test_small_questions_go_before_bulk_and_each_in_its_order() -> None:
    lanes = Lanes(9, 9999)
    put(lanes, message(30), message(31))
    assert lanes.add_ask((1, 3), ask(1))
    assert lanes.add_ask((1, 3), ask(2))
    parts: list[bytes] = []
    size, messages = lanes.take(9999, parts)
    assert parts == [ask(1), ask(2), message(30), message(31)]
    assert (size, messages) == (sum(map(len, parts)), 4)
    assert (lanes.queued, lanes.queued_bytes) == (0, 0)


def test_while_a_small_question_waits_bulk_waits_as_well() -> None:
    lanes = Lanes(9, 9999)
    put(lanes, message(21))
    lanes.add_ask((1, 3), ask(1))
    parts: list[bytes] = []
    assert lanes.take(30, parts) == (0, 0)
    assert parts == []


def test_a_large_question_goes_into_bulk() -> None:
    lanes = Lanes(9, 99_999)
    put(lanes, message(21))
    largest = ask(1, QUICK_BYTES - 34)
    assert len(largest) == QUICK_BYTES
    lanes.add_ask((1, 3), ask(2, QUICK_BYTES - 33))
    lanes.add_ask((1, 4), largest)
    parts: list[bytes] = []
    lanes.take(60_000, parts)
    assert [len(part) for part in parts] == [4096, 21, 4097]


def test_answers_are_no_messages() -> None:
    lanes = Lanes(9, 999_999)
    put(lanes, message(21))
    assert lanes.add_reply(f.pack_reply(1, False, bytes(2000)))
    assert lanes.add_reply(f.pack_reply(2, True, bytes(5000)))
    assert lanes.add_reply(f.pack_reply(3, True, bytes(90_000)))
    assert (lanes.queued, lanes.replies) == (4, 3)
    parts: list[bytes] = []
    assert lanes.take(60_000, parts)[1] == 1
    assert (lanes.queued, lanes.replies) == (1, 1)
    while lanes.queued:
        assert lanes.take(60_000, parts)[1] == 0
    assert (lanes.replies, lanes.queued_bytes) == (0, 0)


def test_a_frame_that_does_not_fit_is_cut_when_nothing_of_its_lane_goes_before() -> None:
    lanes = Lanes(99, 999_999)
    put(lanes, message(10_000), message(30_000))
    parts: list[bytes] = []
    assert lanes.take(25_000, parts) == (10_000, 1)
    assert lanes.take(25_000, parts) == (25_000, 0)
    assert lanes.queued == 1
    assert lanes.take(25_000, parts) == (5_000 + 9 + 5, 1)
    assert [part[0] for part in parts] == [f.MESSAGE, f.FIRST, f.MORE]
    assert parts[1][9:] + parts[2][5:] == message(30_000)
    assert (lanes.queued, lanes.queued_bytes) == (0, 0)


def test_no_fragment_is_small_but_the_last() -> None:
    lanes = Lanes(99, 999_999)
    put(lanes, message(50_000))
    parts: list[bytes] = []
    assert lanes.take(FRAGMENT_BYTES_LEAST + 8, parts) == (0, 0)
    assert lanes.take(FRAGMENT_BYTES_LEAST + 9, parts) == (FRAGMENT_BYTES_LEAST + 9, 0)
    assert lanes.take(FRAGMENT_BYTES_LEAST + 4, parts) == (0, 0)
    rest = 50_000 - FRAGMENT_BYTES_LEAST
    assert lanes.take(rest - 100 + 5, parts) == (rest - 100 + 5, 0)
    assert lanes.take(104, parts) == (0, 0)
    assert lanes.take(105, parts) == (105, 1)


def test_a_small_frame_is_never_cut() -> None:
    lanes = Lanes(99, 999_999)
    put(lanes, message(FRAGMENT_BYTES_LEAST))
    parts: list[bytes] = []
    for room in range(0, FRAGMENT_BYTES_LEAST, 50):
        assert lanes.take(room, parts) == (0, 0)
    assert lanes.take(FRAGMENT_BYTES_LEAST, parts) == (FRAGMENT_BYTES_LEAST, 1)


def test_so_many_control_frames_or_bytes_of_them_are_too_many() -> None:
    for size, count in ((CONTROL_BYTES_MOST, 1), (0, CONTROL_FRAMES_MOST)):
        lanes = Lanes(9, 9)
        for _ in range(count):
            lanes.add_control(bytes(size))
        assert not lanes.crowded
        lanes.add_control(b"x")
        assert lanes.crowded
        lanes.take_control(1 << 30, [])
        assert lanes.crowded


def test_the_answers_to_all_that_a_peer_may_ask_have_room() -> None:
    assert REQUESTS_MOST * 1024 + (1 << 20) <= CONTROL_BYTES_MOST


def test_frames_are_taken_out_again() -> None:
    lanes = Lanes(99, 999_999)
    lanes.add_ask((1, 2), ask(1))
    lanes.add_ask((1, 2), ask(2))
    put(lanes, message(21))
    lanes.add_ask((1, 2), ask(3))
    put(lanes, message(22))
    unwanted = {ask(1), ask(3)}
    assert lanes.remove(unwanted.__contains__) == 2
    assert (lanes.queued, lanes.queued_bytes) == (3, 34 + 43)
    # The pair still has messages in bulk.
    lanes.add_ask((1, 2), ask(4))
    parts: list[bytes] = []
    lanes.take(999, parts)
    assert parts == [ask(2), message(21), message(22), ask(4)]
    lanes.add_ask((1, 2), ask(5))
    put(lanes, message(23))
    lanes.take(999, parts)
    assert parts[4:] == [ask(5), message(23)]


def test_who_waited_before_frames_were_taken_out_still_waits() -> None:
    lanes = Lanes(99, 999_999)
    put(lanes, message(21))
    for number in (1, 2, 3):
        lanes.add_ask((5, 6), ask(number, QUICK_BYTES))
    assert lanes.remove(lambda frame: frame[0] == f.ASK) == 3
    lanes.add_ask(PAIR, ask(4))
    parts: list[bytes] = []
    lanes.take(999, parts)
    assert parts == [message(21), ask(4)]


def test_a_large_frame_goes_on_however_much_goes_before_it() -> None:
    lanes = Lanes(99, 999_999)
    put(lanes, message(60_000))
    for number in range(20):
        lanes.add_ask((5, 6), ask(number, 3000))
        parts: list[bytes] = []
        lanes.take(60_000, parts)
        assert [part[0] for part in parts] == [f.ASK, f.MORE if number else f.FIRST]
        if not lanes.queued:
            break
    assert number == 1


def test_a_frame_that_is_partly_written_stays() -> None:
    lanes = Lanes(99, 999_999)
    whole = ask(1, 50_000)
    lanes.add_ask((1, 2), whole)
    lanes.add_ask((1, 2), ask(2, 50_000))
    parts: list[bytes] = []
    lanes.take(20_000, parts)
    assert lanes.remove(lambda frame: True) == 1
    assert (lanes.queued, lanes.queued_bytes) == (1, len(whole))


def test_the_pairs_that_are_remembered_are_bounded() -> None:
    lanes = Lanes(4, 999_999)
    parts: list[bytes] = []
    for sender in range(1000):
        lanes.add((1, sender), [message(21)], 21)
        if lanes.queued > 3:
            lanes.take(21, parts)
    assert len(lanes._behind) <= 9  # the one thing that could grow
    lanes.add_ask((1, 999), ask(1))
    lanes.take(999, parts)
    assert parts[-1] == ask(1)


@pytest.mark.parametrize("seed", range(20))
def test_random_flushes_give_every_byte_once_and_never_more_than_there_is_room(seed: int) -> None:
    random = Random(seed)
    lanes = Lanes(10_000, 1 << 30)
    expected = []
    for _ in range(100):
        frame = message(random.choice((21, 100, 5000, 65_536, 300_000)))
        put(lanes, frame)
        expected.append(frame)
    seen, inner, messages = [], b"", 0
    while lanes.queued:
        room = random.choice((100, 5000, 65_515))
        parts: list[bytes] = []
        size, count = lanes.take(room, parts)
        messages += count
        assert size == sum(map(len, parts)) <= room
        assert lanes.queued == 100 - messages
        for part in parts:
            if part[0] == f.MESSAGE:
                assert not inner
                seen.append(part)
                continue
            inner += part[9:] if part[0] == f.FIRST else part[5:]
            if len(inner) == 5 + int.from_bytes(inner[1:5], "big"):
                seen.append(inner)
                inner = b""
    assert seen == expected
    assert lanes.queued_bytes == 0
