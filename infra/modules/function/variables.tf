variable "name" {
  description = "Name of the function; its account is called fn- and this name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,26}$", var.name))
    error_message = "The name must be 2 to 27 lower-case letters, digits and hyphens, so that fn- and the name fit into an account id."
  }
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "runtime" {
  description = "Runtime, such as python311."
  type        = string
}

variable "entry_point" {
  description = "Name of the function in main.py."
  type        = string
}

variable "source_archive" {
  description = "The staged archive."
  type        = object({ bucket = string, object = string })
}

variable "build" {
  description = "The account that builds, and the repository that keeps the image."
  type        = object({ service_account = string, repository = string })
}

variable "size" {
  description = "What an instance is given, and how many there are."
  type = object({
    cpu           = number
    memory        = string
    concurrency   = number
    min_instances = number
    max_instances = number
    timeout_s     = number
  })

  validation {
    condition     = var.size.min_instances >= 0 && var.size.min_instances <= var.size.max_instances
    error_message = "min_instances must be between 0 and max_instances."
  }

  validation {
    condition     = var.size.timeout_s >= 1 && var.size.timeout_s <= 540
    error_message = "timeout_s must be between 1 and 540, the longest that an event-driven function may run."
  }

  validation {
    condition     = try(tonumber(trimsuffix(var.size.memory, "Gi")), 0) <= 4 * var.size.cpu
    error_message = "memory must be at most 4Gi for each cpu."
  }
}

variable "environment" {
  description = "Variables set on the function."
  type        = map(string)
}

variable "gpu" {
  description = "An NVIDIA L4 beside every instance, and the image that runs there; null for none."
  type        = object({ image = string, zonal_redundancy = bool })
  default     = null
}

variable "upload_event" {
  description = "The bucket whose finalized objects call the function, and the account that calls it; null for a function that is called over HTTP."
  type        = object({ bucket = string, service_account = string })
  default     = null
}

variable "invokers" {
  description = "Allowed callers of the function: IAM members, by any key."
  type        = map(string)
  nullable    = false
}

variable "public" {
  description = "Whether everybody on the internet may call the function."
  type        = bool
  default     = false
}

variable "exposed" {
  description = "Whether the function has an address on the internet. The callers are a separate setting."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "Own key for the function's source and image, or null."
  type        = string
  default     = null
}

variable "connector" {
  description = "The VPC connector for all outgoing traffic of the function; null leaves its egress open."
  type        = string
  default     = null
}

variable "secrets" {
  description = "Variables that contain a secret: id and version of each, by the variable's name."
  type        = map(object({ secret = string, version = string }))
  default     = {}
  nullable    = false
}
