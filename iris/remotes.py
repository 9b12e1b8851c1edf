"""The calls of `Runtime` and `PyRuntime` about other nodes.

Delegation only, like `iris.facade`, from which they are apart for size alone.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Optional, Union

from iris.interop.awaiting import Outcome
from iris.mesh.peer import NodeInfo
from iris.system import System


class RemoteFacade:
    """Other nodes of one runtime; see `iris.Runtime`."""

    _system: System

    def listen(self, addr: str, *, insecure: bool = False) -> str:
        """Let other nodes resolve names here and send to actors.

        Args:
            addr: "host:port" or "[IPv6]:port"; port 0 takes a free one.
            insecure: whether anybody may come in who can reach this machine. Without it only
                addresses of this very machine are taken, such as 127.0.0.1.

        Returns:
            The address with the real port, also in `listen_addresses`.

        Raises:
            TypeError, BadInput: an unusable address, or one off this machine without `insecure`.
            OSError: it cannot be opened: in use, not of this machine, no right to.
            RuntimeClosed: after shutdown.

        Several addresses may be opened. Waits only where a host name has to be looked up. From
        any thread and handler.
        """
        return self._system.mesh.listen(addr, insecure)

    @property
    def listen_addresses(self) -> list[str]:
        """Where this node listens, in the order of the calls. From any thread; never waits."""
        return self._system.mesh.addresses()

    def resolve_remote(self, addr: str, name: str) -> Optional[int]:
        """Ask another node for the actor with a name (or a path), and make a proxy for it.

        A proxy is an actor of this runtime that stands for the other one: `send`, `link`,
        `monitor`, `register` and so on take its pid as any other. It ends as `NodeDown` when its
        node is judged down. Between nodes with a `cluster_key` it takes what msgpack packs, and
        `ask`, and ends with its actor, for the same reason; without, it takes bytes. Asking
        again gives the same proxy.

        Args:
            addr: where the other node listens.
            name: 1 to 1,024 bytes in UTF-8.

        Returns:
            The pid of the proxy; None when nobody there has the name.

        Raises:
            NodeUnreachable: the node does not answer, within `io_timeout_s` (5 s) of
                `MeshLimits`.
            TypeError, BadInput: an unusable address or name.
            WouldDeadlock: in an asyncio loop; await `resolve_remote_py` there.
            RuntimeClosed: after shutdown.

        Blocks the calling thread, or only the calling greenlet where there is a gevent hub.
        """
        return self._system.mesh.resolve(addr, name)

    def resolve_remote_py(self, addr: str, name: str) -> Awaitable[Optional[int]]:
        """As `resolve_remote`, to be awaited in any asyncio loop.

        The question is on its way when this returns. The result may be awaited several times; to
        cancel an await cancels nothing else.
        """
        outcome = Outcome()
        self._system.mesh.begin_resolve(addr, name, outcome.settle)
        return outcome

    def send_remote(self, addr: str, pid: Union[int, str], data: Any) -> bool:
        """Send to an actor at another node.

        Args:
            addr: where the other node listens.
            pid: of its proxy here, or its own pid there; between nodes with a `cluster_key` also
                a name, for whoever has it there when the message arrives.
            data: as `send` takes it for a proxy; bytes up to `payload_bytes` of `MeshLimits`, with
                a `cluster_key` up to 64 MiB.

        Returns:
            True when it is on its way; False when too much waits for this node already.

        Raises:
            TypeError, BadInput: an unusable address, pid or message.
            RuntimeClosed: after shutdown.

        Does not wait, not even for a connection: what cannot be sent after all is counted as
        `lost`. From any thread and handler.
        """
        return self._system.mesh.send(addr, pid, data)

    def monitor_remote(self, addr: str, pid: int) -> int:
        """Watch the node of an actor elsewhere, so that the end of the node is the actor's end.

        Every proxy is watched so. Called by an actor that receives system messages, it gets
        one DOWN at the end, as by `monitor`.

        Args:
            addr: where the other node listens.
            pid: of the actor's proxy here, or its own pid there.

        Returns:
            The pid of the proxy.

        Raises:
            TypeError, BadInput: an unusable address or pid.
            RuntimeClosed: after shutdown.

        Does not wait. From any thread and handler.
        """
        return self._system.mesh.monitor(addr, pid)

    def watch_node(self, addr: str, observer_pid: int) -> None:
        """Have an actor told how another node does, until the actor ends.

        It gets PING when the node is probed (each second), PONG with `round_trip_s` in the
        metadata when it answers, NODE_DOWN with `reason` and `message` when it is judged down,
        at once if it is, and NODE_UP when it is back. The metadata has the `address`, too.

        Args:
            addr: where the other node listens.
            observer_pid: an observed actor, a pull actor, or one spawned with `trap_exit=True`.

        Raises:
            ActorError: the observer cannot receive system messages.
            ActorDead: it has ended.
            TypeError, BadInput: an unusable address or pid.
            RuntimeClosed: after shutdown.

        Does not wait. From any thread and handler.
        """
        self._system.mesh.watch(addr, observer_pid)

    def is_node_up(self, addr: str) -> bool:
        """Ask another node for a sign of life.

        Returns:
            Whether it has answered, within `io_timeout_s` (5 s) of `MeshLimits`.

        Raises:
            TypeError, BadInput: an unusable address.
            WouldDeadlock: in an asyncio loop.
            RuntimeClosed: after shutdown.

        Blocks as `resolve_remote` does.
        """
        return self._system.mesh.is_up(addr)

    def register_type(self, code: int, cls: type[Any]) -> None:
        """Let a dataclass travel in messages between nodes with a `cluster_key`.

        Its fields travel in their order, without names, so new ones come last and have a default.

        Args:
            code: 0 to 127, the number of the class, the same on all nodes.
            cls: the dataclass; a subclass is another class. Its constructor is called on the
                thread of the mesh, with what another node has sent, so it should be quick and
                trust nothing.

        Raises:
            TypeError, BadInput: no such class, or code or class are taken.
            RuntimeClosed: after shutdown.

        To be called before messages go. Does not wait.
        """
        self._system.mesh.register_type(code, cls)

    def nodes(self) -> list[NodeInfo]:
        """What is known of other nodes that this one has to do with, by address.

        Returns:
            A `NodeInfo` for each: `address`, `state` ("up", "suspect", "down"), `reason`,
            `round_trip_s`, `lag_s`, `proxies`.

        From any thread and handler; does not wait.
        """
        return self._system.mesh.nodes()
