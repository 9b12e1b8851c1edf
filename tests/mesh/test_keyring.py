"""Keys: which are taken, what is computed from them, and that none is shown."""

from __future__ import annotations

import copy
import hmac
import logging
import pickle
import traceback
from hashlib import sha256

import pytest

from iris.errors import BadInput
from iris.mesh.keyring import KEYS_MAX, Keyring, hkdf

FIRST, SECOND, THIRD = (bytes(range(n, n + 32)) for n in (1, 50, 100))


def id_of(key: bytes) -> bytes:
    return hmac.new(key, b"iris-mesh-2 key id", sha256).digest()[:8]


def test_the_first_key_is_proved_and_all_are_accepted() -> None:
    keyring = Keyring(FIRST, SECOND, THIRD)
    assert keyring.key_id == id_of(FIRST)
    assert all(id_of(key) in keyring for key in (FIRST, SECOND, THIRD))
    assert id_of(bytes(range(7, 39))) not in keyring


def test_the_id_of_a_key_is_this() -> None:
    assert Keyring(bytes(range(32))).key_id.hex() == "ba3195b489e5f97a"


def test_a_proof_is_that_of_its_key_and_message() -> None:
    keyring = Keyring(FIRST, SECOND)
    proof = keyring.prove(id_of(SECOND), b"what was said")
    assert proof == hmac.new(SECOND, b"what was said", sha256).digest()
    assert keyring.proves(id_of(SECOND), b"what was said", proof)
    assert not keyring.proves(id_of(FIRST), b"what was said", proof)
    assert not keyring.proves(id_of(SECOND), b"what was not", proof)
    for wrong in (b"", proof[:-1], proof + b"\0", bytes([proof[0] ^ 1]) + proof[1:]):
        assert not keyring.proves(id_of(SECOND), b"what was said", wrong)


def test_an_unknown_key_proves_nothing() -> None:
    keyring = Keyring(FIRST)
    with pytest.raises(KeyError):
        keyring.prove(id_of(SECOND), b"")
    with pytest.raises(KeyError):
        keyring.proves(id_of(SECOND), b"", b"")
    with pytest.raises(KeyError):
        keyring.derive(id_of(SECOND), b"", b"")


def test_derived_keys_differ_by_key_salt_and_purpose() -> None:
    keyring = Keyring(FIRST, SECOND)
    made = {
        keyring.derive(key_id, salt, info)
        for key_id in (id_of(FIRST), id_of(SECOND))
        for salt in (b"s", b"t")
        for info in (b"i", b"j")
    }
    assert len(made) == 8
    assert {len(key) for key in made} == {32}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([b""], "key 1 has 0 bytes; give 32 to 64"),
        ([FIRST[:31]], "key 1 has 31 bytes"),
        ([bytes(range(65))], "key 1 has 65 bytes"),
        ([FIRST, SECOND[:8]], "key 2 has 8 bytes"),
        ([bytes(32)], "key 1 is not random: it has 1 different bytes"),
        ([b"secret" * 6], "key 1 is not random: it has 5 different bytes"),
        ([bytes(range(14)) + bytes([255]) * 18], "it has 15 different bytes"),
        ([FIRST, SECOND, FIRST], "key 3 was given before"),
        ([bytes(range(n, n + 32)) for n in range(KEYS_MAX + 1)], "17 keys are over the limit"),
    ],
)
def test_a_key_that_is_none_is_refused_and_not_shown(keys: list[bytes], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        Keyring(*keys)
    assert not any(key and shows(str(caught.value), key) for key in keys)


def test_keys_at_the_edges_of_the_limits_are_taken() -> None:
    Keyring(bytes(range(32)), bytes(range(64)))
    Keyring(*(bytes(range(n, n + 32)) for n in range(KEYS_MAX)))
    Keyring(bytes(range(15)) + bytes([255]) * 17)


def test_a_key_is_bytes() -> None:
    for wrong in ("a" * 32, bytearray(range(32)), None):
        with pytest.raises(TypeError, match="key 1 is to be bytes, not of type"):
            Keyring(wrong)  # type: ignore[arg-type]


def shows(text: str, key: bytes) -> bool:
    """Whether a text has a key in it, or a part of it, in one of the forms it may take."""
    return any(form in text for form in (key[:8].hex(), repr(key)[2:20], str(list(key))[1:20]))


def test_a_keyring_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    assert shows(f"{FIRST!r}", FIRST)
    keyring = Keyring(FIRST, SECOND)
    logging.getLogger("iris").warning("%s %r %s", keyring, keyring, [keyring])
    try:
        keyring.prove(b"unknown!", b"")
    except KeyError:
        trace = traceback.format_exc()
    for text in (repr(keyring), str(keyring), f"{keyring}", caplog.text, trace):
        assert not any(shows(text, key) for key in (FIRST, SECOND))
    assert repr(keyring) == f"<Keyring {id_of(FIRST).hex()} and 1 more>"


def test_a_keyring_is_neither_pickled_nor_copied() -> None:
    keyring = Keyring(FIRST)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            pickle.dumps(keyring, protocol)
    for copied in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            copied(keyring)
    with pytest.raises(TypeError):
        vars(keyring)


# -- HKDF: the test cases of RFC 5869 for SHA-256, appendix A --------------------------------------

RFC_5869 = {
    "A.1": (
        bytes([0x0B]) * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    "A.3": (
        bytes([0x0B]) * 22,
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("case", RFC_5869)
def test_hkdf_gives_what_the_rfc_says(case: str) -> None:
    secret, salt, info, expected = RFC_5869[case]
    assert hkdf(secret, salt, info, len(expected) // 2).hex() == expected


def test_hkdf_has_the_limits_of_the_rfc() -> None:
    longest = hkdf(FIRST, b"", b"", 8160)
    assert len(longest) == 8160
    assert hkdf(FIRST, b"", b"", 1) == longest[:1]
    for wrong in (-1, 0, 8161):
        with pytest.raises(BadInput, match=f"size={wrong} is out of range"):
            hkdf(FIRST, b"", b"", wrong)
