"""Names the XMP properties that announce data outside the packet, which no result contains.

Such data are the video of a motion photo, a gain map, a depth map, a recording, or extended XMP. A reader that finds
the property without the data fails or shows an error. Namespaces: Adobe XMP Specification, part 3; Adobe Gain Map;
Google Camera, Photos Container, Dynamic Depth; Apple HDR Gain Map.
"""

import re

#: Namespace ─▶ usual prefixes and a pattern of the local names that announce data.
_ALL = r"[\w.-]+"
_MOTION = r"(?:MotionPhoto|MicroVideo)[\w.-]*"
_NAMESPACES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("http://ns.google.com/photos/1.0/camera/", ("GCamera", "Camera"), _MOTION),
    ("http://ns.google.com/photos/1.0/container/", ("Container", "GContainer"), _ALL),
    ("http://ns.google.com/photos/1.0/container/item/", ("Item", "GContainerItem"), _ALL),
    ("http://ns.google.com/photos/1.0/depthmap/", ("GDepth",), _ALL),
    ("http://ns.google.com/photos/1.0/image/", ("GImage",), _ALL),
    ("http://ns.google.com/photos/1.0/audio/", ("GAudio",), _ALL),
    ("http://ns.google.com/photos/dd/1.0/device/", ("Device",), _ALL),
    ("http://ns.adobe.com/hdr-gain-map/1.0/", ("hdrgm",), _ALL),
    ("http://ns.apple.com/HDRGainMap/1.0/", ("HDRGainMap",), _ALL),
    ("http://ns.apple.com/pixeldatainfo/1.0/", ("apdi",), r"(?:Auxiliary|NativeFormat|StoredFormat)[\w.-]*"),
    ("http://ns.oplus.com/photos/1.0/camera/", ("OpCamera",), r"(?:MotionPhoto|OLivePhoto|VideoLength)[\w.-]*"),
    ("http://ns.adobe.com/xmp/note/", ("xmpNote",), r"HasExtendedXMP"),
)


def pattern(text: str) -> str:
    """A regular expression of the qualified names that announce data, under the prefixes that the packet declares."""
    names = []
    for namespace, usual, local in _NAMESPACES:
        declared = re.findall(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(namespace)}["']""", text)
        prefixes = "|".join(re.escape(prefix) for prefix in dict.fromkeys((*usual, *declared)))
        names.append(rf"(?:{prefixes}):{local}")
    return f"(?:{'|'.join(names)})"
