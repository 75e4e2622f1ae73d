# Alarms over balancer and fleets, and the dashboard. Separate from the topic, which the fleets themselves need.

locals {
  # For each fleet: what is watched, and what is too much.
  watched = merge([for colour, fleet in var.fleets : {
    "${colour}-latency" = {
      description = "The 99th percentile of the answer time is above ${var.latency_seconds} s."
      namespace   = "AWS/ApplicationELB", metric = "TargetResponseTime", statistic = null, percentile = "p99"
      comparison  = "GreaterThanThreshold", threshold = var.latency_seconds, minutes = 5, missing = "notBreaching"
      dimensions  = { LoadBalancer = var.balancer_arn_suffix, TargetGroup = fleet.target_group_arn_suffix }
    }
    "${colour}-unhealthy" = {
      description = "An instance does not answer /readyz with 200 for five minutes."
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum", percentile = null
      comparison  = "GreaterThanThreshold", threshold = 0, minutes = 5, missing = "notBreaching"
      dimensions  = { LoadBalancer = var.balancer_arn_suffix, TargetGroup = fleet.target_group_arn_suffix }
    }
    "${colour}-full" = {
      description = "The group has been at its maximum for fifteen minutes: raise size.maximum or look for the cause."
      namespace   = "AWS/AutoScaling", metric = "GroupInServiceInstances", statistic = "Minimum", percentile = null
      comparison  = "GreaterThanOrEqualToThreshold", threshold = fleet.maximum, minutes = 15, missing = "notBreaching"
      dimensions  = { AutoScalingGroupName = fleet.group_name }
    }
    "${colour}-memory" = {
      description = "The instances' memory is more than 90 percent used."
      namespace   = "Hush", metric = "mem_used_percent", statistic = "Maximum", percentile = null
      comparison  = "GreaterThanThreshold", threshold = 90, minutes = 5, missing = "notBreaching"
      dimensions  = { AutoScalingGroupName = fleet.group_name }
    }
    "${colour}-disk" = {
      description = "The instances' disk is more than 85 percent used."
      namespace   = "Hush", metric = "disk_used_percent", statistic = "Maximum", percentile = null
      comparison  = "GreaterThanThreshold", threshold = 85, minutes = 5, missing = "notBreaching"
      dimensions  = { AutoScalingGroupName = fleet.group_name }
    }
  }]...)
  balancer = {
    "balancer-errors" = {
      description = "The load balancer itself answers 5xx: no healthy instance, or connections break."
      namespace   = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", statistic = "Sum", percentile = null
      comparison  = "GreaterThanThreshold", threshold = 10, minutes = 1, missing = "notBreaching"
      dimensions  = { LoadBalancer = var.balancer_arn_suffix }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = merge(local.watched, local.balancer)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.value.missing
  dimensions          = each.value.dimensions
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

locals {
  lb       = ["LoadBalancer", var.balancer_arn_suffix]
  elb      = "AWS/ApplicationELB"
  fleets   = values(var.fleets)
  by_fleet = [for fleet in local.fleets : concat(local.lb, ["TargetGroup", fleet.target_group_arn_suffix])]
  # Title, and lines as CloudWatch writes them: namespace, metric, dimensions, options.
  charts = [
    ["Requests a minute", [for place in local.by_fleet : concat([local.elb, "RequestCount"], place, [{ stat = "Sum" }])]],
    ["Answer time, p50", [for place in local.by_fleet : concat([local.elb, "TargetResponseTime"], place, [{ stat = "p50" }])]],
    ["Answer time, p99", [for place in local.by_fleet : concat([local.elb, "TargetResponseTime"], place, [{ stat = "p99" }])]],
    ["5xx of the instances (503: full)", [for place in local.by_fleet : concat([local.elb, "HTTPCode_Target_5XX_Count"], place, [{ stat = "Sum" }])]],
    ["5xx of the balancer", [concat([local.elb, "HTTPCode_ELB_5XX_Count"], local.lb, [{ stat = "Sum" }])]],
    ["Instances in service", [for fleet in local.fleets : ["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", fleet.group_name]]],
    ["CPU in percent", [for fleet in local.fleets : ["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", fleet.group_name]]],
    ["Memory in percent", [for fleet in local.fleets : ["Hush", "mem_used_percent", "AutoScalingGroupName", fleet.group_name]]],
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for index, chart in local.charts : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = chart[0]
        region  = var.region
        view    = "timeSeries"
        period  = 60
        metrics = chart[1]
      }
    }]
  })
}
