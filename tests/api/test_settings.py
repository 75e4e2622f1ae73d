"""The settings: parsed once, everything wrong reported at once, everything documented."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from api.environment import SettingsError, variable
from api.settings import Settings, table
from tests.servers import ROOT, environment

GOOD = {
    "HUSH_DEVICE": "cuda",
    "HUSH_PRECISION": "fp32",
    "HUSH_MODELS_DIR": "/",
    "HUSH_NOISE_DIR": "/",
    "HUSH_MAX_BODY_BYTES": "1048576",
    "HUSH_MAX_SECONDS": "12.5",
    "HUSH_MIX_MAX_SECONDS": "30",
    "HUSH_MAX_CHANNELS": "2",
    "HUSH_SPOOL_BYTES": "0",
    "HUSH_SPOOL_DIR": "/",
    "HUSH_CORES": "7",
    "HUSH_BATCH": "2",
    "HUSH_SLOTS": "3",
    "HUSH_QUEUE_LENGTH": "0",
    "HUSH_QUEUE_TIMEOUT_S": "0.5",
    "HUSH_CACHE_BYTES": "1000000",
    "HUSH_CACHE_DIR": "/",
    "HUSH_CACHE_TTL_S": "60",
    "HUSH_CANARY": "newer:5%",
    "HUSH_REDIS_URL": "redis://127.0.0.1:6379/0",
    "HUSH_LONG_SECONDS": "10",
    "HUSH_LONG_REQUESTS": "3",
    "HUSH_READY_MAX_AGE_S": "5",
    "HUSH_DRAIN_FILE": "/nowhere/drain",
    "HUSH_VERSION_FILE": "/nowhere/version.json",
    "HUSH_TRUSTED_PROXIES": "1",
    "HUSH_API_KEYS_FILE": "/etc/passwd",
    "HUSH_CORS_ORIGINS": "https://a.example http://b.example:8080",
    "HUSH_ACCESS_LOG": "true",
    "HUSH_JOBS_DIR": "/nowhere/jobs",
    "HUSH_JOBS_BUCKET": "recordings",
    "HUSH_JOBS_REGION": "eu-central-1",
    "HUSH_JOBS_MAX_SECONDS": "7200",
    "HUSH_JOBS_MAX_BODY_BYTES": "2048",
    "HUSH_JOBS_MAX_QUEUED": "5",
    "HUSH_JOBS_MAX_STORED_BYTES": "4096",
    "HUSH_JOBS_RESULT_S": "60",
    "HUSH_JOBS_GONE_S": "120",
    "HUSH_JOBS_LEASE_S": "5",
    "HUSH_WEBHOOK_SECRET": "sixteen-or-more-of-them",
    "HUSH_WEBHOOK_HOSTS": "intranet.example, 127.0.0.1",
    "HUSH_OTLP_ENDPOINT": "https://collector.example.org:4318",
    "HUSH_QUALITY_SHARE": "0.25",
    "HUSH_BIND": "unix:/run/hush.sock",
    "HUSH_WORKERS": "4",
    "HUSH_THREADS": "16",
    "HUSH_TIMEOUT_S": "20",
    "HUSH_GRACEFUL_TIMEOUT_S": "40",
    "HUSH_KEEPALIVE_S": "70",
    "HUSH_STALL_TIMEOUT_S": "10",
    "HUSH_MAX_REQUESTS": "1000",
    "HUSH_MAX_REQUESTS_JITTER": "100",
    "HUSH_LOG_LEVEL": "debug",
}
SECRET = ("HUSH_REDIS_URL", "HUSH_WEBHOOK_SECRET")  # what is wrong with them is not repeated

BAD = {
    "HUSH_MODELS_DIR": ("", "/nowhere", "/etc/passwd"),
    "HUSH_MAX_BODY_BYTES": ("", "1023", "2e9", "-1", " 4096", "1" * 5000),
    "HUSH_MAX_SECONDS": ("0", "nan", "inf", "ten"),
    "HUSH_SLOTS": ("0", "1025", "two", "1.5"),
    "HUSH_QUEUE_TIMEOUT_S": ("-1", "601"),
    "HUSH_DRAIN_FILE": ("",),
    "HUSH_TRUSTED_PROXIES": ("11",),
    "HUSH_API_KEYS_FILE": ("", "/nowhere", "/etc"),
    "HUSH_OTLP_ENDPOINT": ("", "localhost:4318", "http://", "http://a b"),
    "HUSH_QUALITY_SHARE": ("1.1", "-0.1", "nan"),
    "HUSH_ACCESS_LOG": ("yes", "1", "True"),
    "HUSH_JOBS_BUCKET": ("Recordings", "a"),
    "HUSH_REDIS_URL": ("localhost:6379",),
    "HUSH_WEBHOOK_SECRET": ("short",),
    "HUSH_WEBHOOK_HOSTS": ("", "a b", "http://x"),
    "HUSH_BIND": ("8000", "localhost", "unix:relative", "host:port"),
    "HUSH_WORKERS": ("0",),
    "HUSH_LOG_LEVEL": ("DEBUG", "loud"),
}


def test_the_key_of_a_client_is_no_setting():
    assert Settings.from_environment({"HUSH_API_KEY": "secret"}) == Settings()


def test_every_setting_is_parsed():
    settings = Settings.from_environment({**GOOD, "PATH": "/bin", "HUSHED": "not ours"})
    assert settings.models_dir == Path("/")
    assert settings.max_body_bytes == 1048576
    assert settings.max_seconds == 12.5
    assert settings.spool_bytes == 0
    assert settings.access_log is True
    assert settings.bind == "unix:/run/hush.sock"
    untouched = [item.name for item in fields(Settings) if getattr(settings, item.name) == item.default]
    assert untouched == []  # each was set to something else than its default
    assert {variable(item) for item in fields(Settings)} == set(GOOD)


def test_defaults():
    settings = Settings.from_environment({})
    assert settings.slots >= 1
    assert settings.drain_file is None
    with pytest.raises(FrozenInstanceError):
        settings.slots = 5  # type: ignore[misc]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_named_with_what_is_allowed(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    assert len(caught.value.problems) == 1
    found = "not usable" if name in SECRET else repr(value)
    assert str(caught.value).startswith(f"{name} is {found}, allowed is ")


def test_all_problems_are_reported_at_once():
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"HUSH_SLOTS": "0", "HUSH_SLOT": "1", "HUSH_LOG_LEVEL": "loud"})
    assert caught.value.problems == [
        "HUSH_SLOTS is '0', allowed is 1 to 1024",
        "HUSH_LOG_LEVEL is 'loud', allowed is debug or info or warning or error or critical",
        "HUSH_SLOT is no setting of this service",
    ]


def test_the_documentation_lists_exactly_these():
    assert table() in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_module_prints_the_table():
    printed = subprocess.run(
        [sys.executable, "-m", "api.settings"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == table()
