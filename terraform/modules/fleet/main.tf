# One fleet: launch template, auto-scaling group with its policies, and the alarm that rolls a bad image back.

locals {
  hooks = {
    launch      = "${var.name}-launch"
    termination = "${var.name}-termination"
  }
  # instance.json, read by hush-configure (packer/instance/configure.py).
  instance = {
    trusted_networks  = var.trusted_networks
    request_timeout_s = var.request_timeout_seconds
    # nginx must not be the one that closes an idle connection: more than the balancer's idle timeout.
    keepalive_s   = var.request_timeout_seconds + 30
    client_rate   = var.client_rate.rate
    client_burst  = var.client_rate.burst
    body_limit_mb = var.body_limit_mb
    drain_s       = var.drain_seconds
    log_group     = var.log_group
    settings      = var.settings
    model_labels  = var.model_labels
    lifecycle = {
      region           = var.region
      group            = var.name
      launch_hook      = local.hooks.launch
      termination_hook = local.hooks.termination
    }
  }
  # gunicorn has no network unless it has to reach something; systemd has to be told before it starts.
  reached       = ["HUSH_REDIS_URL", "HUSH_JOBS_BUCKET", "HUSH_OTLP_ENDPOINT"]
  needs_network = length(setintersection(keys(var.settings), local.reached)) > 0
  network_conf  = "/opt/hush/app/packer/files/hush-network.conf"
  boot_commands = local.needs_network ? { bootcmd = [
    ["install", "-D", "-m", "0644", local.network_conf, "/run/systemd/system/hush.service.d/network.conf"],
    ["systemctl", "daemon-reload"],
  ] } : {}
  user_data = join("\n", ["#cloud-config", yamlencode(merge(local.boot_commands, {
    write_files = [{
      path        = "/etc/hush/instance.json"
      owner       = "root:hush"
      permissions = "0640"
      content     = jsonencode(local.instance)
    }]
  }))])
}

resource "aws_launch_template" "this" {
  name                   = var.name
  description            = "Instances of ${var.name}"
  image_id               = var.image_id
  instance_type          = var.instance_types[0]
  update_default_version = true
  ebs_optimized          = true
  user_data              = base64encode(local.user_data)

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  # A token for every request to the metadata service, and answers that go no further than the instance itself.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  network_interfaces {
    associate_public_ip_address = false
    delete_on_termination       = true
    security_groups             = [var.security_group_id]
  }

  block_device_mappings {
    device_name = var.root_device_name

    ebs {
      encrypted             = true
      kms_key_id            = var.volume_kms_key_arn
      volume_type           = "gp3"
      volume_size           = var.volume_gb
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = var.name })
    }
  }
}

resource "aws_autoscaling_group" "this" {
  name                = var.name
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [var.target_group.arn]

  min_size                  = var.size.minimum
  max_size                  = var.size.maximum
  desired_capacity          = var.size.desired
  wait_for_capacity_timeout = var.wait_for_capacity_timeout

  # The balancer's opinion counts: an instance whose /readyz stays 503 is replaced.
  health_check_type         = "ELB"
  health_check_grace_period = var.refresh.warmup_seconds
  default_instance_warmup   = var.refresh.warmup_seconds
  capacity_rebalance        = var.spot != null
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances", "GroupTerminatingInstances", "GroupTotalInstances"]

  # The instance itself says when it is ready; without a word within ten minutes it is thrown away.
  initial_lifecycle_hook {
    name                 = local.hooks.launch
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    default_result       = "ABANDON"
    heartbeat_timeout    = 600
  }

  # And it says when it has finished what it had.
  initial_lifecycle_hook {
    name                 = local.hooks.termination
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    default_result       = "CONTINUE"
    heartbeat_timeout    = var.drain_seconds + var.request_timeout_seconds + 120
  }

  dynamic "launch_template" {
    for_each = var.mixed ? [] : ["single"]

    content {
      id = aws_launch_template.this.id
      # A number: only then can a refresh go back to the one before.
      version = aws_launch_template.this.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = var.mixed ? ["mixed"] : []

    content {
      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.this.id
          version            = aws_launch_template.this.latest_version
        }

        dynamic "override" {
          for_each = var.instance_types

          content {
            instance_type = override.value
          }
        }
      }

      instances_distribution {
        on_demand_base_capacity                  = var.spot == null ? 0 : var.spot.on_demand_base
        on_demand_percentage_above_base_capacity = var.spot == null ? 100 : var.spot.on_demand_percent
        spot_allocation_strategy                 = "price-capacity-optimized"
      }
    }
  }

  dynamic "warm_pool" {
    for_each = var.warm_pool == null ? [] : [var.warm_pool]

    content {
      pool_state = warm_pool.value.state
      min_size   = warm_pool.value.minimum

      instance_reuse_policy {
        reuse_on_scale_in = true
      }
    }
  }

  # A new version of the launch template rolls the group: new instances first, old ones when those are in service.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 110
      instance_warmup        = var.refresh.warmup_seconds
      checkpoint_percentages = var.refresh.checkpoints
      checkpoint_delay       = var.refresh.pause_seconds
      skip_matching          = true
      auto_rollback          = true

      alarm_specification {
        alarms = [aws_cloudwatch_metric_alarm.rollback.alarm_name]
      }
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = var.name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  lifecycle {
    # The policies decide it from the first minute on.
    ignore_changes = [desired_capacity]
  }
}

# ---- Scaling -----------------------------------------------------------------------------------------------------

resource "aws_autoscaling_policy" "requests" {
  name                   = "${var.name}-requests"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.scaling.requests_per_instance

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${var.balancer_arn_suffix}/${var.target_group.arn_suffix}"
    }
  }
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "${var.name}-cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.scaling.cpu_percent

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

resource "aws_autoscaling_policy" "predictive" {
  count = var.scaling.predictive ? 1 : 0

  name                   = "${var.name}-predictive"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "PredictiveScaling"

  predictive_scaling_configuration {
    mode                   = "ForecastAndScale"
    scheduling_buffer_time = 300

    metric_specification {
      target_value = var.scaling.cpu_percent

      predefined_metric_pair_specification {
        predefined_metric_type = "ASGCPUUtilization"
      }
    }
  }
}

resource "aws_autoscaling_schedule" "this" {
  for_each = var.schedules

  scheduled_action_name  = "${var.name}-${each.key}"
  autoscaling_group_name = aws_autoscaling_group.this.name
  recurrence             = each.value.recurrence
  time_zone              = each.value.time_zone
  min_size               = each.value.minimum
  max_size               = each.value.maximum
  desired_capacity       = -1
}

# ---- Roll back ---------------------------------------------------------------------------------------------------

# Errors that instances answer, in percent; while it stands, a refresh goes back to the image before.
resource "aws_cloudwatch_metric_alarm" "rollback" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "More than 5 percent of the requests of ${var.name} are answered 5xx (503 when it is full included)."
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "percent"
    label       = "5xx in percent"
    expression  = "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "HTTPCode_Target_5XX_Count", requests = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        period      = 60
        stat        = "Sum"
        dimensions = {
          LoadBalancer = var.balancer_arn_suffix
          TargetGroup  = var.target_group.arn_suffix
        }
      }
    }
  }
}
