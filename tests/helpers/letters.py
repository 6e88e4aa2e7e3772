"""Sets of other classes than digits, made of MNIST: each digit upright, turned and mirrored is a class of its own."""

import string

import numpy as np

from fastdigits.data import load_digits

LETTERS = string.ascii_lowercase
BALANCED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # the 47 classes of EMNIST balanced


def transformed(images, number):
    """Images of class `number`: of the digit number % 10, turned and mirrored by number // 10."""
    turns, mirrored = divmod(number // 10, 2)
    return np.rot90(images[..., ::-1] if mirrored else images, turns, axes=(1, 2))


def letters(names, per_class, part):
    """Images uint8 (N, 28, 28) and the numbers of their classes, `per_class` of each name."""
    mnist = load_digits()
    images, labels = getattr(mnist, f"{part}_images"), getattr(mnist, f"{part}_labels")
    made = [transformed(images[labels == number % 10][:per_class], number) for number in range(len(names))]
    return np.concatenate(made), np.repeat(np.arange(len(names)), per_class)


def write_npz(path, names, train, test):
    """Write images and numbers of classes as an NPZ file with the names of the classes as labels."""
    names, ((x, y), (x_test, y_test)) = np.array(list(names)), (train, test)
    np.savez(path, x_train=x, y_train=names[y], x_test=x_test, y_test=names[y_test])
    return path
