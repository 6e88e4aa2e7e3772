"""A package of somebody else, which uses public names of fastdigits only: a layer, a loss, an optimizer and more."""
