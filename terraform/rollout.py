"""Waits until a group has taken a new version over: `python -m terraform.rollout GROUP REGION [SECONDS]`.

`terraform apply` starts an instance refresh and returns; this follows it, prints what changes, and ends with status 0
when it was successful (or when there is none), 1 with a sentence when it failed, was cancelled, went back by itself
(the alarm on errors), or did not end in time. Needs boto3 and credentials that may describe instance refreshes.
"""

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 15.0
UNDER_WAY = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")

Refresh = dict[str, Any]


class RolloutError(Exception):
    """The new version is not in service everywhere; the text says why."""


def is_over(refresh: Refresh | None) -> bool:
    """Whether the newest refresh of a group has ended well. Raises RolloutError when it has ended otherwise."""
    if refresh is None or refresh["Status"] == "Successful":
        return True
    if refresh["Status"] in UNDER_WAY:
        return False
    reason = refresh.get("StatusReason", "no reason is given")
    raise RolloutError(f"the instance refresh ended as {refresh['Status']}: {reason}")


def line(refresh: Refresh | None) -> str:
    """What to print about it."""
    if refresh is None:
        return "no instance refresh"
    return f"{refresh['Status']}, {refresh.get('PercentageComplete', 0)} percent"


def wait(newest: Callable[[], Refresh | None], seconds: float, poll: float = POLL_SECONDS) -> None:
    """Asks `newest` every `poll` seconds until the refresh is over; raises RolloutError."""
    deadline, printed = time.monotonic() + seconds, ""
    while True:
        refresh = newest()
        if (now := line(refresh)) != printed:
            print(f"rollout: {now}", flush=True)
            printed = now
        if is_over(refresh):
            return
        if time.monotonic() >= deadline:
            raise RolloutError(f"the instance refresh is not over after {seconds:g} s")
        time.sleep(poll)


def newest_refresh(group: str, region: str) -> Callable[[], Refresh | None]:
    """A function that asks Amazon for the newest refresh of a group."""
    client = importlib.import_module("boto3").client("autoscaling", region_name=region)

    def ask() -> Refresh | None:
        found = client.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)["InstanceRefreshes"]
        return found[0] if found else None

    return ask


def main(arguments: list[str]) -> int:
    """0 when the newest refresh was successful."""
    if len(arguments) not in (2, 3):
        print("usage: python -m terraform.rollout GROUP REGION [SECONDS]", file=sys.stderr)
        return 2
    try:
        wait(newest_refresh(arguments[0], arguments[1]), float(arguments[2]) if len(arguments) == 3 else 3600)
    except RolloutError as error:
        print(f"rollout: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
