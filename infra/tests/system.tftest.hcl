# The whole configuration, applied to a provider that creates nothing.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  project = "my-project"
  region  = "europe-west1"
  staged  = "tests/staged/staged.json"
}

run "everything_with_the_defaults" {
  command = apply

  # Storage

  assert {
    condition     = length(distinct([for bucket in google_storage_bucket.this : bucket.name])) == 6
    error_message = "Uploads, artifacts, results, keys, catalogue and source must be six buckets."
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.uniform_bucket_level_access && bucket.public_access_prevention == "enforced" && !bucket.force_destroy])
    error_message = "No bucket may be public, have access lists or be emptied by terraform destroy."
  }
  assert {
    condition     = anytrue([for rule in google_storage_bucket.this["artifacts"].lifecycle_rule : one(rule.action).type == "Delete" && one(rule.condition).age == 7])
    error_message = "Artifacts must be deleted after seven days."
  }
  assert {
    condition     = !anytrue([for rule in google_storage_bucket.this["uploads"].lifecycle_rule : one(rule.condition).with_state == "LIVE"])
    error_message = "An original must not be deleted unless a variable says so."
  }
  assert {
    condition     = module.function["dispatcher-on-upload"].environment.DARKROOM_UPLOADS_BUCKET != module.function["finish"].environment.DARKROOM_RESULTS_BUCKET
    error_message = "Input and output bucket must differ, or results would start jobs."
  }
  assert {
    condition     = length(google_storage_bucket.this["uploads"].cors) == 0
    error_message = "No web page may upload unless a variable names its origin."
  }

  # Accounts and access

  assert {
    condition     = length(distinct([for function in module.function : function.service_account.email])) == length(local.functions) && length(local.functions) == length(local.system.stages) + 8
    error_message = "Every function must have an account of its own."
  }
  assert {
    condition = alltrue([
      for member in concat(
        values(google_project_iam_member.jobs),
        [google_project_iam_member.storage_announces, google_project_iam_member.uploads_receives, google_project_iam_member.builder_logs, google_project_iam_member.eventarc_agent],
      ) : contains(["roles/datastore.user", "roles/pubsub.publisher", "roles/eventarc.eventReceiver", "roles/eventarc.serviceAgent", "roles/logging.logWriter"], member.role)
    ])
    error_message = "Only these roles may be held on the project: no basic role, no role of storage."
  }
  assert {
    condition     = one(google_project_iam_member.builder_source.condition).expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-europe-west1\")"
    error_message = "The builder must be able to read the copies of the functions' source, and nothing else."
  }
  assert {
    condition     = alltrue([for member in google_project_iam_member.jobs : one(member.condition).expression == "resource.name == \"projects/my-project/databases/(default)\""])
    error_message = "The role on the database must be narrowed to it."
  }
  assert {
    condition     = toset(keys(google_project_iam_member.jobs)) == toset(["api", "importer", "caller", "dispatcher-on-upload", "dispatcher-on-stage-event", "dispatcher-on-dead-letter", "dispatcher-on-batch", "dispatcher-on-schedule"])
    error_message = "Only the dispatcher, the importer and the API may read and write jobs."
  }
  assert {
    condition     = alltrue([for grant in google_storage_bucket_iam_member.function : contains(["roles/storage.objectViewer", "roles/storage.objectCreator", "roles/storage.objectUser"], grant.role)])
    error_message = "No function may administer a bucket."
  }
  assert {
    condition     = alltrue([for name, grant in google_storage_bucket_iam_member.function : startswith(name, "api ") || startswith(name, "importer ") || !(grant.bucket == google_storage_bucket.this["uploads"].name && grant.role != "roles/storage.objectViewer")])
    error_message = "Nobody but the API and the importer may write into the uploads bucket, which starts jobs."
  }
  assert {
    condition     = [for name, grant in google_storage_bucket_iam_member.function : name if grant.role == "roles/storage.objectUser" && !startswith(name, "api ")] == ["dispatcher-on-schedule artifacts roles/storage.objectUser", "dispatcher-on-schedule catalogue roles/storage.objectUser"]
    error_message = "Beside the API only the sweep may delete, and only artifacts and how far it has come."
  }
  assert {
    condition     = alltrue([for name, grant in google_pubsub_topic_iam_member.function : startswith(name, "dispatcher-") || startswith(name, "api ") || endswith(name, " ${local.system.events_topic}") || contains(["importer ${local.system.stages.assess}", "importer ${local.system.imports_topic}", "importer ${local.system.callbacks_topic}"], name)])
    error_message = "Only the dispatcher and the API may ask stages, and the importer the first one."
  }

  # Events

  assert {
    condition     = alltrue([for stage, topic in local.system.stages : length(google_pubsub_subscription.this[topic].dead_letter_policy) == 1 && length(google_pubsub_subscription.this[topic].retry_policy) == 1])
    error_message = "Every subscription of a stage must have a dead letter policy and a retry policy."
  }
  assert {
    condition     = alltrue([for each in google_pubsub_subscription.this : one(one(each.push_config).oidc_token).service_account_email == google_service_account.push.email && one(one(each.push_config).oidc_token).audience == one(each.push_config).push_endpoint])
    error_message = "Every push must carry a token of the push account, made out to the function that is called."
  }
  assert {
    condition     = alltrue([for name, each in google_pubsub_subscription.this : one(each.push_config).push_endpoint == module.function[local.served_by[name]].uri])
    error_message = "Every subscription must call the function that the topology names."
  }
  assert {
    condition     = alltrue([for name, each in google_pubsub_subscription.this : each.ack_deadline_seconds >= local.sizes[local.served_by[name]].timeout_s])
    error_message = "The ack deadline must be at least the timeout of the function."
  }
  assert {
    condition = alltrue([for name, each in local.system.subscriptions :
      coalesce(each.max_attempts, 1) * (each.ack_deadline_s + each.max_backoff_s) < local.system.retention_s
    ])
    error_message = "A message must be given up before it is forgotten."
  }
  assert {
    condition     = toset(keys(google_pubsub_subscription_iam_member.dead_letters)) == toset([for name, each in google_pubsub_subscription.this : name if length(each.dead_letter_policy) == 1])
    error_message = "Pub/Sub must be allowed to move dead letters from every subscription that has them."
  }
  assert {
    condition     = contains([for each in google_pubsub_subscription.this : each.topic], google_pubsub_topic.this["dead-letters"].id)
    error_message = "Somebody must listen to the dead letters, or they vanish."
  }
  assert {
    condition     = toset([for each in google_pubsub_subscription.this : each.topic]) == toset([for topic in google_pubsub_topic.this : topic.id])
    error_message = "Every topic must have a subscription."
  }

  # Jobs

  assert {
    condition     = google_firestore_database.jobs.type == "FIRESTORE_NATIVE" && google_firestore_database.jobs.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "The database must be in native mode and protected."
  }
  assert {
    condition = keys(google_firestore_index.jobs) == keys(local.system.firestore.indexes) && alltrue(flatten([
      for name, fields in local.system.firestore.indexes : [for i, field in fields :
        google_firestore_index.jobs[name].fields[i].field_path == field.field &&
        (field.order == null || google_firestore_index.jobs[name].fields[i].order == field.order) &&
        (field.array_config == null || google_firestore_index.jobs[name].fields[i].array_config == field.array_config)
      ]
    ]))
    error_message = "Every index that the queries need must exist."
  }
  assert {
    condition = alltrue([for field in concat(values(google_firestore_field.unindexed), [google_firestore_field.expiry, google_firestore_field.tally_expiry]) :
      length(field.index_config) == 1 && length(one(field.index_config).indexes) == 0
    ]) && alltrue([for name in ["jobs.created_at", "jobs.updated_at", "reservations.body"] : contains(keys(google_firestore_field.unindexed), name)])
    error_message = "No time may have an index of its own, which would hold all writes to 500 a second."
  }
  assert {
    condition     = alltrue([for index in google_firestore_index.jobs : index.fields[0].field_path == "shard"])
    error_message = "Every index over a time must begin with the shard."
  }

  # Settings and schedule

  assert {
    condition     = alltrue([for function in module.function : toset(keys(function.environment)) == toset(keys(local.system.settings))])
    error_message = "The variables set on a function must be the settings of the code, all of them and no others."
  }
  assert {
    condition     = alltrue([for name, stage in local.stages : module.function[name].environment.DARKROOM_THREADS == tostring(local.sizes[name].cpu)])
    error_message = "A stage must have as many threads as processors."
  }
  assert {
    condition     = one(google_cloud_scheduler_job.sweep.http_target).uri == module.function["dispatcher-on-schedule"].uri && one(one(google_cloud_scheduler_job.sweep.http_target).oidc_token).service_account_email == google_service_account.schedule.email
    error_message = "The schedule must call on_schedule under its own account."
  }

  assert {
    condition     = length([for name, function in module.function : name if length(function.invokers) == 0]) == 1 && length(module.function["api"].invokers) == 0
    error_message = "Nobody may call the API until a variable says who; everything else has its one caller."
  }
  assert {
    condition     = alltrue([for name, function in module.function : name == "api" || function.ingress == "ALLOW_INTERNAL_ONLY"])
    error_message = "Only the API may have an address on the internet."
  }

  # What is watched

  assert {
    condition     = toset(keys(local.alerts)) == toset(["dead-letters", "old-message", "refused", "slow-api", "slow-job", "slow-stage", "stuck-jobs", "unexpected"])
    error_message = "There must be an alert on each of these."
  }
  assert {
    condition     = toset(flatten(values(local.limits))) == toset([for name, size in local.sizes : name if size.max_instances > 1])
    error_message = "The instances of every function that may have several must be watched."
  }
  assert {
    condition     = alltrue([for most, policy in google_monitoring_alert_policy.most_instances : one(one(policy.conditions).condition_threshold).threshold_value == tonumber(most) - 1])
    error_message = "The alert must come at the limit, not above it, which is never reached."
  }
  assert {
    condition     = google_monitoring_slo.in_time.goal == 0.95 && google_monitoring_slo.completed.goal == 0.95 && google_monitoring_slo.api[0].goal == 0.995
    error_message = "The objectives must have the goals of the variable."
  }

  # What is off until it is asked for

  assert {
    condition     = length(google_compute_network.stages) == 0 && alltrue([for function in module.function : function.connector == null])
    error_message = "Egress must be open, and nothing of a network billed, until a variable closes it."
  }
  assert {
    condition     = length(google_eventarc_google_channel_config.this) == 0
    error_message = "There must be no key of one's own by default."
  }

  assert {
    condition     = alltrue([for function in module.function : function.accelerator == null && function.environment.DARKROOM_ACCELERATOR == "cpu"])
    error_message = "No stage may have a GPU until a variable names it."
  }
  assert {
    condition     = length(google_billing_budget.this) == 0 && length(google_service_account.deployer) == 0 && length(google_monitoring_notification_channel.email) == 0
    error_message = "Budget, deployer and mails must be off by default."
  }
}

run "without_an_api_nothing_has_an_address" {
  command = apply
  variables {
    staged = "tests/staged/without_api.json"
  }

  assert {
    condition     = !contains(keys(module.function), "api") && output.api_url == null && length(google_service_account_iam_member.api_signs) == 0
    error_message = "A function that was not staged must not be deployed."
  }
}

run "everything_that_can_be_switched_on" {
  command = apply

  variables {
    prefix    = "photos"
    kms_key   = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    storage   = { uploads_days = 90, upload_origins = ["https://shop.example"] }
    functions = { denoise = { memory = "8Gi", cpu = 4, max_instances = 7 } }
    alerts    = { emails = ["ops@example.com"] }
    budget    = { billing_account = "012345-6789AB-CDEF01", amount = 50 }
    deployer  = { state_bucket = "state" }
    labels    = { team = "photos" }
    api       = { public = true }

    closed_egress = {}

    quota = { cpus = 28, memory_gib = 56 }

    other_settings = { DARKROOM_LOG_LEVEL = "DEBUG" }
  }

  assert {
    condition     = output.buckets.uploads == "photos-uploads" && one(google_storage_bucket.this["uploads"].cors).origin == tolist(["https://shop.example"])
    error_message = "Prefix and origin must reach the bucket."
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : one(bucket.encryption).default_kms_key_name == var.kms_key]) && alltrue([for topic in google_pubsub_topic.this : topic.kms_key_name == var.kms_key]) && one(google_firestore_database.jobs.cmek_config).kms_key_name == var.kms_key
    error_message = "The own key must protect buckets, topics and the database."
  }
  assert {
    condition     = local.sizes["denoise"].memory == "8Gi" && local.sizes["denoise"].timeout_s == 540 && local.sizes["denoise"].max_instances == 7 && module.function["denoise"].environment.DARKROOM_THREADS == "4"
    error_message = "A size that is given must replace the default, and the others must stay."
  }
  assert {
    condition     = local.sizes["upscale"].max_instances == 28 && local.sizes["api"].max_instances == 14 && local.sizes["dispatcher-on-upload"].max_instances == 20 && local.sizes["dispatcher-on-schedule"].max_instances == 1
    error_message = "A default must give way to the quota of processors and memory."
  }
  assert {
    condition     = values(module.function["api"].invokers) == ["allUsers"] && module.function["denoise"].environment.DARKROOM_LOG_LEVEL == "DEBUG"
    error_message = "Everybody may call the API where the variable says so, and other settings must reach the functions."
  }
  assert {
    condition     = one(google_billing_budget.this[0].amount[0].specified_amount).units == "50" && length(one(google_billing_budget.this[0].all_updates_rule).monitoring_notification_channels) == 1
    error_message = "The budget must hold the amount and tell the same people as the alerts."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.threshold : length(policy.notification_channels) == 1])
    error_message = "Every alert must tell the people that the variable names."
  }
  assert {
    condition     = toset([for name, function in module.function : name if function.connector != null]) == toset(keys(local.stages))
    error_message = "The stages, which decode pictures of strangers, must have no way out but the connector."
  }
  assert {
    condition     = google_compute_network.stages["this"].delete_default_routes_on_create && google_compute_subnetwork.stages["this"].private_ip_google_access && google_compute_route.google_apis["this"].dest_range == "199.36.153.4/30"
    error_message = "The network must have one route, to Google's APIs."
  }
  assert {
    condition     = one(google_compute_firewall.nothing_else["this"].deny).protocol == "all" && google_compute_firewall.nothing_else["this"].priority > google_compute_firewall.google_apis["this"].priority && google_compute_firewall.nothing_else["this"].direction == "EGRESS"
    error_message = "Everything but Google's APIs must be denied."
  }
  assert {
    condition     = alltrue([for api in ["compute", "dns", "vpcaccess"] : contains(keys(google_project_service.enabled), api)])
    error_message = "The services of the network must be switched on."
  }
  assert {
    condition     = google_eventarc_google_channel_config.this[0].crypto_key_name == var.kms_key && google_eventarc_google_channel_config.this[0].name == "projects/my-project/locations/europe-west1/googleChannelConfig"
    error_message = "The own key must protect the events of uploads too."
  }
  assert {
    condition = alltrue([for name, grant in google_storage_bucket_iam_member.function :
      !(contains(keys(local.stages), split(" ", name)[0]) && split(" ", name)[1] == "artifacts") || try(one(grant.condition).expression, "") == "!resource.name.startsWith(\"projects/_/buckets/photos-artifacts/objects/dead-letters/\")"
    ])
    error_message = "No stage may read dead letters."
  }

  # The two accounts of Cloud Build

  assert {
    condition     = one([for rule in google_storage_bucket.this["plans"].lifecycle_rule : one(rule.condition).age if one(rule.action).type == "Delete"]) == 30
    error_message = "Plans must be deleted after thirty days."
  }
  assert {
    condition     = toset([for grant in concat(values(google_storage_bucket_iam_member.planner), values(google_storage_bucket_iam_member.deployer), [google_storage_bucket_iam_member.builder]) : grant.member if grant.bucket == google_storage_bucket.this["plans"].name]) == toset([google_service_account.planner["this"].member, google_service_account.deployer["this"].member])
    error_message = "The builder of the functions must not read plans."
  }
  assert {
    condition     = alltrue([for member in google_project_iam_member.planner : can(regex("[vV]iewer$|^roles/(iam.securityReviewer|dns.reader|logging.logWriter|serviceusage.serviceUsageConsumer)$", member.role)) && !contains(["roles/viewer", "roles/datastore.viewer", "roles/logging.viewer"], member.role)])
    error_message = "What runs without an approval may only look, and neither at jobs nor at log lines."
  }
  assert {
    condition     = alltrue([for permission in google_project_iam_custom_role.planner["this"].permissions : can(regex("\\.(get|list|getMetadata)$", permission)) && !can(regex("entities|logEntries|secrets|Key", permission))])
    error_message = "The planner's own role may only look, and at no content."
  }
  assert {
    condition     = alltrue([for grant in google_storage_bucket_iam_member.planner : contains(["roles/storage.legacyBucketReader"], grant.role) || contains([google_storage_bucket.this["source"].name, google_storage_bucket.this["plans"].name, "state"], grant.bucket)]) && alltrue([for grant in google_storage_bucket_iam_member.planner : grant.role != "roles/storage.objectUser"])
    error_message = "The planner may read archives and state, write plans, and read no photograph."
  }
  assert {
    condition     = alltrue([for grant in google_service_account_iam_member.deployer : grant.member == google_service_account.deployer["this"].member]) && alltrue([for grant in google_secret_manager_secret_iam_member.deployer : grant.member != google_service_account.planner["this"].member])
    error_message = "The planner may act as nobody and read no secret."
  }
  assert {
    condition = alltrue([for member in google_project_iam_member.deployer :
      !can(regex("^roles/(owner|editor|viewer|storage\\..*|iam\\.serviceAccount.*|resourcemanager\\..*)$|admin$", member.role)) || member.role == "roles/cloudscheduler.admin"
    ])
    error_message = "The deployer may hold no basic role, no role of storage, and none by which it could give itself another."
  }
  assert {
    condition     = !anytrue([for grant in google_storage_bucket_iam_member.deployer : contains([google_storage_bucket.this["uploads"].name, google_storage_bucket.this["results"].name], grant.bucket) && !contains(["roles/storage.legacyBucketReader", "roles/storage.objectCreator"], grant.role)])
    error_message = "The deployer may not read photographs."
  }
}

run "a_signing_key_is_told_to_those_who_sign_alone" {
  command = apply

  variables {
    signing_key = { secret = "darkroom-signing-key" }
    settings    = { anonymous = true }
  }

  assert {
    condition     = [for name, secrets in local.secrets : name if length(secrets) > 0] == ["api", "caller"]
    error_message = "Only the API and the caller, which signs callbacks, must be told the signing key."
  }
  assert {
    condition     = !contains(keys(module.function["api"].environment), "DARKROOM_SIGNING_KEY")
    error_message = "The signing key must not stand among the plain variables."
  }
  assert {
    condition     = module.function["api"].secrets == { DARKROOM_SIGNING_KEY = { secret = "darkroom-signing-key", version = "latest" } }
    error_message = "The API must read the signing key from Secret Manager."
  }
}

run "a_stage_on_a_gpu" {
  command = apply

  variables {
    staged   = "tests/staged/with_gpu.json"
    gpu      = { low-light = { max_instances = 3 } }
    deployer = { state_bucket = "state" }
    kms_key  = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"

    closed_egress = {}
  }

  assert {
    condition     = { for name, function in module.function : name => function.accelerator if function.accelerator != null } == { low-light = "nvidia-l4" }
    error_message = "The stage that the variable names must have a GPU, and no other."
  }
  assert {
    condition     = output.gpu_images == { denoise-gpu = "europe-west1-docker.pkg.dev/my-project/darkroom/denoise-gpu:0123456789abcdef", low_light-gpu = "europe-west1-docker.pkg.dev/my-project/darkroom/low-light-gpu:fedcba9876543210" }
    error_message = "The images must be named by what was staged, also before the variable names the stage."
  }
  assert {
    condition     = one(google_pubsub_subscription.this["stage-low-light"].push_config).push_endpoint == module.function["low-light"].uri && one(one(google_pubsub_subscription.this["stage-low-light"].push_config).oidc_token).audience == module.function["low-light"].uri
    error_message = "The subscription of the stage must call the service."
  }
  assert {
    condition     = module.function["low-light"].name == "low-light-gpu" && values(module.function["low-light"].invokers) == [google_service_account.push.member]
    error_message = "The push account, and nobody else, must be allowed to call the service."
  }
  assert {
    condition     = { for name, value in module.function["low-light"].environment : name => value if module.function["denoise"].environment[name] != value } == { DARKROOM_ACCELERATOR = "cuda", DARKROOM_THREADS = "4" }
    error_message = "Beside accelerator and threads the environment must be that of the other stages."
  }
  assert {
    condition     = local.sizes["low-light"] == { cpu = 4, memory = "16Gi", concurrency = 1, min_instances = 0, max_instances = 3, timeout_s = 540 }
    error_message = "The sizes must be those of the variable gpu, and the rest those of a stage."
  }
  assert {
    condition     = [for grant in google_cloud_run_service_iam_member.deployer : grant.role] == ["roles/run.developer"] && google_cloud_run_service_iam_member.deployer["low-light"].service == "low-light-gpu"
    error_message = "The deployer must be allowed to deploy this service, and no other."
  }
}

run "the_build_tries_the_api_with_a_key" {
  command = apply

  variables {
    deployer = { state_bucket = "state", api_key_secret = "smoke-key" }
  }

  assert {
    condition     = { for name, grant in google_secret_manager_secret_iam_member.deployer : name => grant.role } == { smoke-key = "roles/secretmanager.secretAccessor" }
    error_message = "The deployer must be allowed to read this one secret."
  }
  assert {
    condition     = values(module.function["api"].invokers) == [google_service_account.deployer["this"].member]
    error_message = "The deployer must be allowed to call the API where not everybody is."
  }
}

run "a_budget_without_addresses" {
  command = apply

  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 50 }
  }

  assert {
    condition     = length(google_billing_budget.this[0].all_updates_rule) == 0
    error_message = "Google refuses a rule that names neither a channel nor a topic."
  }
}

run "a_stage_with_an_installed_network" {
  command = apply

  variables {
    staged    = "tests/staged/with_networks.json"
    functions = { background = { max_instances = 3 } }
  }

  assert {
    condition     = [for name in ["background", "denoise"] : "${local.sizes[name].cpu} ${local.sizes[name].memory}"] == ["2 4Gi", "1 2Gi"] && local.sizes["background"].max_instances == 3
    error_message = "The size that was staged with the network must be that of its stage alone, under what the variable says."
  }
  assert {
    condition     = module.function["background"].environment.DARKROOM_THREADS == "2"
    error_message = "The stage must use the processors that it is given."
  }
}
