"""ONNX files: checked by the onnx package and run by ONNX Runtime."""

import numpy as np
import pytest

from fastdigits.nn import registry

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
