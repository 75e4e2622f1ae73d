# The application load balancer, one target group for each fleet (blue, green), TLS, access logs, DNS.

locals {
  internal = !var.public
  # Without a certificate there is no TLS to redirect to; the root module then keeps the balancer internal.
  tls = var.tls
  # More than the longest answer, so that nginx's own 504 arrives instead of the balancer's.
  idle_timeout = var.request_timeout_seconds + 10
  # An instance that leaves may finish what it has.
  deregistration_delay = var.request_timeout_seconds + 30
  certificate_arn      = var.certificate_arn != null ? var.certificate_arn : try(aws_acm_certificate_validation.this[0].certificate_arn, null)
  make_certificate     = var.tls && var.certificate_arn == null
}

# ---- Who may reach whom ------------------------------------------------------------------------------------------

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = { for pair in setproduct(local.tls ? ["443", "80"] : ["80"], var.client_cidrs) : "${pair[0]} ${pair[1]}" => pair }

  security_group_id = aws_security_group.balancer.id
  description       = each.value[0] == "443" ? "HTTPS from clients" : local.tls ? "HTTP from clients, redirected" : "HTTP from inside"
  cidr_ipv4         = each.value[1]
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value[0])
  to_port           = tonumber(each.value[0])

  tags = { Name = "${var.name}-clients" }
}

resource "aws_vpc_security_group_egress_rule" "instances" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "Requests and health checks to the instances"
  referenced_security_group_id = var.instance_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = { Name = "${var.name}-to-instances" }
}

resource "aws_vpc_security_group_ingress_rule" "instances" {
  security_group_id            = var.instance_security_group_id
  description                  = "Requests and health checks from the load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = { Name = "${var.name}-from-balancer" }
}

# ---- Access logs -------------------------------------------------------------------------------------------------

module "logs" {
  source = "../bucket"

  name           = "${var.name}-access-logs"
  region         = var.region
  account_id     = var.account_id
  retention_days = var.access_log_days
  force_destroy  = var.force_destroy_buckets
  writers        = { "logdelivery.elasticloadbalancing.amazonaws.com" = "AWSLogs/${var.account_id}" }
}

# ---- Balancer ----------------------------------------------------------------------------------------------------

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_20:The listener on port 80 redirects wherever there is a certificate, in a dynamic block; without one the balancer is internal
  #checkov:skip=CKV2_AWS_28:The association is in the module waf
  name               = var.name
  load_balancer_type = "application"
  internal           = local.internal
  subnets            = var.subnet_ids
  security_groups    = [aws_security_group.balancer.id]

  idle_timeout               = local.idle_timeout
  enable_deletion_protection = var.deletion_protection
  # Headers that are no HTTP are where request smuggling begins.
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  enable_http2               = true

  access_logs {
    bucket  = module.logs.id
    enabled = true
  }
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the balancer; between it and nginx lies the VPC, whose network encrypts between current instance types
  for_each = var.weights

  name                 = "${var.name}-${each.key}"
  vpc_id               = var.vpc_id
  port                 = var.port
  protocol             = "HTTP"
  target_type          = "instance"
  deregistration_delay = local.deregistration_delay
  slow_start           = var.slow_start_seconds
  # An instance that computes a long recording has fewer requests open, not more: round robin would pile them up.
  # Slow start works only with round robin.
  load_balancing_algorithm_type = var.slow_start_seconds == 0 ? "least_outstanding_requests" : "round_robin"

  # /readyz and not /healthz: an instance that drains, or whose inference is stuck, must get no requests.
  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    healthy_threshold   = var.health_check.healthy
    unhealthy_threshold = var.health_check.unhealthy
  }

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_lb_listener" "plain" {
  #checkov:skip=CKV_AWS_103:With a certificate it only redirects; without one it is reachable from inside only
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  dynamic "default_action" {
    for_each = local.tls ? ["redirect"] : []

    content {
      type = "redirect"

      redirect {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }

  dynamic "default_action" {
    for_each = local.tls ? [] : ["forward"]

    content {
      type = "forward"

      forward {
        dynamic "target_group" {
          for_each = var.weights

          content {
            arn    = aws_lb_target_group.this[target_group.key].arn
            weight = target_group.value
          }
        }
      }
    }
  }
}

resource "aws_lb_listener" "tls" {
  count = local.tls ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = local.certificate_arn

  default_action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = var.weights

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value
        }
      }
    }
  }
}

# ---- Name and certificate ----------------------------------------------------------------------------------------

resource "aws_acm_certificate" "this" {
  count = local.make_certificate ? 1 : 0

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  # One name, one record; its own name is not known before the certificate is asked for.
  count = local.make_certificate ? 1 : 0

  zone_id         = var.hosted_zone_id
  name            = one(aws_acm_certificate.this[0].domain_validation_options[*].resource_record_name)
  type            = one(aws_acm_certificate.this[0].domain_validation_options[*].resource_record_type)
  records         = aws_acm_certificate.this[0].domain_validation_options[*].resource_record_value
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count = local.make_certificate ? 1 : 0

  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = aws_route53_record.validation[*].fqdn
}

resource "aws_route53_record" "service" {
  count = var.hosted_zone_id != null ? 1 : 0

  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
