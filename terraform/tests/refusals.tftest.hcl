# Wrong values stop the plan with a sentence. A run holds as many wrong values as do not touch each other: every one of
# the named variables has to refuse, and none besides.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region   = "eu-central-1"
  image_id = "ami-0123456789abcdef0"
}

run "wrong_values_1" {
  command = plan

  variables {
    # region
    region = "Frankfurt"
    # name with capitals
    name = "Hush"
    # image id
    image_id = "ubuntu"
    # image owners
    image_owners = ["anybody"]
    # vpc id
    vpc_id             = "my-vpc"
    private_subnet_ids = ["subnet-0a", "subnet-0b"]
    # small vpc
    vpc_cidr = "10.80.0.0/28"
    # one zone
    zone_count = 1
    # egress
    egress = "open"
    # client cidrs
    client_cidrs = ["everybody"]
    # old tls
    tls_policy = "ELBSecurityPolicy-2016-08"
    # endless requests
    request_timeout_seconds = 3600
    # slow start
    slow_start_seconds = 10
    # waf rate
    waf = { rate_limit = 1 }
    # instance types
    instance_types = []
    # size
    size = { minimum = 4, maximum = 2 }
    # scaling
    scaling = { cpu_percent = 100 }
    # schedules
    schedules = { night = { recurrence = "daily", minimum = 1, maximum = 2 } }
    # checkpoints fall
    refresh = { checkpoints = [50, 25, 100] }
    # green
    green = { image_id = "ami-0123456789abcdef0", weight = 150 }
    # capacity timeout
    wait_for_capacity_timeout = "long"
    # volume
    volume_gb = 1
    # model labels
    model_labels = { production = "../../etc" }
    # settings
    settings = { PATH = "/tmp" }
    # client rate
    client_rate = { rate = -1 }
    # body limit
    body_limit_mb = 0
    # jobs
    jobs = { replicas = 0 }
    # kms key
    kms_key_arn = "my-key"
    # log retention
    log_retention_days = 10
    # access log days
    access_log_days = 0
    # alarm emails
    alarm_emails = ["me"]
    # alarm latency
    alarm_latency_seconds = 0
  }

  expect_failures = [
    var.region,
    var.name,
    var.image_id,
    var.image_owners,
    var.vpc_id,
    var.vpc_cidr,
    var.zone_count,
    var.egress,
    var.client_cidrs,
    var.tls_policy,
    var.request_timeout_seconds,
    var.slow_start_seconds,
    var.waf,
    var.instance_types,
    var.size,
    var.scaling,
    var.schedules,
    var.refresh,
    var.green,
    var.wait_for_capacity_timeout,
    var.volume_gb,
    var.model_labels,
    var.settings,
    var.client_rate,
    var.body_limit_mb,
    var.jobs,
    var.kms_key_arn,
    var.log_retention_days,
    var.access_log_days,
    var.alarm_emails,
    var.alarm_latency_seconds,
  ]
}

run "wrong_values_2" {
  command = plan

  variables {
    # domain name
    domain_name = "Voice Example"
    # certificate
    certificate_arn = "cert.pem"
    # spot of one type
    spot = {}
    # no image
    image_id = null
    # no cidr
    vpc_cidr = "here"
    # desired
    size = { minimum = 2, maximum = 4, desired = 8 }
    # checkpoints end early
    refresh = { checkpoints = [25, 50] }
  }

  expect_failures = [
    var.domain_name,
    var.certificate_arn,
    var.spot,
    var.image_id,
    var.vpc_cidr,
    var.size,
    var.refresh,
  ]
}

run "wrong_values_3" {
  command = plan

  variables {
    # zone without name
    hosted_zone_id = "Z0123456789"
    # warm pool state
    warm_pool = { state = "Warm" }
    # image and commit
    image_commit = "0123456789abcdef0123456789abcdef01234567"
    # pause
    refresh = { pause_seconds = -1 }
  }

  expect_failures = [
    var.hosted_zone_id,
    var.warm_pool,
    var.image_id,
    var.refresh,
  ]
}

run "wrong_values_4" {
  command = plan

  variables {
    # public without tls
    internet_facing = true
    # spot percent
    instance_types = ["c7i.large", "c6i.large"]
    spot           = { on_demand_percent = 101 }
    # short commit
    image_id     = null
    image_commit = "0123456"
  }

  expect_failures = [
    var.internet_facing,
    var.spot,
    var.image_commit,
  ]
}

run "wrong_values_5" {
  command = plan

  variables {
    # vpc without subnets
    vpc_id = "vpc-0123456789abcdef0"
    # warm pool of two types
    instance_types = ["c7i.large", "c6i.large"]
    warm_pool      = {}
  }

  expect_failures = [
    var.vpc_id,
    var.warm_pool,
  ]
}

run "wrong_values_6" {
  command = plan

  variables {
    # vpc without public subnets
    vpc_id             = "vpc-0123456789abcdef0"
    private_subnet_ids = ["subnet-0a", "subnet-0b"]
    certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/own"
  }

  expect_failures = [
    var.vpc_id,
  ]
}

run "foreign_image" {
  command = plan

  override_data {
    target = data.aws_ami.this
    values = {
      tags = {}
    }
  }

  expect_failures = [data.aws_ami.this]
}
