"""moto's server with what Terraform's AWS provider needs and moto lacks: `python moto_corrected.py -H HOST -p PORT`.

Runs in the environment of requirements-cloud.txt, in a process of its own. Each correction says what moto does without
it. An instance refresh really replaces the group's instances, one after the other, from the launch template's version
that the group names.
"""

import datetime
import inspect
import os
import sys
import uuid
from collections.abc import Callable
from typing import Any

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.autoscaling import models as groups
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data
from moto.elasticache.models import CacheCluster, ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.elbv2.models import ELBv2Backend
from moto.server import main

Method = Callable[..., Any]


def replaces(owner: type, name: str) -> Callable[[Callable[..., Any]], Method]:
    """Decorator: the function becomes the method, and gets the original one (or None) as its first argument."""

    def decorate(function: Callable[..., Any]) -> Method:
        original = getattr(owner, name, None)

        def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
            return function(original, self, *arguments, **keywords)

        setattr(owner, name, method)
        return method

    return decorate


# ---- Instance refresh: not implemented -------------------------------------------------------------------------------

_refreshes: dict[str, list[dict[str, Any]]] = {}


def _group(response: Any) -> Any:
    name = response._get_param("AutoScalingGroupName")
    return response.autoscaling_backend.describe_auto_scaling_groups([name])[0]


def _roll(group: Any) -> None:
    """Replaces every instance of the group, as many at a time as it has."""
    size = group.desired_capacity
    group.set_desired_capacity(0)
    group.set_desired_capacity(size)


@replaces(AutoScalingResponse, "start_instance_refresh")
def start_instance_refresh(_: None, self: Any) -> Any:
    group = _group(self)
    now = datetime.datetime.now(datetime.UTC)
    refresh = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Successful",
        "StartTime": now,
        "EndTime": now,
        "PercentageComplete": 100,
        "InstancesToUpdate": 0,
        "Preferences": self._get_params().get("Preferences", {}),
    }
    _refreshes.setdefault(group.name, []).insert(0, refresh)
    _roll(group)
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


@replaces(AutoScalingResponse, "describe_instance_refreshes")
def describe_instance_refreshes(_: None, self: Any) -> Any:
    wanted = self._get_param("InstanceRefreshIds", [])
    known = _refreshes.get(self._get_param("AutoScalingGroupName"), [])
    return ActionResult({"InstanceRefreshes": [r for r in known if not wanted or r["InstanceRefreshId"] in wanted]})


# ---- Auto-scaling: what is set must be read back ---------------------------------------------------------------------


def _keep_warmup(original: Method, self: Any) -> Any:
    """DefaultInstanceWarmup is forgotten."""
    answer = original(self)
    warmup = self._get_int_param("DefaultInstanceWarmup")
    if warmup is not None:
        _group(self).default_instance_warmup = warmup
    return answer


for _name in ("create_auto_scaling_group", "update_auto_scaling_group"):
    replaces(AutoScalingResponse, _name)(_keep_warmup)


@replaces(groups.FakeAutoScalingGroup, "update")
def update_group(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:
    """An update that does not mention the mixed-instances policy removes it."""
    before = self.mixed_instances_policy
    original(self, *arguments, **keywords)
    self.mixed_instances_policy = self.mixed_instances_policy or before


@replaces(groups.FakeScalingPolicy, "__init__")
def policy(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:
    """A policy reads back as disabled, and with an empty predictive configuration that it does not have."""
    original(self, *arguments, **keywords)
    self.enabled = True
    self.predictive_scaling_configuration = self.predictive_scaling_configuration or None


# ---- Launch templates ------------------------------------------------------------------------------------------------


@replaces(LaunchTemplates, "create_launch_template")
def create_launch_template(original: Method, self: Any) -> Any:
    """The template's own tags turn up among those it gives to instances."""
    answer = original(self)
    template = self.ec2_backend.get_launch_template_by_name(self._get_param("LaunchTemplateName"))
    data = template.versions[0].data
    given = [item for item in data.pop("TagSpecifications", []) if item["ResourceType"] != "launch-template"]
    if given:
        data["TagSpecifications"] = given
    return answer


@replaces(LaunchTemplates, "create_launch_template_version")
def create_launch_template_version(original: Method, self: Any) -> Any:
    """User data of a second version is kept in another form than that of the first, and launching from it fails."""
    answer = original(self)
    name, key = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
    backend = self.ec2_backend
    template = backend.get_launch_template_by_name(name) if name else backend.get_launch_template(key)
    template.versions[-1].data["UserData"] = parse_user_data(self._get_param("LaunchTemplateData.UserData"))
    return answer


# ---- Network ---------------------------------------------------------------------------------------------------------


@replaces(SecurityGroupRule, "__init__")
def rule(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:
    """The description is kept only where the source is a network, not where it is a group or a prefix list."""
    original(self, *arguments, **keywords)
    sources = [item for item in (*arguments, *keywords.values()) if isinstance(item, dict)]
    self.said = next((source["Description"] for source in sources if "Description" in source), None)


SecurityGroupRule.description = property(lambda self: self.said)


@replaces(ELBv2Backend, "create_load_balancer")
def create_load_balancer(original: Method, self: Any, *arguments: Any, **keywords: Any) -> Any:
    """A balancer becomes active only after it has been asked for twice: half a minute of waiting."""
    balancer = original(self, *arguments, **keywords)
    balancer.activate()
    return balancer


# ---- ElastiCache: a replication group has members in name only, and is never gone ------------------------------------


def _nodes(cluster: Any) -> list[dict[str, Any]]:
    """The provider reads the address of a cluster's first node."""
    address = f"{cluster.cache_cluster_id}.cache.amazonaws.com"
    endpoint = {"Address": address, "Port": cluster.port}
    return [{"CacheNodeId": "0001", "CacheNodeStatus": "available", "Endpoint": endpoint}]


CacheCluster.cache_nodes = property(_nodes)


def _member(backend: Any, group: Any, name: str) -> Any:
    """A member of a group, which takes from it what both have."""
    unset = dict.fromkeys(list(inspect.signature(CacheCluster.__init__).parameters)[1:])
    shared = {key: getattr(group, key) for key in unset if hasattr(group, key)}
    place = {"account_id": backend.account_id, "region_name": backend.region_name, "cache_cluster_id": name}
    made = CacheCluster(**{**unset, **shared, **place})
    made.at_rest_encryption_enabled = group.at_rest_encryption_enabled
    made.security_groups = [{"SecurityGroupId": key, "Status": "active"} for key in group.security_group_ids or []]
    return made


@replaces(ElastiCacheBackend, "create_replication_group")
def create_replication_group(original: Method, self: Any, **keywords: Any) -> Any:
    """Its size is taken from one of two parameters only."""
    if keywords.get("num_cache_clusters"):
        keywords["replicas_per_node_group"] = int(keywords["num_cache_clusters"]) - 1
    group = original(self, **keywords)
    for name in group.member_clusters:
        self.cache_clusters[name] = _member(self, group, name)
    return group


@replaces(ElastiCacheBackend, "delete_replication_group")
def delete_replication_group(_: Method, self: Any, replication_group_id: str, **__: Any) -> Any:
    group = self.replication_groups.pop(replication_group_id)
    for name in group.member_clusters:
        self.cache_clusters.pop(name, None)
    group.status = "deleting"
    return group


@replaces(ElastiCacheResponse, "delete_cache_subnet_group")
def delete_cache_subnet_group(_: None, self: Any) -> Any:
    self.elasticache_backend.cache_subnet_groups.pop(self._get_param("CacheSubnetGroupName"), None)
    return EmptyResult()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
