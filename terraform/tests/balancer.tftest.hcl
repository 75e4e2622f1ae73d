# The balancer by itself: listeners, times that depend on each other, logs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                       = "hush"
  region                     = "eu-central-1"
  account_id                 = "123456789012"
  vpc_id                     = "vpc-0aaaaaaa"
  subnet_ids                 = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"]
  public                     = true
  tls                        = true
  client_cidrs               = ["0.0.0.0/0"]
  instance_security_group_id = "sg-0aaaaaaa"
  port                       = 8080
  weights                    = { blue = 90, green = 10 }
  request_timeout_seconds    = 120
  slow_start_seconds         = 30
  health_check               = { interval = 5, timeout = 4, healthy = 2, unhealthy = 2 }
  deletion_protection        = true
  force_destroy_buckets      = false
  access_log_days            = 90
  tls_policy                 = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn            = "arn:aws:acm:eu-central-1:123456789012:certificate/own"
  domain_name                = "voice.example.org"
  hosted_zone_id             = null
}

run "tls" {
  module {
    source = "./modules/balancer"
  }

  assert {
    condition     = aws_lb_listener.plain.default_action[0].type == "redirect" && aws_lb_listener.plain.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "Plain HTTP must be redirected."
  }

  assert {
    condition     = aws_lb_listener.tls[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && length(aws_acm_certificate.this) == 0
    error_message = "The given certificate and policy must be used."
  }

  assert {
    condition     = sort([for target in aws_lb_listener.tls[0].default_action[0].forward[0].target_group : tostring(target.weight)]) == tolist(["10", "90"])
    error_message = "The listener must weigh blue and green."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 2
    error_message = "Clients reach ports 443 and 80 and no other."
  }

  # Times fit to each other.
  assert {
    condition     = aws_lb.this.idle_timeout == 130 && alltrue([for group in aws_lb_target_group.this : tonumber(group.deregistration_delay) == 150])
    error_message = "The balancer must wait longer than nginx (120 s), and deregistration longer than the longest request."
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : group.health_check[0].path == "/readyz" && group.slow_start == 30])
    error_message = "Readiness decides, and new instances start slowly."
  }

  assert {
    condition     = aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields && aws_lb.this.access_logs[0].enabled
    error_message = "Protected, strict and logged."
  }
}

run "internal_without_tls" {
  module {
    source = "./modules/balancer"
  }

  variables {
    public          = false
    tls             = false
    certificate_arn = null
    domain_name     = null
    client_cidrs    = ["10.80.0.0/16"]
    weights         = { blue = 100 }
  }

  assert {
    condition     = aws_lb.this.internal && length(aws_lb_listener.tls) == 0 && aws_lb_listener.plain.default_action[0].type == "forward"
    error_message = "Inside the VPC plain HTTP is forwarded."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.clients : "${rule.cidr_ipv4} ${rule.from_port}"] == ["10.80.0.0/16 80"]
    error_message = "Only the VPC may ask."
  }
}
