# One document per job. The adapter uses the default database, so a project holds one Darkroom.

resource "google_firestore_database" "jobs" {
  name                              = "(default)"
  location_id                       = var.region
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON" # `terraform destroy` leaves the jobs where they are

  dynamic "cmek_config" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [google_project_service.enabled]
}

resource "google_firestore_index" "jobs" {
  for_each = local.system.firestore.indexes

  database    = google_firestore_database.jobs.name
  collection  = local.system.firestore.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value
    content {
      field_path   = fields.value.field
      order        = fields.value.order
      array_config = fields.value.array_config
    }
  }
}

# No query uses an index of these fields alone; each is named by its collection. An index over a time would hold all writes to 500 a second, and one of
# the job's text would cost many kilobytes for each change. Queries by time use the composite indexes above, which begin
# with a shard.
resource "google_firestore_field" "unindexed" {
  for_each = local.system.firestore.unindexed_fields

  database   = google_firestore_database.jobs.name
  collection = each.value.collection
  field      = each.value.field

  index_config {}
}

# The sweep purges expired jobs and their artifacts within minutes. If the sweep does not run for days, Firestore deletes
# the documents itself, up to a day after their expiry, and the lifecycle rule of the bucket has deleted the artifacts
# by then: the precondition keeps that order. The sweep queries the field through the composite indexes above, so it has
# no single-field index.
resource "google_firestore_field" "expiry" {
  database   = google_firestore_database.jobs.name
  collection = local.system.firestore.collection
  field      = local.system.firestore.expiry_field

  ttl_config {}
  index_config {}

  lifecycle {
    precondition {
      condition     = var.settings.retention_s >= var.storage.artifacts_days * 86400
      error_message = "retention_s must be at least artifacts_days, or a job could vanish before its artifacts."
    }
  }
}

# One document counts one thing that a batch refused. Firestore deletes it some days after the bucket has deleted the
# records of the batch.
resource "google_firestore_field" "tally_expiry" {
  database   = google_firestore_database.jobs.name
  collection = local.system.firestore.tallies
  field      = local.system.firestore.expiry_field

  ttl_config {}
  index_config {}

  lifecycle {
    precondition {
      condition     = local.system.firestore.tally_days >= local.batches_days
      error_message = "TALLY_DAYS must be at least batches_days, or a batch could lose its counts before its records."
    }
  }
}
