# What is refused, before anything is created.

mock_provider "google" {}

variables {
  project = "my-project"
  region  = "europe-west1"
  staged  = "tests/staged/staged.json"
}

run "a_zone_is_no_region" {
  command = plan
  variables { region = "europe-west1-b" }
  expect_failures = [var.region]
}

run "a_project_number_is_no_project_id" {
  command = plan
  variables { project = "123456789012" }
  expect_failures = [var.project]
}

run "purged_jobs_must_not_start_again" {
  command = plan
  variables { settings = { retention_s = 3600 } }
  expect_failures = [var.settings]
}

run "the_alerts_need_lines_of_level_info" {
  command = plan
  variables { settings = { log_level = "ERROR" } }
  expect_failures = [var.settings]
}

run "memory_needs_a_unit" {
  command = plan
  variables { functions = { denoise = { memory = "4096" } } }
  expect_failures = [var.functions]
}

run "a_function_that_does_not_exist_cannot_be_sized" {
  command = plan
  variables { functions = { denoiser = { memory = "4Gi" } } }
  expect_failures = [terraform_data.known_functions]
}

run "more_instances_than_the_quota_has_processors_for" {
  command = plan
  variables { functions = { denoise = { max_instances = 201 } } }
  expect_failures = [terraform_data.known_functions]
}

run "more_instances_than_the_quota_has_memory_for" {
  command = plan
  variables {
    functions = { denoise = { max_instances = 11, memory = "4Gi" } }
    quota     = { cpus = 20, memory_gib = 40 }
  }
  expect_failures = [terraform_data.known_functions]
}

run "a_timeout_above_the_ack_deadline_is_refused" {
  command = plan
  variables { functions = { dispatcher-on-stage-event = { timeout_s = 61 } } }
  expect_failures = [google_pubsub_subscription.this]
}

run "a_wildcard_is_no_origin" {
  command = plan
  variables { storage = { upload_origins = ["*"] } }
  expect_failures = [var.storage]
}

run "a_job_must_not_vanish_before_its_artifacts" {
  command = plan
  variables { settings = { retention_s = 100000 } }
  expect_failures = [google_firestore_field.expiry]
}

run "a_connector_needs_sixteen_addresses" {
  command = plan
  variables { closed_egress = { range = "10.8.0.0/24" } }
  expect_failures = [var.closed_egress]
}

run "a_connector_has_at_least_two_instances" {
  command = plan
  variables { closed_egress = { min_instances = 1 } }
  expect_failures = [var.closed_egress]
}

run "no_service_is_always_there" {
  command = plan
  variables { objectives = { api_answers = 1 } }
  expect_failures = [var.objectives]
}

run "an_address_must_be_an_address" {
  command = plan
  variables { alerts = { emails = ["ops"] } }
  expect_failures = [var.alerts]
}

run "everybody_is_no_invoker" {
  command = plan
  variables { api = { invokers = ["allUsers"] } }
  expect_failures = [var.api]
}

run "a_setting_that_does_not_exist_cannot_be_set" {
  command = plan
  variables { other_settings = { DARKROOM_COLOUR = "blue" } }
  expect_failures = [terraform_data.known_functions]
}

run "visitors_need_a_key_that_signs_their_cookies" {
  command = plan
  variables { settings = { anonymous = true } }
  expect_failures = [var.settings]
}

run "a_gpu_for_a_stage_that_was_not_staged_for_one" {
  command = plan
  variables { gpu = { denoise = {} } }
  expect_failures = [terraform_data.known_functions]
}

run "a_gpu_beside_an_instance_that_cannot_carry_it" {
  command = plan
  variables { gpu = { denoise = { memory = "8Gi" } } }
  expect_failures = [var.gpu]
}

run "two_sizes_for_one_stage" {
  command = plan
  variables {
    gpu       = { denoise = {} }
    functions = { denoise = { cpu = 4 } }
  }
  expect_failures = [var.gpu]
}
