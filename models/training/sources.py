"""Lists the sources of training photographs and the uses that their licences permit.

The name of a file starts with the key of its source (`cid22_0017.jpg`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A public repository of photographs."""

    #: owner/name of the public repository, and the part of it that is used.
    repository: str
    #: The licence as it is stated there.
    licence: str
    #: True if the stated licence allows commercial use and was verified for all of the photographs.
    commercial_use: bool


#: Every source by the prefix of its files.
SOURCES: dict[str, Source] = {
    "cid22": Source(repository="imazen/codec-corpus CID22-512/training", licence="CC BY-SA 4.0", commercial_use=True),
    "clic25": Source(repository="imazen/codec-corpus clic2025/validation", licence="Unsplash", commercial_use=True),
    "budgie": Source(repository="BuddiesOfBudgie/budgie-backgrounds", licence="CC0", commercial_use=True),
    "pop": Source(repository="pop-os/wallpapers", licence="public domain, per its README", commercial_use=True),
    "deepin": Source(repository="linuxdeepin/deepin-wallpapers", licence="Unsplash", commercial_use=True),
    "elem": Source(repository="elementary/wallpapers", licence="Unsplash and CC0, unverified", commercial_use=False),
    "cloth": Source(repository="alexeygrigorev/clothing-dataset-small", licence="CC0", commercial_use=True),
    "groc": Source(repository="marcusklasson/GroceryStoreDataset", licence="MIT", commercial_use=True),
    "bsds": Source(repository="BIDS/BSDS500 train, test", licence="none stated; research use", commercial_use=False),
    "imnet": Source(repository="EliSchwartz/imagenet-sample-images", licence="ImageNet terms", commercial_use=False),
}


def source_of(name: str) -> Source:
    """The source of the file called `name`; KeyError for a file of unknown origin, which must not be trained on."""
    return SOURCES[name.split("_", 1)[0]]
