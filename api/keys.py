"""API keys: `HUSH_API_KEYS_FILE` holds their hashes, a request brings the key itself.

    python -m api.keys new NAME >>FILE

makes one: the line for the file goes to stdout, the key to stderr, and nobody can show it again. A line is

    NAME:SHA256 [:disabled]     # SHA-256 of the whole key, in hexadecimal

A name may have several lines, so that its key can be replaced without a gap. Keys are 256 random bits and never chosen
by people, so neither salt nor a slow hash would add anything (docs/decisions/0033-api-keys-as-plain-hashes.md).
"""

import hashlib
import hmac
import logging
import re
import secrets
import sys
from pathlib import Path

from api.environment import SettingsError
from api.errors import KeyDisabled, KeyRequired

SECRET_BYTES = 32
NAME = r"[a-z0-9][a-z0-9-]{0,63}"
KEY = re.compile(rf"({NAME})\.[A-Za-z0-9_-]{{43,128}}")  # what is shorter was not made here, and may be guessed
LINE = re.compile(rf"({NAME}):([0-9a-f]{{64}})(:disabled)?")
NOBODY = hashlib.sha256(b"").hexdigest()  # of no key, as a key has at least 45 characters

Holders = dict[str, dict[str, bool]]  # name -> hash -> whether it is enabled

log = logging.getLogger("hush")


class KeyRing:
    """The keys of a file. Raises SettingsError when the file cannot be read, holds a bad line or no key at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._holders = read(file)

    def reload(self) -> None:
        """Reads the file again; a file that is no good now leaves the keys as they were, and is logged."""
        try:
            self._holders = read(self._file)
        except SettingsError as error:
            log.error("The API keys stay as they were: %s", error)

    def holder(self, key: str) -> str:
        """The name that `key` belongs to; raises KeyRequired, and KeyDisabled where it once was good.

        How long it takes depends on the name, which is no secret, and not on how much of the secret is right.
        """
        found = KEY.fullmatch(key)
        name = found.group(1) if found else ""
        presented = _hash(key)
        enabled = None
        for known, state in self._holders.get(name, {NOBODY: False}).items():
            if hmac.compare_digest(known, presented):
                enabled = state
        if found is None or enabled is None:
            raise KeyRequired(presented=True)
        if not enabled:
            raise KeyDisabled(name)
        return name


def read(file: Path) -> Holders:
    """The holders in a file of keys; raises SettingsError."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError([f"HUSH_API_KEYS_FILE cannot be read: {error}"]) from error
    holders: Holders = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        found = LINE.fullmatch(text)
        if found is None:
            raise SettingsError([f"{file}, line {number} is not NAME:SHA256 or NAME:SHA256:disabled"])
        name, digest, disabled = found.groups()
        holders.setdefault(name, {})[digest] = disabled is None
    if not holders:
        raise SettingsError([f"{file} holds no key: nobody could use the service"])
    return holders


def new(name: str) -> tuple[str, str]:
    """A new key for `name`, and its line for the file; raises ValueError for a name that cannot be one."""
    if not re.fullmatch(NAME, name):
        raise ValueError(f"{name!r} is no name: 1 to 64 of a-z, 0-9 and -, not beginning with -")
    key = f"{name}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return key, f"{name}:{_hash(key)}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def main(arguments: list[str]) -> int:
    """`new NAME`; 2 with a sentence on stderr when that is not what was asked."""
    if len(arguments) != 2 or arguments[0] != "new":
        print("usage: python -m api.keys new NAME >>FILE", file=sys.stderr)
        return 2
    try:
        key, line = new(arguments[1])
    except ValueError as error:
        print(f"api.keys: {error}", file=sys.stderr)
        return 2
    print(line)
    print(f"The key of {arguments[1]}, shown this once:\n{key}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
