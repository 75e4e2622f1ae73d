"""The life of a stack against moto: apply, nothing more to do, a new image, destroy. With defaults and with everything.

The lists of what exists are asked from the API and not from Terraform.
"""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cloud.aws import REGION, Cloud, start_cloud
from tests.cloud.terraform_cli import Terraform, install

pytestmark = [pytest.mark.cloud_long, pytest.mark.timeout(2400)]

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with start_cloud(tmp_path / "moto.log") as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, cloud: Cloud) -> Terraform:
    return install(tmp_path).with_environment(**cloud.environment)


def apply(stack: Terraform, variables: dict[str, Any]) -> str:
    (stack.folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    began = time.monotonic()
    done = stack.run("apply", "-auto-approve", "-input=false")
    print(f"apply: {time.monotonic() - began:.0f} s: {summary(done)}")
    return done


def summary(output: str) -> str:
    return next((line for line in output.splitlines() if line.startswith(("Apply complete", "Destroy complete"))), "")


def plan_is_empty(stack: Terraform) -> None:
    done = stack.call("plan", "-input=false", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout[-6000:]


def images_of(cloud: Cloud, group: str) -> set[str]:
    """The images of the running instances of a group."""
    instances = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    ids = [item["InstanceId"] for item in instances["AutoScalingGroups"][0]["Instances"]]
    found = cloud.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return {instance["ImageId"] for reservation in found for instance in reservation["Instances"]}


def destroy(stack: Terraform, cloud: Cloud, variables: dict[str, Any]) -> None:
    """The documented way: lift the protections, then destroy; afterwards nothing of the stack is left."""
    lifted = {**variables, "deletion_protection": False, "force_destroy_buckets": True}
    apply(stack, lifted)
    began = time.monotonic()
    done = stack.run("destroy", "-auto-approve", "-input=false")
    print(f"destroy: {time.monotonic() - began:.0f} s: {summary(done)}")
    assert what_is_left(cloud) == []


def what_is_left(cloud: Cloud) -> list[str]:
    ec2, name = cloud.client("ec2"), [{"Name": "tag:hush:stack", "Values": ["hush"]}]
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    found: list[Any] = [
        *ec2.describe_vpcs(Filters=name)["Vpcs"],
        *ec2.describe_instances(Filters=alive)["Reservations"],
        *ec2.describe_launch_templates()["LaunchTemplates"],
        *cloud.client("elbv2").describe_load_balancers()["LoadBalancers"],
        *cloud.client("elbv2").describe_target_groups()["TargetGroups"],
        *cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
        *cloud.client("s3").list_buckets()["Buckets"],
        *cloud.client("sns").list_topics()["Topics"],
        *cloud.client("logs").describe_log_groups()["logGroups"],
        *cloud.client("cloudwatch").describe_alarms()["MetricAlarms"],
        *cloud.client("iam").list_roles(PathPrefix="/")["Roles"],
        *cloud.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
        *cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"],
    ]
    return [str(item)[:200] for item in found]


def test_life_with_defaults(stack: Terraform, cloud: Cloud) -> None:
    old, new = (cloud.register_image(commit[:4], hush_commit=commit) for commit in (OLD, NEW))
    variables = {"region": REGION, "image_id": old}
    apply(stack, variables)
    plan_is_empty(stack)
    check_balancer(cloud, internal=True)
    check_launch_template(cloud)
    check_closed(cloud)
    assert images_of(cloud, "hush-blue") == {old}

    began = time.monotonic()
    variables["image_id"] = new
    apply(stack, variables)
    plan_is_empty(stack)
    assert images_of(cloud, "hush-blue") == {new}
    print(f"new image: {time.monotonic() - began:.0f} s")
    refreshes = cloud.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="hush-blue")
    preferences = refreshes["InstanceRefreshes"][0]["Preferences"]
    assert preferences["AutoRollback"] is True
    assert preferences["MinHealthyPercentage"] == 100
    assert preferences["CheckpointPercentages"] == [25, 50, 100]

    destroy(stack, cloud, variables)


def check_balancer(cloud: Cloud, *, internal: bool) -> None:
    elb = cloud.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["hush"])["LoadBalancers"][0]
    assert balancer["Scheme"] == ("internal" if internal else "internet-facing")
    answer = elb.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    attributes = {item["Key"]: item["Value"] for item in answer}
    assert attributes["deletion_protection.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["idle_timeout.timeout_seconds"] == "130"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    for group in elb.describe_target_groups()["TargetGroups"]:
        assert group["HealthCheckPath"] == "/readyz"
        answer = elb.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
        assert {"Key": "deregistration_delay.timeout_seconds", "Value": "150"} in answer


def launch_template(cloud: Cloud) -> dict[str, Any]:
    """What instances of blue are started with."""
    ec2 = cloud.client("ec2")
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="hush-blue", Versions=["$Latest"])
    data: dict[str, Any] = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return data


def user_data(cloud: Cloud) -> str:
    """What an instance of blue reads at its first boot."""
    return base64.b64decode(launch_template(cloud)["UserData"]).decode()


def check_launch_template(cloud: Cloud) -> None:
    data = launch_template(cloud)
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert "KeyName" not in data
    assert user_data(cloud).startswith("#cloud-config\n")


def check_closed(cloud: Cloud) -> None:
    """No rule but the VPC's admits anything, and the instances have no public address."""
    rules = cloud.client("ec2").describe_security_group_rules()["SecurityGroupRules"]
    stack = [rule for rule in rules if any(tag["Key"] == "hush:stack" for tag in rule.get("Tags", []))]
    assert stack
    assert {rule.get("CidrIpv4") for rule in stack} - {None, "10.80.0.0/16"} == set()


def everything(cloud: Cloud, image: str) -> dict[str, Any]:
    zone = cloud.client("route53").create_hosted_zone(Name="example.org", CallerReference="test")["HostedZone"]["Id"]
    return {
        "region": REGION,
        "image_id": image,
        "domain_name": "voice.example.org",
        "hosted_zone_id": zone.rsplit("/", 1)[1],
        "zone_count": 3,
        "egress": "nat_per_zone",
        "instance_types": ["c7i.large", "c6i.large"],
        "spot": {"on_demand_base": 1, "on_demand_percent": 25},
        "size": {"minimum": 2, "maximum": 4},
        "scaling": {"predictive": True},
        "schedules": {"morning": {"recurrence": "0 7 * * *", "minimum": 3, "maximum": 6, "time_zone": "Europe/Berlin"}},
        "jobs": {},
        "alarm_emails": ["operations@example.org"],
        "model_labels": {"production": "recurrent"},
        "settings": {"HUSH_MAX_SECONDS": "7200"},
        "tags": {"team": "voice"},
        # moto starts no instance in a group with a mixed-instances policy.
        "wait_for_capacity_timeout": "0",
    }


def test_life_with_everything(stack: Terraform, cloud: Cloud) -> None:
    old, new = (cloud.register_image(commit[:4], hush_commit=commit) for commit in (OLD, NEW))
    variables = everything(cloud, old)
    apply(stack, variables)
    plan_is_empty(stack)
    check_tls(cloud)
    check_launch_template(cloud)
    check_jobs(cloud)

    # Blue/green: a second fleet without requests, then half of them, then none left for blue.
    for weight in (0, 50, 100):
        variables["green"] = {"image_id": new, "weight": weight}
        apply(stack, variables)
        assert weights(cloud) == {"hush-blue": 100 - weight, "hush-green": weight}
    plan_is_empty(stack)
    assert stack.outputs()["images"]["green"]["commit"] == NEW
    destroy(stack, cloud, variables)


def listeners(cloud: Cloud) -> dict[int, dict[str, Any]]:
    elb = cloud.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["hush"])["LoadBalancers"][0]["LoadBalancerArn"]
    return {item["Port"]: item for item in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]}


def check_tls(cloud: Cloud) -> None:
    found = listeners(cloud)
    assert found[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    assert found[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    zone = cloud.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert "voice.example.org." in [record["Name"] for record in records if record["Type"] == "A"]


def check_jobs(cloud: Cloud) -> None:
    redis = cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]
    assert redis["TransitEncryptionEnabled"] is True
    bucket = "hush-jobs-123456789012-eu-central-1"
    rules = cloud.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    expiry = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert expiry["Expiration"]["Days"] == 7
    check_settings(cloud, bucket, redis["NodeGroups"][0]["PrimaryEndpoint"]["Address"])


def check_settings(cloud: Cloud, bucket: str, redis: str) -> None:
    """Instances are told where jobs are, beside the operator's own settings, and gunicorn gets a network."""
    text = user_data(cloud)
    assert "hush-network.conf" in text
    file = yaml.safe_load(text)["write_files"][0]
    assert json.loads(file["content"])["settings"] == {
        "HUSH_REDIS_URL": f"rediss://{redis}:6379",
        "HUSH_JOBS_BUCKET": bucket,
        "HUSH_JOBS_REGION": REGION,
        "HUSH_MAX_SECONDS": "7200",
    }


def weights(cloud: Cloud) -> dict[str, int]:
    """Share of the requests of each target group."""
    elb = cloud.client("elbv2")
    names = {item["TargetGroupArn"]: item["TargetGroupName"] for item in elb.describe_target_groups()["TargetGroups"]}
    groups = listeners(cloud)[443]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    return {names[group["TargetGroupArn"]]: int(group["Weight"]) for group in groups}
