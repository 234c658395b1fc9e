"""Everything that the functions share; see docs/architecture.md for the map."""

#: Version of the code; part of every artifact's digest, so that a new release never reuses an old one's pixels.
__version__ = "0.1.0"
