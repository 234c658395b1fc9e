# One function with its own account, or, with `gpu`, a service instead. Each caller is named.

locals {
  on_gpu      = var.gpu != null
  on_cpu      = var.gpu == null
  environment = merge(var.environment, local.on_gpu ? { DARKROOM_ACCELERATOR = "cuda" } : {})
  service     = one(concat(google_cloudfunctions2_function.this[*].name, google_cloud_run_v2_service.gpu[*].name))
}

resource "google_service_account" "this" {
  account_id   = "fn-${var.name}"
  display_name = "Darkroom: function ${var.name}"
}

resource "google_cloudfunctions2_function" "this" {
  count = local.on_cpu ? 1 : 0

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
    environment_variables            = local.environment
    vpc_connector                    = var.connector
    vpc_connector_egress_settings    = var.connector == null ? null : "ALL_TRAFFIC"

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = google_service_account.this.project
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }

    all_traffic_on_latest_revision = true
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

  # A revision whose account may not read its secrets does not start.
  depends_on = [google_secret_manager_secret_iam_member.this]
}

# A function cannot have a GPU; a service of Cloud Run can. It runs the image that the buildpack made of the staged
# folder, under the function's account and with the function's environment. Another name than the function's, since a
# function is a service with another name, so that one can be created before the other is deleted.
resource "google_cloud_run_v2_service" "gpu" {
  count = local.on_gpu ? 1 : 0

  name                = "${var.name}-gpu"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = false # it stores nothing
  labels              = { function = var.name }

  template {
    service_account                  = google_service_account.this.email
    timeout                          = "${var.size.timeout_s}s"
    max_instance_request_concurrency = var.size.concurrency
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    encryption_key                   = var.kms_key
    gpu_zonal_redundancy_disabled    = !var.gpu.zonal_redundancy
    labels                           = { function = var.name }

    scaling {
      min_instance_count = var.size.min_instances
      max_instance_count = var.size.max_instances
    }

    dynamic "vpc_access" {
      for_each = var.connector == null ? [] : [var.connector]
      content {
        connector = vpc_access.value
        egress    = "ALL_TRAFFIC"
      }
    }

    node_selector {
      accelerator = "nvidia-l4"
    }

    containers {
      image = var.gpu.image

      resources {
        limits            = { cpu = tostring(var.size.cpu), memory = var.size.memory, "nvidia.com/gpu" = "1" }
        cpu_idle          = false # an instance with a GPU is billed from its start to its end
        startup_cpu_boost = true
      }

      # What Cloud Run functions would set by itself.
      env {
        name  = "FUNCTION_TARGET"
        value = var.entry_point
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.upload_event == null && !var.exposed && length(var.secrets) == 0
      error_message = "Only a stage can have a GPU: ${var.name} is called by uploads or from outside, or reads secrets."
    }
    precondition {
      condition     = var.size.cpu >= 4 && try(tonumber(trimsuffix(var.size.memory, "Gi")) >= 16, false)
      error_message = "Beside a GPU, ${var.name} needs at least 4 processors and 16Gi."
    }
  }
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each = var.secrets

  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

# A function is a Cloud Run service of the same name.
resource "google_cloud_run_service_iam_member" "invoker" {
  for_each = var.invokers

  service  = local.service
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
