# Roles. Every function has its own account, with roles on single buckets and topics.
#
#                      uploads        artifacts      results        catalogue      topics                  jobs
#   on_upload                                                       read           stage-assess            read, write
#   on_stage_event     read           create         create                        every stage             read, write
#   on_dead_letter     read           create         create         read, create   every stage             read, write
#   on_batch           read                                         read, create   stage-assess, batches   read, write
#   on_schedule        read           read, delete                  read, replace  every stage             read, write
#   caller                                                                                                 read, write
#   importer           read, create                                 read, create   stage-assess, imports   read, write
#   stages             read           read, create                                 stage-events
#   assess             read           read, create   read                          stage-events
#   finish             read           read, create   read, create                  stage-events
#   api                every          every          every          every          every but the answers   read, write
#
# A stage cannot read the dead letters among the artifacts, which may contain messages of any job. It may read every upload and every
# other artifact: the names of uploads are chosen by the uploader, and each stage may be the first of a pipeline.
# "Every" is read, create and delete: the API takes uploads and deletes a job with its objects. It reads the bucket of
# the keys, into which only operators write. A stage may neither overwrite nor delete.

locals {
  viewer  = "roles/storage.objectViewer"
  creator = "roles/storage.objectCreator"
  # There is no role for only listing and deleting; this one cannot change access.
  user = "roles/storage.objectUser"

  bucket_roles = merge(
    { for name in keys(local.stages) : name => {
      uploads   = [local.viewer]
      artifacts = [local.viewer, local.creator]
      results   = name == "finish" ? [local.viewer, local.creator] : name == "assess" ? [local.viewer] : []
    } },
    {
      dispatcher-on-upload      = { catalogue = [local.viewer] }
      dispatcher-on-stage-event = { uploads = [local.viewer], artifacts = [local.creator], results = [local.creator] }
      dispatcher-on-dead-letter = { uploads = [local.viewer], artifacts = [local.creator], results = [local.creator], catalogue = [local.viewer, local.creator] }
      dispatcher-on-batch       = { uploads = [local.viewer], catalogue = [local.viewer, local.creator] }
      dispatcher-on-schedule    = { uploads = [local.viewer], artifacts = [local.user], catalogue = [local.user] }
      importer                  = { uploads = [local.viewer, local.creator], catalogue = [local.viewer, local.creator] }
      caller                    = {}
    },
    local.has_api ? { api = { uploads = [local.user], artifacts = [local.user], results = [local.user], keys = [local.viewer], catalogue = [local.user] } } : {},
  )

  topic_rights = merge(
    { for name in keys(local.stages) : name => [local.system.events_topic] },
    {
      dispatcher-on-upload      = [local.system.stages.assess, local.system.callbacks_topic]
      dispatcher-on-stage-event = concat(values(local.system.stages), [local.system.callbacks_topic])
      dispatcher-on-dead-letter = concat(values(local.system.stages), [local.system.callbacks_topic])
      dispatcher-on-batch       = [local.system.stages.assess, local.system.batches_topic, local.system.callbacks_topic]
      importer                  = [local.system.stages.assess, local.system.imports_topic, local.system.callbacks_topic]
      caller                    = []
      dispatcher-on-schedule    = concat(values(local.system.stages), [local.system.callbacks_topic])
    },
    local.has_api ? { api = concat(values(local.system.stages), [local.system.imports_topic, local.system.batches_topic, local.system.callbacks_topic]) } : {},
  )

  bucket_grants = merge([for function, buckets in local.bucket_roles : merge([for bucket, roles in buckets : {
    for role in roles : "${function} ${bucket} ${role}" => { function = function, bucket = bucket, role = role }
  }]...)]...)
  topic_grants = merge([for function, topics in local.topic_rights : {
    for topic in topics : "${function} ${topic}" => { function = function, topic = topic }
  }]...)
  keeps_jobs = toset([for name in keys(local.functions) : name if contains(["api", "importer", "caller"], name) || startswith(name, "dispatcher-")])
}

resource "google_storage_bucket_iam_member" "function" {
  for_each = local.bucket_grants

  bucket = google_storage_bucket.this[each.value.bucket].name
  role   = each.value.role
  member = module.function[each.value.function].member

  dynamic "condition" {
    for_each = contains(keys(local.stages), each.value.function) && each.value.bucket == "artifacts" ? [each.value.bucket] : []
    content {
      title      = "all but the dead letters"
      expression = "!resource.name.startsWith(\"projects/_/buckets/${local.buckets[condition.value].name}/objects/dead-letters/\")"
    }
  }
}

resource "google_pubsub_topic_iam_member" "function" {
  for_each = local.topic_grants

  topic  = google_pubsub_topic.this[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = module.function[each.value.function].member
}

# Firestore has roles on projects only; the condition narrows this one to the database.
resource "google_project_iam_member" "jobs" {
  for_each = local.keeps_jobs

  project = var.project
  role    = "roles/datastore.user"
  member  = module.function[each.key].member

  condition {
    title      = "the database of the jobs"
    expression = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.jobs.name}\""
  }
}

# The sweep reads the age of waiting messages. Monitoring has roles on projects only.
resource "google_project_iam_member" "backlog" {
  project = var.project
  role    = "roles/monitoring.viewer"
  member  = module.function["dispatcher-on-schedule"].member
}

# Receives the announcements of uploads and calls on_upload.
resource "google_service_account" "uploads" {
  account_id   = "upload-trigger"
  display_name = "Darkroom: Eventarc calls on_upload"

  depends_on = [google_project_service.enabled]
}

# Google grants this some minutes after the first trigger was requested, which is too late for that trigger.
resource "google_project_iam_member" "eventarc_agent" {
  # checkov:skip=CKV_GCP_49: Google's own agent, and the role that Google gives it in every project with Eventarc; it makes tokens for the accounts of triggers.
  project = var.project
  role    = "roles/eventarc.serviceAgent"
  member  = local.service_agents.eventarc

  depends_on = [google_project_service.enabled]
}

# Eventarc has no narrower place for this role than the project.
resource "google_project_iam_member" "uploads_receives" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.uploads.member
}

# Builds the functions' images from their source, and may write nothing but images and logs.
resource "google_service_account" "builder" {
  account_id   = "function-builder"
  display_name = "Darkroom: builds the functions"

  depends_on = [google_project_service.enabled]
}

# The source bucket contains only the archives.
resource "google_storage_bucket_iam_member" "builder" {
  bucket = google_storage_bucket.this["source"].name
  role   = local.viewer
  member = google_service_account.builder.member
}

# Cloud Functions copies every archive into its own bucket before it builds. That bucket is created with the first
# function, too late for a grant on it; so the grant is one of the project, narrowed to this bucket by its condition.
resource "google_project_iam_member" "builder_source" {
  project = var.project
  role    = local.viewer
  member  = google_service_account.builder.member

  condition {
    title      = "the copies of the functions' source"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  location   = var.region
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

resource "google_project_iam_member" "builder_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}

# Signed URLs on Cloud Run are signed by IAM, in the API's own name.
resource "google_service_account_iam_member" "api_signs" {
  for_each = local.has_api ? toset(["api"]) : toset([])

  service_account_id = module.function[each.key].service_account.id
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = module.function[each.key].member
}
