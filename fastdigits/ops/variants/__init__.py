"""Faster methods that replace functions of families where they suit, and define none."""
