# What jobs (POST /jobs) keep outside of the instances: state in Redis, recordings in a bucket.

locals {
  prefix = "${var.name}-jobs"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:The service polls nothing and needs no events
  #checkov:skip=CKV_AWS_18:Only the instances have access, and their requests are in the access log of nginx
  #checkov:skip=CKV_AWS_144:Recordings are kept for days and should not leave their region
  bucket        = "${local.prefix}-${var.account_id}-${var.region}"
  force_destroy = var.force_destroy

  tags = { Name = local.prefix }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Recordings are other people's voices: they go when nobody can want them any more.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.jobs.retention_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.this]
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
    resources = ["${aws_s3_bucket.this.arn}/*"]
  }

  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]
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
