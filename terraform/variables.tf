# ---- What and where ----------------------------------------------------------------------------------------------

variable "region" {
  description = "AWS region of the whole stack, for example eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "name" {
  description = "Name of the stack: prefix of every resource. Two stacks of one account and region need two names."
  type        = string
  default     = "hush"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "name must have 2 to 20 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "tags" {
  description = "Further tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image_id" {
  description = "Machine image made by packer/bake, ami-... Either this or image_commit."
  type        = string
  default     = null

  validation {
    condition     = var.image_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.image_id))
    error_message = "image_id must look like ami-0123456789abcdef0."
  }

  validation {
    condition     = (var.image_id == null) != (var.image_commit == null)
    error_message = "Give exactly one of image_id (an image) and image_commit (the newest own image of a commit)."
  }
}

variable "image_commit" {
  description = "Full commit id: the newest image of this account with the tag hush:commit of that value is used."
  type        = string
  default     = null

  validation {
    condition     = var.image_commit == null || can(regex("^[0-9a-f]{40}$", var.image_commit))
    error_message = "image_commit must be a full commit id of 40 hexadecimal digits."
  }
}

variable "image_owners" {
  description = "Accounts whose images are looked at: self, or the account that bakes."
  type        = list(string)
  default     = ["self"]
  nullable    = false

  validation {
    condition     = length(var.image_owners) > 0 && alltrue([for owner in var.image_owners : can(regex("^(self|[0-9]{12})$", owner))])
    error_message = "image_owners must be self or accounts of 12 digits."
  }
}

# ---- Network -----------------------------------------------------------------------------------------------------

variable "vpc_id" {
  description = "Existing VPC to use; null makes one. With it go private_subnet_ids and, for an open balancer, public_subnet_ids."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must look like vpc-0123456789abcdef0."
  }

  validation {
    condition     = var.vpc_id == null || length(var.private_subnet_ids) >= 2
    error_message = "With vpc_id, private_subnet_ids must name at least two subnets in different zones."
  }

  validation {
    condition     = var.vpc_id == null || !local.is_public || length(var.public_subnet_ids) >= 2
    error_message = "With vpc_id and a balancer open to the internet, public_subnet_ids must name at least two subnets in different zones."
  }
}

variable "private_subnet_ids" {
  description = "Subnets of an existing VPC for the instances."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "public_subnet_ids" {
  description = "Subnets of an existing VPC for a balancer that is open to the internet."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "vpc_cidr" {
  description = "Address range of the VPC that is made, /16 to /22."
  type        = string
  default     = "10.80.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 22, false)
    error_message = "vpc_cidr must be an IPv4 range between /16 and /22, such as 10.80.0.0/16."
  }
}

variable "zone_count" {
  description = "Availability zones to spread over, 2 to 4."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3, 4], var.zone_count)
    error_message = "zone_count must be 2, 3 or 4."
  }
}

variable "egress" {
  description = "How instances reach AWS: endpoints (private, nothing else can be reached), nat (one gateway), nat_per_zone."
  type        = string
  default     = "endpoints"
  nullable    = false

  validation {
    condition     = contains(["endpoints", "nat", "nat_per_zone"], var.egress)
    error_message = "egress must be endpoints, nat or nat_per_zone."
  }
}

# ---- Balancer ----------------------------------------------------------------------------------------------------

variable "domain_name" {
  description = "Name under which clients reach the service, for example voice.example.org. With hosted_zone_id the record and the certificate are made."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a host name such as voice.example.org."
  }
}

variable "hosted_zone_id" {
  description = "Route 53 zone of domain_name."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || var.domain_name != null
    error_message = "hosted_zone_id needs domain_name."
  }
}

variable "certificate_arn" {
  description = "Certificate of ACM in this region; null: one is made for domain_name in hosted_zone_id, or the balancer stays internal and plain."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate."
  }
}

variable "internet_facing" {
  description = "Whether the balancer has public addresses. Null: yes with a certificate, no without one."
  type        = bool
  default     = null

  validation {
    condition     = var.internet_facing != true || local.has_certificate
    error_message = "A balancer open to the internet needs TLS: give certificate_arn, or domain_name and hosted_zone_id."
  }
}

variable "client_cidrs" {
  description = "Networks that may send requests. Null: everybody for a public balancer, the VPC for an internal one."
  type        = list(string)
  default     = null

  validation {
    condition     = var.client_cidrs == null || alltrue([for cidr in coalesce(var.client_cidrs, []) : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs must be IPv4 networks such as 198.51.100.0/24."
  }
}

variable "tls_policy" {
  description = "TLS policy of the balancer; only those that refuse everything below TLS 1.2 are allowed."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  nullable    = false

  validation {
    condition     = can(regex("^ELBSecurityPolicy-TLS13-1-(2-Res-2021-06|2-2021-06|3-2021-06|2-Res-FIPS-2023-04|3-FIPS-2023-04)$", var.tls_policy))
    error_message = "tls_policy must be one of the ELBSecurityPolicy-TLS13-1-2 or -1-3 policies."
  }
}

variable "request_timeout_seconds" {
  description = "Longest answer. nginx, gunicorn, the idle timeout of the balancer and the deregistration delay follow from it."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.request_timeout_seconds >= 10 && var.request_timeout_seconds <= 300
    error_message = "request_timeout_seconds must be between 10 and 300: the units in the image allow 300 s to stop."
  }
}

variable "slow_start_seconds" {
  description = "How long a new instance gets a growing share of the requests: 0 (off) or 30 to 900."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.slow_start_seconds == 0 || (var.slow_start_seconds >= 30 && var.slow_start_seconds <= 900)
    error_message = "slow_start_seconds must be 0 or between 30 and 900."
  }
}

variable "deletion_protection" {
  description = "Whether the balancer refuses to be deleted. Set it to false and apply before terraform destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "force_destroy_buckets" {
  description = "Whether terraform destroy may delete buckets with what is in them (access logs, recordings of jobs)."
  type        = bool
  default     = false
  nullable    = false
}

variable "waf" {
  description = "Web application firewall: requests of one address in five minutes before it is blocked, and whether Amazon's managed rules apply."
  type = object({
    enabled       = optional(bool, true)
    rate_limit    = optional(number, 3000)
    managed_rules = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.waf.rate_limit >= 10 && var.waf.rate_limit <= 2000000000
    error_message = "waf.rate_limit must be at least 10 requests in five minutes."
  }
}

# ---- Fleet -------------------------------------------------------------------------------------------------------

variable "instance_types" {
  description = "Instance types, the preferred one first; all of the image's architecture. More than one are used with spot or when the first is short."
  type        = list(string)
  default     = ["c7i.large"]
  nullable    = false

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for type in var.instance_types : can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", type))])
    error_message = "instance_types must name at least one type such as c7i.large."
  }
}

variable "size" {
  description = "Number of instances: least, most, and to begin with (null: least). Two is the least that survives the loss of a zone."
  type = object({
    minimum = optional(number, 2)
    maximum = optional(number, 6)
    desired = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.size.minimum >= 1 && var.size.minimum <= var.size.maximum && var.size.maximum <= 1000
    error_message = "size must satisfy 1 <= minimum <= maximum <= 1000."
  }

  validation {
    condition     = var.size.desired == null ? true : (var.size.desired >= var.size.minimum && var.size.desired <= var.size.maximum)
    error_message = "size.desired must lie between minimum and maximum."
  }
}

variable "scaling" {
  description = "Targets the group is kept at: requests a minute for each instance, and mean CPU in percent. Predictive scaling in addition learns the daily pattern."
  type = object({
    requests_per_instance = optional(number, 600)
    cpu_percent           = optional(number, 60)
    predictive            = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.scaling.requests_per_instance > 0 && var.scaling.cpu_percent >= 10 && var.scaling.cpu_percent <= 95
    error_message = "scaling.requests_per_instance must be positive, scaling.cpu_percent between 10 and 95."
  }
}

variable "schedules" {
  description = "Planned sizes by name: recurrence as a cron expression in time_zone, least and most instances from then on."
  type = map(object({
    recurrence = string
    time_zone  = optional(string, "Etc/UTC")
    minimum    = number
    maximum    = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for plan in values(var.schedules) : length(split(" ", plan.recurrence)) == 5 && plan.minimum >= 0 && plan.minimum <= plan.maximum])
    error_message = "Each schedule needs a recurrence of five cron fields and 0 <= minimum <= maximum."
  }
}

variable "spot" {
  description = "Spot instances: how many instances are on demand at least, and how many percent of the rest. Null: no spot."
  type = object({
    on_demand_base    = optional(number, 1)
    on_demand_percent = optional(number, 0)
  })
  default = null

  validation {
    condition     = var.spot == null ? true : (var.spot.on_demand_base >= 0 && var.spot.on_demand_percent >= 0 && var.spot.on_demand_percent <= 100)
    error_message = "spot.on_demand_base must not be negative, spot.on_demand_percent must be between 0 and 100."
  }

  validation {
    condition     = var.spot == null ? true : (length(var.instance_types) >= 2 && var.warm_pool == null)
    error_message = "spot needs at least two instance_types (capacity differs by type) and cannot be combined with a warm pool."
  }
}

variable "warm_pool" {
  description = "Stopped instances kept ready, so that growing takes seconds; null: none."
  type = object({
    minimum = optional(number, 1)
    state   = optional(string, "Stopped")
  })
  default = null

  validation {
    condition     = var.warm_pool == null ? true : (contains(["Stopped", "Hibernated", "Running"], var.warm_pool.state) && var.warm_pool.minimum >= 0)
    error_message = "warm_pool.state must be Stopped, Hibernated or Running, warm_pool.minimum not negative."
  }

  validation {
    condition     = var.warm_pool == null || length(var.instance_types) == 1
    error_message = "A warm pool works with exactly one of instance_types."
  }
}

variable "refresh" {
  description = "How a new image rolls: percentages at which it pauses, for how many seconds, and how long a new instance is watched."
  type = object({
    checkpoints    = optional(list(number), [25, 50, 100])
    pause_seconds  = optional(number, 300)
    warmup_seconds = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.refresh.checkpoints) > 0 && try(var.refresh.checkpoints[length(var.refresh.checkpoints) - 1] == 100, false) && alltrue([for percent in var.refresh.checkpoints : percent >= 1 && percent <= 100]) && join(",", [for percent in var.refresh.checkpoints : format("%03d", percent)]) == join(",", sort([for percent in var.refresh.checkpoints : format("%03d", percent)]))
    error_message = "refresh.checkpoints must be rising percentages that end with 100."
  }

  validation {
    condition     = var.refresh.pause_seconds >= 0 && var.refresh.pause_seconds <= 172800 && var.refresh.warmup_seconds >= 0
    error_message = "refresh.pause_seconds must be between 0 and 172800 (two days), refresh.warmup_seconds not negative."
  }
}

variable "green" {
  description = "A second fleet beside the first, for blue/green: its image and its share of the requests in percent. Null: none."
  type = object({
    image_id = string
    weight   = optional(number, 0)
  })
  default = null

  validation {
    condition     = var.green == null ? true : (can(regex("^ami-[0-9a-f]{8,17}$", var.green.image_id)) && var.green.weight >= 0 && var.green.weight <= 100)
    error_message = "green.image_id must look like ami-0123456789abcdef0, green.weight must be between 0 and 100."
  }
}

variable "wait_for_capacity_timeout" {
  description = "How long apply waits for instances to be in service, such as 10m; 0 does not wait."
  type        = string
  default     = "10m"
  nullable    = false

  validation {
    condition     = can(regex("^(0|[0-9]+(s|m|h))$", var.wait_for_capacity_timeout))
    error_message = "wait_for_capacity_timeout must be 0 or a duration such as 10m."
  }
}

variable "volume_gb" {
  description = "Root volume of an instance in GiB, at least that of the image."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.volume_gb >= 10 && var.volume_gb <= 1000
    error_message = "volume_gb must be between 10 and 1000."
  }
}

variable "volume_kms_key_arn" {
  description = "Key for the instances' volumes; null: the account's own key for EBS. The auto-scaling service needs a grant on another key."
  type        = string
  default     = null
}

# ---- Service -----------------------------------------------------------------------------------------------------

variable "model_labels" {
  description = "Labels of models in the image, such as { production = \"recurrent\" }: a model is promoted by this, without a bake."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for label, key in var.model_labels : can(regex("^[A-Za-z0-9._-]+$", label)) && can(regex("^[A-Za-z0-9._-]+$", key))])
    error_message = "model_labels must map labels to keys of models, both of letters, digits, points, hyphens and underscores."
  }
}

variable "settings" {
  description = "Further settings of the service, HUSH_NAME = value (docs/operations.md)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^HUSH_[A-Z_]+$", name)) && !strcontains(value, "\n")])
    error_message = "settings must be HUSH_ variables with values of one line."
  }
}

variable "client_rate" {
  description = "Requests a minute that nginx allows one client address on each instance, and how many at once beyond it; rate 0: no limit."
  type = object({
    rate  = optional(number, 0)
    burst = optional(number, 20)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.client_rate.rate >= 0 && var.client_rate.burst >= 1
    error_message = "client_rate.rate must not be negative, client_rate.burst at least 1."
  }
}

variable "body_limit_mb" {
  description = "Largest upload in MiB."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.body_limit_mb >= 1 && var.body_limit_mb <= 4096
    error_message = "body_limit_mb must be between 1 and 4096."
  }
}

variable "jobs" {
  description = "Redis and a bucket for long recordings (POST /jobs). Null: none."
  type = object({
    node_type       = optional(string, "cache.t4g.small")
    replicas        = optional(number, 1)
    retention_days  = optional(number, 7)
    snapshot_days   = optional(number, 1)
    engine_version  = optional(string, "7.1")
    maintenance_utc = optional(string, "sun:03:00-sun:04:00")
  })
  default = null

  validation {
    condition     = var.jobs == null ? true : (var.jobs.replicas >= 1 && var.jobs.replicas <= 5 && var.jobs.retention_days >= 1)
    error_message = "jobs.replicas must be between 1 and 5 (failover needs one), jobs.retention_days at least 1."
  }
}

# ---- Keys, logs, alarms ------------------------------------------------------------------------------------------

variable "kms_key_arn" {
  description = "Key for logs, messages, the jobs' bucket and Redis; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps logs; one of its own steps."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's steps, for example 30, 90 or 365."
  }
}

variable "access_log_days" {
  description = "How long the balancer's access logs stay in their bucket."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.access_log_days >= 1
    error_message = "access_log_days must be at least 1."
  }
}

variable "alarm_emails" {
  description = "Addresses that get the alarms; each has to confirm once."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "alarm_latency_seconds" {
  description = "The 99th percentile of the answer time above which an alarm is raised."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.alarm_latency_seconds > 0
    error_message = "alarm_latency_seconds must be positive."
  }
}
