"""Measure Iris's actors, and with `--peers` other systems beside them.

`python -m bench.actors --help` says how; README.md what the rows mean.
"""

from __future__ import annotations

import os
import sys

if not __package__:  # started as a file: the package is the folder above
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.command import Bench, main
from bench.rows import ROWS

ACTORS = Bench(
    "actors", "Measure Iris's actors.", ROWS, ("gevent", "asyncio", "pykka", "threads", "erlang")
)

if __name__ == "__main__":
    sys.exit(main(ACTORS))
