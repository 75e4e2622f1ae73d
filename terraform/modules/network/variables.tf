variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "region" {
  description = "Region, for the names of the endpoints."
  type        = string
}

variable "account_id" {
  description = "Account, for whom the flow logs may be written."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
}

variable "zone_count" {
  description = "Availability zones to spread over."
  type        = number
}

variable "egress" {
  description = "endpoints, nat or nat_per_zone."
  type        = string
}

variable "public" {
  description = "Whether public subnets are needed for the balancer."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "How long flow logs are kept."
  type        = number
}
