"""The keys that nodes share: one that this node proves, and all that it accepts.

Owns the keys and everything that is computed from one: its public id, a proof, the keys of a
connection. No key leaves a `Keyring`, so that none can reach a log, an error or a pickle by way of
whoever holds it. Where keys come from is the matter of `iris.mesh.keys`.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from iris.errors import BadInput

KEY_BYTES_LEAST = 32
"""As many as SHA-256 gives: with fewer, the key would be what is guessed."""

KEY_BYTES_MOST = 64
"""One block of SHA-256. HMAC makes 32 bytes of a longer key."""

KEY_BYTES_DIFFERENT = 16
"""How many different values a key has among its bytes at least. Of keys of 32 random bytes, one in
10 to the power of 16 has fewer; one that was typed or filled up has."""

KEYS_MAX = 16
"""Of a keyring. A change of key needs two."""

KEY_ID_BYTES = 8
PROOF_BYTES = sha256().digest_size

_KEY_ID_LABEL = b"iris-mesh-2 key id"


class Keyring:
    """One key to prove, and any number of further ones that are accepted.

    Keys are changed in three steps, each on all nodes before the next: the new one is accepted
    beside the old; the new one is proved, the old one accepted; the old one is left out.

    A key is told to the other side by its public id, so that nobody has to try all keys.

    Args:
        proves: the key with which this node opens connections, 32 to 64 random bytes.
        accepts: further keys with which others may.

    Raises:
        TypeError: a key that is no bytes.
        BadInput: a key that is too short, too long, not random or given twice, or too many of
            them. The message shows nothing of a key.
    """

    __slots__ = ("_keys", "key_id")

    def __init__(self, proves: bytes, *accepts: bytes) -> None:
        if len(accepts) >= KEYS_MAX:
            raise BadInput(
                f"{len(accepts) + 1} keys are over the limit of {KEYS_MAX}; leave out the oldest"
            )
        self._keys: dict[bytes, bytes] = {}
        for number, key in enumerate((proves, *accepts), 1):
            _check_key(number, key)
            key_id = _mac(key, _KEY_ID_LABEL)[:KEY_ID_BYTES]
            if key_id in self._keys:
                raise BadInput(f"key {number} was given before; give each key once")
            self._keys[key_id] = key
        self.key_id = next(iter(self._keys))
        """The public id of the key that is proved: of 8 bytes, and no way back to the key."""

    def __repr__(self) -> str:
        return f"<Keyring {self.key_id.hex()} and {len(self._keys) - 1} more>"

    def __reduce__(self) -> str:
        raise TypeError("a Keyring is neither copied nor pickled: its keys stay where they are")

    def __contains__(self, key_id: bytes) -> bool:
        """Whether a key with this public id is accepted."""
        return key_id in self._keys

    def prove(self, key_id: bytes, message: bytes) -> bytes:
        """The HMAC-SHA256 of a message, which begins with a label that is used for nothing else.

        Raises:
            KeyError: no key has this id.
        """
        return _mac(self._keys[key_id], message)

    def proves(self, key_id: bytes, message: bytes, proof: bytes) -> bool:
        """Whether this is the proof for this message, found out in constant time.

        Raises:
            KeyError: no key has this id.
        """
        return hmac.compare_digest(_mac(self._keys[key_id], message), proof)

    def derive(self, key_id: bytes, salt: bytes, info: bytes) -> bytes:
        """A key of 32 bytes for one purpose, from which the key itself cannot be told.

        Raises:
            KeyError: no key has this id.
        """
        return hkdf(self._keys[key_id], salt, info, 32)


def hkdf(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """Derive a key with HKDF-SHA256 (RFC 5869).

    Args:
        secret: what the key is made of.
        salt: makes it a key of this occasion; may be public.
        info: makes it a key for this purpose.
        size: how many bytes, 1 to 8160.

    Raises:
        BadInput: a size out of range.
    """
    if not 1 <= size <= 255 * PROOF_BYTES:
        raise BadInput(f"size={size} is out of range; give 1 to {255 * PROOF_BYTES}")
    extracted = _mac(salt, secret)  # HMAC makes zeros of no salt, as the RFC wants it.
    made, block = b"", b""
    for number in range(1, -(-size // PROOF_BYTES) + 1):
        block = _mac(extracted, block + info + bytes([number]))
        made += block
    return made[:size]


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, sha256).digest()


def _check_key(number: int, key: bytes) -> None:
    if not isinstance(key, bytes):
        raise TypeError(f"key {number} is to be bytes, not of type {type(key).__name__}")
    if not KEY_BYTES_LEAST <= len(key) <= KEY_BYTES_MOST:
        raise BadInput(
            f"key {number} has {len(key)} bytes; give {KEY_BYTES_LEAST} to {KEY_BYTES_MOST} random"
            " ones, as `iris keygen` makes them"
        )
    if len(set(key)) < KEY_BYTES_DIFFERENT:
        raise BadInput(
            f"key {number} is not random: it has {len(set(key))} different bytes only; take one"
            " that `iris keygen` has made"
        )
