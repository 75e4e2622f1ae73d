output "arn" {
  description = "The web ACL."
  value       = aws_wafv2_web_acl.this.arn
}
