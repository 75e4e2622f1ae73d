output "bucket" {
  description = "Bucket of the recordings."
  value       = module.bucket.id
}

output "redis_url" {
  description = "Address of Redis; the connection is encrypted."
  value       = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379"
}

output "security_group_id" {
  description = "Security group of Redis."
  value       = aws_security_group.redis.id
}
