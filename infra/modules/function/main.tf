# One function with an account of its own. Whoever calls it is named one by one.

resource "google_service_account" "this" {
  account_id   = "fn-${var.name}"
  display_name = "Darkroom: function ${var.name}"
}

resource "google_cloudfunctions2_function" "this" {
  name         = var.name
  location     = var.region
  kms_key_name = var.kms_key
  labels       = { function = var.name }

  build_config {
    runtime           = var.runtime
    entry_point       = var.entry_point
    service_account   = var.build.service_account
    docker_repository = var.build.repository

    source {
      storage_source {
        bucket = var.source_archive.bucket
        object = var.source_archive.object
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.this.email
    available_cpu                    = tostring(var.size.cpu)
    available_memory                 = var.size.memory
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = var.size.min_instances
    max_instance_count               = var.size.max_instances
    timeout_seconds                  = var.size.timeout_s
    environment_variables            = var.environment
    all_traffic_on_latest_revision   = true
    # Pub/Sub, Eventarc and Cloud Scheduler of the same project count as internal.
    ingress_settings = var.exposed ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
  }

  dynamic "event_trigger" {
    for_each = var.upload_event == null ? [] : [var.upload_event]
    content {
      event_type            = "google.cloud.storage.object.v1.finalized"
      trigger_region        = var.region
      retry_policy          = "RETRY_POLICY_RETRY"
      service_account_email = event_trigger.value.service_account

      event_filters {
        attribute = "bucket"
        value     = event_trigger.value.bucket
      }
    }
  }
}

# A function of the second generation is a Cloud Run service of the same name.
resource "google_cloud_run_service_iam_member" "invoker" {
  for_each = var.invokers

  service  = google_cloudfunctions2_function.this.name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    precondition {
      condition     = var.public || !contains(["allUsers", "allAuthenticatedUsers"], each.value)
      error_message = "${each.value} may call ${var.name} only if public is true."
    }
  }
}
