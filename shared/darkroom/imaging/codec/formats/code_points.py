"""Notes colours that are declared by code points (ITU-T H.273) in place of a profile."""

#: Code points of BT.709, which sRGB shares, of "unspecified", and of the standard definition systems close to it.
_SRGB_LIKE_PRIMARIES = frozenset({1, 2, 5, 6})
#: Linear light, which sRGB's curve would brighten, and PQ and HLG, which need tone mapping.
_OTHER_TRANSFERS = frozenset({8, 16, 18})


def code_point_notes(primaries: int, transfer: int) -> tuple[str, ...]:
    """A note if the colours are not those of sRGB: the pixels are taken as sRGB all the same."""
    if primaries in _SRGB_LIKE_PRIMARIES and transfer not in _OTHER_TRANSFERS:
        return ()
    return (f"the colours are declared as primaries {primaries} and transfer {transfer}: they were taken as sRGB",)
