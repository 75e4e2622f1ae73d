variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "region" {
  description = "Region of the groups."
  type        = string
}

variable "account_id" {
  description = "Account of the groups."
  type        = string
}

variable "group_names" {
  description = "Auto-scaling groups whose lifecycle hooks an instance may answer."
  type        = list(string)
}

variable "log_group_arns" {
  description = "Log groups that an instance may write to."
  type        = list(string)
}
