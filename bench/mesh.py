"""Measure Iris's mesh: two processes over loopback, and with `--peers` other ways beside it.

`python -m bench.mesh --help` says how; README.md what the rows mean.
"""

from __future__ import annotations

import os
import sys

if not __package__:  # started as a file: the package is the folder above
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.command import Bench, main
from bench.rows import MESH_ROWS

MESH = Bench("mesh", "Measure Iris's mesh.", MESH_ROWS, ("asyncio", "sockets", "erlang"))

if __name__ == "__main__":
    sys.exit(main(MESH))
