"""Handwritten digits, learned and recognised by neural networks written from scratch."""

__version__ = "0.1.0"
