"""Meeting other ways of running code: asyncio.

aio: calls that a coroutine awaits.
"""
