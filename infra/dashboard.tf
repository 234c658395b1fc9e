locals {
  # Title, filter, aligner, reducer, grouping of each chart; two in a row.
  charts = [
    ["Jobs per minute, by outcome", local.metric.jobs, "ALIGN_RATE", "REDUCE_SUM", ["metric.label.outcome"]],
    ["Steps per second, by stage", local.metric.stages, "ALIGN_RATE", "REDUCE_SUM", ["metric.label.stage"]],
    ["Duration of steps, median, ms", local.metric.stage_seconds, "ALIGN_DELTA", "REDUCE_PERCENTILE_50", ["metric.label.stage"]],
    ["Duration of steps, 95th percentile, ms", local.metric.stage_seconds, "ALIGN_DELTA", "REDUCE_PERCENTILE_95", ["metric.label.stage"]],
    ["Peak memory, 95th percentile, MB", local.metric.stage_memory, "ALIGN_DELTA", "REDUCE_PERCENTILE_95", ["metric.label.stage"]],
    ["Outcomes of steps", local.metric.stages, "ALIGN_RATE", "REDUCE_SUM", ["metric.label.outcome"]],
    ["Messages that wait", "${local.subscription_metric}/num_undelivered_messages\"", "ALIGN_MEAN", "REDUCE_SUM", ["resource.label.subscription_id"]],
    ["Age of the oldest message, s", "${local.subscription_metric}/oldest_unacked_message_age\"", "ALIGN_MAX", "REDUCE_MAX", ["resource.label.subscription_id"]],
    ["Messages given up", "${local.subscription_metric}/dead_letter_message_count\"", "ALIGN_DELTA", "REDUCE_SUM", ["resource.label.subscription_id"]],
    ["Sweeps that found jobs still stalled", local.metric.sweeps_with_stuck_jobs, "ALIGN_DELTA", "REDUCE_SUM", []],
    ["Instances", "resource.type=\"cloud_run_revision\" AND metric.type=\"run.googleapis.com/container/instance_count\"", "ALIGN_MEAN", "REDUCE_SUM", ["resource.label.service_name"]],
    ["Start-up of instances, ms", "resource.type=\"cloud_run_revision\" AND metric.type=\"run.googleapis.com/container/startup_latencies\"", "ALIGN_DELTA", "REDUCE_PERCENTILE_95", ["resource.label.service_name"]],
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Darkroom"
    gridLayout = {
      columns = "2"
      widgets = [for chart in local.charts : {
        title = chart[0]
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart[1]
                aggregation = {
                  alignmentPeriod    = "60s"
                  perSeriesAligner   = chart[2]
                  crossSeriesReducer = chart[3]
                  groupByFields      = chart[4]
                }
              }
            }
          }]
        }
      }]
    }
  })

  depends_on = [google_logging_metric.counter, google_logging_metric.distribution]
}
