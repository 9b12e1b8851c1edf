"""`python -m iris` is the `iris` command."""

from __future__ import annotations

import sys

from iris.cli import main

if __name__ == "__main__":
    sys.exit(main())
