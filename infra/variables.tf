variable "project" {
  description = "Id of the Google Cloud project. A project can have one Darkroom, because the names of its topics and its database are fixed."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The project must be a project id: 6 to 30 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Region of everything: buckets, functions, topics' storage, database."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "The region must be a single region such as europe-west1, not a zone and not a multi-region."
  }
}

variable "prefix" {
  description = "First part of the names of the buckets, which are unique in the world; the project id if null."
  type        = string
  default     = null

  validation {
    condition     = var.prefix == null || can(regex("^[a-z][a-z0-9-]{1,47}$", var.prefix))
    error_message = "The prefix must be 2 to 48 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "labels" {
  description = "Labels on every resource that supports labels, for the bill. A label `system` with the value darkroom is added."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels must be lower-case letters, digits, hyphens and underscores, at most 63 characters each."
  }
}

variable "staged" {
  description = "The file that `make stage` writes: which archive each function is deployed from."
  type        = string
  default     = null
}

variable "runtime" {
  description = "Runtime of the functions. The staged bytecode is used if its version of Python is the same."
  type        = string
  default     = "python311"

  validation {
    condition     = can(regex("^python3(1[1-9])$", var.runtime))
    error_message = "The runtime must be python311 or a later Python, which the code needs."
  }
}

variable "settings" {
  description = "What an operator may set on the running system; docs/operations.md explains each. Names of buckets and the project are set by this configuration itself."
  type = object({
    max_bytes       = optional(number, 100000000)
    max_pixels      = optional(number, 40000000)
    commercial_only = optional(bool, false)
    retention_s     = optional(number, 2592000)
    stall_after_s   = optional(number, 1800)
    orphan_after_s  = optional(number, 300)
    orphan_window_s = optional(number, 86400)
    anonymous       = optional(bool, false)
    google_audience = optional(string, "")
    google_roles    = optional(string, "")
    visitor_limit   = optional(number, 20)
    owner_limit     = optional(number, 0)
    log_level       = optional(string, "INFO")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.settings.log_level)
    error_message = "The log level must be DEBUG, INFO, WARNING or ERROR."
  }

  validation {
    condition     = var.settings.log_level == "DEBUG" || var.settings.log_level == "INFO"
    error_message = "The log level must be INFO or DEBUG here, because the metrics and alerts count lines of level INFO."
  }

  validation {
    condition     = !var.settings.anonymous || var.signing_key != null
    error_message = "settings.anonymous needs a signing_key, with which visitors' cookies are signed."
  }

  validation {
    condition     = var.settings.orphan_window_s < var.settings.retention_s
    error_message = "orphan_window_s must be below retention_s, or purged jobs would start again."
  }

  validation {
    condition     = var.settings.max_bytes >= 1 && var.settings.max_pixels >= 1 && var.settings.retention_s >= 3600 && var.settings.stall_after_s >= 1 && var.settings.orphan_after_s >= 0 && var.settings.orphan_window_s >= 60
    error_message = "max_bytes, max_pixels and stall_after_s must be at least 1, retention_s at least 3600, orphan_after_s at least 0 and orphan_window_s at least 60."
  }
}

variable "other_settings" {
  description = "Settings without a field in the variable `settings`, by the name of their environment variable, for example DARKROOM_THREADS."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.other_settings) : startswith(name, "DARKROOM_")])
    error_message = "Every one of the other settings must begin with DARKROOM_."
  }
}

variable "api" {
  description = "Allowed callers of the HTTP API: members such as group:shop@example.com, or with `public` all callers, whose API keys are then checked; and the origins whose pages may call it."
  type = object({
    public   = optional(bool, false)
    invokers = optional(set(string), [])
    origins  = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for member in var.api.invokers : can(regex("^(user|group|serviceAccount|domain):", member))])
    error_message = "Each invoker must be an IAM member of the kind user:, group:, serviceAccount: or domain:; set public for everybody."
  }
}

variable "signing_key" {
  description = "The secret in Secret Manager with the key of the API's signatures, at least 32 characters; visitors' cookies need one. It is created outside of Terraform, so that no state contains it: see docs/deployment.md."
  type        = object({ secret = string, version = optional(string, "latest") })
  default     = null

  validation {
    condition     = var.signing_key == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.signing_key.secret))
    error_message = "signing_key.secret must be the id of a secret in the project: letters, digits, hyphens and underscores."
  }

  validation {
    condition     = var.signing_key == null || can(regex("^(latest|[1-9][0-9]*)$", var.signing_key.version))
    error_message = "signing_key.version must be latest or the number of a version."
  }
}

variable "functions" {
  description = "Sizes that differ from the defaults, by the name of the function, for instance { denoise = { memory = \"8Gi\" } }."
  type = map(object({
    cpu           = optional(number)
    memory        = optional(string)
    concurrency   = optional(number)
    min_instances = optional(number)
    max_instances = optional(number)
    timeout_s     = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for size in values(var.functions) : size.memory == null || can(regex("^[0-9]+(Mi|Gi)$", size.memory))])
    error_message = "The memory of a function must be a whole number with the unit Mi or Gi, such as 4Gi."
  }

  validation {
    condition     = alltrue([for size in values(var.functions) : contains([1, 2, 4, 8], coalesce(size.cpu, 1))])
    error_message = "The cpu of a function must be 1, 2, 4 or 8."
  }

  validation {
    condition     = alltrue([for size in values(var.functions) : coalesce(size.max_instances, 1) >= 1 && coalesce(size.max_instances, 1) <= 1000 && coalesce(size.concurrency, 1) >= 1 && coalesce(size.concurrency, 1) <= 1000])
    error_message = "max_instances and concurrency must be between 1 and 1000."
  }
}

variable "quota" {
  description = "The quota of the project for Cloud Run in the region. Google refuses a function whose largest number of instances exceeds it; new projects often have only 20 processors and 40 GiB."
  type = object({
    cpus       = optional(number, 200)
    memory_gib = optional(number, 400)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.quota.cpus >= 2 && var.quota.memory_gib >= 4
    error_message = "The quota must be at least 2 processors and 4 GiB, which one instance of the API needs."
  }
}

variable "gpu" {
  description = "Stages that run on an NVIDIA L4, by the name of the function, for instance { denoise = {} }; none if empty. Their images are built before the apply: see docs/deployment.md."
  type = map(object({
    cpu              = optional(number, 4)
    memory           = optional(string, "16Gi")
    min_instances    = optional(number, 0)
    max_instances    = optional(number, 1)
    zonal_redundancy = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for size in values(var.gpu) : contains([4, 8], size.cpu) && can(regex("^(1[6-9]|2[0-9]|3[0-2])Gi$", size.memory))])
    error_message = "Beside a GPU there must be 4 or 8 processors and between 16Gi and 32Gi."
  }

  validation {
    condition     = length(setintersection(keys(var.gpu), keys(var.functions))) == 0
    error_message = "A stage with a GPU has its sizes in the variable gpu, so it must not be in functions too."
  }
}

variable "storage" {
  description = "How long objects are kept, and the origins that may upload from a browser. Null keeps them without limit."
  type = object({
    artifacts_days = optional(number, 7)
    uploads_days   = optional(number)
    results_days   = optional(number)
    replaced_days  = optional(number, 30)
    deleted_days   = optional(number, 7)
    upload_origins = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.storage.artifacts_days >= 1
    error_message = "artifacts_days must be at least 1, because a job needs its artifacts until it has ended."
  }

  validation {
    condition     = var.storage.deleted_days == 0 || (var.storage.deleted_days >= 7 && var.storage.deleted_days <= 90)
    error_message = "deleted_days must be 0, which switches soft delete off, or 7 to 90."
  }

  validation {
    condition     = alltrue([for origin in var.storage.upload_origins : can(regex("^https://[^/*]+$", origin)) || can(regex("^http://localhost(:[0-9]+)?$", origin))])
    error_message = "Each upload origin must be https:// and a host without path or wildcard; only http://localhost is allowed beside."
  }
}

variable "kms_key" {
  description = "Your own Cloud KMS key for buckets, topics, database, images and functions; Google's keys if null. The key must be in the region, and the service agents must be allowed to use it, see docs/deployment.md."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "The key must be written projects/…/locations/…/keyRings/…/cryptoKeys/…."
  }
}

variable "closed_egress" {
  description = "Close the way out for the stages, which decode pictures of strangers: they reach Google's APIs and nothing else. Open if null. The connector is billed as long as it exists: see docs/deployment.md."
  type = object({
    range         = optional(string, "10.8.0.0/28")
    machine_type  = optional(string, "e2-micro")
    min_instances = optional(number, 2)
    max_instances = optional(number, 10)
  })
  default = null

  validation {
    condition     = var.closed_egress == null || can(cidrhost(var.closed_egress.range, 15)) && endswith(try(var.closed_egress.range, ""), "/28")
    error_message = "closed_egress.range must be a free range of 16 addresses such as 10.8.0.0/28, which a connector needs."
  }

  validation {
    condition     = var.closed_egress == null || contains(["f1-micro", "e2-micro", "e2-standard-4"], try(var.closed_egress.machine_type, ""))
    error_message = "closed_egress.machine_type must be f1-micro, e2-micro or e2-standard-4."
  }

  validation {
    condition     = var.closed_egress == null || try(var.closed_egress.min_instances >= 2 && var.closed_egress.max_instances > var.closed_egress.min_instances && var.closed_egress.max_instances <= 10, false)
    error_message = "A connector has at least 2 and at most 10 instances, and max_instances must be above min_instances."
  }
}

variable "schedule" {
  description = "When the sweep runs, in cron's form and UTC."
  type        = string
  default     = "*/5 * * * *"

  validation {
    condition     = length(split(" ", var.schedule)) == 5
    error_message = "The schedule must have the five fields of cron: minute, hour, day, month, weekday."
  }
}

variable "alerts" {
  description = "Recipients and thresholds of the alerts."
  type = object({
    emails                = optional(set(string), [])
    failed_share          = optional(number, 0.05)
    job_p95_s             = optional(number, 600)
    api_error_share       = optional(number, 0.05)
    api_p95_s             = optional(number, 30)
    refused_requests      = optional(number, 100)
    stage_p95_s           = optional(number, 60)
    oldest_message_s      = optional(number, 1800)
    sweep_silent_s        = optional(number, 1800)
    notification_channels = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for share in [var.alerts.failed_share, var.alerts.api_error_share] : share > 0 && share < 1])
    error_message = "failed_share and api_error_share must be between 0 and 1, for instance 0.05 for five of a hundred."
  }

  validation {
    condition     = var.alerts.job_p95_s > 0 && var.alerts.api_p95_s > 0 && var.alerts.refused_requests >= 0
    error_message = "job_p95_s and api_p95_s must be above 0 seconds, and refused_requests at least 0."
  }

  validation {
    condition     = alltrue([for email in var.alerts.emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "Each of the emails must be an address."
  }
}

variable "objectives" {
  description = "Service level objectives over 28 days, as shares: photographs that are ready within job_s seconds of their upload, photographs that are completed, and answers of the HTTP API without an error of its own."
  type = object({
    job_s          = optional(number, 600)
    jobs_in_time   = optional(number, 0.95)
    jobs_completed = optional(number, 0.95)
    api_answers    = optional(number, 0.995)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.objectives.job_s > 0 && alltrue([for goal in [var.objectives.jobs_in_time, var.objectives.jobs_completed, var.objectives.api_answers] : goal > 0 && goal <= 0.9999])
    error_message = "objectives.job_s must be above 0, and each goal above 0 and at most 0.9999, the highest value that Cloud Monitoring accepts."
  }
}

variable "budget" {
  description = "A monthly budget with mails at 50, 90 and 100 percent; none if null. The account that applies needs the role Billing Account Costs Manager."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string) # the billing account's if null; another one is refused
  })
  default = null

  validation {
    condition     = var.budget == null || (can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)) && try(var.budget.amount >= 1, false))
    error_message = "The billing account must be written 012345-6789AB-CDEF01, and the amount must be at least 1."
  }
}

variable "deployer" {
  description = "Create two accounts for Cloud Build: one that plans every push with read access only, and one that applies after an approval and cannot change access. With the id of a secret that holds an API key, its smoke test tries the HTTP API too."
  type = object({
    state_bucket   = string
    api_key_secret = optional(string)
  })
  default = null

  validation {
    condition     = try(var.deployer.api_key_secret, null) == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.deployer.api_key_secret))
    error_message = "deployer.api_key_secret must be the id of a secret in the project: letters, digits, hyphens and underscores."
  }
}
