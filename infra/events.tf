# Topics and push subscriptions, exactly as in shared/darkroom/domain/topology.py (through system.json). Uploads arrive by an event
# trigger instead, see functions.tf.
#
#     ack deadline ≥ the function's timeout                 a slow delivery is not repeated while it still runs
#     attempts × (ack deadline + longest backoff) < retention      a message is given up before it is forgotten

locals {
  topics = toset(concat(values(local.system.stages), [
    local.system.events_topic, local.system.dead_letter_topic, local.system.imports_topic, local.system.batches_topic,
    local.system.callbacks_topic,
  ]))

  # Which function of the map below serves each subscription.
  served_by = { for name, each in local.system.subscriptions : name => local.function_names["${each.function}.${each.entry_point}"] }
  limited   = { for name, each in local.system.subscriptions : name => each if each.max_attempts != null }
}

resource "google_pubsub_topic" "this" {
  # checkov:skip=CKV_GCP_83: an own key is an option, see the variable kms_key; messages contain names of objects, never pixels.
  for_each = local.topics

  name                       = each.key
  kms_key_name               = var.kms_key
  message_retention_duration = "${local.system.retention_s}s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.enabled]
}

# Calls the functions in the name of Pub/Sub, and may do nothing else.
resource "google_service_account" "push" {
  account_id   = "push-invoker"
  display_name = "Darkroom: Pub/Sub calls the functions"

  depends_on = [google_project_service.enabled]
}

# The agent creates the tokens with which it calls as these two accounts.
resource "google_service_account_iam_member" "push_token" {
  for_each = { push = google_service_account.push.name, uploads = google_service_account.uploads.name }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.service_agents.pubsub
}

resource "google_pubsub_subscription" "this" {
  for_each = local.system.subscriptions

  name                       = each.value.name
  topic                      = google_pubsub_topic.this[each.value.topic].id
  ack_deadline_seconds       = each.value.ack_deadline_s
  message_retention_duration = "${local.system.retention_s}s"
  retain_acked_messages      = false
  enable_message_ordering    = false

  # Never, however quiet it is.
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = module.function[local.served_by[each.key]].uri

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = module.function[local.served_by[each.key]].uri
    }
  }

  retry_policy {
    minimum_backoff = "${each.value.min_backoff_s}s"
    maximum_backoff = "${each.value.max_backoff_s}s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.max_attempts == null ? [] : [each.value.max_attempts]
    content {
      dead_letter_topic     = google_pubsub_topic.this[local.system.dead_letter_topic].id
      max_delivery_attempts = dead_letter_policy.value
    }
  }

  lifecycle {
    precondition {
      condition     = each.value.ack_deadline_s >= local.sizes[local.served_by[each.key]].timeout_s
      error_message = "The timeout of ${local.served_by[each.key]} must be at most the ack deadline of ${each.value.ack_deadline_s} s, or a slow delivery would be repeated while it still runs."
    }
    precondition {
      condition     = coalesce(each.value.max_attempts, 1) * (each.value.ack_deadline_s + each.value.max_backoff_s) < local.system.retention_s
      error_message = "The attempts of ${each.key} must end before the message is forgotten."
    }
  }
}

# Pub/Sub itself moves a message to the dead letters: it publishes there and acknowledges here.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.this[local.system.dead_letter_topic].id
  role   = "roles/pubsub.publisher"
  member = local.service_agents.pubsub
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = local.limited

  subscription = google_pubsub_subscription.this[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.service_agents.pubsub
}

# The trigger of uploads uses a topic of Eventarc, whose messages this key protects. One for a project and region.
resource "google_eventarc_google_channel_config" "this" {
  count = var.kms_key == null ? 0 : 1

  name            = "projects/${var.project}/locations/${var.region}/googleChannelConfig"
  location        = var.region
  crypto_key_name = var.kms_key

  depends_on = [google_project_service.enabled]
}
