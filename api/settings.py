"""Every setting of the service: one frozen object, parsed once from the `HUSH_*` variables of the environment.

A bad value or an unknown name stops the start; all problems are reported together, each with name, value and what
would be allowed. The fields from `bind` on belong to `gunicorn_conf.py`, which reads those variables by itself
because it runs before anything else may be imported; it leaves complaints about them to this module.

`python -m api.settings` prints the table that `docs/operations.md` holds.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from api.allowed import decimal, file, folder, hosts, matching, one_of, origins, path, switch, whole
from api.canary import Canary, canary
from api.environment import about, parsed, variable
from inference.precision import PRECISIONS

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
ADDRESS = r"unix:/.+|(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}"


def available_cores() -> int:
    """CPU cores this process may run on."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the service is told from outside. The variable of a field is its name in capitals behind `HUSH_`."""

    models_dir: Path = field(
        default=Path("models"), metadata=about(folder(), "Folder with `hyperparams.json` and the weights.")
    )
    noise_dir: Path | None = field(
        default=None,
        metadata=about(folder(), "Folder of noise recordings; each category in it is a noise type.", shown="none"),
    )
    max_body_bytes: int = field(
        default=256 * 2**20,
        metadata=about(whole(1024, 2**40), "Largest request body; more is answered with 413.", unit="bytes"),
    )
    max_seconds: float = field(
        default=3600.0,
        metadata=about(decimal(0.1, 86400), "Longest recording for `/predict`; more gets 413.", unit="seconds"),
    )
    mix_max_seconds: float = field(
        default=300.0,
        metadata=about(
            decimal(0.1, 3600), "Longest recording for `/mix-noise`, which holds it in memory.", unit="seconds"
        ),
    )
    max_channels: int = field(
        default=8, metadata=about(whole(1, 64), "Most channels of a recording; more is answered with 400.")
    )
    spool_bytes: int = field(
        default=2 * 2**20,
        metadata=about(whole(0, 2**30), "Larger uploads and answers are kept in a file, not in memory.", unit="bytes"),
    )
    spool_dir: Path | None = field(
        default=None,
        metadata=about(
            folder(), "Folder of those files; they have no name and end with the process.", shown="`TMPDIR`"
        ),
    )
    cores: int = field(
        default_factory=available_cores,
        metadata=about(
            whole(1, 1024), "Cores for forward passes; a worker that computes makes one pass at least.", shown="cores"
        ),
    )
    batch: int = field(
        default=4,
        metadata=about(
            whole(1, 64), "Most channels, of all requests of a worker that wait for one, in one forward pass."
        ),
    )
    slots: int = field(
        default_factory=lambda: 8 * available_cores(),
        metadata=about(
            whole(1, 1024), "Requests worked on at the same time, over all workers.", shown="8 times the cores"
        ),
    )
    queue_length: int = field(
        default=8,
        metadata=about(whole(0, 4096), "Requests that may wait for a slot, over all workers; further ones get 503."),
    )
    queue_timeout_s: float = field(
        default=10.0,
        metadata=about(decimal(0, 600), "How long a request waits for a slot before it gets 503.", unit="seconds"),
    )
    device: str = field(
        default="cpu",
        metadata=about(one_of("cpu", "cuda"), "Where the networks run; `cuda` is touched by the workers only."),
    )
    precision: str = field(
        default="auto",
        metadata=about(
            one_of(*PRECISIONS), "Number format of the networks; `auto` is bf16 where the processor has it in hardware."
        ),
    )
    canary: Canary | None = field(
        default=None,
        metadata=about(
            canary(),
            "Model that answers a share of the requests which name none.",
            shown="none",
        ),
    )
    cache_bytes: int = field(
        default=0,
        metadata=about(
            whole(0, 2**50),
            "So much of the answers of `/predict` is kept to be given again.",
            unit="bytes",
        ),
    )
    cache_dir: Path | None = field(
        default=None,
        metadata=about(folder(), "Folder of kept answers, of this service alone; not used with Redis.", shown="none"),
    )
    cache_ttl_s: int = field(
        default=86400,
        metadata=about(whole(1, 31536000), "Kept answers are not given for longer than this.", unit="seconds"),
    )
    redis_url: str | None = field(
        default=None,
        metadata=about(
            matching(r"(rediss?|unix)://\S+", "redis://, rediss:// or unix://"),
            "Redis of the jobs' states and queue and of the cache, in place of files, for what all instances share.",
            shown="none",
            secret=True,
        ),
    )
    long_seconds: float = field(
        default=60.0,
        metadata=about(
            decimal(0, 86400),
            "Longer recordings (their channels counted one by one) let shorter ones go first between blocks.",
            unit="seconds",
        ),
    )
    long_requests: int = field(
        default=8,
        metadata=about(
            whole(1, 4096),
            "Such recordings, and streamed answers, in progress at the same time; further ones get 503.",
        ),
    )
    ready_max_age_s: float = field(
        default=30.0,
        metadata=about(
            decimal(0, 3600),
            "`/readyz` trusts a worker whose last forward pass is younger, and tries a tiny one otherwise.",
            unit="seconds",
        ),
    )
    drain_file: Path | None = field(
        default=None,
        metadata=about(path(), "While this file exists `/readyz` answers 503: the balancer lets go.", shown="none"),
    )
    version_file: Path = field(
        default=Path("version.json"),
        metadata=about(path(), "JSON object written at build time; `/version` shows it where it exists."),
    )
    trusted_proxies: int = field(
        default=0,
        metadata=about(whole(0, 10), "How many proxies in front are trusted to append to `X-Forwarded-For`."),
    )
    api_keys_file: Path | None = field(
        default=None,
        metadata=about(
            file(),
            "Hashes of the API keys that requests must bring; read again by each new worker (reload).",
            shown="none: open to all",
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=about(origins(), "Web pages of these origins may use the service from a browser.", shown="none"),
    )
    access_log: bool = field(
        default=False, metadata=about(switch(), "One JSON line on stderr for each request.", shown="`false`")
    )

    otlp_endpoint: str | None = field(
        default=None,
        metadata=about(
            matching(r"https?://[^\s?#]+", "http:// or https:// and a host"),
            "Base address of an OpenTelemetry collector (OTLP over HTTP), which gets a trace of each request.",
            shown="none",
        ),
    )
    quality_share: float = field(
        default=0.5,
        metadata=about(decimal(0, 1), "Share of the recordings that are measured (level, SNR ...), drawn by lot."),
    )
    jobs_dir: Path | None = field(
        default=None,
        metadata=about(
            path(), "Folder of jobs; it is made. Without it and without a bucket there are no jobs.", shown="none"
        ),
    )
    jobs_bucket: str | None = field(
        default=None,
        metadata=about(
            matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "name of a bucket"),
            "S3 bucket of the jobs' recordings, in place of the folder.",
            shown="none",
        ),
    )
    jobs_region: str | None = field(
        default=None,
        metadata=about(
            matching(r"[a-z]{2}(-[a-z]+)+-[0-9]", "name of a region"),
            "Region of the bucket; without it what boto3 finds in `AWS_*`.",
            shown="none",
        ),
    )
    jobs_max_seconds: float = field(
        default=21600.0,
        metadata=about(decimal(0.1, 172800), "Longest recording of a job; more gets 413.", unit="seconds"),
    )
    jobs_max_body_bytes: int = field(
        default=2**30,
        metadata=about(whole(1024, 2**40), "Largest body of `POST /jobs`; more gets 413.", unit="bytes"),
    )
    jobs_max_queued: int = field(
        default=100, metadata=about(whole(1, 100000), "Jobs that may wait; further ones get 503.")
    )
    jobs_max_stored_bytes: int = field(
        default=20 * 2**30,
        metadata=about(whole(1024, 2**50), "Recordings of all jobs together; a job beyond gets 503.", unit="bytes"),
    )
    jobs_result_s: float = field(
        default=86400.0,
        metadata=about(decimal(1, 2592000), "How long a result is kept, and how long a job may wait.", unit="seconds"),
    )
    jobs_gone_s: float = field(
        default=604800.0,
        metadata=about(decimal(0, 31536000), "How long after that 410 is answered, and then 404.", unit="seconds"),
    )
    jobs_lease_s: float = field(
        default=30.0,
        metadata=about(
            decimal(1, 3600),
            "A job whose consumer has given no sign of life for as long is begun again.",
            unit="seconds",
        ),
    )
    webhook_secret: str | None = field(
        default=None,
        metadata=about(
            matching(r"\S{16,}", "16 characters or more"),
            "Signs webhooks; without it none are taken.",
            shown="none",
            secret=True,
        ),
    )
    webhook_hosts: tuple[str, ...] = field(
        default=(),
        metadata=about(
            hosts(), "Hosts that webhooks may go to although their address is private, or without TLS.", shown="none"
        ),
    )

    bind: str = field(
        default="127.0.0.1:8000",
        metadata=about(
            matching(ADDRESS, "HOST:PORT or unix:/PATH"), "Where gunicorn listens; port 0: any free.", server=True
        ),
    )
    workers: int | None = field(
        default=None,
        metadata=about(
            whole(1, 256), "Forked worker processes.", shown="cores, fewer when memory is short", server=True
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=about(
            whole(1, 4096),
            "Threads of a worker. They hold uploads and waiting requests.",
            shown="slots + queue length + long requests + 4",
            server=True,
        ),
    )
    timeout_s: int = field(
        default=30,
        metadata=about(
            whole(1, 3600),
            "A worker whose main loop is silent for longer logs its threads' stacks and is replaced.",
            unit="seconds",
            server=True,
        ),
    )
    graceful_timeout_s: int = field(
        default=60,
        metadata=about(
            whole(1, 3600), "How long a stopping worker may finish its requests.", unit="seconds", server=True
        ),
    )
    keepalive_s: int = field(
        default=75,
        metadata=about(whole(1, 3600), "How long an idle connection stays open.", unit="seconds", server=True),
    )
    stall_timeout_s: int = field(
        default=30,
        metadata=about(
            whole(1, 3600),
            "A client that neither sends nor takes a byte for longer loses its connection.",
            unit="seconds",
            server=True,
        ),
    )
    max_requests: int = field(
        default=0,
        metadata=about(whole(0, 10**9), "A worker is replaced after so many requests; 0: never.", server=True),
    )
    max_requests_jitter: int = field(
        default=0,
        metadata=about(whole(0, 10**9), "Up to so many more, drawn for each worker: not all at once.", server=True),
    )
    log_level: str = field(
        default="info", metadata=about(one_of(*LOG_LEVELS), "Least severity that is logged.", server=True)
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Parses the `HUSH_*` variables; raises `SettingsError` with every problem found."""
        return cls(**parsed(cls, environment))


def table() -> str:
    """All settings as the Markdown table of docs/operations.md."""
    lines = ["| variable | default | unit | allowed | what it is |", "| --- | --- | --- | --- | --- |"]
    for item in fields(Settings):
        known = item.metadata
        constant = f"{item.default:g}" if isinstance(item.default, float) else str(item.default)
        default = known["shown"] or f"`{constant}`"
        lines.append(f"| `{variable(item)}` | {default} | {known['unit']} | {known['allowed']} | {known['says']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
