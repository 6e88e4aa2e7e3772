"""Networks that are too large are refused before memory is taken."""

import pytest

from fastdigits import ops
from fastdigits.errors import UserError
from fastdigits.models import network_of
from fastdigits.nn import Conv2D, Dense, Flatten, Network, ReLU, memory
from fastdigits.nn.residual import Residual
from fastdigits.nn.sequence import MAX_DEPTH, MAX_LAYERS, MAX_PARAMETERS

HEAD = [Flatten(), Dense(10)]


def nested(depth):
    layers = [ReLU()]
    for _ in range(depth):
        layers = [Residual(layers)]
    return layers


def configs(layers):
    return {"input_shape": [1, 28, 28], "layers": layers}


def config_of(depth):
    layer = {"type": "ReLU"}
    for _ in range(depth):
        layer = {"type": "Residual", "layers": [layer]}
    return layer


def test_the_parameters_of_all_layers_are_limited_together():
    layers = [Flatten(), *[Dense(10_000)] * 2]
    assert Network(layers).parameter_count < MAX_PARAMETERS
    with pytest.raises(UserError, match="dense_4: is too large"):
        Network([*layers, *[Dense(10_000)] * 47])
    with pytest.raises(UserError, match="is too large"):
        Network([Flatten(), Dense(10_000), Residual([Dense(10_000)] * 4)])


def test_the_number_of_layers_is_limited():
    Network([*[ReLU()] * (MAX_LAYERS - 2), *HEAD])
    with pytest.raises(UserError, match=r"more than 1,000 layers"):
        Network([*[ReLU()] * 100_000, *HEAD])
    with pytest.raises(UserError, match=r"more than 1,000 layers"):
        Network.from_config(configs([{"type": "ReLU"}] * 100_000))


def test_a_block_that_occurs_many_times_counts_each_time():
    layers = [ReLU()]
    for _ in range(MAX_DEPTH - 1):
        layers = [Residual(layers)] * 10  # 10 to the power of 19 layers
    with pytest.raises(UserError, match="more than 1,000 layers"):
        Network([*layers, *HEAD])


def test_the_depth_of_blocks_is_limited():
    Network([*nested(MAX_DEPTH - 1), *HEAD])
    for depth in (MAX_DEPTH, 10_000):
        with pytest.raises(UserError, match=f"nested more than {MAX_DEPTH} deep"):
            Network([*nested(depth), *HEAD])
        with pytest.raises(UserError, match=f"nested more than {MAX_DEPTH} deep"):
            Network.from_config(configs([config_of(depth)]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[layer]]\ntype = 'ReLU'\n" * 5_000, "more than 1,000 layers"),
        ("[[layer]]\ntype = 'ReLU'\n" * 100_000, "larger than 256 KiB"),
        ("layer = [" + "{type='Residual',layers=[" * 30 + "]}" * 30 + "]", "nested more than 20 deep"),
        ("layer = [" + "{type='Residual',layers=[" * 3_000 + "]}" * 3_000 + "]", "nested too deeply|not TOML"),
    ],
    ids=["many layers", "a large file", "deep", "very deep"],
)
def test_files_of_huge_networks_are_refused(text, says, tmp_path):
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(UserError, match=says) as error:
        network_of(str(tmp_path / "net.toml"))
    assert str(error.value).startswith(str(tmp_path / "net.toml"))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_that_exceeds_the_memory_is_refused_before_it_is_built(training, monkeypatch):
    network, reference = Network([Conv2D(8, 3), ReLU(), *HEAD]), ops.load("reference")
    monkeypatch.setattr(memory, "machine_memory", lambda: 10**6)
    network.build(reference, 8, training)
    monkeypatch.setattr(type(reference), "empty", lambda *_: pytest.fail("memory is taken"), raising=False)
    monkeypatch.setattr(memory, "machine_memory", lambda: 10**5)
    with pytest.raises(UserError, match=r"batches of [\d,]+ images, and this machine has 0 GB; choose a smaller"):
        network.build(reference, 8, training)


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMIT", limit)
    machine = memory.machine_memory()
    limit.write_text("max\n")
    assert memory.machine_memory() == machine
    limit.write_text("12345\n")
    assert memory.machine_memory() == 12345
