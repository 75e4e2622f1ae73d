# What jobs (POST /jobs) keep outside of the instances: state in Redis, recordings in a bucket.

locals {
  prefix = "${var.name}-jobs"
}

# Recordings are other people's voices: they go when nobody can want them any more.
module "bucket" {
  source = "../bucket"

  name           = local.prefix
  region         = var.region
  account_id     = var.account_id
  kms_key_arn    = var.kms_key_arn
  retention_days = var.jobs.retention_days
  force_destroy  = var.force_destroy
}

# ---- Redis -------------------------------------------------------------------------------------------------------

resource "aws_security_group" "redis" {
  name        = "${local.prefix}-redis"
  description = "Redis of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${local.prefix}-redis" }
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  security_group_id            = aws_security_group.redis.id
  description                  = "Redis from the instances"
  referenced_security_group_id = var.instance_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379

  tags = { Name = "${local.prefix}-redis" }
}

resource "aws_elasticache_subnet_group" "this" {
  name       = local.prefix
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:Encrypted in transit; a token would lie in state and user data, and the security group admits the instances alone
  replication_group_id = local.prefix
  description          = "State of jobs of ${var.name}"
  engine               = "redis"
  engine_version       = var.jobs.engine_version
  node_type            = var.jobs.node_type
  num_cache_clusters   = var.jobs.replicas + 1
  port                 = 6379

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.redis.id]
  automatic_failover_enabled = true
  multi_az_enabled           = true

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true

  snapshot_retention_limit   = var.jobs.snapshot_days
  maintenance_window         = var.jobs.maintenance_utc
  auto_minor_version_upgrade = true
  apply_immediately          = true
}

# ---- What an instance may do with them ---------------------------------------------------------------------------

data "aws_iam_policy_document" "instance" {
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${module.bucket.arn}/*"]
  }

  statement {
    actions   = ["s3:ListBucket"]
    resources = [module.bucket.arn]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "instance" {
  name   = "jobs"
  role   = var.instance_role_name
  policy = data.aws_iam_policy_document.instance.json
}
