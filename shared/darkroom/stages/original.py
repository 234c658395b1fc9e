"""Keeps the bytes of the upload where a smaller file was asked for and encoding would only enlarge it."""

from dataclasses import replace

import numpy as np

from darkroom.domain.parameters import FinishParameters
from darkroom.imaging.codec import Decoded, Limits, decode
from darkroom.imaging.codec.metadata.profile import is_srgb
from darkroom.imaging.codec.original import described_original
from darkroom.imaging.picture import Picture
from darkroom.stages.finish import Finished, render

#: Bytes per kB.
_KB = 1000


def smaller_original(done: Finished, picture: Picture, parameters: FinishParameters, upload: bytes) -> Finished:
    """The upload's bytes in place of a result that is not smaller, if both show the same pixels.

    Parameters
    ----------
    done : Finished
        The encoded result.
    picture : Picture
        The input of `finish`.
    parameters : FinishParameters
        Only a request for a smaller file, a `quality` or a `target_size_kb`, can keep the upload. The rules for
        metadata hold for the kept bytes too: what `metadata` does not allow is removed without encoding, or else the
        encoded result stays.
    upload : bytes
        The file as it was uploaded.
    """
    asked = parameters.quality is not None or parameters.target_size_kb is not None
    if not asked or len(done.data) < len(upload) or parameters.background_object is not None:
        return done
    source = decode(upload, Limits(max_bytes=len(upload), max_pixels=2**40))
    if f"image/{source.format}" != done.content_type or not _is_plain(source):
        return done
    if not _same(render(picture, parameters)[0], source.picture):
        return done
    kept = described_original(upload, source, parameters.metadata)
    if kept is None or len(kept) > len(done.data):
        return done
    note = f"the upload's own pixels were kept: encoding them again takes {len(done.data)} bytes, not {len(kept)}"
    values = {name: value for name, value in done.values.items() if name != "quality"}
    return replace(done, data=kept, notes=(note,), values={**values, "size_bytes": float(len(kept))})


def _is_plain(source: Decoded) -> bool:
    """Whether the file is one picture in sRGB of whose pixels nothing was converted, assumed or lost."""
    profile = source.metadata.profile
    about_pixels = set(source.notes) - set(source.metadata.notes)
    return source.frames == 1 and not about_pixels and (profile is None or is_srgb(profile))


def _same(one: Picture, other: Picture) -> bool:
    if one.pixels.dtype != other.pixels.dtype or not np.array_equal(one.pixels, other.pixels):
        return False
    if one.alpha is None or other.alpha is None:
        return one.alpha is other.alpha
    return np.array_equal(one.alpha, other.alpha)
