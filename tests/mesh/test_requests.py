"""Requests without an answer: their numbers, their times, and answers that are none."""

from __future__ import annotations

from random import Random

from iris.mesh.requests import Requests

ASK, RESOLVE = 1, 2


def test_numbers_are_never_used_twice_and_never_0() -> None:
    requests = Requests(2)
    assert [requests.add(ASK, None, 1.0), requests.add(ASK, None, 1.0)] == [1, 2]
    assert requests.full
    assert requests.withdraw(1)
    assert not requests.full
    assert requests.add(ASK, None, 1.0) == 3


def test_an_answer_ends_its_request() -> None:
    requests = Requests(9)
    number = requests.add(ASK, "token", 1.0)
    assert requests.answer(ASK, number) == (ASK, "token")
    assert (len(requests), requests.deadline) == (0, None)
    assert requests.answer(ASK, number) is None
    assert (requests.late, requests.unasked) == (1, 0)


def test_an_answer_of_another_kind_is_none() -> None:
    requests = Requests(9)
    number = requests.add(ASK, "token", 1.0)
    assert requests.answer(RESOLVE, number) is None
    assert (requests.late, requests.unasked, requests.tokens()) == (0, 1, ["token"])


def test_answers_to_what_was_never_asked_are_counted_apart_from_late_ones() -> None:
    requests = Requests(9)
    requests.add(ASK, None, 1.0)
    requests.expired(1.0)
    for number in (0, 1, 2, 2**64 - 1):
        assert requests.answer(ASK, number) is None
    assert (requests.late, requests.unasked) == (1, 3)


def test_requests_expire_in_the_order_of_their_times() -> None:
    requests = Requests(9)
    for token, deadline in (("c", 3.0), ("a", 1.0), ("d", 4.0), ("b", 2.0)):
        requests.add(ASK, token, deadline)
    requests.withdraw(2)
    assert requests.deadline == 2.0
    assert requests.expired(1.9) == []
    assert [token for _, _, token in requests.expired(3.0)] == ["b", "c"]
    assert requests.deadline == 4.0
    assert requests.tokens() == ["d"]
    assert not requests.withdraw(1)


def test_tokens_come_in_the_order_of_the_requests() -> None:
    requests = Requests(9)
    for token in "abcd":
        requests.add(ASK, token, 9.0 - len(requests))
    requests.answer(ASK, 2)
    assert requests.tokens() == ["a", "c", "d"]


def test_what_was_answered_long_before_its_time_is_forgotten() -> None:
    requests = Requests(4096)
    for _ in range(100_000):
        requests.answer(ASK, requests.add(ASK, None, 1e6))
    assert len(requests._times) < 200  # the one thing that could grow


def test_random_histories_agree_with_a_plain_list() -> None:
    for seed in range(30):
        random = Random(seed)
        requests, plain = Requests(50), {}
        for step in range(400):
            choice = random.random()
            if choice < 0.5 and not requests.full:
                deadline = step + random.randint(1, 40)
                plain[requests.add(ASK, step, float(deadline))] = (deadline, step)
            elif choice < 0.7 and plain:
                number = random.choice(list(plain))
                assert requests.answer(ASK, number) == (ASK, plain.pop(number)[1])
            elif choice < 0.8 and plain:
                number = random.choice(list(plain))
                assert requests.withdraw(number)
                del plain[number]
            else:
                over = {number for number, (deadline, _) in plain.items() if deadline <= step}
                assert {number for number, _, _ in requests.expired(float(step))} == over
                for number in over:
                    del plain[number]
            assert requests.deadline == min((at for at, _ in plain.values()), default=None)
            assert requests.tokens() == [token for _, token in plain.values()]
