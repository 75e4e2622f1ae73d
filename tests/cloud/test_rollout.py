"""The wait for an instance refresh: its decision for every status, and against moto's auto-scaling API."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from terraform.rollout import Refresh, RolloutError, is_over, wait
from tests.cloud.aws import REGION, Cloud, start_cloud
from tests.cloud.programs import ROOT, cloud_tool, run

PLACE = {"MinSize": 1, "MaxSize": 2, "DesiredCapacity": 1, "AvailabilityZones": [f"{REGION}a"]}


@pytest.mark.parametrize("status", ["Successful", None])
def test_good_ends(status: str | None) -> None:
    assert is_over({"Status": status} if status else None)


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"])
def test_under_way(status: str) -> None:
    assert not is_over({"Status": status})


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"])
def test_bad_ends_say_why(status: str) -> None:
    with pytest.raises(RolloutError, match=f"{status}: the alarm rang"):
        is_over({"Status": status, "StatusReason": "the alarm rang"})


def test_it_waits_and_prints_what_changes(capsys: pytest.CaptureFixture[str]) -> None:
    seen = [("Pending", 0), ("InProgress", 0), ("InProgress", 50), ("InProgress", 50), ("Successful", 100)]
    answers: list[Refresh] = [{"Status": status, "PercentageComplete": percent} for status, percent in seen]
    wait(lambda: answers.pop(0), 60, poll=0.001)
    assert answers == []
    assert capsys.readouterr().out.splitlines() == [
        "rollout: Pending, 0 percent",
        "rollout: InProgress, 0 percent",
        "rollout: InProgress, 50 percent",
        "rollout: Successful, 100 percent",
    ]


def test_it_does_not_wait_for_ever() -> None:
    with pytest.raises(RolloutError, match="is not over after"):
        wait(lambda: {"Status": "InProgress"}, 0.05, poll=0.01)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    pytest.importorskip("boto3", reason="boto3 is not installed")
    with start_cloud(tmp_path_factory.mktemp("moto") / "moto.log") as running:
        yield running


@pytest.mark.cloud_long
def test_a_refresh_of_a_group(cloud: Cloud, tmp_path: Path) -> None:
    image = cloud.client("ec2").describe_images()["Images"][0]["ImageId"]
    template = {"LaunchTemplateName": "hush", "LaunchTemplateData": {"ImageId": image, "InstanceType": "t3.micro"}}
    cloud.client("ec2").create_launch_template(**template)
    groups = cloud.client("autoscaling")
    chosen = {"LaunchTemplateName": "hush", "Version": "$Latest"}
    groups.create_auto_scaling_group(AutoScalingGroupName="g", LaunchTemplate=chosen, **PLACE)
    command = [str(Path(cloud_tool("moto_server")).parent / "python"), "-m", "terraform.rollout", "g", REGION, "20"]
    environment = {**os.environ, **cloud.environment}
    assert run(*command, cwd=ROOT, env=environment).stdout == "rollout: no instance refresh\n"
    groups.start_instance_refresh(AutoScalingGroupName="g")
    done = run(*command, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout) == (0, "rollout: Successful, 100 percent\n")


def test_it_says_how_it_is_used() -> None:
    done = run(sys.executable, "-m", "terraform.rollout", cwd=ROOT)
    assert done.returncode == 2
    assert "usage" in done.stdout
