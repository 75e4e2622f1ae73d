"""The systemd units: no warning, closed, and in the order that loses no request."""

import configparser
import re
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT, program, run

UNITS = ROOT / "packer" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PINS = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "packer" / "pins.env").read_text(), re.MULTILINE))


def read(name: str) -> configparser.RawConfigParser:
    """A unit; of a directive that is given twice the last value."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNITS / name)
    return unit


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """Copies, whose programs are put where this machine has some."""
    analyze = program("systemd-analyze", "systemd")
    for unit in UNITS.iterdir():
        text = re.sub(r"(ExecStart|ExecStop|ExecStartPre)=/(opt|usr)/\S+", r"\1=/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    done = run(analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir())))
    assert [line for line in done.stdout.splitlines() if "hush" in line] == []


def test_a_misspelt_directive_would_be_found(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    unit = tmp_path / "hush-wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nPrivateNetworks=yes\n")
    assert "PrivateNetworks" in run(analyze, "verify", "--man=no", str(unit)).stdout


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_exposure(unit: Path) -> None:
    """At most the threshold that the bake demands of the installed units too."""
    analyze = program("systemd-analyze", "systemd")
    done = run(
        analyze, "security", "--offline=yes", "--no-pager", f"--threshold={PINS['SECURITY_THRESHOLD']}", str(unit)
    )
    level = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, level
    print(level)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_nobody_is_root(unit: Path) -> None:
    service = read(unit.name)["Service"]
    assert service["User"] not in ("", "root")
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


def test_they_stop_in_order() -> None:
    """systemd stops in the reverse of After=: serving, nginx, gunicorn; all of them with the target."""
    assert "hush.service" in read("hush-nginx.service")["Unit"]["After"].split()
    assert "hush-nginx.service" in read("hush-serving.service")["Unit"]["After"].split()
    for name in ("hush-configure", "hush", "hush-nginx", "hush-serving"):
        assert read(f"{name}.service")["Unit"]["PartOf"] == "hush.target"
    assert read("hush-stop.target")["Unit"]["Conflicts"] == "hush.target"
    assert read("hush-nginx.service")["Service"]["KillSignal"] == "SIGQUIT"
    assert read("hush.service")["Service"]["KillSignal"] == "SIGTERM"


def test_who_reports_the_stop_survives_it() -> None:
    """What requires a part of hush.target would be stopped with it."""
    unit = read("hush-lifecycle.service")["Unit"]
    assert not {"Requires", "BindsTo", "PartOf"} & set(unit)


def test_there_is_time_to_stop() -> None:
    """300 s for the longest request that terraform and hush-configure allow, and nginx's own margin of 30 s."""
    assert int(read("hush.service")["Service"]["TimeoutStopSec"]) > 300
    assert int(read("hush-nginx.service")["Service"]["TimeoutStopSec"]) > 330
    assert int(read("hush-serving.service")["Service"]["TimeoutStopSec"]) > 300


def test_the_consumer_reads_what_gunicorn_reads() -> None:
    """The same settings, and the same folders to write to; it stops with the others."""
    gunicorn, consumer = read("hush.service"), read("hush-jobs.service")
    for name in ("User", "EnvironmentFile", "StateDirectory", "CacheDirectory"):
        assert gunicorn["Service"][name] == consumer["Service"][name]
    assert consumer["Unit"]["PartOf"] == "hush.target"
    assert consumer["Unit"]["ConditionPathExists"] == "/run/hush-config/jobs"
    assert "hush-jobs.service" in read("hush.target")["Unit"]["Wants"].split()


def test_gunicorn_with_a_network_is_closed_otherwise(tmp_path: Path) -> None:
    """The drop-in, put behind the unit as systemd does it."""
    analyze = program("systemd-analyze", "systemd")
    unit = tmp_path / "hush.service"
    opened = (ROOT / "packer" / "files" / "hush-network.conf").read_text()
    unit.write_text((UNITS / "hush.service").read_text() + opened)
    threshold = f"--threshold={PINS['SECURITY_THRESHOLD']}"
    done = run(analyze, "security", "--offline=yes", "--no-pager", threshold, str(unit))
    assert done.returncode == 0, done.stdout.strip().splitlines()[-1]
    found = dict(re.findall(r"^. (PrivateNetwork|IPAddressDeny)=\s+(.*)$", done.stdout, re.MULTILINE))
    assert len(found) == 2, found  # both are complained of now: the drop-in has an effect


def test_gunicorn_has_no_network() -> None:
    service = read("hush.service")["Service"]
    assert service["PrivateNetwork"] == "yes"
    assert service["RestrictAddressFamilies"] == "AF_UNIX"
    environment = (ROOT / "packer" / "files" / "hush.env").read_text()
    assert "HUSH_BIND=unix:/run/hush/gunicorn.sock" in environment
