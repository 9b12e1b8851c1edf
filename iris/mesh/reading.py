"""Frames of version 2 out of records: what each must look like, and the loop that reads them.

It owns the rules for the bytes of a frame, as a table, and refuses to know what a frame means: it
hands the fields to a callable for its type. It stands apart from the session because its loop is
what receiving costs. A record holds whole frames, so nothing is kept from one to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, Callable, NamedTuple

from iris.config import NAME_BYTES_MAX
from iris.core.messages import CHAIN_MOST
from iris.mesh import frames as f
from iris.mesh.credit import is_credited
from iris.mesh.events import Event, Messages
from iris.mesh.wire import WireError

_message_header = f.MESSAGE_HEADER.unpack_from
_header = f.HEADER.unpack_from
_new = tuple.__new__

Act = Callable[..., Any]
"""Given an owner and the fields of a frame: the event to be told, or None."""


def read_record(
    record: bytes, acts: Mapping[int, Act], owner: Any, events: list[Event]
) -> tuple[int, int]:
    """Read all frames of a record.

    Messages become `Messages` events, grouped while both actors stay the same, in this loop and
    not by a call each.

    Args:
        record: whole frames.
        acts: for each type besides messages, what is called with the owner and its fields.
        owner: the first argument of those.
        events: what was read is appended to it, also when an error follows.

    Returns:
        How many bytes of it cost credit, and how many messages and questions there were.

    Raises:
        WireError: a frame is wrong. What came before it was read, and counts.
    """
    offset, end = 0, len(record)
    header_bytes = f.MESSAGE_BYTES
    exempt = count = 0
    payloads: list[bytes] = []
    run_pid = run_sender = run_kind = -1
    add = payloads.append
    while offset < end:
        if record[offset] > f.MESSAGE | f.PACKED:
            kind, stop = _read_other(record, offset, acts, owner, events)
            if not is_credited(kind, stop - offset):
                exempt += stop - offset
            if f.NAMED <= kind <= f.ASK | f.PACKED:
                count += 1
            offset, run_pid = stop, -1
            continue
        start = offset + header_bytes
        if start > end:
            raise _cut_off(record, offset)
        kind, size, pid, sender = _message_header(record, offset)
        stop = start - 16 + size
        if stop > end or stop < start:
            raise _cut_off(record, offset)
        if pid == run_pid and sender == run_sender and kind == run_kind:
            add(record[start:stop])
        else:
            payloads = [record[start:stop]]
            events.append(_new(Messages, (pid, sender, kind == 1, payloads)))
            run_pid, run_sender, run_kind, add = pid, sender, kind, payloads.append
        count += 1
        offset = stop
    return end - exempt, count


def _read_other(
    record: bytes, offset: int, acts: Mapping[int, Act], owner: Any, events: list[Event]
) -> tuple[int, int]:
    """Read the frame at this offset that is no message; gives its type and where it ends."""
    kind = record[offset]
    form = FORMS.get(kind)
    if form is None:
        raise WireError("type", f"no frame of version 2 has the type {kind:#04x}")
    start = offset + f.HEADER.size
    if start > len(record):
        raise _cut_off(record, offset)
    size: int = _header(record, offset)[1]
    if not form.least <= size <= form.most:
        raise WireError(
            "length",
            f"the body of a frame of type {kind:#04x} has {size} bytes; it has {form.least} to"
            f" {form.most}",
        )
    stop = start + size
    if stop > len(record):
        raise _cut_off(record, offset)
    event = acts[kind](owner, *form.parse(record, start, stop))
    if event is not None:
        events.append(event)
    return kind, stop


def _cut_off(record: bytes, offset: int) -> WireError:
    return WireError(
        "length",
        f"a frame of type {record[offset]:#04x} does not end with its record of {len(record)}"
        " bytes; a record holds whole frames",
    )


def _utf8(what: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WireError("utf8", f"a {what} of {len(data)} bytes is not UTF-8") from None


def _inside(what: str, at: int, stop: int) -> None:
    """What begins in a body has to end in it."""
    if at > stop:
        raise WireError("length", f"the {what} of a frame is longer than its body")


def _named(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    sender, size = f.NAMED_BODY.unpack_from(data, start)
    if size > NAME_BYTES_MAX:
        raise WireError("name", f"a name of {size} bytes is over the limit of {NAME_BYTES_MAX}")
    at = start + f.NAMED_BODY.size
    _inside("name", at + size, stop)
    name = _utf8("name", data[at : at + size])
    packed = data[start - 5] == f.NAMED | f.PACKED
    return name, sender, packed, data[at + size : stop], stop - start + f.HEADER.size


def _ask(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    request, target, sender, remaining_ms, hops = f.ASK_BODY.unpack_from(data, start)
    if hops > CHAIN_MOST:
        raise WireError("chain", f"a chain of {hops} actors is over the limit of {CHAIN_MOST}")
    at = start + f.ASK_BODY.size
    after = at + hops * f.HOP.size
    _inside("chain", after, stop)
    chain = tuple(f.HOP.iter_unpack(data[at:after])) if hops else ()
    packed = data[start - 5] == f.ASK | f.PACKED
    cost_bytes = stop - start + f.HEADER.size
    return request, target, sender, remaining_ms, chain, packed, data[after:stop], cost_bytes


def _reply(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    (request,) = f.REQUEST_BODY.unpack_from(data, start)
    packed = data[start - 5] == f.REPLY | f.PACKED
    return request, packed, data[start + 8 : stop], stop - start + f.HEADER.size


def _failed(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    request, size = f.FAILED_BODY.unpack_from(data, start)
    if size > f.WORD_BYTES_MOST:
        raise WireError("length", f"a word of {size} bytes is over {f.WORD_BYTES_MOST}")
    at = start + f.FAILED_BODY.size
    _inside("word", at + size, stop)
    word, text = data[at : at + size], data[at + size : stop]
    return request, _utf8("word", word), _utf8("text", text)


def _resolve(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    return (*f.REQUEST_BODY.unpack_from(data, start), _utf8("name", data[start + 8 : stop]))


def _end(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    first, second, by, number = f.END_BODY.unpack_from(data, start)
    if number >= len(f.REASONS):
        raise WireError("reason", f"no end of an actor has the number {number}")
    text = _utf8("text", data[start + f.END_BODY.size : stop])
    return first, second, by, f.REASONS[number], text


def _sign(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    number, lag_us = f.SIGN_BODY.unpack(data[start:stop])
    return number, lag_us / 1e6


def _first(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    return (*f.FIRST_BODY.unpack_from(data, start), data[start + 4 : stop])


def _more(data: bytes, start: int, stop: int) -> tuple[Any, ...]:
    return (data[start:stop],)


def _fixed(fields: Struct) -> Form:
    """For a body that is these fields and nothing more."""
    return Form(fields.size, fields.size, lambda data, at, stop: fields.unpack(data[at:stop]))


class Form(NamedTuple):
    """What a body looks like."""

    least: int
    most: int
    parse: Callable[[bytes, int, int], tuple[Any, ...]]


_END_MOST = f.END_BODY.size + f.TEXT_BYTES_MOST
_FAILED_MOST = f.FAILED_BODY.size + f.WORD_BYTES_MOST + f.TEXT_BYTES_MOST

FORMS: dict[int, Form] = {
    f.NAMED: Form(f.NAMED_BODY.size, f.INNER_BYTES_MOST, _named),
    f.NAMED | f.PACKED: Form(f.NAMED_BODY.size, f.INNER_BYTES_MOST, _named),
    f.ASK: Form(f.ASK_BODY.size, f.INNER_BYTES_MOST, _ask),
    f.ASK | f.PACKED: Form(f.ASK_BODY.size, f.INNER_BYTES_MOST, _ask),
    f.REPLY: Form(8, f.INNER_BYTES_MOST, _reply),
    f.REPLY | f.PACKED: Form(8, f.INNER_BYTES_MOST, _reply),
    f.FAILED: Form(f.FAILED_BODY.size, _FAILED_MOST, _failed),
    f.WITHDRAW: _fixed(f.REQUEST_BODY),
    f.RESOLVE: Form(8, 8 + NAME_BYTES_MAX, _resolve),
    f.RESOLVED: _fixed(f.PAIR_BODY),
    f.MONITOR: _fixed(f.PAIR_BODY),
    f.DEMONITOR: _fixed(f.REQUEST_BODY),
    f.DOWN: Form(f.END_BODY.size, _END_MOST, _end),
    f.LINK: _fixed(f.PAIR_BODY),
    f.UNLINK: _fixed(f.PAIR_BODY),
    f.EXIT: Form(f.END_BODY.size, _END_MOST, _end),
    f.PING: Form(f.SIGN_BODY.size, f.SIGN_BODY.size, _sign),
    f.PONG: Form(f.SIGN_BODY.size, f.SIGN_BODY.size, _sign),
    f.CREDIT: _fixed(f.PAIR_BODY),
    f.FIRST: Form(f.FIRST_BODY.size + f.HEADER.size, f.RECORD_BYTES, _first),
    f.MORE: Form(1, f.RECORD_BYTES, _more),
    f.GOODBYE: _fixed(f.GOODBYE_BODY),
    f.UNDELIVERABLE: _fixed(f.UNDELIVERABLE_BODY),
}
"""All frames besides messages: the least and the most their body may have, and its fields."""
