variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "balancer_arn" {
  description = "Balancer in front of which it stands."
  type        = string
}

variable "rate_limit" {
  description = "Requests of one address in five minutes."
  type        = number
}

variable "managed_rules" {
  description = "Whether Amazon's managed rules apply."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the log."
  type        = string
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
}
