# One fleet by itself: launch template, group, policies.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                      = "hush-blue"
  region                    = "eu-central-1"
  tags                      = {}
  image_id                  = "ami-0123456789abcdef0"
  root_device_name          = "/dev/xvda"
  instance_types            = ["c7i.large"]
  mixed                     = false
  subnet_ids                = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"]
  security_group_id         = "sg-0aaaaaaa"
  instance_profile_arn      = "arn:aws:iam::123456789012:instance-profile/hush"
  target_group              = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/hush-blue/1", arn_suffix = "targetgroup/hush-blue/1" }
  balancer_arn_suffix       = "app/hush/1"
  size                      = { minimum = 2, maximum = 6 }
  scaling                   = { requests_per_instance = 600, cpu_percent = 60, predictive = false }
  schedules                 = {}
  spot                      = null
  warm_pool                 = null
  refresh                   = { checkpoints = [50, 100], pause_seconds = 60, warmup_seconds = 90 }
  wait_for_capacity_timeout = "10m"
  volume_gb                 = 20
  volume_kms_key_arn        = null
  trusted_networks          = ["10.80.0.0/16"]
  request_timeout_seconds   = 120
  drain_seconds             = 15
  client_rate               = { rate = 0, burst = 20 }
  body_limit_mb             = 256
  settings                  = {}
  model_labels              = {}
  log_group                 = "/hush"
  alarm_topic_arn           = "arn:aws:sns:eu-central-1:123456789012:hush-alarms"
}

run "one_fleet" {
  module {
    source = "./modules/fleet"
  }

  variables {
    model_labels = { production = "recurrent" }
    settings     = { HUSH_MAX_SECONDS = "7200" }
  }

  # Hardened.
  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "IMDSv2 must be required, and its answers may not leave the instance."
  }

  assert {
    condition     = aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "The volume must be encrypted."
  }

  assert {
    condition     = aws_launch_template.this.network_interfaces[0].associate_public_ip_address == "false" && aws_launch_template.this.key_name == null
    error_message = "No public address, no SSH key."
  }

  # Rolls, and goes back.
  assert {
    condition     = aws_autoscaling_group.this.instance_refresh[0].preferences[0].auto_rollback && aws_autoscaling_group.this.instance_refresh[0].preferences[0].min_healthy_percentage == 100
    error_message = "A refresh must never go below full capacity, and must go back by itself."
  }

  assert {
    condition     = aws_autoscaling_group.this.launch_template[0].version == "7"
    error_message = "The group must name a version by number: a refresh cannot go back to $Latest."
  }

  assert {
    condition     = { for hook in aws_autoscaling_group.this.initial_lifecycle_hook : hook.lifecycle_transition => hook.default_result } == { "autoscaling:EC2_INSTANCE_LAUNCHING" = "ABANDON", "autoscaling:EC2_INSTANCE_TERMINATING" = "CONTINUE" }
    error_message = "An instance that never becomes ready must be abandoned."
  }

  assert {
    condition     = aws_autoscaling_group.this.health_check_type == "ELB"
    error_message = "The balancer's health checks must count."
  }

  # Tells the instance what it has to know.
  assert {
    condition = jsondecode(yamldecode(base64decode(aws_launch_template.this.user_data)).write_files[0].content) == {
      trusted_networks  = ["10.80.0.0/16"]
      request_timeout_s = 120
      keepalive_s       = 150
      client_rate       = 0
      client_burst      = 20
      body_limit_mb     = 256
      drain_s           = 15
      log_group         = "/hush"
      settings          = { HUSH_MAX_SECONDS = "7200" }
      model_labels      = { production = "recurrent" }
      lifecycle = {
        region           = "eu-central-1"
        group            = "hush-blue"
        launch_hook      = "hush-blue-launch"
        termination_hook = "hush-blue-termination"
      }
    }
    error_message = "instance.json must say what packer/instance/configure.py reads."
  }

  assert {
    condition     = !can(yamldecode(base64decode(aws_launch_template.this.user_data)).bootcmd)
    error_message = "gunicorn has no network unless it needs one."
  }

  assert {
    condition     = startswith(base64decode(aws_launch_template.this.user_data), "#cloud-config\n")
    error_message = "cloud-init reads user data by its first line."
  }
}

run "traces" {
  module {
    source = "./modules/fleet"
  }

  variables {
    settings = { HUSH_OTLP_ENDPOINT = "https://collector.internal" }
  }

  assert {
    condition     = can(yamldecode(base64decode(aws_launch_template.this.user_data)).bootcmd)
    error_message = "gunicorn needs a network to send traces."
  }
}

run "spot_and_predictive" {
  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["c7i.large", "c6i.large"]
    mixed          = true
    spot           = { on_demand_base = 1, on_demand_percent = 25 }
    scaling        = { requests_per_instance = 600, cpu_percent = 60, predictive = true }
    schedules      = { morning = { recurrence = "0 7 * * *", time_zone = "Europe/Berlin", minimum = 4, maximum = 8 } }
  }

  assert {
    condition     = length(aws_autoscaling_group.this.launch_template) == 0 && length(aws_autoscaling_group.this.mixed_instances_policy[0].launch_template[0].override) == 2
    error_message = "With spot the group must choose among the types."
  }

  assert {
    condition     = aws_autoscaling_group.this.capacity_rebalance && length(aws_autoscaling_policy.predictive) == 1 && length(aws_autoscaling_schedule.this) == 1
    error_message = "Spot needs rebalancing; the other options must be made."
  }
}

run "warm_pool" {
  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = { minimum = 1, state = "Stopped" }
  }

  assert {
    condition     = aws_autoscaling_group.this.warm_pool[0].pool_state == "Stopped"
    error_message = "The warm pool must be made."
  }
}
