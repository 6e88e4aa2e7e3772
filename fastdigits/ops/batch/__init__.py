"""A batch: images picked by an index list, normalised, and packed side by side.

x[b, k, l] = images[order[start + b*L + l], k] * scale + shift
"""

OPS = ("gather_batch",)
