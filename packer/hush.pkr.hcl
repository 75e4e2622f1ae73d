# The machine image: one EC2 instance is started from a base image, provisioned over SSH, verified and registered.
# `packer/bake` calls Packer with the right arguments; README.md explains them.
#
# A current Packer reads this folder (plugins.pkr.hcl included). Lines marked "since" need one; packer/legacy leaves
# them out and gives Debian's Packer 1.6.6 the rest as a single file.

packer {
  required_version = ">= 1.6.6"
}

variable "region" {
  type        = string
  description = "Region in which the image is made, for example eu-central-1."

  validation {
    condition     = var.region != "" && regex_replace(var.region, "^[a-z]{2}(-[a-z]+)+-[0-9]$", "") == ""
    error_message = "The region must look like eu-central-1."
  }
}

variable "commit" {
  type        = string
  description = "Full id of the commit that is baked; archive holds its tree."

  validation {
    condition     = var.commit != "" && regex_replace(var.commit, "^[0-9a-f]{40}$", "") == ""
    error_message = "The commit must be a full id of 40 hexadecimal digits."
  }
}

variable "archive" {
  type        = string
  description = "Path of the application's tree, tar.gz (git archive)."
}

variable "model_versions" {
  type        = string
  description = "Models in that tree as KEY=VERSION, separated by blanks; becomes a tag."
  default     = ""
}

variable "base_name" {
  type        = string
  description = "Name filter of the base image; the newest that matches is taken."
  default     = "debian-12-amd64-*"
}

variable "base_owner" {
  type        = string
  description = "Account that owns the base image: 136693071363 is Debian's, 099720109477 Canonical's."
  default     = "136693071363"

  validation {
    condition     = var.base_owner != "" && regex_replace(var.base_owner, "^([0-9]{12}|amazon|self)$", "") == ""
    error_message = "The owner of the base image must be an account of 12 digits, amazon or self."
  }
}

variable "ssh_username" {
  type        = string
  description = "User that the base image logs in: admin on Debian, ubuntu on Ubuntu."
  default     = "admin"
}

variable "instance_type" {
  type        = string
  description = "Instance that bakes. The image runs on every type of the same architecture."
  default     = "c7i.large"
}

variable "subnet_id" {
  type        = string
  description = "Subnet to bake in; empty: the default VPC."
  default     = ""
}

variable "builder_cidr" {
  type        = string
  description = "Network from which Packer comes by SSH; the temporary security group admits no other."

  validation {
    condition     = var.builder_cidr != "" && regex_replace(var.builder_cidr, "^[0-9.]+/[0-9]+$", "") == "" && var.builder_cidr != "0.0.0.0/0"
    error_message = "The builder_cidr must be a network such as 198.51.100.7/32, not everybody."
  }
}

variable "root_device" {
  type        = string
  description = "Root device of the base image: /dev/xvda on Debian, /dev/sda1 on Ubuntu."
  default     = "/dev/xvda"
}

variable "volume_gb" {
  type        = number
  description = "Size of the root volume in GiB: system, Python environment, models, spooled uploads, logs."
  default     = 20

  validation {
    condition     = var.volume_gb >= 10 && var.volume_gb <= 1000
    error_message = "The volume_gb must be between 10 and 1000."
  }
}

variable "kms_key_id" {
  type        = string
  description = "Key that encrypts the volume; empty: the account's own key for EBS."
  default     = ""
}

variable "image_users" {
  type        = list(string)
  description = "Further accounts that may start the image; they need a kms_key_id that they may use too."
  default     = []
}

variable "torch_index" {
  type        = string
  description = "Address of a further Python index, which has the CPU build of torch."
  default     = ""
}

variable "wheels" {
  type        = string
  description = "Folder on the base image with every wheel: no Python index is asked."
  default     = ""
}

variable "install_agents" {
  type        = bool
  description = "Whether Amazon's CloudWatch and SSM agents are installed."
  default     = true
}

# For a rehearsal without AWS (tests/cloud/test_bake.py).
variable "ec2_endpoint" {
  type        = string
  description = "Another address of the EC2 API; empty: Amazon's."
  default     = ""
}

variable "ssh_host" {
  type        = string
  description = "Machine to provision instead of the instance's address; empty: the instance."
  default     = ""
}

variable "ssh_port" {
  type        = number
  description = "Its port."
  default     = 22
}

variable "ssh_key_file" {
  type        = string
  description = "Private key for it; empty: a temporary key pair."
  default     = ""
}

source "amazon-ebs" "hush" {
  region              = var.region
  custom_endpoint_ec2 = var.ec2_endpoint
  # A rehearsal has no real account to ask.
  skip_region_validation      = var.ec2_endpoint != ""
  skip_metadata_api_check     = var.ec2_endpoint != ""
  skip_credential_validation  = var.ec2_endpoint != "" # since 1.7
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  associate_public_ip_address = true
  ebs_optimized               = true

  source_ami_filter {
    filters = {
      name                = var.base_name
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = [var.base_owner]
    most_recent = true
  }

  ssh_username                          = var.ssh_username
  ssh_host                              = var.ssh_host
  ssh_port                              = var.ssh_port
  ssh_private_key_file                  = var.ssh_key_file
  ssh_timeout                           = "10m"
  temporary_security_group_source_cidrs = [var.builder_cidr]

  # The baking instance and every instance of the image answer metadata requests only to who shows a token.
  metadata_options {               # since 1.7
    http_endpoint               = "enabled"  # since 1.7
    http_tokens                 = "required" # since 1.7
    http_put_response_hop_limit = 1          # since 1.7
  }                                # since 1.7
  imds_support = "v2.0" # since 1.8

  launch_block_device_mappings {
    device_name           = var.root_device
    volume_type           = "gp3"
    volume_size           = var.volume_gb
    iops                  = 3000
    throughput            = 125
    delete_on_termination = true
  }
  encrypt_boot = true
  kms_key_id   = var.kms_key_id

  ami_name        = "hush-${formatdate("YYYYMMDD-hhmmss", timestamp())}-${substr(var.commit, 0, 12)}"
  ami_description = "Hush speech enhancement, commit ${var.commit}"
  ami_users       = var.image_users

  tags = {
    Name          = "hush"
    "hush:commit" = var.commit
    "hush:models" = var.model_versions
    "hush:base"   = "{{ .SourceAMIName }} {{ .SourceAMI }}"
  }
  snapshot_tags = {
    Name          = "hush"
    "hush:commit" = var.commit
  }
  run_tags = {
    Name = "hush-bake"
  }
  run_volume_tags = {
    Name = "hush-bake"
  }
}

build {
  sources = ["source.amazon-ebs.hush"]

  provisioner "shell" {
    inline = ["mkdir -p /tmp/hush-bake"]
  }

  provisioner "file" {
    sources     = ["${path.root}/scripts", "${path.root}/files", "${path.root}/systemd", "${path.root}/pins.env"]
    destination = "/tmp/hush-bake/"
  }

  provisioner "file" {
    source      = var.archive
    destination = "/tmp/hush-bake/hush.tar.gz"
  }

  provisioner "file" {
    source      = "${path.root}/../tests/data/noisy.wav"
    destination = "/tmp/hush-bake/noisy.wav"
  }

  # In the order of their numbers; the first failure ends the bake and no image is registered.
  provisioner "shell" {
    execute_command = "chmod +x {{ .Path }}; sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = [
      "AWS_REGION=${var.region}",
      "COMMIT=${var.commit}",
      "TORCH_INDEX=${var.torch_index}",
      "WHEELS=${var.wheels}",
      "INSTALL_AGENTS=${var.install_agents}",
    ]
    scripts = [
      "${path.root}/scripts/10-packages.sh",
      "${path.root}/scripts/20-nginx.sh",
      "${path.root}/scripts/30-kernel.sh",
      "${path.root}/scripts/40-updates.sh",
      "${path.root}/scripts/45-accounts.sh",
      "${path.root}/scripts/50-agents.sh",
      "${path.root}/scripts/60-application.sh",
      "${path.root}/scripts/65-python.sh",
      "${path.root}/scripts/70-models.sh",
      "${path.root}/scripts/75-units.sh",
      "${path.root}/scripts/80-logs.sh",
      "${path.root}/scripts/90-verify.sh",
      "${path.root}/scripts/95-clean.sh",
    ]
  }

  post-processor "manifest" {
    output = "hush-manifest.json"
    custom_data = {
      commit = var.commit
      models = var.model_versions
    }
  }
}
