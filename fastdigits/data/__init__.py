"""Data sets of digits: find, download, read, split, preprocess and augment them, and make batches."""

from fastdigits.data.idx import read_images, read_labels
from fastdigits.data.sources import DigitSet, load_digits, load_part, verify
from fastdigits.data.splits import stratified_split

__all__ = ["DigitSet", "load_digits", "load_part", "read_images", "read_labels", "stratified_split", "verify"]
