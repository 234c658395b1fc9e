"""The limits of objects, the same in every store.

The limits are those of Cloud Storage, so that nothing works on a laptop and fails in the cloud:
https://cloud.google.com/storage/quotas#objects
"""

import base64

import google_crc32c

from darkroom.domain.errors import ObjectExists, ObjectNotFound, PermanentError
from darkroom.domain.messages import ObjectRef
from darkroom.runtime.ports import NewObject

MAX_NAME_BYTES = 1024
#: Bytes of all names and values of custom metadata together.
MAX_METADATA_BYTES = 8 * 1024


def check_object(name: str, new: NewObject) -> None:
    """Raises PermanentError, with value and limit, for what Cloud Storage would refuse."""
    if not valid_name(name):
        raise PermanentError(
            f"object name {name[:80]!r} is not 1 to {MAX_NAME_BYTES} bytes of UTF-8", code="bad_object_name"
        )
    size = sum(len(key.encode()) + len(value.encode()) for key, value in new.metadata.items())
    if size > MAX_METADATA_BYTES:
        raise PermanentError(
            f"metadata of {name!r} has {size} bytes, at most {MAX_METADATA_BYTES} are allowed",
            code="metadata_too_large",
        )


def valid_name(name: str) -> bool:
    """Whether an object can have this name."""
    try:
        return 1 <= len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False


def crc32c_base64(data: bytes) -> str:
    """The CRC-32C of `data` as Cloud Storage writes it: big-endian, in base64."""
    return encode_crc32c(google_crc32c.value(data))


def encode_crc32c(value: int) -> str:
    """A CRC-32C as Cloud Storage writes it: big-endian, in base64."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def not_found(bucket: str, name: str) -> ObjectNotFound:
    """The error for an object that is not there at all."""
    return ObjectNotFound(f"there is no object {bucket}/{name}")


def generation_gone(ref: ObjectRef) -> ObjectNotFound:
    """The error for a generation that was deleted or replaced."""
    return ObjectNotFound(f"{ref} does not exist, it was deleted or replaced")


def already_there(bucket: str, name: str) -> ObjectExists:
    """The error for an object that another process has created first."""
    return ObjectExists(f"object {bucket}/{name} exists already")
