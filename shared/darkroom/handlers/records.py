"""Stores the records of imports, batches and product pipelines.

Each record is one small JSON object in the bucket of products. Most are written once and never changed, so a step that
runs again reads the earlier decision.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError

from darkroom.domain.errors import ObjectExists, ObjectNotFound, PermanentError
from darkroom.domain.messages import Record, describe
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.system import System

Kept = TypeVar("Kept", bound=Record)


def read_record(system: System, name: str, kind: type[Kept]) -> Kept:
    """The record with this name.

    Raises ObjectNotFound, or PermanentError if the object is not a record of this kind.
    """
    bucket = system.settings.products_bucket
    content = system.objects.read_latest(bucket, name)
    try:
        return kind.model_validate_json(content)
    except ValidationError as exc:
        raise PermanentError(f"{bucket}/{name} is no {kind.__name__}: {describe(exc)}", code="bad_record") from exc


def find_record(system: System, name: str, kind: type[Kept]) -> Kept | None:
    """The record of that name, None if there is none."""
    try:
        return read_record(system, name, kind)
    except ObjectNotFound:
        return None


def write_once(system: System, name: str, record: Record, *, metadata: Mapping[str, str] | None = None) -> bool:
    """Write a record unless one of that name is there, which then stays; whether it was written."""
    try:
        system.objects.create(system.settings.products_bucket, name, _content(record, metadata or {}))
    except ObjectExists:
        return False
    return True


def overwrite(system: System, name: str, record: Record) -> None:
    """Write a record and replace an existing one."""
    system.objects.put(system.settings.products_bucket, name, _content(record, {}))


def list_records(system: System, prefix: str) -> Iterator[ObjectInfo]:
    """The records whose names begin so, in order of their names, without their content."""
    return system.objects.list(system.settings.products_bucket, prefix)


def delete_record(system: System, name: str) -> None:
    """Delete a record. Raises ObjectNotFound."""
    system.objects.delete(system.objects.stat(system.settings.products_bucket, name).ref)


def _content(record: Record, metadata: Mapping[str, str]) -> NewObject:
    data = record.model_dump_json(exclude_unset=True).encode()
    return NewObject(data=data, content_type="application/json", metadata=metadata)
