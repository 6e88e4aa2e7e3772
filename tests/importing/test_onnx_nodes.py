"""The tests that the ONNX project has for operators, run through our layers on the CPU and reference devices."""

import importlib
import re

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench.networks import pack_images
from fastdigits.errors import UserError

onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case import node as project  # noqa: E402

from fastdigits.importing import onnx as importing  # noqa: E402

# Tests of cases that no layer computes, by what the message says
REFUSED = {
    "which pooling layers do not have": """
        maxpool_2d_pads maxpool_2d_same_lower maxpool_2d_same_upper maxpool_2d_precomputed_pads
        maxpool_2d_precomputed_same_upper maxpool_with_argmax_2d_precomputed_pads
        averagepool_2d_pads averagepool_2d_pads_count_include_pad averagepool_2d_same_lower averagepool_2d_same_upper
        averagepool_2d_precomputed_pads averagepool_2d_precomputed_pads_count_include_pad
        averagepool_2d_precomputed_same_upper averagepool_2d_ceil_last_window_starts_on_pad""",
    "pools windows that are not whole": """
        maxpool_2d_ceil maxpool_2d_ceil_output_size_reduce_by_one averagepool_2d_ceil""",
    "has dilations": "maxpool_2d_dilations averagepool_2d_dilations",
    "instead of channels, rows and columns": """
        maxpool_1d_default maxpool_3d_default maxpool_3d_dilations maxpool_3d_dilations_use_ref_impl
        maxpool_3d_dilations_use_ref_impl_large averagepool_1d_default averagepool_3d_default
        averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False
        reduce_mean_do_not_keepdims_example reduce_mean_do_not_keepdims_random reduce_mean_keepdims_example
        reduce_mean_keepdims_random reduce_mean_default_axes_keepdims_example reduce_mean_default_axes_keepdims_random
        reduce_mean_negative_axes_keepdims_example reduce_mean_negative_axes_keepdims_random""",
    "has the padding [1, 0, 1, 0]": "conv_with_strides_and_asymmetric_padding",
    "is not followed by a convolution alone": "constant_pad constant_pad_axes constant_pad_negative_axes",
    "does not make one vector of each image": """
        flatten_axis0 flatten_axis2 flatten_axis3 flatten_negative_axis1 flatten_negative_axis2 flatten_negative_axis4
        reshape_reordered_all_dims reshape_reordered_last_dims reshape_extended_dims reshape_one_dim
        reshape_negative_dim reshape_negative_extended_dims reshape_zero_dim reshape_zero_and_negative_dim
        reshape_allowzero_reordered squeeze squeeze_negative_axes""",
    "is not applied to one vector for each image": """
        matmul_3d matmul_4d matmul_bcast matmul_1d_1d matmul_1d_3d matmul_4d_1d""",
    "has transA = 1": "gemm_transposeA gemm_all_attributes",
    "where 1 x 4 fit": "gemm_default_matrix_bias",
    "has training_mode = 1": "batchnorm_example_training_mode batchnorm_epsilon_training_mode",
    "drops out in inference, too": """
        training_dropout training_dropout_mask training_dropout_default training_dropout_default_mask
        training_dropout_zero_ratio training_dropout_zero_ratio_mask""",
    "is not the approximation by tanh": "gelu_default_1 gelu_default_2",
    "is not the product of a tensor and its sigmoid": "mul mul_example mul_bcast",
    "is not at the end of the network": """
        softmax_axis_0 softmax_axis_1 softmax_axis_2 softmax_negative_axis softmax_default_axis
        logsoftmax_axis_0 logsoftmax_axis_1 logsoftmax_axis_2 logsoftmax_negative_axis logsoftmax_default_axis""",
    "its input is not float32": """
        edge_pad reflect_pad wrap_pad maxpool_2d_uint8
        mul_int8 mul_int16 mul_uint8 mul_uint16 mul_uint32 mul_uint64
        identity_sequence identity_opt""",
}
REASONS = {name: reason for reason, names in REFUSED.items() for name in names.split()}


def cases():
    """The project's tests of one operator each, for the operators that import covers."""
    for operator in importing.OPERATORS:
        module = {"BatchNormalization": "batch_normalization"}.get(operator, operator)
        importlib.import_module(f"{project.__name__}.{module.lower()}")
    for case in project._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in importing.OPERATORS:
            yield case


CASES = {case.name.removeprefix("test_"): case for case in cases()}


def layers_of(case):
    """The layers that compute a case; all inputs except the first one become constants."""
    inputs, _ = case.data_sets[0]
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    graph = model.graph
    for value, array in zip(list(graph.input)[1:], inputs[1:], strict=True):
        graph.initializer.append(numpy_helper.from_array(array, value.name))
    del graph.output[1:]  # masks and indices
    if np.ndim(inputs[0]) == 1:  # of an elementwise operator
        graph.input[0].type.tensor_type.shape.dim.add().dim_value = 1
    return importing.read(model)[0]


def run(chain, device, x):
    """Compute the layers on a device."""
    shape, packed = x.shape[1:], pack_images(device, np.ascontiguousarray(x))
    for layer in chain.layers:
        shape = layer.connect(shape)
        layer.allocate(device, len(packed), training=False)
    for layer, values in zip(importing.with_parameters(chain.layers), chain.values, strict=True):
        for parameter, value in zip((*layer.parameters, *layer.running), values, strict=True):
            parameter.value = device.upload(value)
    for layer in chain.layers:
        packed = layer.forward(packed)
    return packed


def test_only_cases_of_the_project_are_left_out():
    assert set(REASONS) <= set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name in REASONS])
def test_what_no_layer_computes_is_refused_with_the_reason(name):
    with pytest.raises(UserError, match=re.escape(REASONS[name])):
        layers_of(CASES[name])


@pytest.mark.parametrize("device", ["reference", "cpu"])
@pytest.mark.parametrize("name", [name for name in CASES if name not in REASONS])
def test_our_layers_compute_what_the_project_expects(name, device):
    case, device = CASES[name], ops.load(device)
    (x, *_), (expected, *_) = case.data_sets[0]
    y = run(layers_of(case), device, x.reshape(*x.shape, 1) if x.ndim == 1 else x)
    kind = case.model.graph.node[0].op_type
    if kind in ("Softmax", "LogSoftmax"):  # which our networks leave to the loss
        p = device.empty(y.shape)
        device.softmax(y, p)
        y = p
    found = np.moveaxis(device.download(y), -1, 1).reshape(-1, *expected.shape[1:])[: len(x)]
    found = np.log(np.maximum(found, 1e-30)) if kind == "LogSoftmax" else found
    np.testing.assert_allclose(found, expected, rtol=case.rtol, atol=max(case.atol, 1e-6))
