"""What this instance was told (user data) becomes settings: `python -m packer.instance.configure INSTANCE.json FOLDER`.

FOLDER gets
    hush.env         HUSH_* variables for gunicorn, over those of the image
    serving.env      how long hush-drain waits
    cloudwatch-agent.json   what Amazon's agent collects, under the names of this stack
    jobs             only where jobs have a place: hush-jobs.service looks for it
    lifecycle.json   only where hooks are named: what hush-lifecycle has to report
    nginx/           the gateway's configuration
    models/          only where labels are given: the image's models under other labels

Only the standard library and `nginx.render`. A value that is no good ends it with status 2 and one sentence; the units
behind it then do not start, so a wrong instance never serves.
"""

import ipaddress
import json
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nginx import render

LISTEN = "8080"
SOCKET = "unix:/run/hush/gunicorn.sock"
MODELS = Path("models")  # of the image, relative to the application
INDEX = "hyperparams.json"
JOB_PLACES = ("HUSH_JOBS_DIR", "HUSH_JOBS_BUCKET")  # settings that switch jobs on
AGENT = Path(__file__).parent.parent / "files" / "cloudwatch-agent.json"


class InstanceError(Exception):
    """The description of the instance cannot be used; the text says which part and why."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """The members of instance.json, all optional: what is left out is right for a machine without a balancer."""

    trusted_networks: tuple[str, ...] = ()  # of the balancer, CIDR
    request_timeout_s: int = 120  # longest answer; nginx gives up after it, gunicorn lets requests finish as long
    keepalive_s: int = 140  # idle client connections, above the balancer's idle timeout
    client_rate: int = 0  # requests a minute of one client address, 0: no limit
    client_burst: int = 20
    body_limit_mb: int = 256
    drain_s: int = 30  # how long the balancer needs to see that /readyz says 503
    log_group: str = "/hush"  # prefix of the CloudWatch log groups
    settings: dict[str, str] = field(default_factory=dict)  # further HUSH_* variables
    model_labels: dict[str, str] = field(default_factory=dict)  # label -> key of a model
    lifecycle: dict[str, Any] = field(default_factory=dict)  # see packer.instance.lifecycle


def parse(document: Any) -> Instance:
    """The instance described by a JSON document; raises InstanceError."""
    if not isinstance(document, dict):
        raise InstanceError("the description must be a JSON object")
    known = {item.name: item for item in fields(Instance)}
    if unknown := sorted(set(document) - set(known)):
        raise InstanceError(f"unknown members {unknown}; known are {sorted(known)}")
    values = {name: _checked(name, value) for name, value in document.items()}
    instance = Instance(**values)
    _check_networks(instance.trusted_networks)
    if wrong := sorted(name for name in instance.settings if not name.startswith("HUSH_")):
        raise InstanceError(f"settings: {wrong} are no HUSH_ variables")
    if not 0 <= instance.drain_s <= 300:
        raise InstanceError(f"drain_s is {instance.drain_s}, allowed is 0 to 300")
    if not 1 <= instance.request_timeout_s <= 300:
        raise InstanceError(f"request_timeout_s is {instance.request_timeout_s}, allowed is 1 to 300")
    return instance


def _checked(name: str, value: Any) -> Any:
    kind = Instance.__annotations__[name]
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str) and re.fullmatch(r"/[A-Za-z0-9_./-]{1,200}", value):
        return value
    if name == "trusted_networks" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if name == "lifecycle" and isinstance(value, dict):
        return value
    if (
        name in ("settings", "model_labels")
        and isinstance(value, dict)
        and all(map(_is_line, [*value, *value.values()]))
    ):
        return value
    raise InstanceError(f"{name} is {value!r}, which is not of the right type")


def _is_line(item: Any) -> bool:
    return isinstance(item, str) and "\n" not in item


def _check_networks(networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InstanceError(f"trusted_networks: {error}") from error


def gateway(instance: Instance) -> render.Gateway:
    """nginx's options; raises render.OptionError (a ValueError) on values out of range."""
    return render.Gateway(
        listen=LISTEN,
        upstream=SOCKET,
        trusted=instance.trusted_networks,
        body_limit_mb=instance.body_limit_mb,
        jobs_body_limit_mb=jobs_body_limit_mb(instance.settings),
        rate=instance.client_rate,
        burst=instance.client_burst,
        answer_timeout=instance.request_timeout_s,
        keepalive=instance.keepalive_s,
        access_log="/var/log/hush-nginx/access.log",
        error_log="stderr",
    )


def jobs_body_limit_mb(settings: dict[str, str]) -> int:
    """nginx's limit for `POST /jobs`, from the service's; raises ValueError."""
    given = settings.get("HUSH_JOBS_MAX_BODY_BYTES")
    return render.Gateway.jobs_body_limit_mb if given is None else -(-int(given) // 2**20)


def environment(instance: Instance, models: Path | None) -> dict[str, str]:
    """HUSH_* variables of this instance; `models` is a folder made for it, None for the image's."""
    made = {
        "HUSH_GRACEFUL_TIMEOUT_S": str(instance.request_timeout_s),
        "HUSH_MAX_BODY_BYTES": str(instance.body_limit_mb * 2**20),
    }
    if models is not None:
        made["HUSH_MODELS_DIR"] = str(models)
    return made | instance.settings


def relabelled(index: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """hyperparams.json with each label moved to the model that `labels` names; raises InstanceError."""
    if missing := sorted({key for key in labels.values() if key not in index}):
        raise InstanceError(f"model_labels: there is no model {missing}; the image has {sorted(index)}")
    made = {}
    for key, entry in index.items():
        kept = [label for label in entry.get("labels", []) if label not in labels]
        made[key] = entry | {"labels": kept + [label for label, chosen in labels.items() if chosen == key]}
    return made


def write_models(labels: dict[str, str], source: Path, target: Path) -> None:
    """A models folder with other labels; the weights stay where they are, by symbolic links."""
    index = json.loads((source / INDEX).read_text(encoding="utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    for weights in source.glob("*.safetensors"):
        link = target / weights.name
        link.unlink(missing_ok=True)
        link.symlink_to(weights.resolve())
    (target / INDEX).write_text(json.dumps(relabelled(index, labels), indent=2), encoding="utf-8")


def variables(values: dict[str, str]) -> str:
    """Text of a systemd environment file."""
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    return "".join(f'{name}="{value}"\n' for name, value in quoted.items())


def write(instance: Instance, folder: Path, models: Path) -> None:
    """Everything the units read, into `folder`; raises InstanceError and ValueError."""
    render.write(gateway(instance), folder / "nginx")
    made = folder / "models" if instance.model_labels else None
    if made is not None:
        write_models(instance.model_labels, models, made)
    (folder / "hush.env").write_text(variables(environment(instance, made)))
    (folder / "serving.env").write_text(variables({"DRAIN_SECONDS": str(instance.drain_s)}))
    agent = AGENT.read_text(encoding="utf-8").replace('"GROUP/', f'"{instance.log_group}/')
    (folder / "cloudwatch-agent.json").write_text(agent)
    jobs = folder / "jobs"
    jobs.unlink(missing_ok=True)
    if any(name in instance.settings for name in JOB_PLACES):
        jobs.touch()
    lifecycle = folder / "lifecycle.json"
    lifecycle.unlink(missing_ok=True)
    if instance.lifecycle:
        lifecycle.write_text(json.dumps(instance.lifecycle))


def main(arguments: list[str]) -> int:
    """0, or 2 with a sentence on stderr."""
    if len(arguments) != 2:
        print("usage: python -m packer.instance.configure INSTANCE.json FOLDER", file=sys.stderr)
        return 2
    source, folder = Path(arguments[0]), Path(arguments[1])
    try:
        document = json.loads(source.read_text(encoding="utf-8")) if source.exists() else {}
        write(parse(document), folder, MODELS)
    except (InstanceError, ValueError, OSError) as error:
        print(f"hush-configure: {source}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
