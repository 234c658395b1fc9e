"""Reads the file beside a photograph that was dropped by hand: its pipeline, labels and name.

`restore/cat.jpg` is described by `restore/cat.jpg.darkroom.json`:

    {"pipeline": "product", "labels": {"sku_id": "4711"}, "display_name": "Lamp"}

It must be in the bucket before the photograph. It describes objects without an owner only, and has none itself:
whatever comes through the API carries its own description.
"""

import json
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, ValidationError

from darkroom.domain.errors import BadPipeline, ObjectNotFound
from darkroom.domain.messages import Record, Upload, describe
from darkroom.domain.new_job import DISPLAY_NAME_KEY, LABEL_NAME, LABEL_PREFIX, SIDECAR_SUFFIX
from darkroom.runtime.ports import ObjectInfo
from darkroom.runtime.system import System

#: Largest file in bytes: a pipeline and twenty labels fit many times.
MAX_BYTES = 65_536


class Sidecar(Record):
    """The content of the file."""

    pipeline: str | dict[str, JsonValue] | None = None
    labels: dict[
        Annotated[str, StringConstraints(pattern=f"^{LABEL_NAME}$")],
        Annotated[str, StringConstraints(max_length=200)],
    ] = Field({}, max_length=20)
    display_name: str | None = Field(None, min_length=1, max_length=200)

    def metadata(self) -> dict[str, str]:
        """The same as metadata of an upload."""
        found = {f"{LABEL_PREFIX}{name}": value for name, value in self.labels.items()}
        if self.display_name is not None:
            found[DISPLAY_NAME_KEY] = self.display_name
        if self.pipeline is not None:
            found["pipeline"] = self.pipeline if isinstance(self.pipeline, str) else json.dumps(self.pipeline)
        return found


def is_sidecar(upload: Upload) -> bool:
    """Whether an object describes a photograph and is none itself."""
    return upload.ref.name.endswith(SIDECAR_SUFFIX) and not upload.metadata.get("owner")


def described(system: System, upload: Upload) -> Upload:
    """The upload with the values of the file beside it; the upload's own metadata take precedence.

    Raises BadPipeline for a file that is not valid.
    """
    if upload.metadata.get("owner"):
        return upload
    name = f"{upload.ref.name}{SIDECAR_SUFFIX}"
    try:
        info = system.objects.stat(upload.ref.bucket, name)
        if info.metadata.get("owner"):
            return upload
        data = _read(system, info)
    except ObjectNotFound:
        return upload
    return upload.model_copy(update={"metadata": {**_parsed(name, data).metadata(), **upload.metadata}})


def _read(system: System, info: ObjectInfo) -> bytes:
    if info.size_bytes > MAX_BYTES:
        raise BadPipeline(f"{info.ref.name} has {info.size_bytes} bytes, the limit is {MAX_BYTES}")
    return system.objects.read(info.ref)


def _parsed(name: str, data: bytes) -> Sidecar:
    try:
        return Sidecar.model_validate_json(data)
    except ValidationError as exc:
        raise BadPipeline(f"{name} is not valid: {describe(exc)}") from exc
