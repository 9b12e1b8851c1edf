"""Calls with a buffer in the place of a number, and calls with all numbers in one buffer."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

import iris


@iris.offload
def scaled(x: float, k: float = 2.0) -> float:
    return x * k


@iris.offload
def square(n: int) -> int:
    return n * n


@iris.offload
def positive(x: float) -> bool:
    return x > 0


@iris.offload
def volume(a: float, b: float, c: float) -> float:
    return a * b * c


@iris.offload
def nothing(x: float) -> None:
    return None


@iris.offload
def stored(a: Any, x: float) -> None:
    a[0] = x


def test_a_buffer_for_a_number_is_gone_through() -> None:
    assert scaled(array("d", [1.0, 2.5])) == array("d", [2.0, 5.0])
    assert scaled(array("d", [1.0, 2.5]), 3.0) == array("d", [3.0, 7.5])
    assert scaled(2.0, array("f", [0.5, 1.5])) == array("d", [1.0, 3.0])
    assert scaled(x=memoryview(array("d", [4.0]))) == array("d", [8.0])


def test_several_buffers_are_gone_through_together() -> None:
    assert scaled(array("d", [1.0, 2.0]), array("i", [3, 4])) == array("d", [3.0, 8.0])


@pytest.mark.parametrize(
    ("function", "given", "typecode"),
    [(square, array("b", [2, -3]), "q"), (positive, array("d", [1.0, -1.0]), "B"),
     (scaled, array("h", [2]), "d"), (square, array("q"), "q"), (positive, array("f"), "B")],
)  # fmt: skip
def test_the_items_of_the_result_follow_from_the_function(
    function: Any, given: Any, typecode: str
) -> None:
    result = function(given)
    assert result.typecode == typecode
    assert result.tolist() == [function(one) for one in given]


def test_buffers_of_different_lengths_are_refused_with_both_named() -> None:
    with pytest.raises(ValueError, match="x has 2 items and k has 3"):
        scaled(array("d", [1.0, 2.0]), array("d", [1.0, 2.0, 3.0]))


def test_a_result_beyond_64_bits_is_refused_with_its_index() -> None:
    with pytest.raises(OverflowError, match="index 1"):
        square(array("q", [3, 2**40]))


def test_an_exception_of_one_element_comes_through() -> None:
    @iris.offload
    def inverse(x: float) -> float:
        return 1 / x

    with pytest.raises(ZeroDivisionError):
        inverse(array("d", [1.0, 0.0]))


def test_lists_bytes_and_what_gives_no_number_keep_the_meaning_of_python() -> None:
    assert scaled([1.0], 2) == [1.0, 1.0]
    assert scaled(b"ab", 2) == b"abab"
    assert nothing(array("d", [1.0])) is None
    with pytest.raises(TypeError):
        stored(array("d", [1.0]), array("d", [2.0]))


def test_one_buffer_holds_all_arguments() -> None:
    assert volume(array("d", [2.0, 3.0, 4.0])) == 24.0
    assert volume(array("i", [2, 3, 4])) == 24
    with pytest.raises(TypeError):
        volume(array("d", [2.0, 3.0]))
    # One parameter is not several.
    assert square(array("q", [5])) == array("q", [25])


def test_a_report_tells_of_the_profile() -> None:
    profiles = {one.profile for one in iris.jit.explain(positive).signatures}
    assert "element-wise" in profiles


def test_an_array_of_numpy_gives_one() -> None:
    numpy = pytest.importorskip("numpy")
    result = scaled(numpy.array([1.0, 2.0]))
    assert type(result) is numpy.ndarray
    assert result.tolist() == [2.0, 4.0]
    assert positive(numpy.array([1, -1])).dtype == bool
