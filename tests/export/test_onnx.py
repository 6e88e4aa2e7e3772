"""ONNX files: checked by the onnx package and run by ONNX Runtime."""

import json
from dataclasses import replace

import numpy as np
import pytest
from exported import PREPARATIONS, random_weights, saved_of, scores_of

from fastdigits import export as export_package
from fastdigits import ops
from fastdigits.data.batches import Batches
from fastdigits.nn import Conv2D, Dense, Flatten, Network, ReLU, registry
from fastdigits.nn.calibration import Calibration

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from fastdigits.export import onnx as export  # noqa: E402


def run(content, images):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (x,) = session.get_inputs()
    return session.run(None, {x.name: images})[0]


def test_every_layer_has_an_operator():
    assert set(export.LAYERS) | {"Dropout"} == set(registry.LAYERS)


def test_onnxruntime_computes_our_scores(network, weights, images, scores):
    content = export.model_of(network, weights, "network").SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    found = run(content, images)
    assert np.abs(found - scores).max() <= 1e-5 * np.ptp(scores)
    np.testing.assert_array_equal(run(content, images[:1]), found[:1])  # the batch dimension is free


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("pixels", export_package.INPUTS)
def test_the_graph_prepares_pixels_as_we_do(preparation, pixels):
    images = np.random.default_rng(5).integers(0, 256, (4, 12, 10), np.uint8)
    network = Network([Conv2D(3, 3), ReLU(), Flatten(), Dense(5)], preparation.input_shape(images))
    saved = saved_of(network, random_weights(network), preparation)
    content = export_package.encode(saved, "onnx", export_package.ExportOptions(preprocessing=pixels)).content
    onnx.checker.check_model(content, full_check=True)
    batches = Batches(ops.load("reference"), images, None, 4, saved.normalisation)
    x = np.moveaxis(np.stack([x.copy() for x, _, _ in batches.over(np.arange(4, dtype=np.int32))]), -1, 2)
    expected = scores_of(network, saved.weights, x.reshape(4, *network.input_shape))
    given = images[:, None] if pixels == "uint8" else (images[:, None] / 255).astype(np.float32)
    np.testing.assert_allclose(run(content, given), expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_metadata_tells_classes_origin_and_calibration():
    network = Network([Flatten(), Dense(11)])
    saved = replace(saved_of(network, random_weights(network)), calibration=Calibration(1.25, 0.6, -2.0))
    exported = export_package.encode(saved, "onnx", export_package.ExportOptions())
    model = onnx.load_from_string(exported.content)
    told = {one.key: one.value for one in model.metadata_props}
    assert json.loads(told["classes"]) == [*"0123456789", "no digit"]
    assert told["origin"].startswith("some network trained on digits by fastdigits")
    assert "Divide scores by 1.25, then add -2 to that of 'no digit'" in told["calibration"]
    assert model.opset_import[0].version == export.OPSET
    assert "minus 0.2, divided by 0.4" in model.doc_string
    assert f"opset {export.OPSET}" in exported.note


def test_folded_graphs_have_fewer_nodes_and_the_same_scores(saved, images, scores):
    content = export_package.encode(saved, "onnx", export_package.ExportOptions(fold=True)).content
    assert np.abs(run(content, images) - scores).max() <= 1e-5 * np.ptp(scores)
