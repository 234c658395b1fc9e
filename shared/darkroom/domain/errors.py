"""Defines the errors of the system.

    DarkroomError
    ├── PermanentError        the same message fails the same way: recorded on the job, acknowledged
    │   ├── BadImage          the bytes cannot become a picture (kind of damage in `code`)
    │   ├── BadPipeline       the pipeline, a stage or a parameter is not valid
    │   ├── BadMessage        an event or message that cannot be decoded
    │   ├── SourceGone        the named generation of an object does not exist any more
    │   ├── ModelUnusable     the model's file is missing, altered, or breaks its contract
    │   └── NotAllowed        the job's state does not permit the request
    ├── TransientError        raised: the transport sends the message again
    ├── ConfigurationError    the settings are wrong: every problem at once, at start
    └── Outcomes of a conditional call, handled where they arise
        ├── ObjectExists      created by another process before
        ├── ObjectNotFound    no such object, or not in that generation
        ├── JobExists         created by another process before
        ├── JobNotFound       no such job
        ├── KeyNotFound       no such API key
        ├── BatchNotFound     no such import or batch
        └── RevisionConflict  another process saved the job since it was read

`run_stage` in `shared/darkroom/handlers/stages.py` is the one place that decides between recording and raising.
"""


class DarkroomError(Exception):
    """Base of all errors that this project raises on purpose.

    `code` is stable and machine-readable; the message is a sentence with the offending value and the limit, which
    programs find in `value` and `limit` if there is a single one of each.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, value: object = None, limit: object = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.value = value
        self.limit = limit


class PermanentError(DarkroomError):
    """The same input fails the same way however often it is tried."""

    code = "permanent"


class BadImage(PermanentError):
    """The bytes cannot become a picture."""

    code = "bad_image"


class BadPipeline(PermanentError):
    """The pipeline, a stage or one of its parameters is not valid."""

    code = "bad_pipeline"


class BadMessage(PermanentError):
    """An event or message that cannot be understood."""

    code = "bad_message"


class SourceGone(PermanentError):
    """The named generation of an object was deleted or replaced."""

    code = "source_gone"


class ModelUnusable(PermanentError):
    """The model's file is missing, altered, or breaks its contract."""

    code = "model_unusable"


class NotAllowed(PermanentError):
    """The job's state does not permit the request."""

    code = "not_allowed"


class TransientError(DarkroomError):
    """Trying again later may succeed."""

    code = "transient"


class ConfigurationError(DarkroomError):
    """The settings are wrong; the message lists every problem."""

    code = "configuration"


class ObjectExists(DarkroomError):
    """An object of that name exists already."""

    code = "object_exists"


class ObjectNotFound(DarkroomError):
    """No such object, or not in the requested generation."""

    code = "object_not_found"


class JobExists(DarkroomError):
    """A job of that id exists already."""

    code = "job_exists"


class JobNotFound(DarkroomError):
    """There is no job of that id."""

    code = "job_not_found"


class KeyNotFound(DarkroomError):
    """There is no API key of that id."""

    code = "key_not_found"


class BatchNotFound(DarkroomError):
    """There is no import or batch of that id."""

    code = "batch_not_found"


class RevisionConflict(DarkroomError):
    """Another process saved the job since it was read."""

    code = "revision_conflict"


#: Codes with which a job fails because of the upload or of its pipeline; the service works.
INPUT_FAULTS = frozenset(
    {
        "bad_image",
        "bad_mask",
        "bad_object_name",
        "bad_pipeline",
        "corrupt",
        "decompression_bomb",
        "empty_object",
        "format_too_small",
        "metadata_too_large",
        "model_not_commercial",
        "model_unknown",
        "name_too_long",
        "no_method",
        "not_finite",
        "output_too_large",
        "source_gone",
        "too_many_bytes",
        "too_many_pixels",
        "truncated",
        "unknown_method",
        "unknown_preset",
        "unsupported_format",
        "zero_area",
    }
)


def is_input_fault(code: str) -> bool:
    """Whether a job that failed with this code failed because of its input; any unknown code is the service's fault."""
    return code in INPUT_FAULTS
