# The sweep: drives what was lost, adopts uploads without a job, purges what has expired.

resource "google_service_account" "schedule" {
  account_id   = "schedule-invoker"
  display_name = "Darkroom: Cloud Scheduler calls on_schedule"

  depends_on = [google_project_service.enabled]
}

resource "google_cloud_scheduler_job" "sweep" {
  name             = "darkroom-sweep"
  description      = "Drives what was lost, adopts uploads without a job, purges what has expired."
  region           = var.region
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${local.sizes["dispatcher-on-schedule"].timeout_s}s"

  # A tick that fails is made up for by the next one.
  retry_config {
    retry_count = 1
  }

  http_target {
    http_method = "POST"
    uri         = module.function["dispatcher-on-schedule"].uri
    headers     = { "Content-Type" = "application/json" }
    # It stops by itself after half of its function's limit, and the next tick goes on.
    body = base64encode(jsonencode({ budget_s = floor(local.sizes["dispatcher-on-schedule"].timeout_s / 2) }))

    oidc_token {
      service_account_email = google_service_account.schedule.email
      audience              = module.function["dispatcher-on-schedule"].uri
    }
  }
}
