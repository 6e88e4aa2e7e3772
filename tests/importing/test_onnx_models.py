"""ONNX models of other programs: what they may look like, and what is refused by name."""

import numpy as np
import pytest
from exported import scores_of

from fastdigits import importing
from fastdigits.errors import UserError
from fastdigits.nn import Network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper, parser  # noqa: E402

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "conv": RANDOM.standard_normal((4, 1, 5, 5), np.float32) / 5,
    "square": RANDOM.standard_normal((4, 4, 3, 3), np.float32) / 5,
    "pixel": RANDOM.standard_normal((4, 4, 1, 1), np.float32),
    "channels": RANDOM.standard_normal((4, 1, 1), np.float32),
    "bias": RANDOM.standard_normal(10, np.float32),
    "dense": RANDOM.standard_normal((16, 10), np.float32) / 4,
    "columns": RANDOM.standard_normal((4, 2, 2, 10), np.float32) / 4,
    "images": RANDOM.standard_normal((784, 10), np.float32) / 28,
}


def model(body, shape="N, 1, 28, 28", opset=20):
    """A model that computes y of x by the nodes in the text."""
    text = f"agraph (float[{shape}] x) => (float[N, 10] y) {{ {body} }}"
    graph = parser.parse_graph(text)
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in WEIGHTS.items() if name in used)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def read(tmp_path, content):
    path = tmp_path / "theirs.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return importing.decode(path)


AGREEING = {
    "the model zoo's mnist": """
        shape = Constant <value_ints = [16, 10]> ()
        matrix = Reshape (columns, shape)
        flat = Constant <value_ints = [-1, 16]> ()
        a = Conv <auto_pad = "SAME_UPPER", kernel_shape = [5, 5]> (x, conv)
        b = Add (a, channels)
        c = Relu (b)
        d = MaxPool <kernel_shape = [7, 7], strides = [7, 7]> (c)
        e = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (d)
        f = Reshape (e, flat)
        g = MatMul (f, matrix)
        y = Add (bias, g)
    """,
    "a softmax at the end": """
        axes = Constant <value_ints = [2, 3]> ()
        a = Conv (x, conv)
        b = AveragePool <kernel_shape = [12, 12], strides = [12, 12]> (a)
        c = Flatten (b)
        d = Gemm <alpha = 2.0, beta = 0.5> (c, dense, bias)
        y = LogSoftmax <axis = 1> (d)
    """,
    "a residual block with a projection": """
        axes = Constant <value_ints = [2, 3]> ()
        a = Conv <strides = [2, 2]> (x, conv)
        b = Sigmoid (a)
        c = Mul (b, a)
        d = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (c, square)
        e = Relu (d)
        f = Conv <strides = [2, 2]> (c, pixel)
        g = Add (f, e)
        h = AveragePool <kernel_shape = [3, 3], strides = [3, 3]> (g)
        i = Flatten (h)
        y = Gemm (i, dense, bias)
    """,
    "blocks within blocks": """
        a = Conv <strides = [3, 3]> (x, conv)
        b = Tanh (a)
        c = Add (b, a)
        d = Sigmoid (a)
        e = Mul (a, d)
        f = Conv <pads = [1, 1, 1, 1]> (c, square)
        g = Add (f, c)
        h = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (g)
        i = Flatten (h)
        y = Gemm (i, dense, bias)
    """.replace("d = Sigmoid (a)", "").replace("e = Mul (a, d)", ""),
    "a crop": """
        pads = Constant <value_ints = [0, 0, -2, -2, 0, 0, -2, -2]> ()
        a = Pad (x, pads)
        b = Conv <strides = [10, 10]> (a, conv)
        c = Flatten (b)
        y = Gemm (c, dense, bias)
    """,
}


@pytest.mark.parametrize("name", AGREEING)
def test_a_model_of_another_program_computes_the_same(name, tmp_path):
    theirs = model(AGREEING[name])
    onnx.checker.check_model(theirs)
    found = read(tmp_path, theirs)
    network = Network.from_config(found.network)
    images = RANDOM.standard_normal((5, *network.input_shape), np.float32)
    session = onnxruntime.InferenceSession(theirs.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": images})[0]
    scores = scores_of(network, found.weights, images)
    if "softmax" in name:
        scores = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("shape", ["N, 784", "N, 28, 28"])
def test_images_may_have_no_channels(shape, tmp_path):
    flatten = "" if shape == "N, 784" else "a = Flatten (x) "
    found = read(tmp_path, model(f"{flatten} y = MatMul ({'a' if flatten else 'x'}, images)", shape))
    assert found.network["input_shape"] == [1, 28, 28]
    assert [layer["type"] for layer in found.network["layers"]] == ["Flatten", "Dense"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("y = Erf (x)", r"its operator Erf \('y'\) is none that a layer computes"),
        ("a = Conv <group = 2> (x, conv) y = Relu (a)", r"Conv \('a'\) has group = 2"),
        ("a = Conv <strides = [1, 2]> (x, conv) y = Relu (a)", "different strides for rows and columns"),
        ("a = Conv <pads = [2, 0, 2, 0]> (x, conv) y = Relu (a)", "has the padding"),
        ("a = Relu (x) b = Conv (x, conv) y = Tanh (a)", "are no residual block"),
        ("a = Sigmoid (x) b = Conv (a, conv) y = Conv (x, a)", "are no residual block"),
        ("a = Softmax (x) y = Relu (a)", "is not at the end"),
        ("a, b = Dropout (x) y = Mul (a, x)", "no residual block"),
        ("a = Flatten (x) y = MatMul (a, dense)", "weights of 16 x 10 where 784 x 10 fit"),
    ],
)
def test_what_no_layer_computes_is_named(body, says, tmp_path):
    with pytest.raises(UserError, match=says) as caught:
        read(tmp_path, model(body))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_models_are_refused(tmp_path):
    for content in (b"", b"\x08", b"not a model", model(AGREEING["a crop"]).SerializeToString()[:-40]):
        with pytest.raises(UserError, match="is not a valid ONNX model"):
            read(tmp_path, content)
    external = model(AGREEING["a crop"])
    external.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(UserError, match=r"not a valid ONNX model|in another file"):
        read(tmp_path, external)
    with pytest.raises(UserError, match="leave --model out"):
        importing.decode(
            tmp_path / "theirs.onnx",
            Network.from_config({"input_shape": [1, 28, 28], "layers": [{"type": "Flatten"}]}).layers,
        )


def test_a_free_size_of_the_image_is_refused(tmp_path):
    with pytest.raises(UserError, match="free size other than the batch"):
        read(tmp_path, model("y = Relu (x)", "N, 1, H, W"))
