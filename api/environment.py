"""From `HUSH_*` variables to the fields of a frozen dataclass; which fields there are is in `api/settings.py`."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from api.allowed import Parser

PREFIX = "HUSH_"
OF_THE_CLIENT = ("HUSH_API_KEY",)  # may be in the environment of somebody who uses the service and runs one


class SettingsError(Exception):
    """The environment does not describe a service that can start; `problems` has one sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def about(
    allowed: tuple[Parser, str],
    says: str,
    *,
    unit: str = "",
    shown: str = "",
    server: bool = False,
    secret: bool = False,
) -> dict[str, Any]:
    """What is known of a setting: parser, words for the docs (`shown` where the default is not a constant).

    The value of a `secret` is not repeated when it is wrong.
    """
    parse, words = allowed
    return {
        "parse": parse,
        "allowed": words,
        "says": says,
        "unit": unit,
        "shown": shown,
        "server": server,
        "secret": secret,
    }


def variable(item: "Field[Any]") -> str:
    """The environment variable of a field."""
    return PREFIX + item.name.upper()


def parsed(table: type[Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Values of those fields of the dataclass `table` that are given; raises `SettingsError` with every problem."""
    given = {
        name: value for name, value in environment.items() if name.startswith(PREFIX) and name not in OF_THE_CLIENT
    }
    values: dict[str, Any] = {}
    problems: list[str] = []
    for item in fields(table):
        text = given.pop(variable(item), None)
        if text is None:
            continue
        try:
            values[item.name] = item.metadata["parse"](text)
        except ValueError:
            found = "not usable" if item.metadata["secret"] else repr(text)
            problems.append(f"{variable(item)} is {found}, allowed is {item.metadata['allowed']}")
    problems += [f"{name} is no setting of this service" for name in sorted(given)]
    if problems:
        raise SettingsError(problems)
    return values
