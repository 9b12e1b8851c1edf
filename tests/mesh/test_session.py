"""A session of version 2: what each call brings to the other side, and what time and peers do."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from iris.errors import BadInput, InternalError, LimitReached
from iris.mesh import frames as f
from iris.mesh.arrivals import OWED_MOST
from iris.mesh.limits import SessionLimits
from iris.mesh.records import Opener, Sealer
from iris.mesh.session import SessionV2
from iris.mesh.wire import WireLimits

from .plain import carry, cost, fault, flushed, record, session, told

ECHO = 0x500000001
HOP = (bytes(range(16)), 7)


def pair(**limits: Any) -> tuple[SessionV2, SessionV2]:
    """Two ends of a connection which have given each other their credit."""
    ours, theirs = session(SessionLimits(**limits)), session(SessionLimits(**limits))
    assert carry(ours, theirs) == carry(theirs, ours) == []
    return ours, theirs


# -- what is said is told ------------------------------------------------------------------------


def test_messages_arrive_in_order_and_grouped() -> None:
    ours, theirs = pair()
    assert ours.send(ECHO, 7, [b"a", b"b"]) == 2
    assert ours.send(ECHO, 7, [b"c"]) == 1
    assert ours.send(ECHO, 7, [b"\xc0"], packed=True) == 1
    assert ours.send(9, 7, [b"d"]) == 1
    assert carry(ours, theirs) == [
        (ECHO, 7, False, [b"a", b"b", b"c"]), (ECHO, 7, True, [b"\xc0"]), (9, 7, False, [b"d"]),
    ]  # fmt: skip


def test_everything_that_can_be_said_is_told() -> None:
    ours, theirs = pair()
    ours.lag_s = 0.25
    number = ours.ask(ECHO, 7, b"ask", True, 2.5, "token", 0.0, [HOP])
    assert number == 1
    assert ours.resolve("echo", 1.0, "name", 0.0) == 2
    assert ours.send_named("echo", 7, b"named")
    assert ours.monitor(11, ECHO)
    assert ours.demonitor(11)
    assert ours.down(12, 7, 8, "Panic", "boom")
    assert ours.link(7, ECHO)
    assert ours.unlink(7, ECHO)
    assert ours.exit(7, ECHO, 9, "Killed", "why")
    assert ours.ping(5)
    assert ours.undeliverable(7, ECHO, 3)
    assert ours.goodbye()
    # What costs no credit goes first, then small questions.
    assert told(carry(ours, theirs)) == [
        ("resolve", 2, "echo"),
        ("monitor", 11, ECHO),
        ("demonitor", 11),
        ("down", 12, 7, 8, "Panic", "boom"),
        ("link", 7, ECHO),
        ("unlink", 7, ECHO),
        ("exit", 7, ECHO, 9, "Killed", "why"),
        ("pinged", 0.25),
        ("undeliverable", 7, ECHO, 3),
        ("goodbye",),
        ("asked", 1, ECHO, 7, 2500, (HOP,), True, b"ask", 61),
        ("named", "echo", 7, False, b"named", 24),
    ]
    theirs.lag_s = 0.5
    assert theirs.reply(1, b"answer", packed=True)
    assert theirs.resolved(2, 99)
    assert told(carry(theirs, ours)) == [
        ("ponged", 5, 0.0), ("replied", "token", True, b"answer"), ("resolved", "name", 99),
    ]  # fmt: skip
    assert ours.outstanding() == []


def test_a_failed_question_brings_its_word_and_text() -> None:
    ours, theirs = pair()
    ours.ask(ECHO, 0, b"", False, 1.0, "token", 0.0)
    carry(ours, theirs)
    assert theirs.fail(1, "dead", "nobody is there")
    assert told(carry(theirs, ours)) == [("failed", "token", "dead", "nobody is there")]


def test_a_question_is_answered_once() -> None:
    ours, theirs = pair()
    ours.ask(ECHO, 0, b"", False, 1.0, "token", 0.0)
    ours.resolve("echo", 1.0, "name", 0.0)
    carry(ours, theirs)
    assert not theirs.resolved(1, 5)
    assert not theirs.reply(3, b"")
    theirs.resolved(2, 5)
    assert theirs.fail(2, "dead", "") is theirs.reply(2, b"") is theirs.resolved(2, 5) is False
    ours.ask(ECHO, 0, b"", False, 1.0, "another", 0.0)
    carry(ours, theirs)
    assert theirs.reply(3, b"x")
    assert theirs.fail(3, "dead", "") is theirs.reply(3, b"") is theirs.resolved(3, 5) is False


def test_pings_and_pongs_carry_how_late_each_side_is() -> None:
    ours, theirs = pair()
    ours.lag_s, theirs.lag_s = 0.125, 2.5
    ours.ping(1)
    assert told(carry(ours, theirs)) == [("pinged", 0.125)]
    assert told(carry(theirs, ours)) == [("ponged", 1, 2.5)]


# -- large payloads ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [65_460, 65_494, 65_495, 65_536, 200_000, 1 << 20, 5_000_000])
def test_large_payloads_of_all_kinds_arrive_whole(size: int) -> None:
    ours, theirs = pair(queued_bytes=1 << 25)
    payload = Random(size).randbytes(size)
    ours.send(ECHO, 7, [b"before", payload, b"after"])
    ours.send_named("echo", 7, payload)
    assert ours.ask(ECHO, 7, payload, True, 9.0, "token", 0.0, [HOP])
    events: list[Any] = []
    while ours.queued:
        events += carry(ours, theirs)
        carry(theirs, ours)
    assert ours.queued == theirs.held == 0
    assert told(events) == [
        ("messages", ECHO, 7, False, b"before"),
        ("messages", ECHO, 7, False, payload),
        ("messages", ECHO, 7, False, b"after"),
        ("named", "echo", 7, False, payload, size + 19),
        ("asked", 1, ECHO, 7, 9000, (HOP,), True, payload, size + 58),
    ]
    assert theirs.reply(1, payload)
    answers: list[Any] = []
    while theirs.queued:
        answers += carry(theirs, ours)
        carry(ours, theirs)
    assert told(answers) == [("replied", "token", False, payload)]
    assert theirs.untaken == ours.untaken == (0, 0)


def test_the_largest_payload_arrives_and_a_larger_one_is_refused() -> None:
    ours, theirs = pair(payload_bytes=300_000)
    wrong = "a payload of 300001 bytes is over payload_bytes=300000; send less"
    for call in (
        lambda payload: ours.send(1, 0, [b"", payload]),
        lambda payload: ours.send_named("n", 0, payload),
        lambda payload: ours.ask(1, 0, payload, False, 1.0, None, 0.0),
        lambda payload: ours.reply(1, payload),
    ):
        with pytest.raises(BadInput, match=wrong):
            call(bytes(300_001))
    assert (ours.queued, ours.outstanding()) == (0, [])
    assert ours.send(1, 0, [bytes(300_000)]) == 1
    events: list[Any] = []
    while ours.queued:
        events += carry(ours, theirs)
        carry(theirs, ours)
    assert cost(events) == (300_021, 1)


def test_a_large_payload_leaves_no_credit_behind() -> None:
    ours, theirs = pair()
    ours.send(1, 0, [bytes(3_000_000)])
    while ours.queued:
        carry(ours, theirs)
        carry(theirs, ours)
    theirs.check(1.0)
    carry(theirs, ours, 1.0)
    assert (ours.unacknowledged, ours.credit_bytes) == (0, 1 << 20)


def test_what_is_urgent_goes_between_fragments() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 7, [bytes(500_000)])
    theirs.receive_data(ours.data_to_send(0.0), 0.0)
    assert theirs.held > 65_000
    ours.ping(1)
    ours.ask(9, 8, b"small", False, 1.0, None, 0.0)
    events = theirs.receive_data(ours.data_to_send(0.0), 0.0)
    assert [event[0] for event in told(events)] == ["pinged", "asked"]


# -- order ---------------------------------------------------------------------------------------


def test_a_small_question_goes_ahead_of_messages_of_others() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 7, [b"flood"] * 10)
    ours.ask(ECHO, 8, b"ask", False, 1.0, None, 0.0)
    events = carry(ours, theirs)
    assert [event[0] for event in told(events)] == ["asked"] + ["messages"] * 10


def test_a_question_stays_behind_messages_of_its_own_asker_to_its_target() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 7, [b"first"])
    ours.send(9, 7, [b"elsewhere"])
    ours.ask(ECHO, 7, b"second", False, 1.0, None, 0.0)
    ours.ask(ECHO, 7, b"third", False, 1.0, None, 0.0)
    ours.send(ECHO, 7, [b"fourth"])
    events = told(carry(ours, theirs))
    payloads = [event[4 if event[0] == "messages" else 7] for event in events]
    assert payloads == [b"first", b"elsewhere", b"second", b"third", b"fourth"]
    ours.ask(ECHO, 7, b"ahead again", False, 1.0, None, 0.0)
    ours.send(ECHO, 7, [b"last"])
    assert [event[0] for event in told(carry(ours, theirs))] == ["asked", "messages"]


@pytest.mark.parametrize("seed", range(30))
def test_each_pair_of_actors_keeps_its_order(seed: int) -> None:
    random = Random(seed)
    ours, theirs = pair(window_bytes=65_536, queued_frames=200)
    sent: dict[tuple[int, int], list[int]] = {}
    seen: dict[tuple[int, int], list[int]] = {}
    numbers: list[int] = []

    def deliver(events: list[Any]) -> None:
        for event in told(events):
            if event[0] == "messages":
                seen.setdefault(event[1:3], []).append(int.from_bytes(event[4][:4], "big"))
            elif event[0] == "asked":
                seen.setdefault(event[2:4], []).append(int.from_bytes(event[7][:4], "big"))
        theirs.taken(*cost(events), 0.0)

    for count in range(600):
        target, sender = random.randint(1, 3), random.randint(0, 2)
        size = random.choice((0, 50, 3000, 20_000, 100_000))
        payload = count.to_bytes(4, "big") + bytes(size)
        if random.random() < 0.5:
            accepted = ours.send(target, sender, [payload])
        else:
            accepted = ours.ask(target, sender, payload, False, 1e3, None, 0.0)
            numbers.append(accepted)
        if accepted:
            sent.setdefault((target, sender), []).append(count)
        if random.random() < 0.4 and (data := ours.data_to_send(0.0)):
            deliver(theirs.receive_data(data, 0.0))
        if random.random() < 0.2:
            carry(theirs, ours)
        if count % 50 == 49 and numbers:
            ours.withdraw(random.choice(numbers))
    while ours.queued:
        deliver(carry(ours, theirs, take=False))
        carry(theirs, ours)
    for key, numbers_seen in seen.items():
        assert numbers_seen == [number for number in sent[key] if number in numbers_seen]
    assert sum(map(len, seen.values())) + ours.close().lost == sum(map(len, sent.values()))


# -- room ----------------------------------------------------------------------------------------


def test_messages_beyond_the_room_are_not_accepted_and_the_others_are() -> None:
    ours, _ = pair(queued_frames=3)
    assert ours.send(1, 0, [b"a", b"b"]) == 2
    assert ours.send(1, 0, [b"c", b"d"]) == 1
    assert ours.send(1, 0, [b"e"]) == 0
    assert not ours.send_named("n", 0, b"f")
    assert ours.queued == 3
    ours, _ = pair(queued_bytes=100)
    assert ours.send(1, 0, [bytes(40), bytes(18), b""]) == 2
    assert (ours.queued, ours.queued_bytes) == (2, 100)


def test_a_message_larger_than_the_room_waits_alone() -> None:
    ours, theirs = pair(queued_bytes=100)
    assert ours.send(1, 0, [bytes(200), b"x"]) == 1
    assert ours.send(1, 0, [b"x"]) == 0
    carry(ours, theirs)
    assert ours.send(1, 0, [b"x", bytes(200)]) == 1


def test_a_flood_keeps_no_small_question_out() -> None:
    ours, _ = pair(queued_frames=3)
    assert ours.send(1, 0, [b"a"] * 9) == 3
    assert ours.ask(2, 0, b"", False, 1.0, None, 0.0)
    # But one that would have to stand behind the flood fails at once.
    assert not ours.ask(1, 0, b"", False, 1.0, None, 0.0)
    assert not ours.ask(2, 0, bytes(5000), False, 1.0, None, 0.0)
    assert len(ours.outstanding()) == 1


def test_too_many_questions_are_refused() -> None:
    ours, theirs = pair(requests=2)
    assert ours.ask(1, 0, b"", False, 1.0, "a", 0.0)
    assert ours.resolve("b", 1.0, "b", 0.0)
    assert ours.ask(1, 0, b"", False, 1.0, "c", 0.0) == 0
    assert ours.resolve("d", 1.0, "d", 0.0) == 0
    carry(ours, theirs)
    theirs.resolved(2, 0)
    carry(theirs, ours)
    assert ours.outstanding() == ["a"]
    assert ours.resolve("e", 1.0, "e", 0.0)


def test_an_answer_without_room_fails_its_question_at_once() -> None:
    ours, theirs = pair(queued_frames=1)
    for _ in range(2):
        ours.ask(1, 0, b"", False, 1.0, "token", 0.0)
        carry(ours, theirs)
    assert theirs.reply(1, bytes(10_000))
    assert not theirs.reply(2, bytes(10_000))
    assert [event[:3] for event in told(carry(theirs, ours))] == [
        ("failed", "token", "full"), ("replied", "token", False),
    ]  # fmt: skip


def test_names_and_chains_have_limits() -> None:
    ours, _ = pair()
    for name, wrong in (("n" * 1025, "1025 bytes is over"), ("\ud800", "surrogate")):
        with pytest.raises(BadInput, match=wrong):
            ours.resolve(name, 1.0, None, 0.0)
        with pytest.raises(BadInput, match=wrong):
            ours.send_named(name, 0, b"")
    with pytest.raises(LimitReached, match="33 actors wait for each other"):
        ours.ask(1, 0, b"", False, 1.0, None, 0.0, [HOP] * 33)
    with pytest.raises(BadInput, match="'Bored' is no reason of an end: Normal, Killed"):
        ours.down(1, 2, 3, "Bored")
    assert ours.outstanding() == []


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"window_bytes": 65_535}, BadInput),
        ({"window_bytes": 2**31}, BadInput),
        ({"queued_frames": 0}, BadInput),
        ({"queued_bytes": 1.5}, TypeError),
        ({"payload_bytes": (1 << 26) + 1}, BadInput),
        ({"requests": 4097}, BadInput),
        ({"progress_s": 0}, BadInput),
        ({"progress_s": "1"}, TypeError),
    ],
)
def test_limits_out_of_range_are_refused(limits: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(limits))):
        SessionLimits(**limits)


# -- time ----------------------------------------------------------------------------------------


def test_a_question_expires_and_the_peer_is_told() -> None:
    ours, theirs = pair()
    ours.ask(ECHO, 0, b"", False, 2.0, "token", 10.0)
    ours.resolve("n", 1.0, "name", 10.0)
    carry(ours, theirs, 10.0)
    assert ours.deadline == 11.0
    assert ours.check(10.999) == []
    assert told(ours.check(11.0)) == [("expired", "name")]
    assert ours.deadline == 12.0
    assert told(ours.check(12.5)) == [("expired", "token")]
    assert ours.deadline is None
    assert told(carry(ours, theirs, 12.5)) == [("withdrawn", 1)]
    assert not theirs.reply(1, b"late")
    assert theirs.resolved(2, 5)
    assert carry(theirs, ours, 12.5) == []
    assert (ours.late, ours.unasked) == (1, 0)


def test_a_question_that_expires_before_it_was_written_never_is() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 7, [b"a"])
    ours.ask(ECHO, 7, b"in bulk", False, 1.0, 1, 0.0)
    ours.ask(ECHO, 8, b"quick", False, 1.0, 2, 0.0)
    assert told(ours.check(1.0)) == [("expired", 1), ("expired", 2)]
    assert ours.queued == 3
    assert told(carry(ours, theirs, 1.0)) == [("messages", ECHO, 7, False, b"a")]
    assert (ours.queued, ours.queued_bytes) == (0, 0)
    assert ours.close().lost == 2


def test_a_question_that_is_withdrawn_amid_its_fragments_is_taken_back_and_does_no_harm() -> None:
    ours, theirs = pair()
    number = ours.ask(ECHO, 7, bytes(200_000), False, 1.0, "token", 0.0)
    theirs.receive_data(ours.data_to_send(0.0), 0.0)
    assert ours.withdraw(number)
    assert not ours.withdraw(number)
    (asked,) = carry(ours, theirs)
    assert theirs.reply(asked.request, b"x")
    assert carry(theirs, ours) == []
    assert (ours.late, ours.close()) == (1, (1, 0, 0))


def test_what_was_taken_is_told_soon_even_when_there_is_nothing_else_to_say() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 0, [b"a", b"b"])
    carry(ours, theirs, 1.0)
    assert ours.unacknowledged == 2
    assert theirs.data_to_send(1.0) == b""
    assert theirs.deadline == 1.05
    assert theirs.check(1.05) == []
    # The time has come, and it may be some time before the system takes what is written.
    assert theirs.deadline is None
    carry(theirs, ours, 9.0)
    assert ours.unacknowledged == 0
    assert theirs.data_to_send(99.0) == b""


def test_what_was_taken_is_told_with_the_next_frame() -> None:
    ours, theirs = pair()
    ours.send(ECHO, 0, [b"a"])
    assert ours.credit_bytes == 1 << 20
    carry(ours, theirs, 1.0)
    assert ours.credit_bytes == (1 << 20) - 22
    theirs.ping(1)
    assert [frame[0] for frame in flushed(theirs, 1.0)] == [f.PING, f.CREDIT]
    assert theirs.deadline is None


def test_a_frame_in_fragments_must_go_on_while_it_can() -> None:
    ours, theirs = pair(progress_s=5.0)
    ours.send(1, 0, [bytes(150_000)])
    first, second, _ = (ours.data_to_send(0.0) for _ in range(3))
    theirs.receive_data(first, 10.0)
    assert theirs.check(10.05) == []
    assert theirs.deadline == 15.0
    theirs.receive_data(second, 14.0)
    theirs.check(14.05)
    assert theirs.deadline == 19.0
    assert theirs.check(18.9) == []
    error = fault(theirs.check(19.0))
    assert error.kind == "progress"
    assert str(error).startswith("a frame in fragments stands still for progress_s=5 seconds; 1310")
    assert (theirs.held, theirs.deadline) == (0, None)


def test_a_frame_in_fragments_may_wait_for_credit() -> None:
    theirs = session(SessionLimits(window_bytes=1 << 16, progress_s=5.0))
    messages = f.pack_messages(1, 0, False, [bytes(30_000), bytes(25_000)])
    whole = f.pack_message(2, 0, False, bytes(100_000))
    theirs.receive_data(record(*messages, f.pack_first(whole, 10_000)), 0.0)
    theirs.check(60.0)
    # 65,047 bytes have come of which 10,009 are in fragments: that much more was not told yet.
    assert theirs.deadline is None
    assert theirs.data_to_send(60.0)
    assert theirs.deadline is None
    theirs.taken(55_042, 2, 61.0)
    theirs.check(61.05)
    assert theirs.data_to_send(61.05)
    assert theirs.deadline == 66.05
    assert fault(theirs.check(66.05)).kind == "progress"


# -- peers that do wrong ---------------------------------------------------------------------------


def test_answers_that_nobody_asked_for_are_counted_and_ignored() -> None:
    ours, theirs = pair()
    ours.ask(ECHO, 0, b"", False, 1.0, "token", 0.0)
    ours.resolve("n", 1.0, "name", 0.0)
    carry(ours, theirs)
    answers = [
        f.pack_reply(0, False, b""), f.pack_reply(3, False, b""), f.pack_failed(99, "dead", ""),
        f.pack_pair(f.RESOLVED, 1, 5), f.pack_reply(2, False, b""),
    ]  # fmt: skip
    assert ours.receive_data(record(*answers), 0.0) == []
    assert (ours.late, ours.unasked) == (0, 5)
    assert ours.outstanding() == ["token", "name"]
    reply = f.pack_reply(1, False, b"right")
    assert told(ours.receive_data(record(reply, reply), 0.0)) == [
        ("replied", "token", False, b"right")
    ]
    assert (ours.late, ours.unasked) == (1, 5)


def test_a_request_number_that_has_no_answer_yet_is_refused() -> None:
    ask = f.pack_ask(1, 2, 0, 100, (), False, b"")
    assert fault(session().receive_data(record(ask, ask), 0.0)).kind == "request"
    resolve = f.pack_resolve(1, b"n")
    assert fault(session().receive_data(record(ask, resolve), 0.0)).kind == "request"
    theirs = session()
    assert told(theirs.receive_data(record(ask, f.pack_number(f.WITHDRAW, 1), ask), 0.0))[1:2] == [
        ("withdrawn", 1)
    ]


def test_a_withdrawal_of_nothing_is_nothing() -> None:
    theirs = session()
    theirs.receive_data(record(f.pack_resolve(1, b"n")), 0.0)
    numbers = record(f.pack_number(f.WITHDRAW, 1), f.pack_number(f.WITHDRAW, 7))
    assert theirs.receive_data(numbers, 0.0) == []
    assert theirs.resolved(1, 5)


def test_a_peer_that_asks_too_much_at_once_is_refused() -> None:
    theirs = session()
    for number in range(1, OWED_MOST + 1):
        assert len(theirs.receive_data(record(f.pack_resolve(number, b"n")), 0.0)) == 1
    error = fault(theirs.receive_data(record(f.pack_resolve(number + 1, b"n")), 0.0))
    assert (error.kind, str(error)) == (
        "request", "8192 requests have no answer; ask more when some have one",
    )  # fmt: skip


def test_a_peer_that_asks_and_does_not_read_is_refused() -> None:
    theirs = session()
    pings = record(*[f.pack_sign(f.PING, number, 0) for number in range(3800)])
    for _ in range(34):
        assert told(theirs.receive_data(pings, 1.0))[-1] == ("pinged", 0.0)
        assert theirs.deadline is None
    events = theirs.receive_data(pings, 2.0)
    assert fault(events).kind == "unread"
    assert str(fault(events)).startswith("133000 answers of 2261000 bytes wait for a peer")


def test_ends_of_actors_that_a_peer_does_not_read_lose_their_texts_and_then_break() -> None:
    theirs = session()
    count = 0
    while theirs.down(count, 2, 3, "Panic", "x" * 5000):
        count += 1
    assert theirs.deadline == 0.0
    assert 130_000 < count < 140_000
    frames = [theirs.data_to_send(0.0)]
    assert b"xxx" in frames[0]
    assert fault(theirs.check(1.0)).kind == "unread"
    assert theirs.deadline is None


def announced(size: int) -> bytes:
    """The first fragment of a message whose frame has so many bytes."""
    whole = size.to_bytes(4, "big") + f.HEADER.pack(f.MESSAGE, size - 5)
    return f.HEADER.pack(f.FIRST, len(whole)) + whole


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([b"\x19\x00\x00\x00\x00"], "type"),
        ([f.pack_pair(f.CREDIT, 1, 1 << 20)], "credit"),
        ([f.pack_pair(f.CREDIT, 0, 65_535)], "credit"),
        ([f.pack_pair(f.CREDIT, 0, 70_000), f.pack_pair(f.CREDIT, 0, 69_999)], "credit"),
        ([f.pack_more(b"abc", 0, 3)], "fragment"),
        ([f.pack_first(f.pack_reply(1, False, bytes(90)), 50)] * 2, "fragment"),
        ([f.pack_first(f.pack_reply(1, False, bytes(9)), 22)], "fragment"),
        ([f.pack_first(f.GOODBYE_FRAME + b"abc", 5)], "fragment"),
        ([f.pack_first(f.pack_first(bytes(90), 80), 50)], "fragment"),
        ([f.pack_first(f.pack_failed(1, "dead", "text"), 10)], "fragment"),
        ([announced(2**26 + 2049)], "fragment"),
        ([announced(2**32 - 1)], "fragment"),
        ([f.pack_first(bytes(5) + b"abc", 5)], "fragment"),
        (
            [f.pack_first(f.pack_reply(1, False, bytes(9)), 20), f.pack_more(bytes(9), 0, 3)],
            "fragment",
        ),
        ([f.HEADER.pack(f.MORE, 0)], "length"),
    ],
)
def test_what_a_session_refuses(frames: list[bytes], kind: str) -> None:
    theirs = session()
    assert fault(theirs.receive_data(record(*frames), 0.0)).kind == kind
    assert theirs.receive_data(record(f.GOODBYE_FRAME), 0.0) == []
    assert (theirs.held, theirs.deadline, theirs.check(1e9)) == (0, None, [])


def test_what_the_opener_finds_wrong_comes_last() -> None:
    theirs = session()
    events = theirs.receive_data(record(f.GOODBYE_FRAME) + b"\xff\xff\xff\xff", 0.0)
    assert told(events) == [("goodbye",), ("broken", "record")]
    theirs = session()
    events = theirs.receive_data(record(b"\x99") + b"\xff\xff\xff\xff", 0.0)
    assert told(events) == [("broken", "type")]


def test_a_fragment_announces_much_and_holds_only_what_has_come() -> None:
    theirs = session()
    assert theirs.receive_data(record(announced(2**26 + 2048)), 0.0) == []
    assert theirs.held == 5


# -- the end ---------------------------------------------------------------------------------------


def test_after_goodbye_nothing_new_is_accepted_and_answers_are() -> None:
    ours, theirs = pair()
    theirs.ask(1, 0, b"", False, 1.0, "token", 0.0)
    carry(theirs, ours)
    ours.send(1, 0, [b"before"])
    ours.goodbye()
    assert ours.send(1, 0, [b"after"]) == 0
    assert ours.ask(1, 0, b"", False, 1.0, None, 0.0) == ours.resolve("n", 1.0, None, 0.0) == 0
    assert ours.send_named("n", 0, b"") is ours.monitor(1, 2) is ours.link(1, 2) is False
    assert ours.reply(1, b"answer")
    assert ours.down(1, 2, 3, "Normal")
    assert [event[0] for event in told(carry(ours, theirs))] == [
        "goodbye", "replied", "down", "messages",
    ]  # fmt: skip


def test_after_the_end_nothing_is_accepted_sent_or_told() -> None:
    ours, theirs = pair()
    theirs.ask(1, 0, b"", False, 1.0, None, 0.0)
    theirs.send(1, 0, [b"a"])
    (_, messages) = carry(theirs, ours, take=False)
    ours.ask(1, 0, b"", False, 1.0, "token", 0.0)
    fates = ours.close()
    assert ours.close() == fates == (0, 0, 1)
    assert ours.outstanding() == ["token"]
    assert ours.send(1, 0, [b"a"]) == ours.ask(1, 0, b"", False, 1.0, None, 0.0) == 0
    assert ours.reply(1, b"") is ours.fail(1, "", "") is ours.resolved(1, 1) is False
    assert ours.ping(1) is ours.demonitor(1) is ours.goodbye() is False
    assert ours.data_to_send(9.0) == b""
    assert ours.receive_data(record(f.GOODBYE_FRAME), 9.0) == []
    assert (ours.check(9.0), ours.deadline) == ([], None)
    ours.taken(*cost([messages]), 9.0)


def test_more_is_not_taken_than_has_come() -> None:
    ours, theirs = pair()
    ours.send(1, 0, [b"a"])
    carry(ours, theirs, take=False)
    assert theirs.untaken == (22, 1)
    with pytest.raises(InternalError, match="23 bytes and 1 messages taken, 22 and 1 have come"):
        theirs.taken(23, 1, 0.0)


# -- over real records -----------------------------------------------------------------------------


def sealed_pair() -> tuple[SessionV2, SessionV2]:
    """Two ends of a connection whose records carry tags."""
    there, back, limits = bytes(32), bytes([1] * 32), WireLimits()
    ours = SessionV2(Sealer(there), Opener(back, limits), SessionLimits(), 0.0)
    return ours, SessionV2(Sealer(back), Opener(there, limits), SessionLimits(), 0.0)


def test_sessions_speak_through_records_with_tags() -> None:
    ours, theirs = sealed_pair()
    payloads = [b"a", bytes(65_400), bytes(300_000), b"b"]
    ours.send(ECHO, 7, payloads)
    ours.ask(ECHO, 8, b"ask", False, 1.0, "token", 0.0)
    events: list[Any] = []
    while ours.queued:
        events += told(carry(ours, theirs))
        carry(theirs, ours)
    asked, *messages = events
    assert [payload for *_, payload in messages] == payloads
    theirs.reply(asked[1], b"answer")
    assert told(carry(theirs, ours)) == [("replied", "token", False, b"answer")]


def test_a_record_that_is_bent_breaks_the_session() -> None:
    ours, theirs = sealed_pair()
    ours.goodbye()
    first = ours.data_to_send(0.0)
    ours.ping(1)
    second = bytearray(ours.data_to_send(0.0))
    second[6] ^= 1
    events = theirs.receive_data(first + bytes(second), 0.0)
    assert told(events) == [("goodbye",), ("broken", "tag")]


def test_a_record_that_stands_still_breaks_the_session() -> None:
    ours, theirs = sealed_pair()
    ours.goodbye()
    assert theirs.receive_data(ours.data_to_send(0.0)[:-1], 10.0) == []
    assert theirs.held > 20
    assert theirs.deadline == 15.0
    assert theirs.check(14.9) == []
    assert fault(theirs.check(15.0)).kind == "progress"
