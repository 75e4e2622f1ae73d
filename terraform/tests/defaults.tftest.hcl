# What an operator gets who names a region and an image and nothing else.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region   = "eu-central-1"
  image_id = "ami-0123456789abcdef0"
}

run "defaults" {
  assert {
    condition     = output.url == "http://hush-1.eu-central-1.elb.amazonaws.com"
    error_message = "Without a certificate the service must be plain HTTP inside the VPC."
  }

  assert {
    condition     = strcontains(output.next_commands.tunnel, "host=hush-1.eu-central-1.elb.amazonaws.com,portNumber=80")
    error_message = "An internal balancer is reached by port forwarding; the command must be among the outputs."
  }

  assert {
    condition     = output.images.blue.commit == "0123456789abcdef0123456789abcdef01234567"
    error_message = "The outputs must name the commit of the image."
  }

  assert {
    condition     = length(module.network) == 1 && length(module.waf) == 1 && length(module.jobs) == 0 && keys(module.fleet) == ["blue"]
    error_message = "By default there are a network, a firewall and one fleet, and no jobs."
  }

  assert {
    condition     = length(aws_kms_key.this) == 1 && aws_kms_key.this[0].enable_key_rotation
    error_message = "A key with rotation must be made."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.instances : rule.cidr_ipv4 == "10.80.0.0/16" && rule.from_port == 443])
    error_message = "With endpoints an instance may reach nothing outside the VPC."
  }

  assert {
    condition     = length(module.network[0].public_subnet_ids) == 0
    error_message = "Nothing is public, so no public subnet is needed."
  }
}

run "public_with_a_name" {
  variables {
    domain_name    = "voice.example.org"
    hosted_zone_id = "Z0123456789"
    egress         = "nat"
  }

  assert {
    condition     = output.url == "https://voice.example.org" && startswith(output.next_commands.try, "curl")
    error_message = "With a name and a zone the service must be reached by HTTPS."
  }

  assert {
    condition     = length(module.network[0].public_subnet_ids) == 2
    error_message = "A public balancer needs public subnets."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.balancer) == 0
    error_message = "Instances need no way to a public balancer."
  }
}

run "existing_network_and_key" {
  variables {
    vpc_id             = "vpc-0123456789abcdef0"
    private_subnet_ids = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"]
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/own"
    waf                = { enabled = false }
  }

  assert {
    condition     = length(module.network) == 0 && length(aws_kms_key.this) == 0 && length(module.waf) == 0
    error_message = "What exists must not be made again."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.instances : rule.cidr_ipv4 == "172.16.0.0/16"])
    error_message = "The ranges of the existing VPC must be used."
  }
}

run "green_beside_blue" {
  variables {
    green = { image_id = "ami-0fedcba9876543210", weight = 10 }
    jobs  = {}
  }

  assert {
    condition     = keys(module.fleet) == ["blue", "green"] && output.groups == { blue = "hush-blue", green = "hush-green" }
    error_message = "Blue/green needs two fleets."
  }

  assert {
    condition     = output.jobs.redis_url == "rediss://redis.example.internal:6379"
    error_message = "Jobs need an encrypted Redis."
  }

  assert {
    condition = local.jobs_settings == tomap({
      HUSH_REDIS_URL   = output.jobs.redis_url
      HUSH_JOBS_BUCKET = output.jobs.bucket
      HUSH_JOBS_REGION = "eu-central-1"
    })
    error_message = "Every instance must be told where jobs are."
  }
}
