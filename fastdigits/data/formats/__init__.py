"""Formats of data sets, one module each; `detect` recognizes the format of a file or folder.

A module has a function that returns the `types.Contents` of a file or folder: the labels, and how to read the images.
"""
