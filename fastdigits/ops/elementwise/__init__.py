"""Operations on each element by itself.

add: y = a + b    dropout: y = x / (1 - rate) where the mask is 1, else 0

Arrays of any shape are passed as the view (V, L): V vectors of L lanes.
"""

OPS = ("add", "dropout")
