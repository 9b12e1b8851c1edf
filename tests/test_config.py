"""The options of a runtime: checked when given, each message names the value and its limit."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from iris.config import (
    Config,
    ReleaseGilLimits,
    config_of,
    release_gil_limits,
    seconds,
    whole_number,
)
from iris.errors import BadInput

SECONDS = ["slice_s", "shutdown_timeout_s", "exit_drain_s"]


def test_the_defaults_are_those_that_are_promised() -> None:
    config = config_of({})
    assert config == Config()
    assert config.stop_word == b"quit"
    assert config.shutdown_timeout_s == 5.0
    assert config.exit_drain_s == 1.0
    assert config.pull_threads_max is None
    assert config.pull_strict is False
    assert config.pull_stack_bytes == 512 * 1024
    assert (config.dead_letters_max, config.on_undelivered, config.long_turn_ms) == (
        1000,
        None,
        100,
    )


def test_options_are_taken_over() -> None:
    config = config_of({"stop_word": None, "slice_s": 1, "pull_threads_max": 3})
    assert (config.stop_word, config.slice_s, config.pull_threads_max) == (None, 1, 3)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().slice_s = 1.0  # type: ignore[misc]


def test_an_unknown_option_is_refused_with_a_list_of_those_there_are() -> None:
    with pytest.raises(
        TypeError, match=r"no option 'stopword'; it has cluster_key, dead_letters_max, .*stop_word"
    ):
        config_of({"stopword": b"x"})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, 0.5, 1, 1e8])
def test_a_time_may_be_any_number_of_seconds(name: str, value: float) -> None:
    assert getattr(config_of({name: value}), name) == value


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [-1, -0.001, 1e9, float("inf"), float("nan")])
def test_a_time_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(BadInput, match=rf"{name}={value!r} is out of range; give 0 to 1e9"):
        config_of({name: value})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", ["1", None, True, [1]])
def test_a_time_that_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} is a number of seconds"):
        config_of({name: value})


@pytest.mark.parametrize("value", ["quit", bytearray(b"quit"), 1])
def test_the_stop_word_is_bytes_or_none(value: Any) -> None:
    with pytest.raises(TypeError, match="stop_word is bytes or None"):
        config_of({"stop_word": value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("pull_threads_max", 0, BadInput),
        ("pull_threads_max", 1.0, TypeError),
        ("pull_threads_max", True, TypeError),
        ("pull_strict", 0, TypeError),
        ("pull_strict", None, TypeError),
        ("pull_stack_bytes", 256 * 1024 - 1, BadInput),
        ("pull_stack_bytes", None, TypeError),
    ],
)
def test_a_wrong_number_of_threads_or_bytes_is_refused(
    name: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        config_of({name: value})


@pytest.mark.parametrize("value", [1, 5, 10])
def test_a_whole_number_within_its_limits_is_given_back(value: int) -> None:
    assert whole_number("n", value, least=1, most=10) == value


@pytest.mark.parametrize(
    ("value", "complaint"),
    [(0, "n=0 is below its least value 1"), (11, "n=11 is over its limit 10")],
)
def test_a_whole_number_beyond_its_limits_is_refused(value: int, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        whole_number("n", value, least=1, most=10)


@pytest.mark.parametrize("value", [1.0, "1", True, None])
def test_what_is_no_whole_number_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(TypeError, match=f"of type {type(value).__name__}"):
        whole_number("n", value, least=0)


@pytest.mark.parametrize("value", [0, 1, 0.5, float("inf")])
def test_a_time_to_wait_is_given_back_as_a_float(value: float) -> None:
    assert seconds("timeout_s", value) == value
    assert type(seconds("timeout_s", value)) is float


@pytest.mark.parametrize("value", [-1, -0.001, float("nan")])
def test_a_time_that_cannot_be_waited_for_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="give 0 seconds or more"):
        seconds("timeout_s", value)


@pytest.mark.parametrize("value", ["1", None, False, 1j])
def test_a_wait_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="timeout_s is a number of seconds"):
        seconds("timeout_s", value)


# -- actors with release_gil -----------------------------------------------------------------------

VARIABLES = {
    "IRIS_RELEASE_GIL_MAX_THREADS": "7",
    "IRIS_RELEASE_GIL_POOL_SIZE": " 3 ",
    "IRIS_RELEASE_GIL_STRICT": "Yes",
}


@pytest.mark.parametrize(("processors", "pool_size"), [(1, 5), (2, 6), (28, 32), (100, 32)])
def test_the_default_limits_of_release_gil(processors: int, pool_size: int) -> None:
    limits = release_gil_limits(Config(), {}, processors)
    assert limits == ReleaseGilLimits(max_threads=256, pool_size=pool_size, strict=False)


def test_the_environment_beats_the_defaults_and_an_option_beats_the_environment() -> None:
    assert release_gil_limits(Config(), VARIABLES, 2) == ReleaseGilLimits(7, 3, True)
    options = {
        "release_gil_max_threads": 1,
        "release_gil_pool_size": 2,
        "release_gil_strict": False,
    }
    assert release_gil_limits(config_of(options), VARIABLES, 2) == ReleaseGilLimits(1, 2, False)
    # Where the option is given, the variable is not looked at.
    spoilt = dict.fromkeys(VARIABLES, "spoilt")
    assert release_gil_limits(config_of(options), spoilt, 2) == ReleaseGilLimits(1, 2, False)


@pytest.mark.parametrize(
    ("text", "strict"),
    [("1", True), ("true", True), ("ON", True), ("0", False), ("No", False), (" off ", False)],
)
def test_words_for_a_flag_in_the_environment(text: str, strict: bool) -> None:
    assert release_gil_limits(Config(), {"IRIS_RELEASE_GIL_STRICT": text}, 2).strict is strict


@pytest.mark.parametrize("variable", ["IRIS_RELEASE_GIL_MAX_THREADS", "IRIS_RELEASE_GIL_POOL_SIZE"])
@pytest.mark.parametrize("text", ["", "0", "-1", "4.0", "many", "\u0664", "9" * 15, "9" * 9000])
def test_what_cannot_be_a_number_of_threads_in_the_environment(variable: str, text: str) -> None:
    with pytest.raises(BadInput, match=f"environment variable {variable}="):
        release_gil_limits(Config(), {variable: text}, 2)


def test_what_cannot_be_a_flag_in_the_environment() -> None:
    with pytest.raises(BadInput, match=r"IRIS_RELEASE_GIL_STRICT='maybe' .* give one of 1, true"):
        release_gil_limits(Config(), {"IRIS_RELEASE_GIL_STRICT": "maybe"}, 2)


@pytest.mark.parametrize("name", ["release_gil_max_threads", "release_gil_pool_size"])
def test_options_for_threads_out_of_range(name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}=0 is below its least value 1"):
        config_of({name: 0})
    with pytest.raises(TypeError, match=rf"{name} is a whole number, not True"):
        config_of({name: True})


@pytest.mark.parametrize("value", [1, 0, "yes"])
def test_an_option_that_is_no_flag(value: Any) -> None:
    with pytest.raises(
        TypeError, match=f"release_gil_strict is True, False or None, not {value!r}"
    ):
        config_of({"release_gil_strict": value})
