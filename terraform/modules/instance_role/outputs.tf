output "profile_arn" {
  description = "Instance profile."
  value       = aws_iam_instance_profile.this.arn

  # Without its rights an instance could not report that it is ready.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.ssm]
}

output "role_name" {
  description = "Role, for further rights."
  value       = aws_iam_role.this.name
}
