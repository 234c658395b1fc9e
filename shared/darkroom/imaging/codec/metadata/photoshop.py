"""Finds the IPTC records among Photoshop's image resources.

Format: Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

import struct

_SIGNATURE = b"8BIM"
#: The resource that holds the IPTC records.
_IPTC_RESOURCE = 0x0404
#: The byte that begins every IPTC record. Source: IPTC-NAA IIM 4.2, section 1.5.
_IPTC_MARK = 0x1C


def iptc(resources: bytes) -> bytes | None:
    """The IPTC records in a chain of resources, or in a bare block; None if there are none or the chain is broken."""
    if resources[:1] == bytes([_IPTC_MARK]):
        return resources
    at = 0
    while resources[at : at + 4] == _SIGNATURE and at + 12 <= len(resources):
        name_bytes = (resources[at + 6] + 2) & ~1
        sizes_at = at + 6 + name_bytes
        if sizes_at + 4 > len(resources):
            return None
        number, size = struct.unpack_from(">H", resources, at + 4)[0], struct.unpack_from(">I", resources, sizes_at)[0]
        if number == _IPTC_RESOURCE:
            return resources[sizes_at + 4 : sizes_at + 4 + size] or None
        at = sizes_at + 4 + size + size % 2
    return None
