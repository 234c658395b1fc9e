"""Reads TIFF files.

bytes ─▶ pages: which picture ─▶ layout: how it is stored ─▶ blocks: strips and tiles ─▶ depth: 8 or 16 bits ─▶ read
"""
