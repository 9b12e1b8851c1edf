"""Version 1 read a second time, slowly and from the page that specifies it.

Shares no code with `iris.mesh`, so that a mistake in reading the page is not made in both.
"""

from __future__ import annotations

from typing import Any

PAYLOAD_BYTES = 1024 * 1024
NAME_BYTES = 1024


def read_server_side(
    stream: bytes, payload_bytes: int = PAYLOAD_BYTES, name_bytes: int = NAME_BYTES
) -> tuple[list[tuple[Any, ...]], int]:
    """What a server has to see in all that a client has sent, and how many bytes it cannot use yet.

    A user message is ("user", pid, payload), a question ("resolve", name), a fault
    ("broken", kind), after which nothing comes.
    """
    seen: list[tuple[Any, ...]] = []
    if not stream:
        return seen, 0
    if stream[0] != 1:
        return [("broken", "version")], 0
    rest = stream[1:]
    while rest:
        if rest[0] == 0:
            if len(rest) < 13:
                break
            size = int.from_bytes(rest[9:13], "big")
            if size > payload_bytes:
                return [*seen, ("broken", "payload")], 0
            if len(rest) < 13 + size:
                break
            seen.append(("user", int.from_bytes(rest[1:9], "big"), rest[13 : 13 + size]))
            rest = rest[13 + size :]
        elif rest[0] == 1:
            if len(rest) < 5:
                break
            size = int.from_bytes(rest[1:5], "big")
            if size > name_bytes:
                return [*seen, ("broken", "name")], 0
            if len(rest) < 5 + size:
                break
            try:
                seen.append(("resolve", str(rest[5 : 5 + size], "utf-8")))
            except UnicodeDecodeError:
                return [*seen, ("broken", "utf8")], 0
            rest = rest[5 + size :]
        elif rest[0] in {2, 3}:
            rest = rest[1:]
        else:
            return [*seen, ("broken", "type")], 0
    return seen, len(rest)
