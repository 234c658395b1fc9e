# The account that tests and plans every push, before a person has reviewed it. It reads the configuration of the
# project and writes one text: the plan. It reads no photograph, no job, no log line and no secret, changes nothing, and
# cannot act as another account, so pushed code gains nothing from it. Made with the deployer.

locals {
  # For services whose smallest viewer role shows only configuration. The project is the narrowest scope.
  planner_project_roles = var.deployer == null ? toset([]) : setunion([
    "roles/cloudfunctions.viewer",
    "roles/cloudscheduler.viewer",
    "roles/eventarc.viewer",
    "roles/iam.securityReviewer", # a plan reads every policy
    "roles/logging.logWriter",    # the lines of the build itself
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/run.viewer",
    "roles/serviceusage.serviceUsageConsumer",
  ], local.network_viewer_roles)

  planner_bucket_grants = var.deployer == null ? {} : merge(
    {
      "archives"  = { bucket = google_storage_bucket.this["source"].name, role = "roles/storage.objectViewer" }
      "state"     = { bucket = var.deployer.state_bucket, role = "roles/storage.objectViewer" }
      "new plans" = { bucket = google_storage_bucket.this["plans"].name, role = "roles/storage.objectCreator" }
    },
    { for name, bucket in google_storage_bucket.this : "${name} bucket" => { bucket = bucket.name, role = "roles/storage.legacyBucketReader" } },
  )
}

resource "google_service_account" "planner" {
  for_each = local.deployer

  account_id   = "planner"
  display_name = "Darkroom: Cloud Build tests and plans"

  depends_on = [google_project_service.enabled]
}

# The roles for readers of these services would show jobs and log lines too: datastore.viewer and logging.viewer.
resource "google_project_iam_custom_role" "planner" {
  for_each = local.deployer

  role_id     = "darkroomPlanner"
  title       = "Darkroom: sees what a plan compares"
  description = "Indexes, metrics, accounts and roles, without their content."
  permissions = [
    "datastore.databases.getMetadata",
    "datastore.indexes.get",
    "datastore.indexes.list",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "logging.logMetrics.get",
    "logging.logMetrics.list",
  ]

  depends_on = [google_project_service.enabled]
}

resource "google_project_iam_member" "planner_sees" {
  for_each = local.deployer

  project = var.project
  role    = google_project_iam_custom_role.planner[each.key].id
  member  = google_service_account.planner[each.key].member
}

resource "google_project_iam_member" "planner" {
  for_each = local.planner_project_roles

  project = var.project
  role    = each.key
  member  = google_service_account.planner["this"].member
}

resource "google_storage_bucket_iam_member" "planner" {
  for_each = local.planner_bucket_grants

  bucket = each.value.bucket
  role   = each.value.role
  member = google_service_account.planner["this"].member
}

resource "google_artifact_registry_repository_iam_member" "planner" {
  for_each = local.deployer

  location   = var.region
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.planner["this"].member
}
