"""The calls of `Runtime` and `PyRuntime` that send: messages, questions, answers.

Delegation only, like `iris.facade`, from which they are apart for size alone.
"""

from __future__ import annotations

from typing import Any, Optional

from iris.run.context import ReplyTo
from iris.system import System


class MessageFacade:
    """Messages of one runtime; see `iris.Runtime`."""

    _system: System

    def _bind(self, system: System) -> None:
        self._system = system
        # The methods below are for reading; this saves a call of 50 ns on every message.
        self.send = system.delivery.send  # type: ignore[method-assign,assignment]
        self.ask = system.asking.ask  # type: ignore[method-assign]
        self.reply = system.asking.reply  # type: ignore[method-assign]

    # -- messages ------------------------------------------------------------------------

    def send(self, pid: int, data: Any) -> bool:
        """Put a message into an actor's mailbox.

        Args:
            pid: the receiver.
            data: `bytes` and other objects pass by reference; a `bytearray` or `memoryview`
                is copied to `bytes` here, because somebody may change it later.

        Returns:
            True when the mailbox accepted it. False when there is no living actor with this
            pid (any more), when it is stopping, or when its bounded mailbox refused, or a hard
            limit of the runtime (`iris.Limits`) is met.

        Raises:
            TypeError, BadInput: `pid` cannot be a pid.
            RuntimeError: this is a forked child; make a new runtime.
            WouldDeadlock: policy `block` would make a handler wait for itself, or an asyncio
                loop or a hub's callback wait at all.

        From any thread, greenlet, handler, signal handler or `__del__`. Blocks only under
        the overflow policy `block`, in the caller's own way. After shutdown it gives False.
        """
        return self._system.delivery.send(pid, data)

    def send_named(self, name: str, data: Any) -> bool:
        """Send to the actor with a registered name; False when nobody has it. Like `send`.

        When nobody has the name there is no message, so none is counted.
        """
        pid = self._system.registry.whereis(name)
        return pid is not None and self.send(pid, data)

    def ask(self, pid: int, data: Any, timeout_s: float) -> Any:
        """Send a message and wait for the answer that its handler gives with `reply`.

        Args:
            pid: who is asked.
            data: the message, as for `send`.
            timeout_s: seconds to wait at most, more than 0. There is no default: whoever asks
                has to know what to do without an answer.

        Returns:
            The answer.

        Raises:
            AskTimeout: no answer came in time. The message may still be handled; an answer
                that comes later goes nowhere and is counted as `late_replies`.
            ActorDead: the actor has ended or is stopping, or it ends before it has answered.
            ActorRestarting: it is restarting in place, or it fails and restarts before it has
                answered; a question that waits in its queue is answered after the restart.
            LimitReached: its bounded mailbox refused or dropped the message, or a hard limit of
                the runtime is met.
            AskCycle: the actor waits for the caller, directly or through others, or is it.
            WouldDeadlock: on the thread of an asyncio loop (use `ask_async`), or in a hub's
                callback.
            ActorError: it is a supervisor, which takes no messages.
            TypeError, BadInput: no timeout, or one of 0 or below.

        From a plain thread, a greenlet of any hub, a handler, a pull actor. Blocks the calling
        thread, or only the calling greenlet or handler where there is a hub. Under the policy
        `block` the wait for room counts too.
        """
        return self._system.asking.ask(pid, data, timeout_s)

    async def ask_async(self, pid: int, data: Any, timeout_s: float) -> Any:
        """`ask` for a coroutine: `answer = await rt.ask_async(pid, data, timeout_s)`.

        Arguments, result and errors are those of `ask`; the loop goes on meanwhile. A coroutine
        that is cancelled gives the question up. In any running asyncio loop, of any thread.
        """
        return await self._system.aio.ask(pid, data, timeout_s)

    async def send_async(self, pid: int, data: Any) -> bool:
        """`send` for a coroutine: under the policy `block` it awaits room; the loop goes on.

        Arguments, result and errors are those of `send`. A coroutine that is cancelled while
        it waits takes its message back, which counts as refused.
        """
        return await self._system.aio.send(pid, data)

    def reply(self, data: Any, to: Optional[ReplyTo] = None) -> bool:
        """Answer the question that the calling handler is handling, or an earlier one.

        Args:
            data: the answer, as for `send`.
            to: what `iris.current().reply_to` was when the question came; None for the
                message that is being handled now. With it, from any thread.

        Returns:
            False when nobody waits (any more): the message was sent and not asked, or the
            asker's time was over.

        Raises:
            ActorError: outside a handler and without `to`; the question was answered before,
                or was forwarded.
            TypeError: `to` is something else.

        Never blocks.
        """
        return self._system.asking.reply(data, to)

    def forward(self, pid: int, data: Any) -> bool:
        """Send a message on, and with it the duty to answer the question being handled.

        The answer of the other actor goes to the asker directly. For a message that nobody
        waits for it is the same as `send`.

        Args:
            pid: who is to answer.
            data: the message, as for `send`.

        Returns:
            As `send`. When it is False the calling actor still owes the answer.

        Raises:
            ActorError: outside a handler; the question was answered or forwarded before.
            AskCycle: the other actor waits for the asker.

        From a handler; never blocks: a full mailbox with policy `block` refuses.
        """
        return self._system.asking.forward(pid, data)

    def send_buffer(self, pid: int, buffer_id: int) -> bool:
        """Send a buffer of `iris.allocate_buffer` without copying it.

        The handler gets a read-only memoryview of the memory that the sender has filled. An
        accepted send spends the id and makes the sender's view unusable: a write through it
        raises ValueError. What was made of that view before, a slice or an array, cannot be
        taken back; writing through one is a data race with the handler.

        Args:
            pid: the receiver.
            buffer_id: the id.

        Returns:
            True when the mailbox accepted it. False when it did not, and then the id and the
            view are as good as before; or when the id names no buffer, because it was sent,
            released or dropped, is being sent at this moment, or was never given out. Then
            there is no message, so none is counted.

        Raises:
            TypeError, BadInput: `pid` cannot be a pid, `buffer_id` is not an int.
            RuntimeError, WouldDeadlock: as for `send`.
            RuntimeClosed: after shutdown.

        From any thread, greenlet, handler, signal handler or `__del__`; blocks as `send` does.
        """
        return self._system.buffers.send(pid, buffer_id)

    def get_messages(self, pid: int) -> list[Any]:
        """Return and clear what an observed actor has received, oldest first.

        Args:
            pid: an actor of `spawn_observed_handler` or `spawn_with_path_observed`.

        Returns:
            bytes (or whatever was sent) and `PySystemMessage` objects. Everything accepted
            before the call is there; for that it waits, 5 seconds at most.

        Raises:
            ActorDead: the actor has ended.
            ActorError: it is not an observed actor.
            WouldDeadlock: it would have to wait on the thread of an asyncio loop, or in a hub's
                callback.
        """
        return self._system.spawning.fetch(pid)
