variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "region" {
  description = "Region, for the bucket's name."
  type        = string
}

variable "account_id" {
  description = "Account, for the bucket's name."
  type        = string
}

variable "vpc_id" {
  description = "VPC of Redis."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of Redis."
  type        = list(string)
}

variable "instance_security_group_id" {
  description = "Security group of the instances, which alone may reach Redis."
  type        = string
}

variable "instance_role_name" {
  description = "Role of the instances, which gets the rights on the bucket."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of bucket and Redis."
  type        = string
}

variable "force_destroy" {
  description = "Whether the bucket may be deleted with its recordings."
  type        = bool
}

variable "jobs" {
  description = "Sizes and retention."
  type = object({
    node_type       = string
    replicas        = number
    retention_days  = number
    snapshot_days   = number
    engine_version  = string
    maintenance_utc = string
  })
}
