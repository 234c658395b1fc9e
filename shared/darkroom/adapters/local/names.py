"""Maps the names of objects to paths in the folder of their bucket.

A file has the name of its object if the file system supports it, so that people find it. Other characters are written
with percent signs, and can be read back:

    restore/1931/wedding.jpg     restore/1931/wedding.jpg
    100%.jpg                     100%25.jpg
    ../x                         %2E%2E/x
    a//b                         a/%/b                        an empty component is a lone %
    x × 300                      xxx…%/xx…                    a long component continues in the next one after a final %
    a/b, if a is an object       a%2Fb                        a folder and a file cannot share a name
    a, if a/b is an object       %61
"""

import re

#: Longest component of a path on the file systems in use, in bytes.
MAX_COMPONENT_BYTES = 255
#: Bytes reserved for the final % of a component that continues.
_CHUNK_BYTES = MAX_COMPONENT_BYTES - 1
#: Bytes with a meaning of their own for file systems, terminals, or this encoding.
_UNSAFE = re.compile(rb"[\x00-\x1f\x7f\\%]")
#: One plain byte, one whole UTF-8 character, or one escaped byte; a component is never cut inside one.
_UNIT = re.compile(rb"%[0-9A-F]{2}|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*")
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")


def candidate_paths(name: str) -> tuple[bytes, ...]:
    """Paths for an object, best first: its own name, the name without folders, and with everything escaped."""
    flat = _safe(_escape(name.encode()).replace(b"/", b"%2F"))
    escaped = _safe(b"".join(b"%%%02X" % byte for byte in name.encode()))
    return (path_of(name), flat, escaped)


def path_of(name: str) -> bytes:
    """The path of an object below its bucket's folder, if no other file has it."""
    return b"/".join(_safe(_escape(component)) for component in name.encode().split(b"/"))


def name_of(path: bytes) -> str:
    """The name of the object that has the path `path`.

    A path that this module did not create, such as a dropped file `100%.jpg`, is the name itself. Bytes that are
    not UTF-8 become the replacement character.
    """
    try:
        name = _decode(path).decode()
    except UnicodeDecodeError:
        return path.decode(errors="replace")
    return name if name and path in candidate_paths(name) else path.decode(errors="replace")


def _escape(text: bytes) -> bytes:
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], text)


def _safe(component: bytes) -> bytes:
    """An escaped component of a path: never empty, never `..`, never too long."""
    if not component:
        return b"%"
    return b"%/".join(chunk.replace(b".", b"%2E") if chunk in (b".", b"..") else chunk for chunk in _chunks(component))


def _chunks(component: bytes) -> list[bytes]:
    """The component in pieces that fit, with room for the final % of each but the last."""
    if len(component) <= MAX_COMPONENT_BYTES:
        return [component]
    chunks = [b""]
    for unit in _UNIT.findall(component):
        if len(chunks[-1]) + len(unit) > _CHUNK_BYTES:
            chunks.append(b"")
        chunks[-1] += unit
    return chunks


def _decode(path: bytes) -> bytes:
    pieces: list[bytes] = []
    for component in path.split(b"/"):
        goes_on = component.endswith(b"%") and component != b"%"
        text = b"" if component == b"%" else component.removesuffix(b"%") if goes_on else component
        pieces.append(_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text) + (b"" if goes_on else b"/"))
    return b"".join(pieces).removesuffix(b"/")
