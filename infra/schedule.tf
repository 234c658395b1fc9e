# The sweep: drives what stood still, adopts uploads without a job, purges what has expired.

resource "google_service_account" "schedule" {
  account_id   = "schedule-invoker"
  display_name = "Darkroom: Cloud Scheduler calls on_schedule"

  depends_on = [google_project_service.enabled]
}

resource "google_cloud_scheduler_job" "sweep" {
  name             = "darkroom-sweep"
  description      = "Drives what stood still, adopts uploads without a job, purges what has expired."
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
    body        = base64encode("{}")

    oidc_token {
      service_account_email = google_service_account.schedule.email
      audience              = module.function["dispatcher-on-schedule"].uri
    }
  }
}
