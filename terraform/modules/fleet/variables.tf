variable "name" {
  description = "Name of the fleet: stack and colour."
  type        = string
}

variable "region" {
  description = "Region, told to the instances."
  type        = string
}

variable "tags" {
  description = "Tags of instances and volumes; the provider's default tags do not reach them."
  type        = map(string)
}

variable "image_id" {
  description = "Machine image."
  type        = string
}

variable "root_device_name" {
  description = "Name of the image's root device."
  type        = string
}

variable "instance_types" {
  description = "Instance types, the preferred one first."
  type        = list(string)
}

variable "mixed" {
  description = "Whether several types or spot instances are used."
  type        = bool
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the instances."
  type        = string
}

variable "instance_profile_arn" {
  description = "Instance profile."
  type        = string
}

variable "target_group" {
  description = "Target group of this fleet."
  type = object({
    arn        = string
    arn_suffix = string
  })
}

variable "balancer_arn_suffix" {
  description = "The balancer's name in metrics."
  type        = string
}

variable "size" {
  description = "Least, most and first number of instances."
  type = object({
    minimum = number
    maximum = number
    desired = optional(number)
  })
}

variable "scaling" {
  description = "Targets of the scaling policies."
  type = object({
    requests_per_instance = number
    cpu_percent           = number
    predictive            = bool
  })
}

variable "schedules" {
  description = "Planned sizes."
  type = map(object({
    recurrence = string
    time_zone  = string
    minimum    = number
    maximum    = number
  }))
}

variable "spot" {
  description = "Share of on-demand instances; null: no spot."
  type = object({
    on_demand_base    = number
    on_demand_percent = number
  })
}

variable "warm_pool" {
  description = "Stopped instances kept ready; null: none."
  type = object({
    minimum = number
    state   = string
  })
}

variable "refresh" {
  description = "How a new image rolls."
  type = object({
    checkpoints    = list(number)
    pause_seconds  = number
    warmup_seconds = number
  })
}

variable "wait_for_capacity_timeout" {
  description = "How long apply waits for instances in service."
  type        = string
}

variable "volume_gb" {
  description = "Root volume in GiB."
  type        = number
}

variable "volume_kms_key_arn" {
  description = "Key of the volume; null: the account's own for EBS."
  type        = string
}

variable "trusted_networks" {
  description = "Networks of the balancer, whose X-Forwarded-For is believed."
  type        = list(string)
}

variable "request_timeout_seconds" {
  description = "Longest answer."
  type        = number
}

variable "drain_seconds" {
  description = "How long the balancer needs to see that an instance is not ready."
  type        = number
}

variable "client_rate" {
  description = "nginx's limit for one client address."
  type = object({
    rate  = number
    burst = number
  })
}

variable "body_limit_mb" {
  description = "Largest upload in MiB."
  type        = number
}

variable "settings" {
  description = "Further HUSH_ variables."
  type        = map(string)
}

variable "model_labels" {
  description = "Labels of models."
  type        = map(string)
}

variable "log_group" {
  description = "Prefix of the log groups."
  type        = string
}

variable "alarm_topic_arn" {
  description = "Topic of the alarms."
  type        = string
}
