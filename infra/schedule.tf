# The sweep: publishes lost messages again, adopts uploads without a job, purges what has expired.

resource "google_service_account" "schedule" {
  account_id   = "schedule-invoker"
  display_name = "Darkroom: Cloud Scheduler calls on_schedule"

  depends_on = [google_project_service.enabled]
}

resource "google_cloud_scheduler_job" "sweep" {
  name             = "darkroom-sweep"
  description      = "Publishes lost messages again, creates jobs of missed uploads, purges expired jobs."
  region           = var.region
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${local.sizes["dispatcher-on-schedule"].timeout_s}s"

  # The next call makes up for a failed one.
  retry_config {
    retry_count = 1
  }

  http_target {
    http_method = "POST"
    uri         = module.function["dispatcher-on-schedule"].uri
    headers     = { "Content-Type" = "application/json" }
    # A sweep stops after half of its function's limit, and the next call continues.
    body = base64encode(jsonencode({ budget_s = floor(local.sizes["dispatcher-on-schedule"].timeout_s / 2) }))

    oidc_token {
      service_account_email = google_service_account.schedule.email
      audience              = module.function["dispatcher-on-schedule"].uri
    }
  }
}
