variable "name" {
  description = "Beginning of the bucket's name, which account and region make unique."
  type        = string
}

variable "region" {
  description = "Region, for the bucket's name."
  type        = string
}

variable "account_id" {
  description = "Account, for the bucket's name."
  type        = string
}

variable "retention_days" {
  description = "How long an object stays."
  type        = number
}

variable "force_destroy" {
  description = "Whether the bucket may be deleted with what is in it."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects; null: S3's own."
  type        = string
  default     = null
}

variable "writers" {
  description = "Services of AWS that may put objects, each with the prefix it may write under."
  type        = map(string)
  default     = {}
}
