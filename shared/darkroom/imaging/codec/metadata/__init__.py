"""EXIF, XMP, ICC and TIFF directories of a file."""
