variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "region" {
  description = "Region, for the name of the log bucket."
  type        = string
}

variable "account_id" {
  description = "Account, for the name of the log bucket and who may write to it."
  type        = string
}

variable "vpc_id" {
  description = "VPC of balancer and instances."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the balancer, at least two zones."
  type        = list(string)
}

variable "public" {
  description = "Whether the balancer has public addresses."
  type        = bool
}

variable "tls" {
  description = "Whether the balancer speaks HTTPS, with certificate_arn or with a certificate that is made here."
  type        = bool
}

variable "client_cidrs" {
  description = "Networks that may send requests."
  type        = list(string)
}

variable "instance_security_group_id" {
  description = "Security group of the instances."
  type        = string
}

variable "port" {
  description = "Port of nginx on the instances."
  type        = number
}

variable "weights" {
  description = "Fleets by colour, with their share of the requests."
  type        = map(number)
}

variable "request_timeout_seconds" {
  description = "Longest answer."
  type        = number
}

variable "slow_start_seconds" {
  description = "How long a new target gets a growing share."
  type        = number
}

variable "health_check" {
  description = "Seconds between and for a check, and how many in a row decide."
  type = object({
    interval  = number
    timeout   = number
    healthy   = number
    unhealthy = number
  })
}

variable "deletion_protection" {
  description = "Whether the balancer refuses to be deleted."
  type        = bool
}

variable "force_destroy_buckets" {
  description = "Whether the log bucket may be deleted with its logs."
  type        = bool
}

variable "access_log_days" {
  description = "How long access logs stay."
  type        = number
}

variable "tls_policy" {
  description = "Name of the TLS policy."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate to use; null: one is made where tls is on."
  type        = string
}

variable "domain_name" {
  description = "Name of the service."
  type        = string
}

variable "hosted_zone_id" {
  description = "Zone in which record and certificate are made."
  type        = string
}
