"""Where keys come from: which files and variables are taken, and what is said of the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from iris.cli import main
from iris.errors import BadInput
from iris.mesh.keyring import KEYS_MAX, Keyring
from iris.mesh.keys import KEY_TEXT_BYTES_MAX, load_keyring, write_key_file

FIRST, SECOND = bytes(range(32)), bytes(range(100, 164))


def key_file(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "mesh.key"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refusal(source: object) -> str:
    with pytest.raises(BadInput) as caught:
        load_keyring(source)  # type: ignore[arg-type]
    return str(caught.value)


def holds(keyring: Keyring, key: bytes) -> bool:
    return Keyring(key).key_id in keyring


# -- files -----------------------------------------------------------------------------------------


def test_the_first_key_of_a_file_is_proved_and_all_are_accepted(tmp_path: Path) -> None:
    text = f"# ours\n\n{FIRST.hex()}  # since May\r\n   {SECOND.hex().upper()}\n# {'00' * 40}\n"
    path = key_file(tmp_path, text)
    for source in (path, str(path)):
        keyring = load_keyring(source)
        assert keyring.key_id == Keyring(FIRST).key_id
        assert holds(keyring, SECOND)
        assert repr(keyring).endswith("and 1 more>")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_its_owner_alone_can_read_is_taken(tmp_path: Path, mode: int) -> None:
    load_keyring(key_file(tmp_path, FIRST.hex(), mode))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610, 0o777])
def test_a_file_that_others_get_at_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, FIRST.hex(), mode)
    said = refusal(path)
    assert f"key file {str(path)!r} has mode {mode:04o}" in said
    assert "chmod 600" in said


def test_a_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(tmp_path, FIRST.hex())
    owner = path.stat().st_uid
    if owner == 0:
        os.chown(path, 12345, -1)
        owner = 12345
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to user {owner}" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "is not there; make one with `iris keygen`" in refusal(tmp_path / "none")
    assert "is a directory" in refusal(tmp_path)
    assert "cannot be opened: Not a directory" in refusal(key_file(tmp_path, "") / "x")
    assert "cannot be opened" in refusal("\0")
    assert "is not there" in refusal("")
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is no regular file" in refusal(tmp_path / "pipe")


def test_a_symbolic_link_is_refused_with_the_mend(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file(tmp_path, FIRST.hex()))
    assert "is a symbolic link" in refusal(link)
    assert "give the path that it leads to" in refusal(link)
    load_keyring(link.resolve())


HEX = FIRST.hex()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no key in it"),
        ("# nothing\n \n", "has no key in it"),
        ("x" * 64, "something in line 1 that is no key"),
        (f"{HEX}\n{HEX[:-1]}g", "line 2"),
        (HEX[:-1], "line 1"),
        (f"{HEX}\n\nkey={HEX}", "line 3"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "hexadecimal digits"),
        ("\u0661" * 64, "line 1"),
        (HEX[:62], "key 1 has 31 bytes; give 32 to 64"),
        ("ab" * 65, "key 1 has 65 bytes"),
        ("00" * 32, "key 1 is not random"),
        (f"{HEX}\n{HEX}", "key 2 was given before"),
        ("\n".join(bytes(range(n, n + 32)).hex() for n in range(KEYS_MAX + 1)), "17 keys"),
        (HEX + "#" * KEY_TEXT_BYTES_MAX, f"over {KEY_TEXT_BYTES_MAX} bytes"),
        (b"\xff\xfe" + FIRST, "line 1 that is no key"),
        (f"# caf\xe9\n{HEX}\n".encode("latin-1") + FIRST, "line 3 that is no key"),
    ],
)
def test_a_file_without_good_keys_is_refused_and_not_shown(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = key_file(tmp_path, text)
    with pytest.raises(BadInput, match="key file") as caught:
        load_keyring(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.__cause__ is None
    assert not isinstance(caught.value.__context__, UnicodeError)
    assert not any(form in str(caught.value) for form in (HEX[:12], "AAEC", "\\x03"))


def test_a_source_is_text_or_a_path() -> None:
    for wrong in (None, 5, b"file", [FIRST]):
        with pytest.raises(TypeError):
            load_keyring(wrong)  # type: ignore[arg-type]


# -- the environment -------------------------------------------------------------------------------


def test_a_variable_holds_keys_in_the_same_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_KEYS", f"{FIRST.hex()} {SECOND.hex()}")
    keyring = load_keyring("env:MESH_KEYS")
    assert keyring.key_id == Keyring(FIRST).key_id
    assert holds(keyring, SECOND)


def test_a_variable_that_is_not_set_or_holds_no_key_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MESH_KEYS", raising=False)
    for source in ("env:MESH_KEYS", "env:", "env:\0", "env:A=B"):
        assert "is not set; set it" in refusal(source)
    for value, said in (
        ("", "has no key in it"),
        ("secret", "no key; a key is"),
        ("ab" * 20_000, "16384 characters"),
    ):
        monkeypatch.setenv("MESH_KEYS", value)
        assert "variable 'MESH_KEYS'" in refusal("env:MESH_KEYS")
        assert said in refusal("env:MESH_KEYS")


def test_a_path_that_begins_like_a_variable_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "env:X"
    path.write_text(FIRST.hex())
    path.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    for source in (path, "./env:X", Path("env:X")):
        assert load_keyring(source).key_id == Keyring(FIRST).key_id


# -- a new key -------------------------------------------------------------------------------------


def test_a_new_file_is_for_its_owner_alone_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    before = os.umask(0)
    try:
        made = write_key_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keyring(path).key_id == made.key_id
    other = write_key_file(str(tmp_path / "other.key"))
    assert other.key_id != made.key_id
    lines = path.read_text().splitlines()
    assert [len(line) for line in lines if not line.startswith("#")] == [64]


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    path = key_file(tmp_path, "precious", 0o644)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for there in (path, tmp_path, tmp_path / "dangling"):
        with pytest.raises(BadInput, match="is there already"):
            write_key_file(there)
    assert path.read_text() == "precious"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_cannot_be_made_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be made: No such file or directory"):
        write_key_file(tmp_path / "none" / "new.key")
    with pytest.raises(BadInput, match="cannot be made"):
        write_key_file("a\0b")


def test_a_file_that_cannot_be_written_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="cannot be written: No space left on device") as caught:
        write_key_file(tmp_path / "new.key")
    assert list(tmp_path.iterdir()) == []
    assert len(str(caught.value)) < 300


# -- the command -----------------------------------------------------------------------------------


def test_keygen_makes_a_file_and_shows_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mesh.key"
    assert main(["keygen", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        f"{path}: a new key, with the public id {load_keyring(path).key_id.hex()}\n"
    )
    assert shown.err == ""
    key = path.read_text().split()[-1]
    assert key not in shown.out
    assert main(["keygen", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"iris keygen: {str(path)!r} is there already")
    assert path.read_text().split()[-1] == key


def test_keygen_wants_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["keygen"])
    assert caught.value.code == 2
    assert "FILE" in capsys.readouterr().err
