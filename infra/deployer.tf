# The account under which an approved build of cloudbuild.yaml applies; what runs without an approval runs under that of
# planner.tf. It deploys code and configuration, and can neither grant a role nor read a photograph: a change of who may
# do what is applied by a person. Off until the variable is set.

locals {
  deployer = var.deployer == null ? toset([]) : toset(["this"])

  # Roles on the project exist where a service has no narrower place for them.
  deployer_project_roles = var.deployer == null ? toset([]) : setunion([
    "roles/cloudfunctions.developer",
    "roles/cloudscheduler.admin",
    "roles/datastore.indexAdmin",
    "roles/datastore.viewer", # the smoke test waits for its job
    "roles/eventarc.developer",
    "roles/iam.roleViewer",
    "roles/iam.securityReviewer", # a plan reads every policy
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/pubsub.editor",
    "roles/run.viewer",
    "roles/serviceusage.serviceUsageConsumer",
  ], local.network_viewer_roles)

  deployer_bucket_roles = var.deployer == null ? {} : {
    "plans"          = { bucket = google_storage_bucket.this["plans"].name, role = "roles/storage.objectViewer" }
    "source objects" = { bucket = google_storage_bucket.this["source"].name, role = "roles/storage.objectUser" }
    "state"          = { bucket = var.deployer.state_bucket, role = "roles/storage.objectUser" }
    "smoke test"     = { bucket = google_storage_bucket.this["uploads"].name, role = "roles/storage.objectCreator" }
  }

  # A plan reads the configuration of every bucket, and no object.
  deployer_bucket_grants = var.deployer == null ? {} : merge(local.deployer_bucket_roles, {
    for name, bucket in google_storage_bucket.this : "${name} bucket" => { bucket = bucket.name, role = "roles/storage.legacyBucketReader" }
  })

  # The smoke test of the API has a key like everybody else's, and may call the function.
  smoke_secret = toset([for secret in [try(var.deployer.api_key_secret, null)] : secret if secret != null])

  # A deployment runs a new revision under these accounts.
  acted_as = var.deployer == null ? {} : merge(
    { for name, each in module.function : name => each.service_account.id },
    { builder = google_service_account.builder.name, uploads = google_service_account.uploads.name },
    { push = google_service_account.push.name, schedule = google_service_account.schedule.name },
  )
}

resource "google_service_account" "deployer" {
  for_each = local.deployer

  account_id   = "deployer"
  display_name = "Darkroom: Cloud Build deploys"

  depends_on = [google_project_service.enabled]
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_project_roles

  project = var.project
  role    = each.key
  member  = google_service_account.deployer["this"].member
}

resource "google_storage_bucket_iam_member" "deployer" {
  for_each = local.deployer_bucket_grants

  bucket = each.value.bucket
  role   = each.value.role
  member = google_service_account.deployer["this"].member
}

resource "google_artifact_registry_repository_iam_member" "deployer" {
  for_each = local.deployer

  location   = var.region
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.deployer["this"].member
}

# The functions' services come with cloudfunctions.developer; a service with a GPU is deployed by itself.
resource "google_cloud_run_service_iam_member" "deployer" {
  for_each = var.deployer == null ? toset([]) : toset(keys(var.gpu))

  service  = module.function[each.key].name
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.deployer["this"].member
}

resource "google_secret_manager_secret_iam_member" "deployer" {
  for_each = local.smoke_secret

  secret_id = each.key
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.deployer["this"].member
}

resource "google_service_account_iam_member" "deployer" {
  for_each = local.acted_as

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deployer["this"].member
}
