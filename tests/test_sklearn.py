"""DigitsClassifier follows the rules of scikit-learn, and works in its tools."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastdigits
from fastdigits import Dense, Dropout, Flatten, ReLU, UserError
from fastdigits.sklearn import DigitsClassifier

pytestmark = pytest.mark.filterwarnings("ignore::fastdigits.TrainingWarning")  # some checks train on noise

SMALL = [Flatten(), Dense(32), ReLU()]
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "Steps are taken on batches in random order, so an image of weight 2 is not the same as two images."
    ),
}


@pytest.mark.slow
@parametrize_with_checks([DigitsClassifier()], expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_rules_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, train_size=600, test_size=400, random_state=0, stratify=y)


def new_classifier(**options):
    return DigitsClassifier(SMALL, **{"epochs": 10, "random_state": 0, "device": "cpu", **options})


def test_it_learns_digits(digits):
    X, X_test, y, y_test = digits
    classifier = new_classifier().fit(X, y)
    assert classifier.score(X_test, y_test) > 0.9
    assert classifier.predict_proba(X_test).shape == (400, 10)
    assert classifier._shape == (8, 8)


def test_the_range_of_pixels_does_not_matter(digits):
    X, X_test, y, _ = digits
    plain = new_classifier().fit(X, y).predict_proba(X_test)
    scaled = new_classifier().fit(X / 16 - 0.5, y).predict_proba(X_test / 16 - 0.5)
    np.testing.assert_allclose(scaled, plain, atol=1e-6)


def test_classes_may_have_names(digits):
    X, X_test, y, y_test = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    classifier = new_classifier().fit(X, names[y])
    assert (classifier.predict(X_test) == names[y_test]).mean() > 0.9
    assert classifier.classes_.tolist() == sorted(names)


def test_there_may_be_more_than_256_classes():
    X, y = np.repeat(np.random.default_rng(0).random((300, 36)), 2, axis=0), np.repeat(np.arange(1000, 1300), 2)
    classifier = DigitsClassifier([Flatten()], epochs=30, lr=0.05, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.95


def test_images_of_weight_zero_do_not_count(digits):
    X, X_test, y, _ = digits
    spoiled, weights = y.copy(), np.ones(len(y))
    spoiled[:50], weights[:50] = 0, 0
    expected = new_classifier().fit(X[50:], y[50:]).predict_proba(X_test)
    found = new_classifier().fit(X, spoiled, sample_weight=weights).predict_proba(X_test)
    assert found.tobytes() == expected.tobytes()


def test_in_a_pipeline_and_a_grid_search(digits):
    X, X_test, y, y_test = digits
    pipeline = make_pipeline(MinMaxScaler(), new_classifier())
    grid = {"digitsclassifier__hidden_layers": [SMALL, [*SMALL, Dropout(0.2)]], "digitsclassifier__epochs": [4, 8]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(X_test, y_test) > 0.85


def test_calibrated(digits):
    X, X_test, y, y_test = digits
    calibrated = CalibratedClassifierCV(new_classifier(), cv=2).fit(X, y)
    assert calibrated.score(X_test, y_test) > 0.85


def test_clones_and_pickles(digits):
    X, X_test, y, _ = digits
    classifier = new_classifier(lr=0.01).fit(X, y)
    expected = classifier.predict_proba(X_test)
    assert pickle.loads(pickle.dumps(classifier)).predict_proba(X_test).tobytes() == expected.tobytes()
    cloned = clone(classifier)
    assert not hasattr(cloned, "model_")
    assert cloned.fit(X, y).predict_proba(X_test).tobytes() == expected.tobytes()


def test_wrong_parameters_are_user_errors(digits):
    X, _, y, _ = digits
    with pytest.raises(UserError, match="optimizer cannot be"):
        new_classifier(optimizer="best").fit(X, y)
    with pytest.raises(UserError, match="Sequential takes layers"):
        DigitsClassifier(["dense"]).fit(X, y)


def test_importing_the_package_does_not_import_scikit_learn():
    code = "import sys, fastdigits; fastdigits.Sequential; print('sklearn' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(fastdigits.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "False\n", done.stderr
