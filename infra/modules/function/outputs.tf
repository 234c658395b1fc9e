output "name" {
  description = "Name of the Cloud Run service, which is that of the function unless it has a GPU."
  value       = local.service
}

output "uri" {
  description = "URL at which the function is called."
  value = one(concat(
    [for function in google_cloudfunctions2_function.this : function.service_config[0].uri],
    google_cloud_run_v2_service.gpu[*].uri,
  ))
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
  value       = local.environment
}

output "invokers" {
  description = "Allowed callers of the function."
  value       = { for name, grant in google_cloud_run_service_iam_member.invoker : name => grant.member }
}

output "ingress" {
  description = "From where the function can be reached."
  value = one(concat(
    [for function in google_cloudfunctions2_function.this : function.service_config[0].ingress_settings],
    google_cloud_run_v2_service.gpu[*].ingress,
  ))
}

output "connector" {
  description = "The VPC connector for all outgoing traffic of the function, or null."
  value       = var.connector
}

output "accelerator" {
  description = "The GPU beside the function, or null."
  value       = one([for service in google_cloud_run_v2_service.gpu : service.template[0].node_selector[0].accelerator])
}

output "secrets" {
  description = "Variables that the function reads from Secret Manager: secret and version of each."
  value = merge([for function in google_cloudfunctions2_function.this : {
    for each in function.service_config[0].secret_environment_variables :
    each.key => { secret = each.secret, version = each.version }
  }]...)
}
