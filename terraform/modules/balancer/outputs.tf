output "arn" {
  description = "The balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "Its name in metrics."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "Its own host name."
  value       = aws_lb.this.dns_name
}

output "log_bucket" {
  description = "Bucket of the access logs."
  value       = module.logs.id
}

output "target_groups" {
  description = "Target groups by colour: ARN and name in metrics."
  value       = { for colour, group in aws_lb_target_group.this : colour => { arn = group.arn, arn_suffix = group.arn_suffix } }

  # A group that no listener uses yet has no balancer to be counted at.
  depends_on = [aws_lb_listener.plain, aws_lb_listener.tls]
}

output "url" {
  description = "Where clients reach the service."
  value       = "${local.tls ? "https" : "http"}://${coalesce(var.domain_name, aws_lb.this.dns_name)}"
}

output "security_group_id" {
  description = "Security group of the balancer."
  value       = aws_security_group.balancer.id
}
