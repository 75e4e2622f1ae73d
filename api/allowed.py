"""What a setting may be: each function gives a parser, which raises ValueError, and the words for what it takes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Parser = Callable[[str], Any]

ORIGIN = r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?"


def whole(lowest: int, highest: int) -> tuple[Parser, str]:
    """A whole number from `lowest` to `highest`, and the words for that."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not lowest <= int(text) <= highest:
            raise ValueError
        return int(text)

    return parse, f"{lowest} to {highest}"


def decimal(lowest: float, highest: float) -> tuple[Parser, str]:
    """A number from `lowest` to `highest`, and the words for that."""

    def parse(text: str) -> float:
        if not lowest <= float(text) <= highest:  # also refuses NaN
            raise ValueError
        return float(text)

    return parse, f"{lowest:g} to {highest:g}"


def one_of(*names: str) -> tuple[Parser, str]:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return parse, " or ".join(names)


def switch() -> tuple[Parser, str]:
    """true or false."""
    parse, words = one_of("true", "false")
    return lambda text: bool(parse(text) == "true"), words


def matching(pattern: str, words: str) -> tuple[Parser, str]:
    """Text of the form `pattern`."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse, words


def path() -> tuple[Parser, str]:
    """A path that need not exist."""

    def parse(text: str) -> Path:
        if not text:
            raise ValueError
        return Path(text)

    return parse, "a path"


def file() -> tuple[Parser, str]:
    """A file that exists."""

    def parse(text: str) -> Path:
        if not text or not Path(text).is_file():
            raise ValueError
        return Path(text)

    return parse, "a file that exists"


def origins() -> tuple[Parser, str]:
    """Web origins (RFC 6454) with spaces between them, written as browsers write them."""

    def parse(text: str) -> tuple[str, ...]:
        if not text.split() or not all(re.fullmatch(ORIGIN, origin) for origin in text.split()):
            raise ValueError
        return tuple(text.split())

    return parse, "origins such as `https://example.org`, with spaces between them"


def folder() -> tuple[Parser, str]:
    """A folder that exists."""

    def parse(text: str) -> Path:
        if not text or not Path(text).is_dir():
            raise ValueError
        return Path(text)

    return parse, "a folder that exists"


def hosts() -> tuple[Parser, str]:
    """Names or addresses of hosts, as a tuple."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(part.strip().lower() for part in text.split(","))
        if not all(re.fullmatch(r"[a-z0-9.:_-]+", part) for part in found):
            raise ValueError
        return found

    return parse, "hosts with commas between them"
