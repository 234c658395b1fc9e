"""The notification that a bucket sends when an object was written.

The message has the form of Cloud Storage's own notifications, so that one receiver serves
both backends: https://cloud.google.com/storage/docs/pubsub-notifications
"""

import json
from datetime import datetime

from darkroom.runtime.ports import ObjectInfo


def finalized_event(info: ObjectInfo) -> tuple[bytes, dict[str, str]]:
    """Data and attributes of the message that an object was finalized; the data is its resource as JSON."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": info.ref.bucket,
        "objectId": info.ref.name,
        "objectGeneration": str(info.ref.generation),
        "eventTime": rfc3339(info.created_at),
    }
    return json.dumps(object_resource(info)).encode(), attributes


def object_resource(info: ObjectInfo) -> dict[str, object]:
    """The object as Cloud Storage's JSON API describes it; numbers of 64 bits are strings there."""
    ref = info.ref
    resource: dict[str, object] = {
        "kind": "storage#object",
        "id": f"{ref.bucket}/{ref.name}/{ref.generation}",
        "bucket": ref.bucket,
        "name": ref.name,
        "generation": str(ref.generation),
        "metageneration": "1",
        "contentType": info.content_type,
        "size": str(info.size_bytes),
        "crc32c": info.crc32c,
        "storageClass": "STANDARD",
        "timeCreated": rfc3339(info.created_at),
        "updated": rfc3339(info.created_at),
    }
    # Cloud Storage leaves the field out rather than send an empty one.
    return resource | ({"metadata": dict(info.metadata)} if info.metadata else {})


def rfc3339(moment: datetime) -> str:
    """A moment as Google's JSON APIs write it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
