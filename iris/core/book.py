"""Books that give their memory back: how an entry is struck out of a dict that may be large.

A dict never shrinks by a removal: one that has held 100,000 entries keeps 5 MiB when it is
empty. Only `clear` gives that back, and on an empty dict it costs nothing worth measuring.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Optional, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


EMPTY: Any = MappingProxyType({})
"""The book of whoever has none: all share this one, in which nothing can be written. An empty dict
for each is 64 bytes, and one more thing that the collector of garbage looks at."""


def strike(book: dict[Key, Value], key: Key) -> Optional[Value]:
    """Remove an entry and return its value, None where there was none."""
    if not book:
        return None
    value = book.pop(key, None)
    if not book:
        book.clear()
    return value
