variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of logs and messages."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "alarm_emails" {
  description = "Addresses that get the alarms."
  type        = list(string)
}
