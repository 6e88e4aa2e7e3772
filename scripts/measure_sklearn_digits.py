"""Measure DigitsClassifier on scikit-learn's own digits, 1,797 images of 8 x 8, next to two classifiers of its own.

Prints the accuracy of five stratified splits, their mean, and the seconds of a split, as a row of a table.
"""

from time import perf_counter

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from fastdigits.sklearn import DigitsClassifier

CLASSIFIERS = {
    "KNeighborsClassifier(3)": KNeighborsClassifier(3),
    "SVC()": SVC(),
    "DigitsClassifier()": DigitsClassifier(random_state=0),
    'DigitsClassifier(augment="shift=1,rotate=10")': DigitsClassifier(augment="shift=1,rotate=10", random_state=0),
}


def main() -> None:
    """Print the table."""
    X, y = load_digits(return_X_y=True)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    for name, classifier in CLASSIFIERS.items():
        start = perf_counter()
        scores = [classifier.fit(X[train], y[train]).score(X[test], y[test]) for train, test in splits]
        seconds = (perf_counter() - start) / len(splits)
        print(
            f"| `{name}` | {' '.join(f'{score:.2%}' for score in scores)} | {np.mean(scores):.2%} | {seconds:.2f} s |"
        )


if __name__ == "__main__":
    main()
