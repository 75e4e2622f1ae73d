output "url" {
  description = "Where clients reach the service."
  value       = module.balancer.url
}

output "balancer_dns_name" {
  description = "The balancer's own host name; point your name at it where Route 53 does not."
  value       = module.balancer.dns_name
}

output "images" {
  description = "Image and commit of each fleet."
  value       = { for colour, image in data.aws_ami.this : colour => { id = image.id, commit = image.tags["hush:commit"] } }
}

output "groups" {
  description = "Auto-scaling group of each fleet."
  value       = { for colour, fleet in module.fleet : colour => fleet.group_name }
}

output "dashboard" {
  description = "CloudWatch dashboard."
  value       = module.alarms.dashboard_name
}

output "log_groups" {
  description = "Prefix of the instances' log groups (/application, /access)."
  value       = module.observability.log_group_prefix
}

output "access_log_bucket" {
  description = "Bucket of the balancer's access logs."
  value       = module.balancer.log_bucket
}

output "jobs" {
  description = "Bucket and Redis of jobs; null without jobs."
  value       = var.jobs == null ? null : { bucket = module.jobs[0].bucket, redis_url = module.jobs[0].redis_url }
}

output "next_commands" {
  description = "What to type now."
  value = merge(
    local.is_public ? {
      try = "curl -F audio_file=@tests/data/noisy.wav ${module.balancer.url}/predict -o clean.wav"
      } : {
      tunnel = join(" ", [
        "aws ssm start-session --region ${var.region} --document-name AWS-StartPortForwardingSessionToRemoteHost",
        "--target $(aws autoscaling describe-auto-scaling-groups --region ${var.region} --auto-scaling-group-names ${module.fleet["blue"].group_name} --query 'AutoScalingGroups[0].Instances[0].InstanceId' --output text)",
        "--parameters host=${module.balancer.dns_name},portNumber=${local.has_certificate ? 443 : 80},localPortNumber=8080",
      ])
      try = "curl -F audio_file=@tests/data/noisy.wav ${local.has_certificate ? "https" : "http"}://localhost:8080/predict -o clean.wav"
    },
    {
      rollout = "aws autoscaling describe-instance-refreshes --region ${var.region} --auto-scaling-group-name ${module.fleet["blue"].group_name} --max-records 1"
      logs    = "aws logs tail --region ${var.region} ${module.observability.log_group_prefix}/application --follow"
    },
  )
}
