"""Reads and writes picture files; the public interface of the codec.

bytes ──decode──▶ Picture ──encode_working──▶ artifact ──decode_working──▶ Picture ──encode──▶ bytes
"""

from darkroom.domain.formats import WorkingExtension, working_extension
from darkroom.imaging.codec.decode import Decoded, Header, decode, read_header, read_metadata
from darkroom.imaging.codec.encode import CONTENT_TYPES, Encoded, encode
from darkroom.imaging.codec.formats.sniff import ACCEPTED, Format
from darkroom.imaging.codec.intermediate import decode_working, encode_working
from darkroom.imaging.codec.limits import Limits
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.output_metadata import MetadataPolicy, OutputFormat, ProfileChoice
from darkroom.imaging.codec.quality import DEFAULT_QUALITY, EncodeOptions

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
