# Six buckets, and one for plans if Cloud Build deploys. They can be read only through IAM; none is emptied by `terraform destroy`.

locals {
  # Imports and batches expire. The configuration of a SKU or a group stays until it is deleted.
  batches_days = 90

  # A plan that was not applied by then is stale.
  plans_days = 30

  buckets = merge(local.always_buckets, var.deployer == null ? {} : {
    # Texts of plans, which an approved build compares with its own. The builder of the functions cannot read them.
    plans = {
      name         = "${local.prefix}-plans"
      versioning   = false # every name is written once
      delete_after = local.plans_days
      origins      = []
    }
  })

  always_buckets = {
    uploads = {
      name         = "${local.prefix}-uploads"
      versioning   = true # an original that was overwritten can be had back
      delete_after = var.storage.uploads_days
      origins      = var.storage.upload_origins
    }
    artifacts = {
      name         = "${local.prefix}-artifacts"
      versioning   = false # every name is written once; deleted objects can be computed again
      delete_after = var.storage.artifacts_days
      origins      = []
    }
    results = {
      name         = "${local.prefix}-results"
      versioning   = true
      delete_after = var.storage.results_days
      origins      = []
    }
    # Hashes of the API's keys; a hash cannot be used to call the API.
    keys = {
      name         = "${local.prefix}-api-keys"
      versioning   = true
      delete_after = null
      origins      = []
    }
    # Pipelines by SKU and group, imports and batches.
    catalogue = {
      name         = "${local.prefix}-catalogue"
      versioning   = true
      delete_after = local.batches_days
      origins      = []
    }
    source = {
      name         = "${local.prefix}-source"
      versioning   = true
      delete_after = null
      origins      = []
    }
  }
}

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62: access to objects is logged by Cloud Audit Logs, which an organization enables as a whole; a bucket of usage logs would store every photograph's name again.
  # checkov:skip=CKV_GCP_78: all but artifacts and plans have versioning; there every name is written only once, so there is never an older version to keep.
  for_each = local.buckets

  name                        = each.value.name
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = { bucket = each.key }

  versioning {
    enabled = each.value.versioning
  }

  # Artifacts and plans are deleted by design; keeping deleted ones would double what they cost.
  soft_delete_policy {
    retention_duration_seconds = contains(["artifacts", "plans"], each.key) ? 0 : var.storage.deleted_days * 86400
  }

  lifecycle_rule {
    action { type = "AbortIncompleteMultipartUpload" }
    condition { age = 1 }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.delete_after == null ? [] : [each.value.delete_after]
    content {
      action { type = "Delete" }
      condition {
        age            = lifecycle_rule.value
        with_state     = "LIVE"
        matches_prefix = each.key == "catalogue" ? ["batches/"] : []
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.versioning ? [var.storage.replaced_days] : []
    content {
      action { type = "Delete" }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value
        with_state                 = "ARCHIVED"
      }
    }
  }

  # A browser sends a photograph straight to a signed URL, with the headers that the signature names, and reads where a
  # resumable upload goes on.
  dynamic "cors" {
    for_each = length(each.value.origins) == 0 ? [] : [each.value.origins]
    content {
      origin = cors.value
      method = ["PUT", "POST", "OPTIONS"]
      response_header = [
        "Content-Type", "Content-Range", "Location", "Range", "x-goog-content-length-range", "x-goog-generation",
        "x-goog-if-generation-match", "x-goog-meta-*", "x-goog-resumable",
      ]
      max_age_seconds = 3600
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    precondition {
      condition     = length(distinct([for bucket in local.buckets : bucket.name])) == length(local.buckets)
      error_message = "The buckets must differ, otherwise every result would start another job, without end."
    }
    precondition {
      condition     = length(each.value.name) <= 63
      error_message = "The bucket name ${each.value.name} has more than 63 characters; set a shorter prefix."
    }
  }

  depends_on = [google_project_service.enabled]
}

# The archives are named by their content: another content is another object, and the same content is never sent twice.
resource "google_storage_bucket_object" "archive" {
  for_each = local.staged.functions

  bucket       = google_storage_bucket.this["source"].name
  name         = "functions/${basename(each.value.archive)}"
  source       = "${dirname(local.staged_file)}/${each.value.archive}"
  content_type = "application/zip"
}

# Cloud Storage announces uploads through Pub/Sub; Eventarc makes the topic, so the role cannot be narrower.
data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.enabled]
}

resource "google_project_iam_member" "storage_announces" {
  project = var.project
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
}
