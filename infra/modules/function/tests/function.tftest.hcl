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
    condition     = one(google_cloudfunctions2_function.this.service_config).ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "A function must not be reachable from the internet unless it is public."
  }
  assert {
    condition = alltrue([for service in google_cloudfunctions2_function.this.service_config :
      service.available_cpu == "2" && service.available_memory == "4Gi" && service.max_instance_request_concurrency == 1 &&
      service.min_instance_count == 0 && service.max_instance_count == 100 && service.timeout_seconds == 540
    ])
    error_message = "Every size must be set."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.event_trigger) == 0
    error_message = "A function without an upload event must have no trigger."
  }
}

run "an_upload_event_is_retried" {
  command = apply
  variables { upload_event = { bucket = "uploads", service_account = "trigger@p.iam.gserviceaccount.com" } }

  assert {
    condition     = one(google_cloudfunctions2_function.this.event_trigger).retry_policy == "RETRY_POLICY_RETRY"
    error_message = "Without retries a failed upload event is lost."
  }
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
