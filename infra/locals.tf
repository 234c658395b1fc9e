locals {
  # Values from the code: topics, subscriptions, settings, indexes. Written by `python -m infra.describe`.
  system = jsondecode(file("${path.module}/system.json"))

  # Which archive each function is deployed from. Written by `make stage`.
  staged_file = coalesce(var.staged, "${path.module}/../build/staged.json")
  staged      = jsondecode(file(local.staged_file))

  prefix = coalesce(var.prefix, var.project)
  labels = merge(var.labels, { system = "darkroom" })

  service_agents = {
    for name, host in {
      eventarc = "gcp-sa-eventarc"
      pubsub   = "gcp-sa-pubsub"
    } : name => "serviceAccount:service-${data.google_project.this.number}@${host}.iam.gserviceaccount.com"
  }
}

data "google_project" "this" {
  project_id = var.project
}
