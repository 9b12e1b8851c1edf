"""Erlang's own distribution between two nodes of one scheduler each, where it is installed.

The nodes have an address of the loopback each, so that both can listen on one port that is agreed
beforehand, and no name server is left running afterwards.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable

from bench.gauges import Figures
from bench.peers.erlang import INSTALLED, LIMIT_S

SOURCE = Path(__file__).with_name("iris_mesh_bench.erl")


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def node(name: str, address: str, port: int, folder: str) -> list[str]:
    """The command of one node."""
    interface = "{" + address.replace(".", ",") + "}"
    return [
        "erl", "-noshell", "-noinput", "+S", "1:1", "-pa", folder,
        "-name", f"{name}@{address}", "-setcookie", "bench",
        "-start_epmd", "false", "-erl_epmd_port", str(port),
        "-kernel", "inet_dist_use_interface", interface,
    ]  # fmt: skip


def run(workload: str, n: int, repeats: int) -> list[Figures]:
    """Run a workload so often between two nodes and return the figures of its repeats."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["erlc", "-o", folder, str(SOURCE)], check=True, timeout=LIMIT_S)
        port = free_port()
        far = subprocess.Popen(node("far", "127.0.0.2", port, folder))
        try:
            near = [
                *node("near", "127.0.0.1", port, folder),
                *("-run", "iris_mesh_bench", "main", workload, str(n), str(repeats)),
            ]
            output = subprocess.run(
                near, check=True, timeout=LIMIT_S, stdout=subprocess.PIPE
            ).stdout
        finally:
            far.kill()
            far.wait()
    figures: list[Figures] = json.loads(output.splitlines()[-1])["repeats"]
    return figures


NAMES = (
    "oneway",
    "oneway_actor",
    "oneway_100",
    "oneway_actor_100",
    "oneway_1k",
    "trip",
    "trip_flood",
)
REPEATED: dict[str, Callable[[int, int], list[Figures]]] = {
    name: partial(run, name) for name in NAMES
}
NOT_FEASIBLE: dict[str, str] = (
    {} if INSTALLED else dict.fromkeys(NAMES, "erl and erlc are not installed")
)
