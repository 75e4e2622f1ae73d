"""The image, for real: Packer bakes it, it boots, three instances of it serve behind a balancer and are replaced.

Each part prints its time. Root and Debian's tools are needed; without them the tests are skipped with the reason.
"""

import json
import shutil
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.aws import Cloud, start_cloud
from tests.cloud.bakery import Image, bake
from tests.cloud.fleet import BALANCER, HERE, NETWORK, Fleet, start_fleet
from tests.cloud.machines import Machine, need_machines, wait_for
from tests.cloud.programs import ROOT, program, run
from tests.faults.report import note

pytestmark = [pytest.mark.cloud_long, pytest.mark.timeout(1500)]

OLD, NEW = [11, 12, 13], [21, 22, 23]
REQUESTS = 2000
PARTS = "hush.target hush-serving hush-nginx hush"  # systemctl waits only for what it is told


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with start_cloud(tmp_path_factory.mktemp("moto") / "moto.log") as running:
        yield running


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Image:
    need_machines()
    program("packer", "packer")
    return bake(tmp_path_factory.mktemp("bake"), cloud)


@pytest.fixture
def fleet(tmp_path: Path, image: Image) -> Iterator[Fleet]:
    program("haproxy", "haproxy")
    with start_fleet(tmp_path, image, OLD + NEW) as running:
        yield running


def test_the_bake_registers_an_image(image: Image, cloud: Cloud) -> None:
    print(f"bake: {image.seconds:.0f} s")
    assert "exposure of every unit is at most" in image.log
    assert "stops in order: serving, nginx, gunicorn" in image.log
    built = json.loads(image.manifest.read_text())["builds"][0]
    assert built["custom_data"]["commit"] == image.commit
    found = cloud.client("ec2").describe_images(ImageIds=[built["artifact_id"].split(":")[1]])["Images"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["hush:commit"] == image.commit
    assert "recurrent=" in tags["hush:models"]
    assert tags["hush:base"]


def test_nothing_of_the_bake_is_left(image: Image) -> None:
    """No host key, no key of a user, no history, no log, no upload; the machine's identity is empty."""
    upper = image.layers[0]
    files = [str(path.relative_to(upper)) for path in upper.rglob("*") if path.is_file() and path.stat().st_size]
    unwanted = ("etc/ssh/ssh_host_", ".ssh/authorized_keys", "_history", "var/log/hush", "hush-bake", "instance.json")
    assert [name for name in files if any(word in name for word in unwanted)] == []
    assert "etc/machine-id" not in files
    assert "opt/hush/version.json" in files
    assert "etc/systemd/system/hush-jobs.service" in files
    assert "opt/hush/app/packer/files/hush-network.conf" in files


def test_an_instance_boots_serves_and_stops(fleet: Fleet) -> None:
    machine = fleet.launch(OLD[0])
    print(f"boot to in service: {fleet.wait_in_service(OLD[0]):.1f} s")
    url = "http://127.0.0.1:8080"
    check = ["-m", "packer.instance.check_service", url, "/opt/hush/app/noisy.wav", "/run/hush-config/models"]
    machine.write("run-check/none", "")  # the root can be written from here while it runs
    recording = (HERE.parent / "data" / "noisy.wav").read_bytes()
    (machine.root / "opt/hush/app/noisy.wav").write_bytes(recording)
    done = machine.inside("sh", "-c", f"cd /opt/hush/app && /opt/hush/venv/bin/python {' '.join(check)}")
    assert done.returncode == 0, done.stdout
    version = machine.inside("curl", "-s", f"{url}/version").stdout
    assert json.loads(version)["commit"] == fleet.image.commit
    assert machine.inside("/opt/hush/bin/hush-drain", "status").stdout == "in service\n"
    failed = machine.inside("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
    assert "hush" not in failed
    print(f"termination: {fleet.terminate(OLD[0]):.1f} s")


def test_an_instance_works_on_jobs(fleet: Fleet) -> None:
    """Told of Redis and a bucket it takes a job and works on it; the rights on the bucket are those of its role."""
    settings, environment = fleet.start_places_of_jobs()
    machine = fleet.launch(OLD[0], settings, environment)
    fleet.wait_in_service(OLD[0])
    assert machine.inside("systemctl", "is-active", "hush-jobs").stdout == "active\n"

    def ask(path: str, *options: str) -> str:
        return run(*fleet.inside("curl", "-sS", "--max-time", "30", *options, f"http://{BALANCER}{path}")).stdout

    recording = HERE.parent / "data" / "noisy.wav"
    began = time.monotonic()
    job = json.loads(ask("/jobs", "--data-binary", f"@{recording}", "-H", "Content-Type: audio/wav"))
    assert "id" in job, job
    path = f"/jobs/{job['id']}"
    wait_for(lambda: json.loads(ask(path))["state"] in ("done", "failed"), 120, f"the end of {path}")
    assert json.loads(ask(path))["state"] == "done", ask(path)
    print(f"job: {time.monotonic() - began:.1f} s")
    header = ask(f"{path}/audio", "-o", "/dev/null", "-w", "%{http_code} %{size_download}").split()
    assert (header[0], int(header[1]) > 10_000) == ("200", True)
    assert job["id"] in ask(":5000/hush-jobs?list-type=2"), "the recording is not in the bucket"


def test_an_instance_without_a_place_for_jobs_has_none(fleet: Fleet) -> None:
    """No consumer, and gunicorn has no network."""
    machine = fleet.launch(OLD[0])
    fleet.wait_in_service(OLD[0])
    assert machine.inside("systemctl", "is-active", "hush-jobs").stdout == "inactive\n"
    assert machine.inside("systemctl", "show", "-P", "PrivateNetwork", "hush").stdout == "yes\n"


def test_wrong_user_data_is_never_in_service(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that the image does not have: hush-configure says so, nothing serves, the hook is not answered."""
    from tests.cloud import fleet as module

    good = module.user_data({})
    monkeypatch.setattr(module, "user_data", lambda _: good.replace("recurrent", "missing"))
    machine = fleet.launch(OLD[0])
    wait_for(lambda: "running" in running(machine) or "degraded" in running(machine), 120, "end of the boot")
    journal = machine.inside("journalctl", "-u", "hush-configure", "--no-pager", "-o", "cat").stdout
    assert "there is no model ['missing']" in journal
    assert machine.inside("curl", "-s", "http://127.0.0.1:8080/readyz").returncode != 0
    assert fleet.said(OLD[0]) == []


@pytest.mark.parametrize(
    ("script", "damage", "words"),
    [
        ("70-models", "echo x >>/opt/hush/app/models/recurrent.safetensors", "has SHA-256"),
        ("70-models", "rm /opt/hush/app/models/recurrent.safetensors", "cannot read"),
        ("75-units", "echo Usr=nobody >>$BAKE/systemd/hush-serving.service", "Unknown key 'Usr'"),
        ("90-verify", f"systemctl stop {PARTS} && rm /opt/hush/app/wsgi.py", "hush.service is not active"),
        ("90-verify", "chmod o+w /opt/hush/app/api", "can be changed by others"),
    ],
)
def test_what_is_broken_stops_a_bake(fleet: Fleet, script: str, damage: str, words: str) -> None:
    """The scripts of the bake again, on a machine of the image that is damaged first."""
    machine = fleet.launch(OLD[0])
    fleet.wait_in_service(OLD[0])
    shutil.copytree(ROOT / "packer", machine.root / "opt/bake")
    shutil.copy(ROOT / "tests/data/noisy.wav", machine.root / "opt/bake")
    environment = "export BAKE=/opt/bake READY_SECONDS=5"
    call = f"{environment}; {damage} && bash $BAKE/scripts/{script}.sh"
    done = machine.inside("bash", "-c", call, seconds=200)
    assert done.returncode != 0
    assert words in done.stdout


def running(machine: object) -> str:
    try:
        return str(machine.inside("systemctl", "is-system-running").stdout)  # type: ignore[attr-defined]
    except AssertionError:
        return ""


def second_of_speech(source: Path, target: Path) -> Path:
    """The first second of a recording: replacing a fleet is about many requests, not about long ones."""
    with wave.open(str(source)) as whole, wave.open(str(target), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(whole.getframerate()))
    return target


def test_a_killed_master_comes_back(fleet: Fleet, tmp_path: Path) -> None:
    """systemd starts another one; nginx answers 502 meanwhile, and the balancer waits for it."""
    number = OLD[0]
    machine = fleet.launch(number)
    fleet.wait_in_service(number)
    instance = f"http://{NETWORK}.{number}:8080"
    stop, report = tmp_path / "stop", tmp_path / "report.json"
    recording = second_of_speech(HERE.parent / "data" / "noisy.wav", tmp_path / "second.wav")
    script = str(HERE / "client_load.py")
    load = fleet.spawn(sys.executable, script, instance, str(recording), "2", str(stop), str(report))
    wait_for(lambda: report.exists() and seen_by(report)["requests"] > 20, 60, "the load")
    assert seen_by(report)["failures"] == []
    before, workers = shown(machine, "MainPID"), set(worker_processes(machine))
    gateway = shown(machine, "MainPID", "hush-nginx")

    killed = time.time()
    assert machine.inside("kill", "-KILL", before).returncode == 0
    wait_for(lambda: shown(machine, "NRestarts") == "1", 30, "the restart")
    again = time.time() - killed
    wait_for(lambda: status(fleet, f"{instance}/readyz") == "200", 120, "readiness after it")
    ready = time.time() - killed
    wait_for(lambda: fleet.state(number) == "UP", 30, "the instance in the balancer")
    served = seen_by(report)["requests"]
    wait_for(lambda: seen_by(report)["requests"] > served + 50, 60, "answers after it")
    stop.touch()
    assert load.wait(90) == 0

    seen = seen_by(report)
    away = [float(failure.split()[0]) - killed for failure in seen["failures"]]
    print(f"restarted after {again:.1f} s, ready after {ready:.1f} s; failures from {away[0]:.1f} to {away[-1]:.1f} s")
    says = f"systemd; ready again after {ready:.0f} s, 502 with `Retry-After` meanwhile"
    note("master killed on a booted machine", seen["requests"], len(away), seen["worst"], None, says)
    assert {failure.split()[1] for failure in seen["failures"]} == {"502"}, seen["failures"][:3]
    assert away[-1] <= ready + 1, "a request failed after the service was ready"
    assert shown(machine, "ActiveState") == "active"
    assert shown(machine, "MainPID") != before
    assert shown(machine, "MainPID", "hush-nginx") == gateway, "nginx has been restarted as well"
    assert len(set(worker_processes(machine)) - workers) == 2
    assert not workers & set(worker_processes(machine)), "workers of the master that is gone"
    said = machine.inside("journalctl", "-u", "hush", "--no-pager", "-o", "cat").stdout
    assert "Main process exited, code=killed, status=9/KILL" in said


def seen_by(report: Path) -> dict[str, Any]:
    """What the clients have written down so far."""
    seen: dict[str, Any] = json.loads(report.read_text())
    return seen


def shown(machine: Machine, name: str, unit: str = "hush") -> str:
    """A property of a unit."""
    return machine.inside("systemctl", "show", "-P", name, unit).stdout.strip()


def worker_processes(machine: Machine) -> list[str]:
    """The children of gunicorn's master, as the machine numbers them."""
    return machine.inside("ps", "-o", "pid=", "--ppid", shown(machine, "MainPID")).stdout.split()


def status(fleet: Fleet, url: str) -> str:
    """Of the answer to a GET, 000 without one."""
    return run(*fleet.inside("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", url)).stdout


def test_a_rolling_replacement_loses_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """As an instance refresh does it: a new instance in service, then an old one out; three times, under load."""
    for number in OLD:
        fleet.launch(number)
    for number in OLD:
        print(f"i{number} in service: {fleet.wait_in_service(number):.1f} s")
    stop, report = tmp_path / "stop", tmp_path / "report.json"
    recording = second_of_speech(HERE.parent / "data" / "noisy.wav", tmp_path / "second.wav")
    script = str(HERE / "client_load.py")
    load = fleet.spawn(sys.executable, script, f"http://{BALANCER}", str(recording), "4", str(stop), str(report))
    wait_for(report.exists, 20, "the load")

    began = time.monotonic()
    for new, old in zip(NEW, OLD, strict=True):
        fleet.launch(new)
        ready = fleet.wait_in_service(new)
        gone = fleet.terminate(old)
        print(f"i{old} -> i{new}: in service after {ready:.1f} s, the old one gone {gone:.1f} s later")
    print(f"replacement: {time.monotonic() - began:.0f} s")

    wait_for(lambda: json.loads(report.read_text())["requests"] >= REQUESTS, 600, f"{REQUESTS} requests")
    stop.touch()
    assert load.wait(90) == 0
    seen = json.loads(report.read_text())
    print(f"{seen['requests']} requests, {len(seen['failures'])} failed, worst {seen['worst']:.2f} s")
    assert seen["failures"] == []
