# The bucket by itself: what every one of them has, and the two kinds of keys.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name           = "hush-jobs"
  region         = "eu-central-1"
  account_id     = "123456789012"
  retention_days = 7
  force_destroy  = false
}

run "own_key" {
  module {
    source = "./modules/bucket"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/own"
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == "hush-jobs-123456789012-eu-central-1" && !aws_s3_bucket.this.force_destroy
    error_message = "Account and region make the name unique, and a bucket is not deleted with what is in it."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule : rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn])
    error_message = "The given key must encrypt."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration[0].days == 7
    error_message = "Objects must go after retention_days."
  }

  assert {
    condition     = [for item in data.aws_iam_policy_document.this.statement : "${item.sid} ${item.effect == null ? "Allow" : item.effect}"] == ["OnlyByTls Deny"]
    error_message = "Without writers the policy only refuses plain HTTP."
  }
}

run "written_by_a_service" {
  module {
    source = "./modules/bucket"
  }

  variables {
    writers = { "logdelivery.elasticloadbalancing.amazonaws.com" = "AWSLogs/123456789012" }
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"])
    error_message = "Without a key of the account S3's own encrypts."
  }

  assert {
    condition     = [for item in data.aws_iam_policy_document.this.statement : item.resources if item.sid == "ServiceWrites"] == [toset(["${aws_s3_bucket.this.arn}/AWSLogs/123456789012/*"])]
    error_message = "A service may write under its prefix and nowhere else."
  }
}
