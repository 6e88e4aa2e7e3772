"""Element-wise operations.

copy: y = x    add: y = a + b    dropout: y = x / (1 - rate) where the mask is 1, else 0

An array of any shape is passed as its view (V, L): V vectors of L lanes.
"""

OPS = ("copy", "add", "dropout")
