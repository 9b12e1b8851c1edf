"""The version of Iris, written down once.

The build reads it from here without importing the package, and `iris.version()` returns
it without asking the installed metadata, which would cost milliseconds at import.
"""

from __future__ import annotations

__all__ = ["__version__", "version"]

__version__ = "0.1.0"


def version() -> str:
    """The version of Iris, such as "0.1.0"."""
    return __version__
