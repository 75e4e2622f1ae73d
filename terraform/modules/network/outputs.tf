output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of the instances."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # Instances that start before their way out is there would never report that they are ready.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.interface, aws_vpc_endpoint.s3]
}

output "public_subnet_ids" {
  description = "Subnets of a public balancer, if there are any."
  value       = [for zone in local.zones : aws_subnet.public[zone].id if contains(keys(aws_subnet.public), zone)]

  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "s3_prefix_list_id" {
  description = "Addresses of S3, as the gateway endpoint routes them."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
