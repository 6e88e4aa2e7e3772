"""A classifier for scikit-learn. This module needs the package scikit-learn: pip install 'fastdigits[sklearn]'."""

import warnings
from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, ReLU
from fastdigits.nn.pooling import MaxPool2D
from fastdigits.sequential import Sequential

MIN_SIDE = 8  # pixels of an image for which the default network has convolutions


class DigitsClassifier(ClassifierMixin, BaseEstimator):
    """Neural network that classifies small images, given as rows of pixels.

    Pixels may have any range. They are mapped to 256 levels between the smallest and the largest of the training data.

    Parameters
    ----------
    hidden_layers : list of Layer, optional
        All layers but the last one, which is a Dense with one unit for each class. By default two convolutions and a
        dense layer for images of at least 8 x 8 pixels, otherwise one dense layer.
    image_shape : (rows, columns), optional
        By default a square if the number of features is one, else a single row.
    epochs, batch_size, optimizer, lr, schedule, weight_decay, label_smoothing, augment
        See `fastdigits.config.training.TrainConfig`.
    class_weight : dict, "balanced" or None
        Weights by class, as in scikit-learn.
    device : str
        "auto", "cpu", "cuda" or "reference".
    verbose : int
        See `Sequential.fit`.
    random_state : int, RandomState or None
        Seed of the initial weights, the order of the images and their changes. The same seed gives the same bits.

    Attributes
    ----------
    classes_ : array (n_classes,)
    model_ : Sequential
        The trained network.
    n_features_in_ : int
    feature_names_in_ : array (n_features,)
        If X has names of columns.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastdigits.sklearn import DigitsClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = DigitsClassifier(epochs=5, random_state=0).fit(X[:1500], y[:1500])
    >>> bool(classifier.score(X[1500:], y[1500:]) > 0.9)
    True
    """

    def __init__(
        self,
        hidden_layers: Sequence[Layer] | None = None,
        *,
        image_shape: tuple[int, int] | None = None,
        epochs: int = 30,
        batch_size: int = 32,
        optimizer: str = "adamw",
        lr: float | None = None,
        schedule: str = "one-cycle",
        weight_decay: float | None = None,
        label_smoothing: float = 0.0,
        augment: str = "",
        class_weight: Any = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.hidden_layers = hidden_layers
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.augment = augment
        self.class_weight = class_weight
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DigitsClassifier":
        """Train the network.

        Parameters
        ----------
        X : array (n_samples, n_features)
            The pixels of each image, row by row.
        y : array (n_samples,)
            The class of each image: numbers or texts.
        sample_weight : array (n_samples,), optional
            Factors of the loss. Images of weight 0 are left out.

        Raises
        ------
        ValueError
            If the arrays are invalid or there are fewer than two classes.
        UserError
            If a parameter is invalid.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        if self.class_weight is not None:
            weights = compute_sample_weight(self.class_weight, y) * (1.0 if weights is None else weights)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, but the data have {len(self.classes_)} "
                f"class{'es' if not len(self.classes_) else ''}."
            )
        self._low, self._high = float(X.min()), float(X.max())
        self._shape = self.image_shape or _shape_of(X.shape[1])
        layers = self.hidden_layers or _default_layers(self._shape)
        self.model_ = Sequential([*layers, Dense(len(self.classes_))], (1, *self._shape), self.device)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*dark ink")  # that some images have dark ink says nothing about tables
            self.model_.fit(
                self._images(X),
                labels.astype(np.uint16),
                sample_weight=weights,
                verbose=self.verbose,
                validation=0,
                epochs=self.epochs,
                batch_size=self.batch_size,
                optimizer=self.optimizer,
                lr=self.lr,
                schedule=self.schedule,
                weight_decay=self.weight_decay,
                label_smoothing=self.label_smoothing,
                augment=self.augment,
                seed=int(check_random_state(self.random_state).randint(2**31)),
            )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, in the order of `classes_`, float64 (n_samples, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        probabilities = self.model_.predict(self._images(X)).astype(np.float64)
        return probabilities / probabilities.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each image."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def _images(self, X: np.ndarray) -> np.ndarray:
        """Return the images as uint8 (n_samples, rows, columns)."""
        levels = 255 * (X - self._low) / ((self._high - self._low) or 1.0)
        return np.clip(np.rint(levels), 0, 255).astype(np.uint8).reshape(-1, *self._shape)


def _shape_of(features: int) -> tuple[int, int]:
    side = isqrt(features)
    return (side, side) if side * side == features else (1, features)


def _default_layers(shape: tuple[int, int]) -> list[Layer]:
    if min(shape) < MIN_SIDE:
        return [Flatten(), Dense(64), ReLU()]
    convolutions = [Conv2D(32, 3, padding="same"), ReLU(), Conv2D(32, 3, padding="same"), ReLU(), MaxPool2D(2)]
    return [*convolutions, Flatten(), Dense(128), ReLU()]
