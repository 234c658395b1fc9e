# Service level objectives: what is promised, over 28 days. The page of each in the console shows how much of the error
# budget is left. Alerts come earlier, from monitoring.tf.

resource "google_monitoring_custom_service" "this" {
  service_id   = "darkroom"
  display_name = "Darkroom"

  depends_on = [google_project_service.enabled]
}

resource "google_monitoring_slo" "in_time" {
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "photographs-in-time"
  display_name        = "Photographs are ready within ${var.objectives.job_s} s of their upload"
  goal                = var.objectives.jobs_in_time
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = local.metric.job_seconds
      range {
        min = 0
        max = var.objectives.job_s
      }
    }
  }

  depends_on = [google_logging_metric.distribution, module.function]
}

# A photograph that cannot be read and a request that cannot be fulfilled are not faults of the service and do not count.
resource "google_monitoring_slo" "completed" {
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "photographs-completed"
  display_name        = "Jobs that began are completed"
  goal                = var.objectives.jobs_completed
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      good_service_filter = "${local.metric.jobs} AND metric.label.outcome=\"job_completed\""
      bad_service_filter  = "${local.metric.jobs} AND metric.label.outcome=\"job_failed\" AND metric.label.fault=\"service\""
    }
  }

  depends_on = [google_logging_metric.counter, module.function]
}

resource "google_monitoring_slo" "api" {
  count = local.has_api ? 1 : 0

  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "api-answers"
  display_name        = "The HTTP API answers without a server error"
  goal                = var.objectives.api_answers
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "${local.run_metric}/request_count\" AND resource.label.service_name=\"${module.function["api"].name}\" AND metric.label.response_code_class=\"5xx\""
      total_service_filter = "${local.run_metric}/request_count\" AND resource.label.service_name=\"${module.function["api"].name}\""
    }
  }
}
