# Closed egress for the stages, which decode pictures of strangers: off until the variable closed_egress is set.
#
#     stage ──▶ connector ──▶ network without a route to the internet ──▶ 199.36.153.4/30, Google's APIs, and nothing else
#
# The metadata server, from which a function gets its tokens, is reached without the network.

locals {
  closed = var.closed_egress == null ? toset([]) : toset(["this"])

  # restricted.googleapis.com: Cloud Storage and Pub/Sub are among its services,
  # https://cloud.google.com/vpc/docs/configure-private-google-access
  google_apis = { range = "199.36.153.4/30", addresses = ["199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"] }

  # Needed by a plan to read the network.
  network_viewer_roles = var.closed_egress == null ? [] : ["roles/compute.networkViewer", "roles/dns.reader", "roles/vpcaccess.viewer"]
}

resource "google_compute_network" "stages" {
  for_each = local.closed

  name                            = "darkroom-stages"
  auto_create_subnetworks         = false
  delete_default_routes_on_create = true

  depends_on = [google_project_service.enabled]
}

resource "google_compute_subnetwork" "stages" {
  # checkov:skip=CKV_GCP_26: flow logs of a network that reaches nothing but Google's APIs would cost more than the network.
  # checkov:skip=CKV_GCP_76: the network has no IPv6 addresses, so private access over IPv6 would serve nothing.
  for_each = local.closed

  name                     = "darkroom-stages"
  region                   = var.region
  network                  = google_compute_network.stages[each.key].id
  ip_cidr_range            = var.closed_egress.range
  private_ip_google_access = true
}

resource "google_compute_route" "google_apis" {
  for_each = local.closed

  name             = "darkroom-google-apis"
  network          = google_compute_network.stages[each.key].name
  dest_range       = local.google_apis.range
  next_hop_gateway = "default-internet-gateway" # stays inside Google for this range
}

# Without the second rule every network lets everything out.
resource "google_compute_firewall" "google_apis" {
  for_each = local.closed

  name               = "darkroom-google-apis"
  network            = google_compute_network.stages[each.key].name
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = [local.google_apis.range]

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "nothing_else" {
  for_each = local.closed

  name               = "darkroom-nothing-else"
  network            = google_compute_network.stages[each.key].name
  direction          = "EGRESS"
  priority           = 65534
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_dns_managed_zone" "google_apis" {
  # checkov:skip=CKV_GCP_16: the zone is private, and DNSSEC is for public ones.
  for_each = local.closed

  name        = "darkroom-google-apis"
  description = "Google's APIs, at the addresses to which the stages have a route"
  dns_name    = "googleapis.com."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.stages[each.key].id
    }
  }

  depends_on = [google_project_service.enabled]
}

resource "google_dns_record_set" "google_apis" {
  for_each = local.closed

  managed_zone = google_dns_managed_zone.google_apis[each.key].name
  name         = "restricted.googleapis.com."
  type         = "A"
  ttl          = 300
  rrdatas      = local.google_apis.addresses
}

resource "google_dns_record_set" "every_api" {
  for_each = local.closed

  managed_zone = google_dns_managed_zone.google_apis[each.key].name
  name         = "*.googleapis.com."
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [google_dns_record_set.google_apis[each.key].name]
}

resource "google_vpc_access_connector" "stages" {
  for_each = local.closed

  name          = "darkroom-stages"
  region        = var.region
  machine_type  = var.closed_egress.machine_type
  min_instances = var.closed_egress.min_instances
  max_instances = var.closed_egress.max_instances

  subnet {
    name = google_compute_subnetwork.stages[each.key].name
  }

  # A stage that starts before these are there reaches nothing.
  depends_on = [google_compute_route.google_apis, google_compute_firewall.google_apis, google_compute_firewall.nothing_else, google_dns_record_set.every_api]
}
