output "name" {
  description = "Name of the function and of its Cloud Run service."
  value       = google_cloudfunctions2_function.this.name
}

output "uri" {
  description = "URL at which the function is called."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
}

output "member" {
  description = "The function's account as an IAM member."
  value       = "serviceAccount:${google_service_account.this.email}"
}

output "service_account" {
  description = "The function's account: id for grants on it, email for what runs under it."
  value       = { id = google_service_account.this.name, email = google_service_account.this.email }
}

output "environment" {
  description = "Variables set on the function."
  value       = google_cloudfunctions2_function.this.service_config[0].environment_variables
}

output "invokers" {
  description = "Who may call the function."
  value       = { for name, grant in google_cloud_run_service_iam_member.invoker : name => grant.member }
}

output "ingress" {
  description = "From where the function can be reached."
  value       = google_cloudfunctions2_function.this.service_config[0].ingress_settings
}
