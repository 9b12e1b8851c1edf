"""Where Iris meets memory and code of others.

`buffers` holds blocks of memory that are handed to an actor without being copied.
"""
