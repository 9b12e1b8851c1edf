"""Where Iris meets memory and code of others.

aio: calls that a coroutine of asyncio awaits. buffers: blocks of memory that are handed to
an actor without being copied.
"""
