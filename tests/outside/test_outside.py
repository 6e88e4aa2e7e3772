"""A package of somebody else, `rectifiers`, adds to fastdigits all that can be added, and files bring it back."""

import ast
import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rectifiers import layers as own_layers
from rectifiers import training as own_training
from rectifiers.layers import OutsideGELU, Scale, SlowSquareplus, Squareplus

import fastdigits
from fastdigits import GELU, BatchNorm, Dense, Flatten, ReLU, Sequential, UserError, load, ops
from fastdigits.extend import Augmentation, Layer, Loss, Operation, Schedule, register
from fastdigits.models import description, network_of

FOLDER = Path(__file__).parent
SETTINGS = {"epochs": 3, "batch_size": 16, "lr": 0.02, "validation": 0}
OBJECTS = (own_training.FOCAL, own_training.LION, own_training.HALVING, own_training.SALT, own_training.SMALL)
OWN_SETTINGS = {"loss": "focal", "optimizer": "lion", "schedule": "halving", "augment": "salt=0.1,shift=1"}


@pytest.fixture(scope="module")
def stripes():
    """Noisy images 8 x 8 of three classes on black, each with light in other rows."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 133).astype(np.uint8)
    images = np.zeros((133, 8, 8), np.uint8)
    images[:, 1:7, 1:7] = rng.integers(0, 100, (133, 6, 6))
    for label in range(3):
        images[labels == label, 2 * label + 1 : 2 * label + 3, 1:7] += np.uint8(100)
    return images, labels


def new_model(layer, device="cpu"):
    return Sequential([Flatten(), Dense(8), layer, Dense(3)], input_shape=(1, 8, 8), device=device)


def test_the_package_uses_public_names_only():
    allowed = {"fastdigits", "fastdigits.extend", "fastdigits.ops.lanes", "fastdigits.ops.lanes.math"}
    for path in (FOLDER / "rectifiers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("fastdigits"):
                assert node.module in allowed
                public = __import__(node.module, fromlist=["__all__"])
                names = getattr(public, "__all__", vars(public))
                assert {alias.name for alias in node.names} <= set(names)


# Operations


def calls():
    """Arguments of the operations with a kernel, and the names of those that they fill or change."""
    cpu = ops.load("cpu")
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    V, L, B, K = 37, cpu.lanes, 5, 7
    x, dy, empty = draw(V, L), draw(V, L), np.full((V, L), np.nan, np.float32)
    yield own_layers.FORWARD, {"x": 3 * x, "y": empty}, ("y",)
    yield own_layers.BACKWARD, {"y": np.abs(x), "dy": dy, "dx": empty}, ("dx",)
    yield own_layers.GELU_FORWARD, {"x": x, "y": empty}, ("y",)
    yield own_layers.GELU_BACKWARD, {"x": x, "dy": dy, "dx": empty}, ("dx",)
    targets = rng.integers(-1, K, (B, L)).astype(np.float32)
    loss = {"loss": np.full((B, L), np.nan, np.float32), "dscores": np.full((B, K, L), np.nan, np.float32)}
    arguments = {"scores": draw(B, K, L), "targets": targets, "count": 20, "smoothing": 0.0, **loss}
    yield own_training.FOCAL.operation, arguments, ("loss", "dscores")
    arguments = {"parameter": x.copy(), "gradient": dy, "mean": draw(V, L), "rate": np.float32([0.1])}
    yield own_training.LION.step, {**arguments, "beta1": 0.9, "beta2": 0.99}, ("parameter", "mean")


def test_compiled_kernels_agree_with_their_definitions():
    cpu, reference = ops.load("cpu"), ops.load("reference")
    for operation, arguments, outputs in calls():
        results = []
        for device in (cpu, reference):
            given = copy.deepcopy(arguments)
            operation.on(device)(**given)
            results.append([given[name] for name in outputs])
        for ours, expected in zip(*results, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-6)


def test_kernels_agree_with_their_definitions_in_plain_python():
    for operation, arguments, outputs in calls():
        given, expected = copy.deepcopy(arguments), copy.deepcopy(arguments)
        for index in range(len(next(iter(given.values())))):
            operation.kernel(*given.values(), index)
        operation.reference(**expected)
        for name in outputs:
            np.testing.assert_allclose(given[name], expected[name], rtol=2e-5, atol=2e-6)


def test_the_gradient_of_the_focal_loss():
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=(2, 4, 3)), np.array([[2.0, 0, 3], [1, -1, -1]])
    loss, dscores = np.empty((2, 3)), np.empty_like(scores)
    own_training.focal_loss(scores, targets, 4, 0.0, loss, dscores)
    for at in np.ndindex(scores.shape):
        sums = []
        for step in (1e-6, -1e-6):
            moved = scores.copy()
            moved[at] += step
            own_training.focal_loss(moved, targets, 4, 0.0, loss, np.empty_like(scores))
            sums.append(loss.sum() / 4)
        assert dscores[at] == pytest.approx((sums[0] - sums[1]) / 2e-6, abs=1e-8)


def test_an_operation_without_a_kernel_says_so_and_is_right():
    operation, cpu = Operation(own_layers.squareplus), ops.load("cpu")
    x = np.linspace(-1, 1, 4 * cpu.lanes, dtype=np.float32).reshape(4, -1)
    y, expected = np.empty_like(x), np.empty_like(x)
    with pytest.warns(UserWarning, match="squareplus has no kernel, so it runs in NumPy"):
        operation.on(cpu)(x, y)
    operation.on(cpu)(x, y)  # says it once
    own_layers.FORWARD.on(cpu)(x, expected)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_a_kernel_with_other_parameters_is_a_user_error():
    with pytest.raises(UserError, match="squareplus_gradient_vector must take the parameters x, y and then an index"):
        Operation(own_layers.squareplus, own_layers.squareplus_gradient_vector)


def test_a_changed_kernel_gets_another_place_in_the_cache():
    """Also if only a function changes that it calls, or a constant."""
    from fastdigits.ops.custom import distributed

    def name(source):
        namespace = {}
        exec(source, namespace)
        return distributed(namespace["kernel"], " pass", {}, "module", __file__).__name__

    helper = "\ndef helper(v):\n    return v + {}\ndef kernel(x, y, v):\n    helper(v) {} SCALE\nSCALE = {}"
    names = {name(helper.format(*parts)) for parts in [(1, "*", 2), (3, "*", 2), (1, "+", 2), (1, "*", 4)]}
    assert len(names) == 4
    assert name(helper.format(1, "*", 2)) in names


# Layers


def test_a_layer_trains_alike_on_all_devices_and_with_or_without_a_kernel(stripes):
    losses = [new_model(Squareplus(), "reference").fit(*stripes, **SETTINGS)["train_loss"]]
    losses.append(new_model(Squareplus()).fit(*stripes, **SETTINGS)["train_loss"])
    own_layers.SLOW_FORWARD._devices.clear()
    with pytest.warns(UserWarning, match="no kernel"):
        losses.append(new_model(SlowSquareplus()).fit(*stripes, **SETTINGS)["train_loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*no kernel")
def test_steps_of_layers_with_kernels_are_replayed_with_the_same_bits(stripes):
    for layer in (Squareplus(), SlowSquareplus()):  # the second one is never replayed
        predictions = []
        for graph in (True, False):
            model = new_model(layer)
            model.fit(*stripes, **SETTINGS | {"epochs": 5}, graph=graph)
            predictions.append(model.predict(stripes[0]).tobytes())
        assert predictions[0] == predictions[1]
    assert new_model(Squareplus()).network.is_recordable
    assert not new_model(SlowSquareplus()).network.is_recordable


def test_the_outside_gelu_has_the_bits_of_the_built_in_one(stripes):
    predictions = []
    for layer in (GELU(), OutsideGELU()):
        model = new_model(layer)
        model.fit(*stripes, **SETTINGS)
        predictions.append(model.predict(stripes[0]).tobytes())
    assert predictions[0] == predictions[1]


@pytest.mark.filterwarnings("ignore:.*no kernel")
def test_a_parameter_of_a_layer_is_trained_and_saved(stripes, tmp_path):
    model = new_model(Scale(name_of_factor="gain"))
    model.fit(*stripes, **SETTINGS)
    assert model._trained.pool.network.weights()["scale_1/gain"] != 1
    model.save(tmp_path / "scale.h5")
    again = load(tmp_path / "scale.h5", device="cpu")
    assert again.predict(stripes[0]).tobytes() == model.predict(stripes[0]).tobytes()


class LoudReLU(ReLU):
    def apply(self, x, y):
        raise ArithmeticError("applied")


class Doubled(Dense):
    def forward(self, x, training=None):
        y = super().forward(x, training)
        y[...] *= 2
        return y


def test_a_layer_derived_from_one_of_ours_is_not_fused_away(stripes):
    model = Sequential([Flatten(), Dense(8), LoudReLU(), Dense(3)], input_shape=(1, 8, 8), device="reference")
    with pytest.raises(ArithmeticError, match="applied"):
        model.fit(*stripes, **SETTINGS)
    layers = [Flatten(), Doubled(8), BatchNorm(), ReLU(), Dense(3)]
    model = Sequential(layers, input_shape=(1, 8, 8), device="reference")
    model.fit(*stripes, **SETTINGS)
    plain = Sequential(layers, input_shape=(1, 8, 8), device="reference")
    plain.fit(*stripes, **SETTINGS, fused=False)
    np.testing.assert_allclose(model.predict(stripes[0]), plain.predict(stripes[0]), atol=1e-5)


class Wrong:
    pass


def test_names_of_ours_are_refused():
    class Conv2D(Layer):
        pass

    with pytest.raises(UserError, match="There is a layer Conv2D in fastdigits already"):
        register(Conv2D)
    with pytest.raises(UserError, match="fastdigits has the loss mse already"):
        register(Loss("mse", own_training.FOCAL.operation))
    with pytest.raises(UserError, match="fastdigits has the augmentation shift already"):
        register(Augmentation("shift", own_training.salt))
    with pytest.raises(UserError, match="takes a layer class or an object of"):
        register(Wrong)


def test_a_later_registration_replaces_an_earlier_one():
    register(own_training.HALVING)
    constant = register(Schedule("halving", lambda at: 1.0))
    model = new_model(ReLU(), "reference")
    images, labels = np.zeros((8, 8, 8), np.uint8), np.arange(8, dtype=np.uint8) % 3
    with pytest.warns():
        history = model.fit(images, labels, schedule="halving", **SETTINGS)
    assert history["learning_rate"] == [0.02 * constant.function(None)] * 3


# Losses, optimizers, schedules, augmentations, networks


def test_own_training_settings(stripes):
    for thing in OBJECTS:
        register(thing)
    losses = []
    for device in ("reference", "cpu"):
        model = new_model(Squareplus(), device)
        history = model.fit(*stripes, **SETTINGS | OWN_SETTINGS)
        assert history["learning_rate"] == [0.02, 0.01, 0.005]
        assert model.evaluate(*stripes).accuracy > 0.8
        losses.append(history["train_loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_an_augmentation_changes_training_images_only_and_differs_by_epoch(stripes):
    images, labels = stripes
    seen = []

    def keep(images, amount, random):
        seen.append((images.copy(), random.integers(1 << 30), amount))
        images[...] = 0
        return images

    register(Augmentation("keep", keep, maximum=9))
    model = new_model(ReLU(), "reference")
    with pytest.warns():
        model.fit(images[:100], labels[:100], validation_data=(images[100:], labels[100:]), epochs=2, augment="keep=7")
    assert [given[0].tobytes() for given in seen] == [images[:100].tobytes()] * 2
    assert seen[0][1] != seen[1][1]
    assert seen[0][2] == 7
    assert len({tuple(p) for p in model.predict(images).round(5).tolist()}) > 1
    with pytest.raises(UserError, match="keep takes a number from 0 to 9"):
        model.fit(images, labels, augment="keep=10")


def test_an_augmentation_that_returns_something_else_is_a_user_error(stripes):
    register(Augmentation("half", lambda images, amount, random: images[:, ::2]))
    with pytest.raises(UserError, match="The augmentation half must return uint8 images"):
        new_model(ReLU(), "reference").fit(*stripes, augment="half=1")


def test_a_network_by_name_and_in_a_file(tmp_path):
    register(own_training.SMALL)
    register(Squareplus)
    assert [type(layer).__name__ for layer in network_of("small").layers] == ["Flatten", "Dense", "Squareplus", "Dense"]
    file = tmp_path / "small.toml"
    file.write_text(description.write([layer.config() for layer in own_training.small(10)]))
    assert network_of(str(file)).config() == network_of("small").config()


# Files and copies


@pytest.fixture
def saved(stripes, tmp_path):
    for thing in OBJECTS:
        register(thing)
    model = new_model(Squareplus(), "reference")
    model.fit(*stripes, **SETTINGS | OWN_SETTINGS)
    model.save(tmp_path / "own.h5")
    return model, tmp_path / "own.h5"


PROGRAM = """
import sys
import numpy as np
from fastdigits import UserError, load

path, given = sys.argv[1], {}
for _ in range(6):
    try:
        model = load(path, device="reference", custom_objects=given)
    except UserError as error:
        print(str(error).removeprefix(path))
        missing = str(error).split("'")[1]
        from rectifiers import layers, training

        known = {"Squareplus": layers.Squareplus, "focal": training.FOCAL, "lion": training.LION}
        known |= {"halving": training.HALVING, "salt": training.SALT}
        given[missing] = known[missing]
np.save(path + ".npy", model.predict(np.load(path + ".images.npy")))
"""


def test_a_file_loads_with_custom_objects_and_says_which_are_missing(saved, stripes):
    model, path = saved
    np.save(f"{path}.images.npy", stripes[0])
    paths = f"{Path(fastdigits.__file__).parents[1]}{os.pathsep}{FOLDER}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0] == (
        ": It needs the layer 'Squareplus', which is not part of fastdigits; load it in Python with "
        "fastdigits.load(path, custom_objects={'Squareplus': ...})."
    )
    kinds = ["layer 'Squareplus'", "loss 'focal'", "optimizer 'lion'", "schedule 'halving'", "augmentation 'salt'"]
    assert [kind for kind, line in zip(kinds, told, strict=True) if kind in line] == kinds
    assert np.load(f"{path}.npy").tobytes() == model.predict(stripes[0]).tobytes()


def test_a_network_with_an_own_layer_is_not_exported(saved, tmp_path, environment):
    command = [sys.executable, "-m", "fastdigits", "export", str(saved[1]), "-o", str(tmp_path / "x.npz")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert "its layer 'Squareplus' is not part of fastdigits, so no format has it" in done.stderr


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_the_same_layers(copied, saved, stripes):
    model, _ = saved
    again = copied(model)
    assert again.predict(stripes[0]).tobytes() == model.predict(stripes[0]).tobytes()
    assert isinstance(again.network.layers[2], Squareplus)


def test_custom_objects_of_another_kind_are_a_user_error(saved):
    with pytest.raises(UserError, match="takes a layer class or an object of"):
        load(saved[1], custom_objects={"Squareplus": Squareplus()})
