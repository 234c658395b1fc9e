# Secrets are created outside of Terraform, so that no state and no plan contains them. This file grants access to them.

locals {
  # The variables that each function reads from Secret Manager.
  secrets = { for name in keys(local.functions) : name => contains(["api", "caller"], name) && var.signing_key != null ? {
    DARKROOM_SIGNING_KEY = var.signing_key
  } : {} }
}
