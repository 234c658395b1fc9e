# The map of functions. The dispatcher's folder is deployed five times, once for each entry point; every stage is a
# function of its own. A new stage in shared/darkroom/domain/topology.py appears here by itself, and so does the HTTP API when it has
# been staged.

locals {
  dispatcher = {
    on_upload      = { cpu = 1, memory = "512Mi", concurrency = 20, min_instances = 0, max_instances = 20, timeout_s = 60 }
    on_stage_event = { cpu = 1, memory = "512Mi", concurrency = 20, min_instances = 0, max_instances = 50, timeout_s = 60 }
    on_dead_letter = { cpu = 1, memory = "512Mi", concurrency = 20, min_instances = 0, max_instances = 5, timeout_s = 60 }
    on_batch       = { cpu = 1, memory = "512Mi", concurrency = 20, min_instances = 0, max_instances = 20, timeout_s = 300 }
    # One sweep at a time: two would do each other's work.
    on_schedule = { cpu = 1, memory = "512Mi", concurrency = 1, min_instances = 0, max_instances = 1, timeout_s = 540 }
  }

  # A model uses all cores, so a stage serves one request at a time. Reasons for this size: docs/cost.md.
  stage = { cpu = 1, memory = "2Gi", concurrency = 1, min_instances = 0, max_instances = 100, timeout_s = 540 }

  # A network that was staged with make stage MODELS="…" brings the cpu and the memory of its stage along.
  stage_sizes = { for name, folder in local.stages : name => merge(local.stage, try(local.staged.functions[folder].size, {})) }

  # A request may run a whole pipeline, which uses all cores.
  api = { cpu = 2, memory = "4Gi", concurrency = 4, min_instances = 0, max_instances = 20, timeout_s = 300 }

  # Waits for other people's servers most of the time. Instances times DARKROOM_IMPORT_PER_HOST is the largest
  # number of requests to one server at the same time; a picture of 32 MiB is held three times while it is fetched and written.
  outgoing = {
    importer = {
      entry_point = "on_import"
      size        = { cpu = 1, memory = "1Gi", concurrency = 4, min_instances = 0, max_instances = 5, timeout_s = 300 }
    }
    caller = {
      entry_point = "on_callback"
      size        = { cpu = 1, memory = "512Mi", concurrency = 20, min_instances = 0, max_instances = 5, timeout_s = 60 }
    }
  }

  has_api = contains(keys(local.staged.functions), "api")

  functions = merge(
    local.has_api ? { api = {
      folder      = "api"
      entry_point = "api"
      size        = local.api
      threads     = local.sizes["api"].cpu
    } } : {},
    { for name, each in local.outgoing : name => {
      folder      = "importer"
      entry_point = each.entry_point
      size        = each.size
      threads     = 1
    } },
    { for entry_point, size in local.dispatcher : "dispatcher-${replace(entry_point, "_", "-")}" => {
      folder      = "dispatcher"
      entry_point = entry_point
      size        = size
      threads     = 1
    } },
    { for stage in keys(local.system.stages) : replace(stage, "_", "-") => {
      folder      = stage
      entry_point = stage
      size        = local.stage_sizes[replace(stage, "_", "-")]
      threads     = local.sizes[replace(stage, "_", "-")].cpu
    } },
  )

  # "denoise.denoise" → "denoise", "dispatcher.on_upload" → "dispatcher-on-upload"
  function_names = { for name, each in local.functions : "${each.folder}.${each.entry_point}" => name }
  stages         = { for stage in keys(local.system.stages) : replace(stage, "_", "-") => stage }

  defaults = merge(
    { for entry_point, size in local.dispatcher : "dispatcher-${replace(entry_point, "_", "-")}" => size },
    local.stage_sizes,
    { for name, each in local.outgoing : name => each.size },
    local.has_api ? { api = local.api } : {},
  )
  requested = { for name, size in local.defaults : name => {
    for key, value in size : key => try(coalesce(try(var.gpu[name][key], var.functions[name][key]), value), value)
  } }
  memory_gib = { for name, size in local.requested : name =>
    endswith(size.memory, "Mi") ? tonumber(trimsuffix(size.memory, "Mi")) / 1024 : tonumber(trimsuffix(size.memory, "Gi"))
  }
  # Default sizes are reduced to fit the quota. Requested sizes are not; a precondition refuses them.
  allowed = { for name, size in local.requested : name =>
    floor(min(var.quota.cpus / size.cpu, var.quota.memory_gib / local.memory_gib[name]))
  }
  sizes = { for name, size in local.requested : name => merge(size, {
    max_instances = try(var.functions[name].max_instances, var.gpu[name].max_instances, null) != null ? size.max_instances : min(size.max_instances, local.allowed[name])
  }) }

  # Images of the stages that were staged for a GPU. They are named by their content, so that a plan with other code
  # needs another image.
  gpu_images = { for folder, each in try(local.staged.gpu, {}) : replace(folder, "_", "-") => join("", [
    "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.functions.repository_id}/",
    "${replace(folder, "_", "-")}-gpu:${each.digest}",
  ]) }

  # Exactly the settings of shared/darkroom/runtime/settings.py: their defaults, and the values of this deployment.
  environment = merge(local.system.settings, {
    DARKROOM_BACKEND          = "gcp"
    DARKROOM_HOME             = "/tmp/darkroom" # of the local backend; nothing is kept there
    DARKROOM_PROJECT          = var.project
    DARKROOM_UPLOADS_BUCKET   = local.buckets.uploads.name
    DARKROOM_ARTIFACTS_BUCKET = local.buckets.artifacts.name
    DARKROOM_RESULTS_BUCKET   = local.buckets.results.name
    DARKROOM_KEYS_BUCKET      = local.buckets.keys.name
    DARKROOM_PRODUCTS_BUCKET  = local.buckets.catalogue.name
    DARKROOM_API_ORIGINS      = join(",", var.api.origins)
    }, {
    for name, value in var.settings : "DARKROOM_${upper(name)}" => tostring(value)
  }, var.other_settings)
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name        = each.key
  region      = var.region
  runtime     = var.runtime
  entry_point = each.value.entry_point
  size        = local.sizes[each.key]
  environment = {
    for name, value in merge(local.environment, { DARKROOM_THREADS = tostring(each.value.threads) }) : name => value
    if !contains(keys(local.secrets[each.key]), name)
  }
  secrets = local.secrets[each.key]
  kms_key = var.kms_key

  connector = contains(keys(local.stages), each.key) ? one([for connector in google_vpc_access_connector.stages : connector.id]) : null

  gpu = !contains(keys(var.gpu), each.key) ? null : {
    image            = lookup(local.gpu_images, each.key, "")
    zonal_redundancy = var.gpu[each.key].zonal_redundancy
  }

  source_archive = {
    bucket = google_storage_bucket.this["source"].name
    object = google_storage_bucket_object.archive[each.value.folder].name
  }

  build = {
    service_account = google_service_account.builder.id
    repository      = google_artifact_registry_repository.functions.id
  }

  upload_event = each.key != "dispatcher-on-upload" ? null : {
    bucket          = google_storage_bucket.this["uploads"].name
    service_account = google_service_account.uploads.email
  }

  invokers = local.invokers[each.key]
  exposed  = each.key == "api"
  public   = each.key == "api" && var.api.public

  depends_on = [
    google_project_service.enabled,
    google_project_iam_member.builder_logs,
    google_project_iam_member.builder_source,
    google_storage_bucket_iam_member.builder,
    google_artifact_registry_repository_iam_member.builder,
    google_eventarc_google_channel_config.this,
    google_project_iam_member.eventarc_agent,
    google_project_iam_member.storage_announces,
    google_project_iam_member.uploads_receives,
    google_service_account_iam_member.push_token,
    # Functions need their queries' indexes. That they take minutes is what the grants above need to spread.
    google_firestore_field.expiry,
    google_firestore_field.tally_expiry,
    google_firestore_field.unindexed,
    google_firestore_index.jobs,
  ]
}

locals {
  invokers = merge(
    { for name in values(local.served_by) : name => { pubsub = google_service_account.push.member } },
    {
      dispatcher-on-upload   = { eventarc = google_service_account.uploads.member }
      dispatcher-on-schedule = { scheduler = google_service_account.schedule.member }
    },
    local.has_api ? {
      api = merge(
        { for member in var.api.invokers : member => member },
        var.api.public ? { everybody = "allUsers" } : { for secret in local.smoke_secret : "deployer" => google_service_account.deployer["this"].member },
      )
    } : {},
  )
}

resource "terraform_data" "known_functions" {
  lifecycle {
    precondition {
      condition     = length(setsubtract(keys(var.gpu), keys(local.gpu_images))) == 0
      error_message = "The variable gpu names ${join(", ", setsubtract(keys(var.gpu), keys(local.gpu_images)))}; a stage with a model can have a GPU once it was staged for one, with make stage GPU=\"…\"."
    }
    precondition {
      condition     = length(setsubtract(keys(var.functions), keys(local.functions))) == 0
      error_message = "The variable functions names ${join(", ", setsubtract(keys(var.functions), keys(local.functions)))}; there are only ${join(", ", keys(local.functions))}."
    }
    precondition {
      condition     = alltrue([for name, size in local.sizes : contains(keys(var.gpu), name) || size.max_instances <= local.allowed[name]])
      error_message = "The most instances of ${join(", ", [for name, size in local.sizes : name if size.max_instances > local.allowed[name]])} exceed the variable quota; request more from Google, then raise that variable."
    }
    precondition {
      condition     = toset(keys(local.environment)) == toset(keys(local.system.settings))
      error_message = "There is no setting ${join(", ", setsubtract(keys(local.environment), keys(local.system.settings)))}."
    }
  }
}

# Images of the functions. Old ones are deleted, the newest are kept for a rollback.
resource "google_artifact_registry_repository" "functions" {
  # checkov:skip=CKV_GCP_84: an own key is an option, see the variable kms_key; the images contain this repository's code.
  repository_id = "darkroom"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the functions, built by the buildpack"
  kms_key_name  = var.kms_key

  cleanup_policies {
    id     = "newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 3
    }
  }

  cleanup_policies {
    id     = "old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.enabled]
}
