variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "region" {
  description = "Region, for the dashboard."
  type        = string
}

variable "balancer_arn_suffix" {
  description = "The balancer's name in metrics."
  type        = string
}

variable "fleets" {
  description = "Fleets by colour: their group, its maximum, and their target group's name in metrics."
  type = map(object({
    group_name              = string
    maximum                 = number
    target_group_arn_suffix = string
  }))
}

variable "latency_seconds" {
  description = "Answer time (p99) above which an alarm is raised."
  type        = number
}

variable "topic_arn" {
  description = "Topic of the alarms."
  type        = string
}
