"""Trained networks in the formats of other programs, one module each.

The module of a format has encode(saved, options), which returns the content of the file.
"""
