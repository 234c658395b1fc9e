output "buckets" {
  description = "Names of the buckets: drop photographs into uploads, find them in results."
  value       = { for name, bucket in google_storage_bucket.this : name => bucket.name }
}

output "api_url" {
  description = "URL of the HTTP API, or null if it is not deployed."
  value       = one([for name, function in module.function : function.uri if name == "api"])
}

output "functions" {
  description = "URL of each function."
  value       = { for name, function in module.function : name => function.uri }
}

output "gpu_images" {
  description = "Images of the stages that were staged for a GPU, by the staged folder: `gcloud builds submit --pack` must have built them before the variable gpu names them."
  value       = { for folder, each in try(local.staged.gpu, {}) : each.folder => local.gpu_images[replace(folder, "_", "-")] }
}

output "environment" {
  description = "Variables set on each function."
  value       = { for name, function in module.function : name => function.environment }
}

output "client_environment" {
  description = "Variables with which the darkroom command talks to this deployment."
  value = {
    DARKROOM_BACKEND          = "gcp"
    DARKROOM_PROJECT          = var.project
    DARKROOM_UPLOADS_BUCKET   = google_storage_bucket.this["uploads"].name
    DARKROOM_ARTIFACTS_BUCKET = google_storage_bucket.this["artifacts"].name
    DARKROOM_RESULTS_BUCKET   = google_storage_bucket.this["results"].name
    DARKROOM_KEYS_BUCKET      = google_storage_bucket.this["keys"].name
    DARKROOM_PRODUCTS_BUCKET  = google_storage_bucket.this["catalogue"].name
  }
}

output "dashboard_url" {
  description = "The dashboard in the Google Cloud console."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.this.id)}?project=${var.project}"
}

output "deployer" {
  description = "The account under which an approved build applies, if there is one."
  value       = one([for account in google_service_account.deployer : account.email])
}

output "planner" {
  description = "The account under which every push is tested and planned, if there is one."
  value       = one([for account in google_service_account.planner : account.email])
}
