"""The instance's side of its group's lifecycle hooks: `python -m packer.instance.lifecycle FILE STOP_FILE`.

    starting: /readyz answers 200  -> launch hook: CONTINUE (never ready -> ABANDON: the instance is never in service)
    stopping: the group (or a spot interruption) wants the instance -> STOP_FILE, which systemd turns into the orderly
              stop of hush.target -> nginx and gunicorn are gone -> termination hook: CONTINUE

FILE is JSON: region, group, launch_hook, termination_hook (either may be missing), and for tests metadata_url,
autoscaling_url, ready_url, poll_s.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packer.instance.metadata import ADDRESS, Metadata
from packer.instance.signing import signed_headers

READY_SECONDS = 300.0
STOP_SECONDS = 900.0
GOING = ("Terminated", "Warmed:Terminated")


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Whom to talk to, and the names of the hooks."""

    region: str
    group: str
    launch_hook: str = ""
    termination_hook: str = ""
    metadata_url: str = ADDRESS
    autoscaling_url: str = ""
    ready_url: str = "http://127.0.0.1:8080/readyz"
    poll_s: float = 5.0

    @property
    def endpoint(self) -> str:
        """Address of the auto-scaling API."""
        return self.autoscaling_url or f"https://autoscaling.{self.region}.amazonaws.com/"


def answers(url: str) -> int | None:
    """The status that a GET gets; None where nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait(condition: Callable[[], bool], seconds: float, poll: float) -> bool:
    """Polls until `condition` is true; False after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll)
    return True


def complete(hooks: Hooks, metadata: Metadata, hook: str, result: str) -> None:
    """CompleteLifecycleAction. A hook that is not waiting (any more) is answered 400, which is no trouble."""
    fields = {
        "Action": "CompleteLifecycleAction",
        "Version": "2011-01-01",
        "AutoScalingGroupName": hooks.group,
        "LifecycleHookName": hook,
        "LifecycleActionResult": result,
        "InstanceId": metadata.get("instance-id") or "",
    }
    body = urllib.parse.urlencode(fields).encode()
    headers = signed_headers(
        hooks.endpoint,
        body,
        region=hooks.region,
        service="autoscaling",
        credentials=metadata.credentials(),
        now=datetime.now(UTC),
    )
    request = urllib.request.Request(hooks.endpoint, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            say(f"{hook}: {result}, answered {answer.status}")
    except urllib.error.HTTPError as error:
        say(f"{hook}: {result}, answered {error.code}: {error.read(500).decode(errors='replace')}")
        if error.code != 400:
            raise


def launch(hooks: Hooks, metadata: Metadata) -> None:
    """Reports whether this instance may be put into service."""
    began = time.monotonic()
    ready = wait(lambda: answers(hooks.ready_url) == 200, READY_SECONDS, min(hooks.poll_s, 1.0))
    say(f"ready after {time.monotonic() - began:.1f} s" if ready else f"not ready within {READY_SECONDS:g} s")
    if hooks.launch_hook:
        complete(hooks, metadata, hooks.launch_hook, "CONTINUE" if ready else "ABANDON")


def is_going(metadata: Metadata) -> bool:
    """Whether the group terminates this instance, or a spot interruption has been announced."""
    if metadata.get("autoscaling/target-lifecycle-state") in GOING:
        return True
    return metadata.get("spot/instance-action") is not None


def terminate(hooks: Hooks, metadata: Metadata, stop_file: Path) -> None:
    """Asks for the orderly stop, waits for its end and reports it."""
    say("this instance is to go: stopping in order")
    stop_file.touch()
    gone = wait(lambda: answers(hooks.ready_url) is None, STOP_SECONDS, min(hooks.poll_s, 1.0))
    say("stopped" if gone else f"not stopped within {STOP_SECONDS:g} s")
    if hooks.termination_hook:
        complete(hooks, metadata, hooks.termination_hook, "CONTINUE")


def say(words: str) -> None:
    """A line for the journal."""
    print(f"hush-lifecycle: {words}", flush=True)


def going_or_unknown(metadata: Metadata) -> bool:
    """`is_going`; while the metadata service cannot be reached the instance stays."""
    try:
        return is_going(metadata)
    except OSError as error:
        say(f"metadata service: {error}")
        return False


def main(arguments: list[str]) -> int:
    """Runs for as long as the instance does; 0 after an orderly end."""
    if len(arguments) != 2:
        print("usage: python -m packer.instance.lifecycle FILE STOP_FILE", file=sys.stderr)
        return 2
    hooks = Hooks(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    metadata = Metadata(hooks.metadata_url)
    launch(hooks, metadata)
    while not going_or_unknown(metadata):
        time.sleep(hooks.poll_s)
    terminate(hooks, metadata, Path(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
