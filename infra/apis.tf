locals {
  apis = setunion(toset([
    "artifactregistry", "billingbudgets", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler",
    "eventarc", "firestore", "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager",
    "serviceusage", "storage",
  ]), var.closed_egress == null ? [] : ["compute", "dns", "vpcaccess"])
}

resource "google_project_service" "enabled" {
  for_each = local.apis

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false # others may use the project
}
