"""Where keys come from: a file that nobody else can read, or a variable of the environment.

Never the arguments of a command, which every process of the machine can see. It owns the format
and the checks of a file; what a key has to be is said in `iris.mesh.keyring`. It stands apart from
that because it reads and writes files.

The format is text: each key as hexadecimal digits, keys divided by white space (a file has one a
line), and `#` begins a comment that goes to the end of its line. The first key is the one that is
proved, all are accepted.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from typing import Union

from iris.errors import BadInput
from iris.mesh.keyring import KEY_BYTES_LEAST, Keyring

ENVIRONMENT = "env:"
"""What a source begins with that names a variable. A file of such a name is "./env:NAME"."""

KEY_TEXT_BYTES_MAX = 16_384
"""Of a file or a variable: room for 16 keys and a page of comments."""

MODE = 0o600

_HEADING = (
    "# A key of an Iris mesh; who reads it can join. The first line is the key that this node\n"
    "# proves, further lines are keys that it accepts besides.\n"
)

Source = Union[str, "os.PathLike[str]"]


def load_keyring(source: Source) -> Keyring:
    """Read keys from a file or from the environment. Blocks for as long as a file takes.

    Args:
        source: a path, or "env:NAME" for the variable NAME.

    Raises:
        TypeError: neither str nor path.
        BadInput: there is nothing, or nothing that is safe or readable as keys; the message says
            what to do, and shows nothing of what was read.
    """
    path = os.fspath(source)
    if not isinstance(path, str):
        raise TypeError(f"the source of keys is a str or a path, not of type {type(path).__name__}")
    if not isinstance(source, str) or not path.startswith(ENVIRONMENT):
        return _keyring(f"key file {path!r}", _read_file(path))
    name = path[len(ENVIRONMENT) :]
    what = f"variable {name!r}, which is to hold keys,"
    value = os.environ.get(name)
    if value is None:
        raise BadInput(f"{what} is not set; set it, or name a file that `iris keygen` has made")
    if len(value) > KEY_TEXT_BYTES_MAX:
        raise BadInput(f"{what} has over {KEY_TEXT_BYTES_MAX} characters; leave out old keys")
    return _keyring(what, value)


def write_key_file(path: Source) -> Keyring:
    """Make a new key at random and write it to a new file that nobody else can read.

    Blocks for as long as the file takes.

    Args:
        path: where; nothing may be there yet.

    Returns:
        The keyring that `load_keyring` gives for this file.

    Raises:
        BadInput: something is there, or the file cannot be made or written. None is left behind.
    """
    shown = os.fspath(path)
    key = secrets.token_bytes(KEY_BYTES_LEAST)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        # With this mode from its first moment: a file that is shut afterwards was open for a while.
        descriptor = os.open(path, flags, MODE)
    except FileExistsError as error:
        raise BadInput(
            f"{shown!r} is there already, and no key is overwritten; give another name, or add a"
            " key to that file by hand"
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"key file {shown!r} cannot be made: {_reason(error)}") from error
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{_HEADING}{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise BadInput(f"key file {shown!r} cannot be written: {_reason(error)}") from error
    return Keyring(key)


def _read_file(path: str) -> str:
    what = f"key file {path!r}"
    # Without O_NONBLOCK the opening of a named pipe would wait for who writes to it.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        raise BadInput(f"{what} is not there; make one with `iris keygen`") from error
    except (OSError, ValueError) as error:
        if os.path.islink(path):
            raise BadInput(
                f"{what} is a symbolic link, which others may be able to bend; give the path that"
                " it leads to"
            ) from error
        raise BadInput(f"{what} cannot be opened: {_reason(error)}") from error
    try:
        # Asked of the open file: by its path it could be another one by now.
        _check_file(what, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(KEY_TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"{what} cannot be read: {_reason(error)}") from error
    finally:
        os.close(descriptor)
    if len(content) > KEY_TEXT_BYTES_MAX:
        raise BadInput(
            f"{what} has over {KEY_TEXT_BYTES_MAX} bytes, the limit; is it a key file? Leave out"
            " old keys"
        )
    return content.decode(errors="replace")  # An error of decoding would carry the bytes along.


def _check_file(what: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"{what} is a directory; give a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{what} is no regular file; make one with `iris keygen`")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise BadInput(
            f"{what} has mode {mode:04o}, which lets others at it than its owner: use"
            " `chmod 600` on it, and a new key if somebody may have read it"
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise BadInput(
            f"{what} belongs to user {status.st_uid}, who can change it, and this process runs as"
            f" user {os.geteuid()}; use `chown` on it"
        )


def _keyring(what: str, text: str) -> Keyring:
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            if len(word) % 2 or not re.fullmatch(r"[0-9A-Fa-f]+", word):
                raise BadInput(
                    f"{what} has something in line {number} that is no key; a key is an even number"
                    " of hexadecimal digits, as `iris keygen` writes it"
                )
            keys.append(bytes.fromhex(word))
    if not keys:
        raise BadInput(f"{what} has no key in it; make one with `iris keygen`")
    try:
        return Keyring(*keys)
    except BadInput as error:
        raise BadInput(f"{what} cannot be used: {error}") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
