output "topic_arn" {
  description = "Topic of the alarms."
  value       = aws_sns_topic.alarms.arn
}

output "log_group_prefix" {
  description = "Prefix of the log groups."
  value       = "/${var.name}"
}

output "log_group_arns" {
  description = "Log groups that instances write to."
  value       = [for group in aws_cloudwatch_log_group.this : group.arn]
}
