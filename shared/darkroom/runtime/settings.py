"""Reads and validates the settings.

One frozen `Settings` is read once from the environment: the field `stall_after_s` is the variable
`DARKROOM_STALL_AFTER_S`. Every problem is reported at once. A test compares the table in docs/operations.md with this
class.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from darkroom.auth.roles import Role, read_roles
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.messages import Record, describe
from darkroom.runtime.installed import MODELS

PREFIX = "DARKROOM_"
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
#: Variables that demand something of the tests are none of the service's business.
REQUIRE = "DARKROOM_REQUIRE_"
#: The registry that travels with the code.
DEFAULT_REGISTRY = MODELS / "registry.toml"
#: Settings of version 0.1.0 that have another name now. The old name is refused with the new one.
RENAMED = {"DARKROOM_CATALOGUE_BUCKET": "DARKROOM_PRODUCTS_BUCKET"}


class Settings(Record):
    """Everything that differs between one deployment and another."""

    backend: Literal["local", "gcp"] = Field("local", description="where objects, jobs and messages live")
    home: Path = Field(Path(".darkroom"), description="folder of the local backend")
    project: str = Field("", description="Google Cloud project; needed by the gcp backend")
    uploads_bucket: str = Field("uploads", min_length=3, description="bucket into which photographs are dropped")
    artifacts_bucket: str = Field("artifacts", min_length=3, description="bucket of the pictures between stages")
    results_bucket: str = Field("results", min_length=3, description="bucket of finished pictures and manifests")
    max_bytes: int = Field(100_000_000, ge=1, description="largest upload in bytes")
    max_pixels: int = Field(40_000_000, ge=1, description="largest upload in pixels")
    threads: int = Field(0, ge=0, le=64, description="threads of one stage; 0 means one per processor")
    int8: Literal["auto", "on", "off"] = Field(
        "auto", description="run models in their int8 variants; auto does where the processor has VNNI"
    )
    accelerator: Literal["cpu", "cuda"] = Field(
        "cpu", description="what runs the models: the processor, or an NVIDIA GPU, which needs onnxruntime-gpu"
    )
    registry: Path = Field(DEFAULT_REGISTRY, description="the file that lists the models")
    acceptance: str = Field("", description="file of `darkroom verdict calibrate`; the built-in calibrations if empty")
    models: str = Field("", description="folder of the networks that were installed; the user's data folder if empty")
    commercial_only: bool = Field(False, description="refuse models that may not be used commercially")
    retention_s: int = Field(30 * 24 * 3600, ge=3600, description="age in seconds at which a job is purged")
    stall_after_s: int = Field(1800, ge=1, description="seconds without change after which a job may be lost")
    orphan_after_s: int = Field(300, ge=0, description="age in seconds from which an upload without job is an orphan")
    orphan_window_s: int = Field(24 * 3600, ge=60, description="age in seconds up to which uploads are searched")
    orphan_scan_s: int = Field(3600, ge=0, description="seconds between two searches for orphans")
    keys_bucket: str = Field("api-keys", min_length=3, description="bucket of the API keys; it holds only their hashes")
    products_bucket: str = Field(
        "catalogue", min_length=3, description="bucket of imports, batches and pipelines by group and SKU"
    )
    import_per_host: int = Field(
        2, ge=1, le=100, description="pictures that one process of the importer fetches from a host at the same time"
    )
    signing_key: str = Field(
        "",
        repr=False,
        description="key of the system's own signatures; the local backend creates one",
    )
    anonymous: bool = Field(False, description="allow requests without a key; a signed cookie identifies the visitor")
    google_audience: str = Field("", description="audience of Google's ID tokens that are let in; none if empty")
    google_roles: str = Field("", description="roles of Google's accounts: address=role or domain=role, with commas")
    visitor_limit: int = Field(20, ge=1, description="most photographs that a visitor without a key may store")
    owner_limit: int = Field(0, ge=0, description="photographs that a submitter may keep; 0 is any number")
    api_rate_per_minute: int = Field(600, ge=1, description="API requests a minute for each key and each address")
    api_origins: str = Field("", description="origins whose pages may call the API, separated by commas")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe line logged")

    @property
    def origins(self) -> frozenset[str]:
        """`api_origins` one by one."""
        return frozenset(origin.strip() for origin in self.api_origins.split(",") if origin.strip())

    @property
    def accounts(self) -> dict[str, Role]:
        """`google_roles` one by one. Raises ValueError."""
        return read_roles(self.google_roles)

    @model_validator(mode="after")
    def _sound(self) -> "Settings":
        problems = []
        names = {self.uploads_bucket, self.artifacts_bucket, self.results_bucket}
        if len(names) < 3:
            problems.append(
                "uploads_bucket, artifacts_bucket and results_bucket must differ, or results would start jobs: "
                f"{self.uploads_bucket}, {self.artifacts_bucket}, {self.results_bucket}"
            )
        if self.keys_bucket in names:
            problems.append(f"keys_bucket must differ from the buckets of pictures: {self.keys_bucket}")
        if self.products_bucket in names | {self.keys_bucket}:
            problems.append(f"products_bucket must differ from all other buckets: {self.products_bucket}")
        if bad := [origin for origin in self.origins if not _ORIGIN.fullmatch(origin)]:
            problems.append(
                f"api_origins contains {', '.join(map(repr, bad))}, expected scheme://host or scheme://host:port"
            )
        if self.anonymous and self.backend == "gcp" and len(self.signing_key) < 32:
            problems.append("anonymous needs a signing_key of at least 32 characters for its cookies")
        try:
            read_roles(self.google_roles)
        except ValueError as exc:
            problems.append(f"google_roles: {exc}")
        if self.backend == "gcp" and not self.project:
            problems.append("project must be set for backend gcp")
        if self.orphan_window_s >= self.retention_s:
            problems.append(
                f"orphan_window_s ({self.orphan_window_s}) must be below retention_s ({self.retention_s}), "
                "or purged jobs would start again"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings from `environment`. Raises ConfigurationError with every problem."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(
        name for name in environment if name.startswith(PREFIX) and name not in known and not name.startswith(REQUIRE)
    )
    if renamed := [f"{name} is now {RENAMED[name]}" for name in unknown if name in RENAMED]:
        raise ConfigurationError(f"renamed settings: {'; '.join(renamed)}")
    if unknown:
        raise ConfigurationError(f"unknown settings: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    given = {
        name: environment[PREFIX + name.upper()]
        for name in Settings.model_fields
        if PREFIX + name.upper() in environment
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        raise ConfigurationError(f"the settings are not valid: {describe(exc)}") from exc
