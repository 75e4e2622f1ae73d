# The instances' security group, shared by both fleets, and the key for everything that is stored.

resource "aws_security_group" "instances" {
  #checkov:skip=CKV2_AWS_5:The launch template of the module fleet attaches it, which checkov does not follow beside nested modules
  name        = "${var.name}-instances"
  description = "Instances of ${var.name}"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-instances" }
}

# Name of the rule => network, port, words. Requests come in by a rule of the balancer's module.
locals {
  out_endpoints = { for index, cidr in local.vpc_cidrs : "endpoints-${index}" => { cidr = cidr, port = 443, words = "Endpoints of AWS services" } }
  out_internet = {
    https = { cidr = "0.0.0.0/0", port = 443, words = "AWS services and security updates" }
    http  = { cidr = "0.0.0.0/0", port = 80, words = "Mirrors of the distribution, whose packages are signed" }
  }
}

resource "aws_vpc_security_group_egress_rule" "instances" {
  for_each = var.egress == "endpoints" ? local.out_endpoints : local.out_internet

  security_group_id = aws_security_group.instances.id
  description       = each.value.words
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count = local.make_network && var.egress == "endpoints" ? 1 : 0

  security_group_id = aws_security_group.instances.id
  description       = "S3 through its gateway endpoint"
  prefix_list_id    = module.network[0].s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${var.name}-s3" }
}

# An operator reaches an internal balancer by Session Manager's port forwarding, through an instance.
resource "aws_vpc_security_group_egress_rule" "balancer" {
  count = local.is_public ? 0 : 1

  security_group_id            = aws_security_group.instances.id
  description                  = "The internal load balancer, for port forwarding"
  referenced_security_group_id = module.balancer.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.has_certificate ? 443 : 80
  to_port                      = local.has_certificate ? 443 : 80

  tags = { Name = "${var.name}-to-balancer" }
}

resource "aws_vpc_security_group_egress_rule" "redis" {
  count = var.jobs != null ? 1 : 0

  security_group_id            = aws_security_group.instances.id
  description                  = "Redis"
  referenced_security_group_id = module.jobs[0].security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379

  tags = { Name = "${var.name}-to-redis" }
}

# ---- Key ---------------------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:The account statement that AWS recommends for every key: IAM policies decide then
  #checkov:skip=CKV_AWS_111:In a key policy the resource is the key itself
  #checkov:skip=CKV_AWS_356:In a key policy the resource is the key itself
  # The account decides by its own policies who may use and administer the key.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.current.partition}:logs:${var.region}:${local.account_id}:*"]
    }
  }

  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_kms_key" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Logs, alarms and jobs of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}
