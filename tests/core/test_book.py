"""Books give their memory back when they are empty."""

from __future__ import annotations

import sys

import pytest

from iris.core.book import strike


def test_an_entry_is_removed_and_its_value_returned() -> None:
    book = {1: "one", 2: "two"}
    assert strike(book, 1) == "one"
    assert strike(book, 1) is None
    assert book == {2: "two"}


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython knows sizes")
def test_an_emptied_book_is_as_small_as_a_new_one() -> None:
    book = dict.fromkeys(range(10_000), "")
    large = sys.getsizeof(book)
    for key in range(10_000):
        strike(book, key)
    assert sys.getsizeof(book) <= sys.getsizeof({}) < large
