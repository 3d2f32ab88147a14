"""The file of users, NAME:HASH a line, as `htpasswd -B` writes it."""

import os
import re
import tempfile
from pathlib import Path

import bcrypt

from rag.errors import SettingsError

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 72
"""Bytes of a password; bcrypt reads no more."""
NAME = re.compile(r"[^\s:#\x00-\x1f][^:\x00-\x1f]{0,63}")
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


class Users:
    """The users of a file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError for a file that cannot be read, naming a wrong line."""
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._read()

    def __contains__(self, name: str) -> bool:
        return name in self._read()

    def stored(self, name: str) -> str:
        """The hash of a user's password, empty for a name that does not exist."""
        return self._read().get(name, "")

    def admits(self, name: str, password: str) -> bool:
        """Whether the password is this user's; as slow if there is no such user."""
        hashes = self._read()
        cost = max((int(found[1]) for one in hashes.values() if (found := _HASH.fullmatch(one))), default=12)
        nobody = f"$2b${cost:02}${'.' * 53}"
        given = password.encode("utf-8", "surrogatepass")
        same = bcrypt.checkpw(given[:LONGEST_PASSWORD], hashes.get(name, nobody).encode())
        return same and name in hashes and len(given) <= LONGEST_PASSWORD

    def _read(self) -> dict[str, str]:
        try:
            stat = self._path.stat()
            stamp = stat.st_mtime_ns, stat.st_size
            if stamp != self._stamp:
                self._hashes = _parsed(self._path)
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The file of users {str(self._path)!r} cannot be read ({error}); set RAG_USERS to another, or "
                "make one with: python chat_app.py --add-user NAME"
            ) from error
        return self._hashes


def _parsed(path: Path) -> dict[str, str]:
    users: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not NAME.fullmatch(name) or not _HASH.fullmatch(hashed) or name in users:
            raise SettingsError(
                f"Line {number} of the file of users {str(path)!r} is not NAME:HASH with a hash of bcrypt and a "
                "name of its own; write it with: python chat_app.py --add-user NAME"
            )
        users[name] = hashed
    return users


def add_user(path: Path, name: str, password: str) -> None:
    """Write a user, or a user's new password, to the file; other lines stay.

    Raises SettingsError for a name or password that cannot be used and a file that cannot be read or written.
    """
    if not NAME.fullmatch(name) or name != name.strip():
        raise SettingsError(f"The name {name!r} cannot be used; take at most 64 letters without a colon.")
    given = password.encode("utf-8", "surrogatepass")
    if not SHORTEST_PASSWORD <= len(given) <= LONGEST_PASSWORD or "\0" in password:
        raise SettingsError(
            f"The password has {len(given)} bytes, and {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} are allowed; "
            "take another one."
        )
    if path.exists():
        Users(path)
    hashed = bcrypt.hashpw(given, bcrypt.gensalt()).decode()
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if line.strip().partition(":")[0] != name]
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, "\n".join([*kept, f"{name}:{hashed}"]) + "\n")
    except OSError as error:
        raise SettingsError(f"The file of users {str(path)!r} cannot be written ({error}); set RAG_USERS.") from error


def _replace(path: Path, text: str) -> None:
    """Replace the file by one with this text and the same owner.

    Its group may read it as before, unless everybody might.
    """
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            if path.exists():
                held = path.stat()
                os.chown(file.name, held.st_uid, held.st_gid)
                os.chmod(file.name, 0o600 if held.st_mode & 0o007 else held.st_mode & 0o770)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
