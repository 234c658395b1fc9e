# Secrets are made outside of Terraform, so that they stand in no state and in no plan; here they are handed out.

locals {
  # The variables that each function reads from Secret Manager.
  secrets = { for name in keys(local.functions) : name => contains(["api", "caller"], name) && var.signing_key != null ? {
    DARKROOM_SIGNING_KEY = var.signing_key
  } : {} }
}
