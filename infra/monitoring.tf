# What the functions log becomes numbers, and numbers that need a person become alerts. What each alert means and what
# to do: docs/runbook.md.

locals {
  logged = "resource.type=\"cloud_run_revision\" AND jsonPayload.action"

  counters = {
    jobs = {
      description = "Jobs that ended, by outcome"
      filter      = "${local.logged}=(\"job_completed\" OR \"job_failed\" OR \"upload_rejected\")"
      labels      = { outcome = "EXTRACT(jsonPayload.action)", fault = "EXTRACT(jsonPayload.fault)" }
    }
    stages = {
      description = "Steps that ended, by stage and outcome"
      filter      = "${local.logged}=(\"stage_completed\" OR \"stage_reused\" OR \"stage_failed\" OR \"stage_attempt_failed\" OR \"fallback\")"
      labels      = { outcome = "EXTRACT(jsonPayload.action)", stage = "EXTRACT(jsonPayload.stage)" }
    }
    problems = {
      description = "Unexpected events, by kind"
      filter      = "${local.logged}=(\"unexpected\" OR \"event_malformed\" OR \"dead_letter\")"
      labels      = { kind = "EXTRACT(jsonPayload.action)" }
    }
    sweeps = {
      description = "Sweeps that ended"
      filter      = "${local.logged}=\"swept\""
      labels      = {}
    }
    # Counts the lines, and builds no distribution of their values: the percentiles of a distribution of zeros are above zero.
    sweeps_with_stuck_jobs = {
      description = "Sweeps that found stalled jobs whose message had been published again before"
      filter      = "${local.logged}=\"swept\" AND jsonPayload.stuck>0"
      labels      = {}
    }
  }

  distributions = {
    # From the upload to the end, waiting included: what a service level promises.
    job_seconds = {
      description = "Time from the upload of a photograph to its result"
      filter      = "${local.logged}=\"job_completed\""
      value       = "EXTRACT(jsonPayload.elapsed_s)"
      unit        = "s"
      labels      = {}
    }
    stage_seconds = {
      description = "Duration of a step, by stage"
      filter      = "${local.logged}=\"stage_completed\""
      value       = "EXTRACT(jsonPayload.elapsed_ms)"
      unit        = "ms"
      labels      = { stage = "EXTRACT(jsonPayload.stage)" }
    }
    stage_memory = {
      description = "Peak memory of a step, by stage"
      filter      = "${local.logged}=\"stage_completed\""
      value       = "EXTRACT(jsonPayload.peak_memory_mb)"
      unit        = "MBy"
      labels      = { stage = "EXTRACT(jsonPayload.stage)" }
    }
  }

  metric = { for name in concat(keys(local.counters), keys(local.distributions)) : name =>
    "metric.type=\"logging.googleapis.com/user/darkroom/${name}\" AND resource.type=\"cloud_run_revision\""
  }
  # What Cloud Run itself counts, https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
  run_metric          = "resource.type=\"cloud_run_revision\" AND metric.type=\"run.googleapis.com"
  subscription_metric = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription"
}

resource "google_logging_metric" "counter" {
  for_each = local.counters

  name             = "darkroom/${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.enabled]
}

resource "google_logging_metric" "distribution" {
  for_each = local.distributions

  name             = "darkroom/${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  value_extractor  = each.value.value
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  bucket_options {
    exponential_buckets {
      num_finite_buckets = 40
      growth_factor      = 1.4
      scale              = 1
    }
  }

  depends_on = [google_project_service.enabled]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alerts.emails

  display_name = "Darkroom: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.enabled]
}

locals {
  channels = concat(
    [for channel in values(google_monitoring_notification_channel.email) : channel.id],
    tolist(var.alerts.notification_channels),
  )

  alerts = merge(local.api_alerts, {
    slow-job = {
      title     = "photographs take long from the upload to the result: their 95th percentile"
      severity  = "WARNING"
      filter    = local.metric.job_seconds
      threshold = var.alerts.job_p95_s
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_PERCENTILE_95"
      group     = []
      window_s  = 600
      lasting_s = 600
    }
    # Cloud Run answers 429 while no instance is free; the API answers 429 to callers above the rate limit.
    refused = {
      title     = "requests are refused with 429"
      severity  = "WARNING"
      filter    = "${local.run_metric}/request_count\" AND metric.label.response_code=\"429\""
      threshold = var.alerts.refused_requests
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group     = ["resource.label.service_name"]
      window_s  = 600
      lasting_s = 0
    }
    dead-letters = {
      title     = "messages were given up"
      severity  = "CRITICAL"
      filter    = "${local.subscription_metric}/dead_letter_message_count\""
      threshold = 0
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group     = ["resource.label.subscription_id"]
      window_s  = 300
      lasting_s = 0
    }
    slow-stage = {
      title     = "a stage is slow: its 95th percentile"
      severity  = "WARNING"
      filter    = local.metric.stage_seconds
      threshold = var.alerts.stage_p95_s * 1000
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_PERCENTILE_95"
      group     = ["metric.label.stage"]
      window_s  = 600
      lasting_s = 600
    }
    old-message = {
      title     = "messages wait too long"
      severity  = "ERROR"
      filter    = "${local.subscription_metric}/oldest_unacked_message_age\""
      threshold = var.alerts.oldest_message_s
      aligner   = "ALIGN_MAX"
      reducer   = "REDUCE_MAX"
      group     = ["resource.label.subscription_id"]
      window_s  = 60
      lasting_s = 300
    }
    # A job that stalled once is published again and needs no action; a job that stalls again does.
    stuck-jobs = {
      title     = "jobs make no progress"
      severity  = "ERROR"
      filter    = local.metric.sweeps_with_stuck_jobs
      threshold = 0
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group     = []
      window_s  = 300
      lasting_s = 0
    }
    unexpected = {
      title     = "unexpected error"
      severity  = "ERROR"
      filter    = local.metric.problems
      threshold = 0
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group     = ["metric.label.kind"]
      window_s  = 300
      lasting_s = 0
    }
  })

  api_alerts = !local.has_api ? {} : {
    slow-api = {
      title     = "the HTTP API is slow: the 95th percentile of its answers"
      severity  = "WARNING"
      filter    = "${local.run_metric}/request_latencies\" AND resource.label.service_name=\"${module.function["api"].name}\""
      threshold = var.alerts.api_p95_s * 1000
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_PERCENTILE_95"
      group     = []
      window_s  = 300
      lasting_s = 600
    }
  }

  # Functions by their most instances, so that one condition watches all of the same size. One instance is no limit that
  # somebody meets: the sweep has one by design.
  limits = { for name, size in local.sizes : tostring(size.max_instances) => module.function[name].name... if size.max_instances > 1 }
}

# Alerts cannot use a new metric at once. Therefore they are created after the functions, which take minutes.
resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.alerts

  display_name          = "Darkroom: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = { alert = each.key }

  documentation {
    content   = "docs/runbook.md, section ${each.key}"
    mime_type = "text/markdown"
  }

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "${each.value.lasting_s}s"

      aggregations {
        alignment_period     = "${each.value.window_s}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
        group_by_fields      = each.value.group
      }
    }
  }

  depends_on = [google_logging_metric.counter, google_logging_metric.distribution, module.function]
}

resource "google_monitoring_alert_policy" "failing" {
  display_name          = "Darkroom: too many jobs fail"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = { alert = "failing" }

  documentation {
    content   = "docs/runbook.md, section failing"
    mime_type = "text/markdown"
  }

  conditions {
    # Photographs that cannot be read and requests that cannot be fulfilled do not count.
    display_name = "share of jobs that fail by the fault of the service, over half an hour"

    condition_threshold {
      filter             = "${local.metric.jobs} AND metric.label.outcome=\"job_failed\" AND metric.label.fault=\"service\""
      denominator_filter = local.metric.jobs
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alerts.failed_share
      duration           = "0s"

      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }

      denominator_aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  depends_on = [google_logging_metric.counter, module.function]
}

resource "google_monitoring_alert_policy" "silent" {
  display_name          = "Darkroom: the sweep does not run"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = { alert = "silent" }

  documentation {
    content   = "docs/runbook.md, section silent"
    mime_type = "text/markdown"
  }

  conditions {
    display_name = "no sweep has ended"

    condition_absent {
      filter   = local.metric.sweeps
      duration = "${var.alerts.sweep_silent_s}s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  depends_on = [google_logging_metric.counter, module.function]
}

resource "google_monitoring_alert_policy" "api_errors" {
  count = local.has_api ? 1 : 0

  display_name          = "Darkroom: the HTTP API fails"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = { alert = "api-errors" }

  documentation {
    content   = "docs/runbook.md, section api-errors"
    mime_type = "text/markdown"
  }

  conditions {
    display_name = "share of answers 5xx, over ten minutes"

    condition_threshold {
      filter             = "${local.run_metric}/request_count\" AND resource.label.service_name=\"${module.function["api"].name}\" AND metric.label.response_code_class=\"5xx\""
      denominator_filter = "${local.run_metric}/request_count\" AND resource.label.service_name=\"${module.function["api"].name}\""
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alerts.api_error_share
      duration           = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }

      denominator_aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "most_instances" {
  for_each = local.limits

  display_name          = "Darkroom: ${each.key} instances, the most that a function may have"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = { alert = "most-instances" }

  documentation {
    content   = "docs/runbook.md, section most-instances"
    mime_type = "text/markdown"
  }

  conditions {
    display_name = "as many instances as allowed, for half an hour"

    condition_threshold {
      filter          = "${local.run_metric}/container/instance_count\" AND metric.label.state=\"active\" AND resource.label.service_name=one_of(${join(",", [for name in each.value : "\"${name}\""])})"
      comparison      = "COMPARISON_GT"
      threshold_value = tonumber(each.key) - 1
      duration        = "1800s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
    }
  }
}
