"""Draw random synthetic pictures of digits of many kinds, and pictures without a digit.

glyph (from an MNIST image or pen strokes) -> pen -> background -> light -> camera -> uint8 (H, W, 3)
"""
