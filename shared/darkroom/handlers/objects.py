"""The one rule for objects of the uploads bucket that a pipeline names.

A job may read an object if both have the same owner, or if an admin has shared the object. The rule is applied when a
pipeline is posted, and again by the dispatcher when it plans: the plan then states the generation that may be read, and
a stage reads only that generation. So a stage needs no database, and an object that is replaced after the check is not
read.
"""

from collections.abc import Mapping

from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.messages import ObjectRef
from darkroom.domain.pipeline import Pipeline
from darkroom.runtime.ports import ObjectInfo
from darkroom.runtime.system import System

#: Prefix of the names of shared objects. Only admins can write them through the API.
SHARED_PREFIX = "shared/"


def is_shared(name: str) -> bool:
    """Whether an object of the uploads bucket is shared with every owner; it is not processed."""
    return name.startswith(SHARED_PREFIX)


def find_object(system: System, owner: str | None, name: str) -> ObjectInfo:
    """The object of that name in the uploads bucket, if `owner` may read it; None may read all objects.

    Raises ObjectNotFound, with one and the same message for an object that is not there and for a foreign one.
    """
    missing = ObjectNotFound(f"there is no object {name[:200]!r} in the uploads bucket")
    try:
        info = system.objects.stat(system.settings.uploads_bucket, name)
    except ObjectNotFound as exc:
        raise missing from exc
    if owner is None or is_shared(name) or info.metadata.get("owner", "") == owner:
        return info
    raise missing


def pin_objects(system: System, owner: str | None, pipeline: Pipeline) -> Mapping[str, ObjectRef]:
    """The objects that a pipeline names, in the generation that is live now. Raises ObjectNotFound as `find_object`."""
    return {name: find_object(system, owner, name).ref for name in sorted(pipeline.object_names)}
