# One page for the moment when somebody has been paged.

locals {
  charts = [
    {
      title  = "Checks that pass, by region (of six)"
      filter = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" resource.type=\"uptime_url\""
      align  = "ALIGN_NEXT_OLDER"
      reduce = "REDUCE_COUNT_TRUE"
      by     = ["resource.label.host"]
    },
    {
      title  = "Requests to the functions, by answer"
      filter = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\" ${local.these_services}"
      align  = "ALIGN_RATE"
      reduce = "REDUCE_SUM"
      by     = ["resource.label.service_name", "resource.label.location", "metric.label.response_code_class"]
    },
    {
      title  = "Time that the functions take, 99th percentile (ms)"
      filter = "metric.type=\"run.googleapis.com/request_latencies\" resource.type=\"cloud_run_revision\" ${local.these_services}"
      align  = "ALIGN_PERCENTILE_99"
      reduce = "REDUCE_MAX"
      by     = ["resource.label.service_name", "resource.label.location"]
    },
    {
      title  = "Oldest message that waits (s)"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=one_of(${join(",", [for name in sort(values(var.subscriptions)) : "\"${name}\""])})"
      align  = "ALIGN_MAX"
      reduce = "REDUCE_MAX"
      by     = ["resource.label.subscription_id"]
    },
    {
      title  = "Messages that were given up"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=\"${var.dead_letter_subscription}\""
      align  = "ALIGN_MAX"
      reduce = "REDUCE_SUM"
      by     = []
    },
  ]

  these_services = "resource.label.service_name=one_of(${join(",", [for service in local.services : "\"${service}\""])})"

  chart_tiles = [
    for index, chart in local.charts : {
      xPos   = (index % 2) * 24
      yPos   = floor(index / 2) * 16
      width  = 24
      height = 16
      widget = {
        title = chart.title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart.filter
                aggregation = {
                  alignmentPeriod    = "60s"
                  perSeriesAligner   = chart.align
                  crossSeriesReducer = chart.reduce
                  groupByFields      = chart.by
                }
              }
            }
          }]
        }
      }
    }
  ]

  log_tile = {
    xPos   = 24
    yPos   = 32
    width  = 24
    height = 16
    widget = {
      title     = "What it decided"
      logsPanel = { filter = "${local.ours} AND jsonPayload.outcome:* AND NOT jsonPayload.outcome=\"unchanged\"" }
    }
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project
  dashboard_json = jsonencode({
    displayName  = "Region failover (${var.name})"
    mosaicLayout = { columns = 48, tiles = concat(local.chart_tiles, [local.log_tile]) }
  })

  depends_on = [google_project_service.this]
}
