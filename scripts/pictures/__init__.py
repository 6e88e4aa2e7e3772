"""Pictures of digits of many kinds, and of what is no digit, drawn anew from numbers at random.

glyphs (MNIST digits, or as pens move them) -> a pen -> a ground -> light -> a camera -> uint8 (H, W, 3)
"""
