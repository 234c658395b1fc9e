"""Values that only the provider itself would check: own keys, and arguments that take one of a few words."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infra.terraform import INFRA, Rehearsal, prepared, terraform

EVERYTHING = "system: everything_that_can_be_switched_on"
ON_A_GPU = "system: a_stage_on_a_gpu"
DEFAULTS = "system: everything_with_the_defaults"
OWN_KEY = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"

#: Where each type of resource takes an own key (Terraform's registry, provider google 6.50).
KEYS = {
    "google_artifact_registry_repository": "kms_key_name",
    "google_cloud_run_v2_service": "template.encryption_key",
    "google_cloudfunctions2_function": "kms_key_name",
    "google_eventarc_google_channel_config": "crypto_key_name",
    "google_firestore_database": "cmek_config.kms_key_name",
    "google_pubsub_topic": "kms_key_name",
    "google_storage_bucket": "encryption.default_kms_key_name",
}
#: Types that take a key and are protected without naming it, with the reason.
KEYLESS = {"google_storage_bucket_object": "takes the key of its bucket"}

#: Values of every argument that takes one of a few words, by type and path, as Terraform's registry lists them for the
#: provider google 6.50; of long lists only the values that fit this configuration.
WORDS: Mapping[str, frozenset[str]] = {
    path: frozenset(words.split())
    for path, words in {
        "google_artifact_registry_repository.cleanup_policies.action": "KEEP DELETE",
        "google_artifact_registry_repository.format": "DOCKER MAVEN NPM APT YUM PYTHON KFP GO GENERIC",
        "google_billing_budget.threshold_rules.spend_basis": "CURRENT_SPEND FORECASTED_SPEND",
        "google_cloud_run_v2_service.ingress": "INGRESS_TRAFFIC_ALL INGRESS_TRAFFIC_INTERNAL_ONLY "
        "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
        "google_cloud_run_v2_service.template.execution_environment": "EXECUTION_ENVIRONMENT_GEN1 "
        "EXECUTION_ENVIRONMENT_GEN2",
        "google_cloud_run_v2_service.template.node_selector.accelerator": "nvidia-l4",
        "google_cloud_run_v2_service.template.vpc_access.egress": "ALL_TRAFFIC PRIVATE_RANGES_ONLY",
        "google_cloud_scheduler_job.http_target.http_method": "POST GET HEAD PUT DELETE PATCH OPTIONS",
        "google_cloudfunctions2_function.build_config.runtime": "python311 python312 python313",
        "google_cloudfunctions2_function.event_trigger.event_type": "google.cloud.storage.object.v1.archived "
        "google.cloud.storage.object.v1.deleted google.cloud.storage.object.v1.finalized "
        "google.cloud.storage.object.v1.metadataUpdated",
        "google_cloudfunctions2_function.event_trigger.event_filters.attribute": "bucket",
        "google_cloudfunctions2_function.event_trigger.retry_policy": "RETRY_POLICY_UNSPECIFIED "
        "RETRY_POLICY_DO_NOT_RETRY RETRY_POLICY_RETRY",
        "google_cloudfunctions2_function.service_config.available_cpu": "1 2 4 8",
        "google_cloudfunctions2_function.service_config.ingress_settings": "ALLOW_ALL ALLOW_INTERNAL_ONLY "
        "ALLOW_INTERNAL_AND_GCLB",
        "google_cloudfunctions2_function.service_config.vpc_connector_egress_settings": "ALL_TRAFFIC "
        "PRIVATE_RANGES_ONLY",
        "google_compute_firewall.allow.protocol": "tcp udp icmp esp ah sctp ipip all",
        "google_compute_firewall.deny.protocol": "tcp udp icmp esp ah sctp ipip all",
        "google_compute_firewall.direction": "INGRESS EGRESS",
        "google_compute_route.next_hop_gateway": "default-internet-gateway",
        "google_dns_managed_zone.visibility": "private public",
        "google_dns_record_set.type": "A AAAA CNAME MX TXT",
        "google_firestore_database.app_engine_integration_mode": "ENABLED DISABLED",
        "google_firestore_database.concurrency_mode": "OPTIMISTIC PESSIMISTIC OPTIMISTIC_WITH_ENTITY_GROUPS",
        "google_firestore_database.delete_protection_state": "DELETE_PROTECTION_STATE_UNSPECIFIED "
        "DELETE_PROTECTION_ENABLED DELETE_PROTECTION_DISABLED",
        "google_firestore_database.deletion_policy": "ABANDON DELETE",
        "google_firestore_database.point_in_time_recovery_enablement": "POINT_IN_TIME_RECOVERY_ENABLED "
        "POINT_IN_TIME_RECOVERY_DISABLED",
        "google_firestore_database.type": "FIRESTORE_NATIVE DATASTORE_MODE",
        "google_firestore_index.fields.array_config": "CONTAINS",
        "google_firestore_index.fields.order": "ASCENDING DESCENDING",
        "google_firestore_index.query_scope": "COLLECTION COLLECTION_GROUP COLLECTION_RECURSIVE",
        "google_logging_metric.metric_descriptor.labels.value_type": "BOOL INT64 STRING",
        "google_logging_metric.metric_descriptor.metric_kind": "DELTA GAUGE CUMULATIVE",
        "google_logging_metric.metric_descriptor.unit": "1 ms s MBy",
        "google_logging_metric.metric_descriptor.value_type": "BOOL INT64 DOUBLE STRING DISTRIBUTION MONEY",
        "google_monitoring_alert_policy.combiner": "AND OR AND_WITH_MATCHING_RESOURCE",
        "google_monitoring_alert_policy.documentation.mime_type": "text/markdown",
        "google_monitoring_alert_policy.severity": "CRITICAL ERROR WARNING",
        "google_monitoring_notification_channel.type": "email slack pagerduty pubsub sms webhook_tokenauth",
        "google_storage_bucket.cors.method": "PUT POST OPTIONS GET HEAD DELETE *",
        "google_storage_bucket.lifecycle_rule.action.type": "Delete SetStorageClass AbortIncompleteMultipartUpload",
        "google_storage_bucket.lifecycle_rule.condition.with_state": "LIVE ARCHIVED ANY",
        "google_storage_bucket.public_access_prevention": "inherited enforced",
        "google_storage_bucket.storage_class": "STANDARD MULTI_REGIONAL REGIONAL NEARLINE COLDLINE ARCHIVE",
        "google_vpc_access_connector.machine_type": "e2-micro e2-standard-4 f1-micro",
    }.items()
}
_CONDITION = "google_monitoring_alert_policy.conditions"
_ALIGNERS = frozenset(f"ALIGN_{each}" for each in ("DELTA", "RATE", "MEAN", "MAX", "MIN", "SUM", "COUNT"))
_REDUCERS = frozenset(f"REDUCE_{each}" for each in ("SUM", "MEAN", "MAX", "MIN", "COUNT", "PERCENTILE_95"))
WORDS = {
    **WORDS,
    f"{_CONDITION}.condition_threshold.comparison": frozenset({"COMPARISON_GT", "COMPARISON_LT"}),
    **{
        f"{_CONDITION}.{kind}.{side}.{argument}": words
        for kind, side in (
            ("condition_threshold", "aggregations"),
            ("condition_threshold", "denominator_aggregations"),
            ("condition_absent", "aggregations"),
        )
        for argument, words in (("per_series_aligner", _ALIGNERS), ("cross_series_reducer", _REDUCERS))
    },
}
#: Capitals that are no choice of a few words.
FREE = ("environment_variables", ".env.", "secret_environment_variables", "documentation.content")


def strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a value of Terraform's state, with the path of its argument."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from strings(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from strings(each, path)


def texts(rehearsal: Rehearsal) -> Iterator[tuple[str, str]]:
    for run in (DEFAULTS, EVERYTHING, ON_A_GPU):
        for resource in rehearsal.resources(run):
            if resource["mode"] == "managed":
                yield from strings(resource["values"], resource["type"])


#: Arguments that some resources leave to the provider; there Terraform's mock makes up a text of this form.
LEFT_OUT = {
    "google_billing_budget.threshold_rules.spend_basis",
    "google_cloudfunctions2_function.service_config.vpc_connector_egress_settings",
    "google_firestore_index.fields.array_config",
    "google_firestore_index.fields.order",
    "google_storage_bucket.lifecycle_rule.condition.with_state",
}
MADE_UP = re.compile(r"[a-z0-9]{8}")


def wrong_words(given: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the given arguments whose value the provider would refuse, sorted."""
    told = {(path, text) for path, text in given if path not in LEFT_OUT or not MADE_UP.fullmatch(text)}
    return sorted((path, text) for path, text in told if path in WORDS and text not in WORDS[path])


def test_every_argument_that_takes_one_of_a_few_words_has_one_of_them(rehearsal: Rehearsal) -> None:
    given = set(texts(rehearsal))
    assert len(given) > 500
    assert wrong_words(given) == []


def test_a_word_that_the_provider_does_not_know_is_found() -> None:
    planted = {
        ("google_firestore_index.fields.order", "UPWARDS"),
        ("google_monitoring_alert_policy.severity", "FATAL"),
        ("google_storage_bucket.storage_class", "standard"),
    }
    assert wrong_words(planted) == sorted(planted)


def test_no_argument_in_capitals_is_missing_in_the_table(rehearsal: Rehearsal) -> None:
    capitals = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
    found = {path for path, text in texts(rehearsal) if capitals.fullmatch(text)}
    assert len(found) > 25
    assert sorted(path for path in found - set(WORDS) if not any(each in path for each in FREE)) == []


def test_every_argument_of_the_table_is_one_that_the_configuration_sets(rehearsal: Rehearsal) -> None:
    assert sorted(set(WORDS) - {path for path, _ in texts(rehearsal)}) == []


def takes_keys(block: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Arguments of a resource's schema that name a key of Cloud KMS."""
    for name in block.get("attributes", {}):
        if re.search(r"kms_key|crypto_key|^encryption_key$", name):
            yield f"{path}{name}"
    for name, inner in block.get("block_types", {}).items():
        yield from takes_keys(inner["block"], f"{path}{name}.")


@pytest.fixture(scope="module")
def schemas() -> Mapping[str, Any]:
    """The schema of every resource, as the provider tells it."""
    told = json.loads(terraform(prepared(INFRA), "providers", "schema", "-json").stdout)
    (google,) = (each for name, each in told["provider_schemas"].items() if name.endswith("hashicorp/google"))
    found: Mapping[str, Any] = google["resource_schemas"]
    return found


def test_every_resource_that_takes_a_key_has_the_key_of_the_variable(
    rehearsal: Rehearsal, schemas: Mapping[str, Any]
) -> None:
    managed = [
        resource
        for run in (EVERYTHING, ON_A_GPU)
        for resource in rehearsal.resources(run)
        if resource["mode"] == "managed" and resource["type"].startswith("google_")
    ]
    used = {resource["type"] for resource in managed}
    able = {kind for kind in used if any(takes_keys(schemas[kind]["block"]))}
    assert able | {"google_eventarc_google_channel_config"} == set(KEYS) | set(KEYLESS)
    named = {f"{resource['type']}.{KEYS[resource['type']]}" for resource in managed if resource["type"] in KEYS}
    for resource in managed:
        kind = resource["type"]
        if kind in KEYS:
            keys = [text for path, text in strings(resource["values"], kind) if path == f"{kind}.{KEYS[kind]}"]
            assert keys == [OWN_KEY], resource["address"]
    assert {path.split(".")[0] for path in named} == set(KEYS)
