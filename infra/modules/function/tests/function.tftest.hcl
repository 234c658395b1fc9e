mock_provider "google" {}

variables {
  name           = "denoise"
  region         = "europe-west1"
  runtime        = "python311"
  entry_point    = "denoise"
  source_archive = { bucket = "source", object = "denoise.zip" }
  build          = { service_account = "projects/p/serviceAccounts/builder", repository = "projects/p/locations/r/repositories/darkroom" }
  size           = { cpu = 2, memory = "4Gi", concurrency = 1, min_instances = 0, max_instances = 100, timeout_s = 540 }
  environment    = {}
  invokers       = { pubsub = "serviceAccount:push@p.iam.gserviceaccount.com" }
}

run "a_function_is_internal_and_has_every_size_set" {
  command = apply

  assert {
    condition     = one(google_cloudfunctions2_function.this[0].service_config).ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "A function must not be reachable from the internet unless it is public."
  }
  assert {
    condition = alltrue([for service in google_cloudfunctions2_function.this[0].service_config :
      service.available_cpu == "2" && service.available_memory == "4Gi" && service.max_instance_request_concurrency == 1 &&
      service.min_instance_count == 0 && service.max_instance_count == 100 && service.timeout_seconds == 540
    ])
    error_message = "Every size must be set."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this[0].event_trigger) == 0
    error_message = "A function without an upload event must have no trigger."
  }
}

run "with_a_connector_everything_goes_out_through_it" {
  command = apply
  variables { connector = "projects/p/locations/europe-west1/connectors/stages" }

  assert {
    condition     = one(google_cloudfunctions2_function.this[0].service_config).vpc_connector == var.connector && one(google_cloudfunctions2_function.this[0].service_config).vpc_connector_egress_settings == "ALL_TRAFFIC"
    error_message = "A connector that carries private addresses alone would leave the way to the internet open."
  }
}

run "with_a_connector_and_a_gpu_too" {
  command = apply
  variables {
    connector = "projects/p/locations/europe-west1/connectors/stages"
    gpu       = { image = "europe-west1-docker.pkg.dev/p/darkroom/denoise-gpu:0123456789abcdef", zonal_redundancy = false }
    size      = { cpu = 4, memory = "16Gi", concurrency = 1, min_instances = 0, max_instances = 2, timeout_s = 540 }
  }

  assert {
    condition     = one(google_cloud_run_v2_service.gpu[0].template[0].vpc_access).connector == var.connector && one(google_cloud_run_v2_service.gpu[0].template[0].vpc_access).egress == "ALL_TRAFFIC"
    error_message = "A stage on a GPU must go out the same way."
  }
}

run "an_upload_event_is_retried" {
  command = apply
  variables { upload_event = { bucket = "uploads", service_account = "trigger@p.iam.gserviceaccount.com" } }

  assert {
    condition     = one(google_cloudfunctions2_function.this[0].event_trigger).retry_policy == "RETRY_POLICY_RETRY"
    error_message = "Without retries a failed upload event is lost."
  }
}

run "unless_it_is_asked_for_there_is_no_gpu" {
  command = apply

  assert {
    condition     = length(google_cloud_run_v2_service.gpu) == 0 && output.accelerator == null && output.name == "denoise"
    error_message = "A GPU must be off by default."
  }
}

run "with_a_gpu_a_service_stands_in_the_place_of_the_function" {
  command = apply
  variables {
    gpu         = { image = "europe-west1-docker.pkg.dev/p/darkroom/denoise-gpu:0123456789abcdef", zonal_redundancy = false }
    size        = { cpu = 4, memory = "16Gi", concurrency = 1, min_instances = 0, max_instances = 2, timeout_s = 540 }
    environment = { DARKROOM_THREADS = "4", DARKROOM_ACCELERATOR = "cpu" }
    kms_key     = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
  }

  assert {
    condition     = length(google_cloudfunctions2_function.this) == 0 && google_cloud_run_v2_service.gpu[0].name == "denoise-gpu"
    error_message = "The service must take the place of the function."
  }
  assert {
    condition     = one(google_cloud_run_v2_service.gpu[0].template[0].node_selector).accelerator == "nvidia-l4" && google_cloud_run_v2_service.gpu[0].template[0].gpu_zonal_redundancy_disabled
    error_message = "The service must have an L4, which need not be there in a second zone."
  }
  assert {
    condition = (
      one(google_cloud_run_v2_service.gpu[0].template[0].containers[0].resources).limits == tomap({ cpu = "4", memory = "16Gi", "nvidia.com/gpu" = "1" }) &&
      !one(google_cloud_run_v2_service.gpu[0].template[0].containers[0].resources).cpu_idle
    )
    error_message = "The instance must have the GPU, four processors and 16 GiB, and keep its processors between requests."
  }
  assert {
    condition = tomap({ for each in google_cloud_run_v2_service.gpu[0].template[0].containers[0].env : each.name => each.value }) == tomap({
      FUNCTION_TARGET = "denoise", DARKROOM_THREADS = "4", DARKROOM_ACCELERATOR = "cuda"
    })
    error_message = "The environment must be that of the function, with the GPU switched on."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.gpu[0].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" &&
      google_cloud_run_v2_service.gpu[0].template[0].service_account == google_service_account.this.email &&
      google_cloud_run_v2_service.gpu[0].template[0].encryption_key == var.kms_key &&
      google_cloud_run_v2_service.gpu[0].template[0].timeout == "540s" &&
      google_cloud_run_v2_service.gpu[0].template[0].max_instance_request_concurrency == 1 &&
      one(google_cloud_run_v2_service.gpu[0].template[0].scaling).max_instance_count == 2
    )
    error_message = "Ingress, account, key, timeout, concurrency and the most instances must be those of the function."
  }
  assert {
    condition     = google_cloud_run_service_iam_member.invoker["pubsub"].service == "denoise-gpu" && output.uri == google_cloud_run_v2_service.gpu[0].uri
    error_message = "Whoever may call the function must be allowed to call the service, at its address."
  }
}

run "a_gpu_beside_too_small_an_instance_is_refused" {
  command = plan
  variables { gpu = { image = "denoise-gpu", zonal_redundancy = false } }
  expect_failures = [google_cloud_run_v2_service.gpu]
}

run "a_gpu_for_what_uploads_call_is_refused" {
  command = plan
  variables {
    gpu          = { image = "denoise-gpu", zonal_redundancy = false }
    size         = { cpu = 4, memory = "16Gi", concurrency = 1, min_instances = 0, max_instances = 2, timeout_s = 540 }
    upload_event = { bucket = "uploads", service_account = "trigger@p.iam.gserviceaccount.com" }
  }
  expect_failures = [google_cloud_run_v2_service.gpu]
}

run "everybody_is_refused" {
  command = plan
  variables { invokers = { all = "allUsers" } }
  expect_failures = [google_cloud_run_service_iam_member.invoker]
}

run "everybody_is_allowed_where_it_is_said" {
  command = plan
  variables {
    invokers = { all = "allUsers" }
    public   = true
  }
}

run "an_event_cannot_run_longer_than_540_seconds" {
  command = plan
  variables { size = { cpu = 2, memory = "4Gi", concurrency = 1, min_instances = 0, max_instances = 100, timeout_s = 600 } }
  expect_failures = [var.size]
}

run "more_instances_at_least_than_at_most_are_refused" {
  command = plan
  variables { size = { cpu = 2, memory = "4Gi", concurrency = 1, min_instances = 3, max_instances = 2, timeout_s = 540 } }
  expect_failures = [var.size]
}

run "memory_beyond_what_the_processors_carry_is_refused" {
  command = plan
  variables { size = { cpu = 1, memory = "8Gi", concurrency = 1, min_instances = 0, max_instances = 2, timeout_s = 540 } }
  expect_failures = [var.size]
}
