"""A shared library that is no sidecar gives a reason, and nothing of cffi's own."""

from __future__ import annotations

import pytest

from iris.jit import shim


def test_foreign_library_is_a_reason() -> None:
    foreign = getattr(pytest.importorskip("_cffi_backend"), "__file__", None)
    if foreign is None or not foreign.endswith(".so"):
        pytest.skip("cffi is no shared library here")
    with pytest.raises(shim.Unavailable, match="is no sidecar of Iris"):
        shim._load(foreign)
