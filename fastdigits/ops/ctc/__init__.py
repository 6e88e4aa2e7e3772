"""Connectionist temporal classification: the loss of a sequence of labels whose positions are not known.

A network gives scores of K classes at each of T time steps, for instance the columns of a line of writing. The last
class is the blank. A path chooses a class at each step; removing repetitions and then blanks from it gives a sequence
of labels. The loss is -log of the total probability of all paths that give the wanted labels.

The S labels are extended by blanks to 2 S + 1 states: blank, label 0, blank, label 1, .. blank. A path stays in its
state, moves to the next one, or skips a blank between two different labels.

References
----------
Graves et al. (2006), Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural
networks.
"""

OPS = ("ctc_loss",)

IMPOSSIBLE = -(2.0**100)  # stands for log(0): adding a score to it does not change it, and its exponential is 0
