"""Buffers: filled in place, sent without a copy, spent by one accepted send."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import pytest

import iris
from iris.config import BUFFER_BYTES_MAX
from iris.interop import buffers
from iris.testing import SimRuntime


def books(rt: SimRuntime) -> dict[str, int]:
    """The counters of messages that are not 0."""
    but = ("spawned", "ended", "actors")
    return {name: number for name, number in rt.stats().items() if number and name not in but}


def test_the_handler_gets_a_read_only_view_of_the_same_memory() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    buffer_id, view, owner = iris.allocate_buffer(8)
    assert (view.nbytes, view.readonly, bytes(view)) == (8, False, bytes(8))
    assert (owner.id, owner.size, owner.view) == (buffer_id, 8, view)
    view[:5] = b"hello"
    early = view[5:]
    # A part taken before shows that it is the same memory and no copy.
    assert rt.send_buffer(pid, buffer_id) is True
    early[:] = b"!!!"
    rt.run_until_idle()
    (message,) = got
    assert type(message) is memoryview
    assert message.readonly
    assert bytes(message) == b"hello!!!"
    with pytest.raises(TypeError):
        message[0] = 1


def test_a_buffer_is_sent_by_the_lower_level_runtime_too() -> None:
    rt, got = SimRuntime(), []
    buffer_id, _, _owner = iris.allocate_buffer(1)
    assert rt._inner.send_buffer(rt.spawn(got.append), buffer_id)
    rt.run_until_idle()
    assert [bytes(message) for message in got] == [b"\0"]


def test_an_id_is_spent_by_one_send_and_the_second_counts_nothing() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    buffer_id, _, _owner = iris.allocate_buffer(1)
    assert rt.send_buffer(pid, buffer_id) is True
    assert rt.send_buffer(pid, buffer_id) is False
    rt.run_until_idle()
    assert len(got) == 1
    assert books(rt) == {"sent": 1, "accepted": 1, "handled": 1}


@pytest.mark.parametrize("unknown", [0, -1, 1 << 60, 1 << 100])
def test_an_id_that_was_never_given_out_gives_false_and_counts_nothing(unknown: int) -> None:
    rt = SimRuntime()
    assert rt.send_buffer(rt.spawn(bool), unknown) is False
    assert books(rt) == {}


@pytest.mark.parametrize("bad", [None, "1", 1.0, True, b"1", []])
def test_an_id_that_is_no_int_is_refused(bad: Any) -> None:
    rt = SimRuntime()
    with pytest.raises(TypeError, match="allocate_buffer") as caught:
        rt.send_buffer(rt.spawn(bool), bad)
    assert repr(bad) in str(caught.value)
    assert books(rt) == {}


@pytest.mark.parametrize(
    ("bad", "error"), [(None, TypeError), ("1", TypeError), (True, TypeError), (0, iris.BadInput)]
)
def test_a_pid_that_cannot_be_one_is_refused_and_the_id_stays_good(
    bad: Any, error: type[BaseException]
) -> None:
    rt, got = SimRuntime(), []
    buffer_id, view, _owner = iris.allocate_buffer(1)
    with pytest.raises(error):
        rt.send_buffer(bad, buffer_id)
    with pytest.raises(error):
        rt.send_buffer(bad, 0)
    view[0] = 7
    assert rt.send_buffer(rt.spawn(got.append), buffer_id)
    rt.run_until_idle()
    assert bytes(got[0]) == b"\7"


def test_an_accepted_send_makes_the_senders_view_unusable() -> None:
    rt = SimRuntime()
    buffer_id, view, owner = iris.allocate_buffer(1)
    rt.send_buffer(rt.spawn(bool), buffer_id)
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    with pytest.raises(ValueError, match="released"):
        owner.view[0] = 1


def test_a_send_that_is_refused_leaves_id_and_view_as_good_as_before() -> None:
    rt, got = SimRuntime(), []
    gone, full = rt.spawn(bool), rt.spawn_py_handler_bounded(got.append, 1, 1)
    rt.stop(gone)
    rt.send(full, b"first")
    buffer_id, view, _owner = iris.allocate_buffer(1)
    assert rt.send_buffer(gone, buffer_id) is False
    view[0] = 5
    assert rt.send_buffer(full, buffer_id) is False
    view[0] = 6
    rt.run_until_idle()
    assert rt.send_buffer(gone, buffer_id) is False
    assert rt.send_buffer(full, buffer_id) is True
    rt.run_until_idle()
    assert bytes(got[1]) == b"\6"
    assert books(rt) == {
        "sent": 5, "accepted": 2, "handled": 2, "refused": 1, "undeliverable": 2,
    }  # fmt: skip


def test_a_send_that_cannot_wait_leaves_the_id_good() -> None:
    rt, got, errors = SimRuntime(), [], []
    buffer_id, _, owner = iris.allocate_buffer(1)

    def to_itself(message: Any) -> None:
        got.append(message)
        if message == b"go":
            rt.send(rt.self_pid(), b"fills it")
            with pytest.raises(iris.WouldDeadlock) as caught:
                rt.send_buffer(rt.self_pid(), buffer_id)
            errors.append(caught.value)

    pid = rt.spawn_py_handler_bounded(to_itself, 1, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, b"go")
    rt.run_until_idle()
    assert len(errors) == 1
    assert rt.send_buffer(pid, owner.id) is True
    rt.run_until_idle()
    assert len(got) == 3


def test_under_the_policy_block_a_buffer_waits_as_every_message() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(got.append, 1, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, b"fills it")
    buffer_id, _, _owner = iris.allocate_buffer(3)
    assert rt.send_buffer(pid, buffer_id) is True
    rt.run_until_idle()
    assert [bytes(message) for message in got] == [b"fills it", bytes(3)]


def test_a_buffer_may_be_the_first_message_of_a_virtual_actor() -> None:
    rt, got = SimRuntime(), []
    buffer_id, _, _owner = iris.allocate_buffer(3)
    assert rt.send_buffer(rt.spawn_virtual(got.append, idle_timeout_ms=5), buffer_id)
    rt.run_until_idle()
    assert [bytes(message) for message in got] == [bytes(3)]


def test_the_bytes_of_the_stop_word_in_a_buffer_are_no_stop_word() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    rt.spawn_child(pid, bool)
    buffer_id, view, _owner = iris.allocate_buffer(4)
    view[:] = b"quit"
    assert rt.send_buffer(pid, buffer_id)
    rt.run_until_idle()
    assert [bytes(message) for message in got] == [b"quit"]
    assert rt.is_alive(pid)


def test_the_receivers_view_outlives_the_owner() -> None:
    rt, got = SimRuntime(), []
    buffer_id, view, owner = iris.allocate_buffer(3)
    view[:] = b"abc"
    rt.send_buffer(rt.spawn(got.append), buffer_id)
    owner.release()
    del owner, view
    gc.collect()
    rt.run_until_idle()
    assert bytes(got[0]) == b"abc"


def test_release_makes_the_id_void_and_the_view_unusable() -> None:
    rt = SimRuntime()
    buffer_id, view, owner = iris.allocate_buffer(3)
    owner.release()
    owner.release()
    assert rt.send_buffer(rt.spawn(bool), buffer_id) is False
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    assert books(rt) == {}


def test_the_end_of_its_block_releases_a_buffer_that_was_not_sent() -> None:
    rt = SimRuntime()
    with iris.allocate_buffer(3)[2] as owner:
        assert owner.size == 3
    assert rt.send_buffer(rt.spawn(bool), owner.id) is False
    with pytest.raises(KeyError), iris.allocate_buffer(3)[2] as owner:
        raise KeyError
    assert rt.send_buffer(rt.spawn(bool), owner.id) is False


def test_an_array_made_of_the_view_hinders_neither_release_nor_send() -> None:
    rt, got = SimRuntime(), []
    buffer_id, view, _owner = iris.allocate_buffer(8)
    numbers = memoryview(view).cast("Q")
    numbers[0] = 5
    assert rt.send_buffer(rt.spawn(got.append), buffer_id)
    rt.run_until_idle()
    assert got[0].cast("Q")[0] == 5
    _, view, owner = iris.allocate_buffer(8)
    holder = (ctypes.c_char * 8).from_buffer(view)
    owner.release()
    assert bytes(holder) == bytes(8)
    buffer_id, view, _owner = iris.allocate_buffer(8)
    holder = (ctypes.c_char * 8).from_buffer(view)
    assert rt.send_buffer(rt.spawn(got.append), buffer_id)
    rt.run_until_idle()
    assert bytes(got[1]) == bytes(holder)


def test_dropping_the_owner_frees_an_unsent_buffer() -> None:
    rt = SimRuntime()
    listed = len(buffers._unsent)
    buffer_id, view, owner = iris.allocate_buffer(1000)
    assert len(buffers._unsent) == listed + 1
    del owner, view
    gc.collect()
    assert len(buffers._unsent) == listed
    assert rt.send_buffer(rt.spawn(bool), buffer_id) is False


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (0, iris.BadInput), (-5, iris.BadInput), (BUFFER_BYTES_MAX + 1, iris.BadInput),
        (1 << 80, iris.BadInput), (True, TypeError), (1.0, TypeError), ("8", TypeError),
        (None, TypeError), (b"", TypeError),
    ],
)  # fmt: skip
def test_a_size_that_cannot_be_is_refused(bad: Any, error: type[BaseException]) -> None:
    listed = len(buffers._unsent)
    with pytest.raises(error, match="size") as caught:
        iris.allocate_buffer(bad)
    assert repr(bad) in str(caught.value)
    assert len(buffers._unsent) == listed


def test_unsent_buffers_are_bounded_and_dropped_ones_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    monkeypatch.setattr(buffers, "BUFFERS_MAX", len(buffers._unsent) + 10)
    for _ in range(100):
        iris.allocate_buffer(1)
    kept = [iris.allocate_buffer(1) for _ in range(10)]
    with pytest.raises(iris.LimitReached, match="released"):
        iris.allocate_buffer(1)
    kept.pop()[2].release()
    kept.append(iris.allocate_buffer(1))
    rt = SimRuntime()
    assert rt.send_buffer(rt.spawn(bool), kept[0][0])
    iris.allocate_buffer(1)


def test_after_shutdown_it_raises_as_all_but_send_do() -> None:
    rt = SimRuntime()
    pid = rt.spawn(bool)
    buffer_id, view, owner = iris.allocate_buffer(1)
    rt.shutdown()
    with pytest.raises(iris.RuntimeClosed):
        rt.send_buffer(pid, buffer_id)
    view[0] = 1
    assert SimRuntime().send_buffer(1, owner.id) is False
