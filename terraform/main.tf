# The whole stack: network, balancer, firewall, one or two fleets, jobs, alarms. Each part is a module; here they meet.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The image of each fleet, which must be one of ours.
data "aws_ami" "this" {
  for_each = local.colours

  owners      = var.image_owners
  most_recent = true

  filter {
    name   = each.value.image_id != null ? "image-id" : "tag:hush:commit"
    values = [each.value.image_id != null ? each.value.image_id : var.image_commit]
  }

  lifecycle {
    postcondition {
      condition     = contains(keys(self.tags), "hush:commit")
      error_message = "The image ${self.id} has no tag hush:commit: it was not made by packer/bake, and would not serve."
    }
  }
}

data "aws_vpc" "existing" {
  count = var.vpc_id != null ? 1 : 0

  id = var.vpc_id
}

locals {
  account_id = data.aws_caller_identity.current.account_id

  has_certificate = var.certificate_arn != null || (var.domain_name != null && var.hosted_zone_id != null)
  is_public       = coalesce(var.internet_facing, local.has_certificate)

  make_network    = var.vpc_id == null
  vpc_id          = local.make_network ? module.network[0].vpc_id : var.vpc_id
  vpc_cidrs       = local.make_network ? [var.vpc_cidr] : data.aws_vpc.existing[0].cidr_block_associations[*].cidr_block
  private_subnets = local.make_network ? module.network[0].private_subnet_ids : var.private_subnet_ids
  public_subnets  = local.make_network ? module.network[0].public_subnet_ids : var.public_subnet_ids
  client_cidrs    = var.client_cidrs != null ? var.client_cidrs : local.is_public ? ["0.0.0.0/0"] : local.vpc_cidrs

  # nginx on the instances (packer/instance/configure.py).
  port = 8080
  # The least that the balancer takes; two failures decide.
  health_check  = { interval = 5, timeout = 4, healthy = 2, unhealthy = 2 }
  drain_seconds = local.health_check.interval * (local.health_check.unhealthy + 1)

  colours = merge(
    { blue = { image_id = var.image_id, weight = var.green == null ? 100 : 100 - var.green.weight } },
    var.green == null ? {} : { green = { image_id = var.green.image_id, weight = var.green.weight } },
  )

  kms_key_arn = var.kms_key_arn != null ? var.kms_key_arn : aws_kms_key.this[0].arn
  tags        = merge(var.tags, { "hush:stack" = var.name })

}

module "network" {
  source = "./modules/network"
  count  = local.make_network ? 1 : 0

  name               = var.name
  region             = var.region
  account_id         = local.account_id
  cidr               = var.vpc_cidr
  zone_count         = var.zone_count
  egress             = var.egress
  public             = local.is_public
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
}

module "observability" {
  source = "./modules/observability"

  name               = var.name
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  alarm_emails       = var.alarm_emails
}

module "balancer" {
  source = "./modules/balancer"

  name                       = var.name
  region                     = var.region
  account_id                 = local.account_id
  vpc_id                     = local.vpc_id
  subnet_ids                 = local.is_public ? local.public_subnets : local.private_subnets
  public                     = local.is_public
  tls                        = local.has_certificate
  client_cidrs               = local.client_cidrs
  instance_security_group_id = aws_security_group.instances.id
  port                       = local.port
  weights                    = { for colour, fleet in local.colours : colour => fleet.weight }
  request_timeout_seconds    = var.request_timeout_seconds
  slow_start_seconds         = var.slow_start_seconds
  health_check               = local.health_check
  deletion_protection        = var.deletion_protection
  force_destroy_buckets      = var.force_destroy_buckets
  access_log_days            = var.access_log_days
  tls_policy                 = var.tls_policy
  certificate_arn            = var.certificate_arn
  domain_name                = var.domain_name
  hosted_zone_id             = var.hosted_zone_id
}

module "waf" {
  source = "./modules/waf"
  count  = var.waf.enabled ? 1 : 0

  name               = var.name
  balancer_arn       = module.balancer.arn
  rate_limit         = var.waf.rate_limit
  managed_rules      = var.waf.managed_rules
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
}

module "instance_role" {
  source = "./modules/instance_role"

  name           = var.name
  region         = var.region
  account_id     = local.account_id
  group_names    = [for colour in keys(local.colours) : "${var.name}-${colour}"]
  log_group_arns = module.observability.log_group_arns
}

module "fleet" {
  source   = "./modules/fleet"
  for_each = local.colours

  name                      = "${var.name}-${each.key}"
  region                    = var.region
  tags                      = local.tags
  image_id                  = data.aws_ami.this[each.key].id
  root_device_name          = data.aws_ami.this[each.key].root_device_name
  instance_types            = var.instance_types
  mixed                     = var.spot != null || length(var.instance_types) > 1
  subnet_ids                = local.private_subnets
  security_group_id         = aws_security_group.instances.id
  instance_profile_arn      = module.instance_role.profile_arn
  target_group              = module.balancer.target_groups[each.key]
  balancer_arn_suffix       = module.balancer.arn_suffix
  size                      = var.size
  scaling                   = var.scaling
  schedules                 = var.schedules
  spot                      = var.spot
  warm_pool                 = var.warm_pool
  refresh                   = var.refresh
  wait_for_capacity_timeout = var.wait_for_capacity_timeout
  volume_gb                 = var.volume_gb
  volume_kms_key_arn        = var.volume_kms_key_arn
  trusted_networks          = local.vpc_cidrs
  request_timeout_seconds   = var.request_timeout_seconds
  drain_seconds             = local.drain_seconds
  client_rate               = var.client_rate
  body_limit_mb             = var.body_limit_mb
  settings                  = merge(local.jobs_settings, var.settings)
  model_labels              = var.model_labels
  log_group                 = module.observability.log_group_prefix
  alarm_topic_arn           = module.observability.topic_arn
}

# Where the service finds them (docs/operations.md); what var.settings says wins.
locals {
  jobs_settings = var.jobs == null ? tomap({}) : tomap({
    HUSH_REDIS_URL   = module.jobs[0].redis_url
    HUSH_JOBS_BUCKET = module.jobs[0].bucket
    HUSH_JOBS_REGION = var.region
  })
}

module "jobs" {
  source = "./modules/jobs"
  count  = var.jobs != null ? 1 : 0

  name                       = var.name
  region                     = var.region
  account_id                 = local.account_id
  vpc_id                     = local.vpc_id
  subnet_ids                 = local.private_subnets
  instance_security_group_id = aws_security_group.instances.id
  instance_role_name         = module.instance_role.role_name
  kms_key_arn                = local.kms_key_arn
  force_destroy              = var.force_destroy_buckets
  jobs                       = var.jobs
}

module "alarms" {
  source = "./modules/alarms"

  name                = var.name
  region              = var.region
  balancer_arn_suffix = module.balancer.arn_suffix
  latency_seconds     = var.alarm_latency_seconds
  topic_arn           = module.observability.topic_arn
  fleets = { for colour in keys(local.colours) : colour => {
    group_name              = module.fleet[colour].group_name
    maximum                 = var.size.maximum
    target_group_arn_suffix = module.balancer.target_groups[colour].arn_suffix
  } }
}
