"""Where do pictures enter and leave? One import for the whole of it.

bytes ──decode──▶ Picture ──encode_working──▶ artifact ──decode_working──▶ Picture ──encode──▶ bytes
"""

from shared.formats import WorkingExtension, working_extension
from shared.imaging.codec.carried import MetadataPolicy, OutputFormat, ProfileChoice
from shared.imaging.codec.decode import Decoded, Header, decode, read_header, read_metadata
from shared.imaging.codec.encode import CONTENT_TYPES, Encoded, encode
from shared.imaging.codec.limits import Limits
from shared.imaging.codec.metadata import Metadata
from shared.imaging.codec.quality import DEFAULT_QUALITY, EncodeOptions
from shared.imaging.codec.sniff import ACCEPTED, Format
from shared.imaging.codec.working import decode_working, encode_working

__all__ = [
    "ACCEPTED",
    "CONTENT_TYPES",
    "DEFAULT_QUALITY",
    "Decoded",
    "EncodeOptions",
    "Encoded",
    "Format",
    "Header",
    "Limits",
    "Metadata",
    "MetadataPolicy",
    "OutputFormat",
    "ProfileChoice",
    "WorkingExtension",
    "decode",
    "decode_working",
    "encode",
    "encode_working",
    "read_header",
    "read_metadata",
    "working_extension",
]
