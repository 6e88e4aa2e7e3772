"""C: compiled with all warnings and sanitizers, it computes our scores; int8 those of the quantized network."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from exported import PREPARATIONS, random_weights, saved_of, scores_of
from outside import FLAGS, SANITIZED, compiled, scores_of_program

from fastdigits import UserError, export
from fastdigits.data import load_part, read_part
from fastdigits.data.preprocessing import UNPREPARED
from fastdigits.export import program, quantize
from fastdigits.nn import Conv2D, Dense, Flatten, GlobalAvgPool2D, Network, ReLU, registry

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_compiler = pytest.mark.skipif(not COMPILER, reason="there is no C compiler")
FEW = 20  # images to calibrate on and to test


def source_of(saved, **options):
    return export.encode(saved, "c", export.ExportOptions(**options)).content


def pixels_for(saved, count=3):
    (_, H, W), pad = Network.from_config(saved.network).input_shape, saved.normalisation.preparation.pad
    return np.random.default_rng(7).integers(0, 256, (count, H - 2 * pad, W - 2 * pad), np.uint8)


def expected_scores(saved, pixels):
    mean, std = saved.normalisation.mean, saved.normalisation.std
    images = (saved.normalisation.preparation.apply(pixels) / 255 - mean) / std
    return scores_of(Network.from_config(saved.network), saved.weights, images[:, None].astype(np.float32))


@pytest.fixture
def few_images(monkeypatch):
    """Calibrate on a few images, and measure the accuracy on as few."""

    def few(data, part):
        found = read_part("mnist", part)
        return replace(found, images=found.images[:FEW], labels=found.labels[:FEW])

    monkeypatch.setattr(quantize, "read_part", few)


def test_every_layer_has_a_step():
    assert set(program.KINDS) | set(program.NOTHING) | {"Residual"} == set(registry.LAYERS)


@needs_compiler
def test_c_computes_our_scores(saved, tmp_path):
    pixels = pixels_for(saved)
    expected = expected_scores(saved, pixels)
    found = scores_of_program(compiled(COMPILER, source_of(saved), tmp_path, *SANITIZED), pixels)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


def test_no_line_is_long(saved):
    assert max(map(len, source_of(saved).decode().splitlines())) <= 120


@needs_compiler
@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_pixels_are_prepared_as_ours(preparation, tmp_path):
    network = Network([Flatten(), Dense(3)], preparation.input_shape(np.empty((1, 12, 10))))
    saved = saved_of(network, random_weights(network), preparation)
    pixels = pixels_for(saved)
    found = scores_of_program(compiled(COMPILER, source_of(saved), tmp_path, *SANITIZED), pixels)
    np.testing.assert_allclose(found, expected_scores(saved, pixels), rtol=0, atol=2e-5)


@needs_compiler
@pytest.mark.slow
def test_int8_computes_the_quantized_network(saved, few_images, tmp_path):
    found = scores_of_program(
        compiled(COMPILER, source_of(saved, int8=True), tmp_path, *SANITIZED), load_part("mnist", "test")[0][:FEW]
    )
    one = program.program_of(saved, "C")
    quantized, _ = quantize.quantized(saved, one)
    simulated = quantize.Runner(one, saved.normalisation).rounded_scores(load_part("mnist", "test")[0][:FEW], quantized)
    assert np.abs(found - simulated).max() <= 0.02 * np.ptp(simulated)  # a tie may be rounded the other way


def test_scales_cover_the_numbers_of_the_calibration(few_images):
    network = Network([Conv2D(2, 3), ReLU(), Flatten(), Dense(10)])
    saved = saved_of(network, random_weights(network))
    found, _ = quantize.quantized(saved, program.program_of(saved, "C"))
    assert found.levels.min() < 0
    assert found.levels.max() == 127
    for step in found.steps[::2]:
        weight = step.arrays["weight"].reshape(len(step.arrays["bias"]), -1)
        assert (np.abs(weight).max(1) == 127).all()  # each output has a scale of its own
    assert [one.kind for one in found.steps] == ["conv2d", "relu", "scores"]


def test_int8_needs_images_of_the_size_of_the_network():
    network = Network([Flatten(), Dense(10)], (1, 12, 10))
    with pytest.raises(UserError, match="int8 needs training images"):
        source_of(saved_of(network, random_weights(network)), int8=True)


def test_int8_refuses_sums_that_could_overflow():
    network = Network([Conv2D(100, 1), Flatten(), Dense(10)])
    with pytest.raises(UserError, match="dense_1 has more than"):
        source_of(saved_of(network, random_weights(network)), int8=True)


@needs_compiler
@pytest.mark.parametrize("int8", [False, True])
def test_a_header_compiles_as_c_and_within_a_sketch(int8, few_images, tmp_path):
    network = Network([Conv2D(2, 3), ReLU(), GlobalAvgPool2D(), Dense(10)])
    saved = saved_of(network, random_weights(network))
    content = export.encode(saved, "header", export.ExportOptions(int8=int8)).content
    (tmp_path / "digits.h").write_bytes(content)
    others = "int levels, window, add, dense, conv2d, names, ROWS, COLUMNS, CLASSES, Shape, Window;\n"  # of the program
    body = "int main() { uint8_t pixels[784] = {0}; return network_predict(pixels) > 9; }"
    for name, flags in (("main.c", FLAGS), ("sketch.cpp", ("-std=gnu++17", "-Wall", "-Wextra", "-Werror"))):
        compiler = COMPILER if name.endswith("c") else shutil.which("c++")
        if compiler:
            (tmp_path / name).write_text(others + 2 * '#include "digits.h"\n' + body)
            command = [compiler, *flags, str(tmp_path / name), "-o", str(tmp_path / "main"), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            assert subprocess.run([tmp_path / "main"]).returncode == 0


@needs_compiler
def test_a_second_network_in_a_source_file_is_an_error(tmp_path):
    network = Network([Flatten(), Dense(10)])
    for seed in (1, 2):
        saved = saved_of(network, random_weights(network, seed))
        (tmp_path / f"{seed}.h").write_bytes(export.encode(saved, "header", export.ExportOptions()).content)
    (tmp_path / "main.c").write_text('#include "1.h"\n#include "2.h"\n')
    done = subprocess.run([COMPILER, "-fsyntax-only", str(tmp_path / "main.c")], capture_output=True, text=True)
    assert done.returncode != 0
    assert "network_predict" in done.stderr


@pytest.fixture(scope="module")
def small():
    network = Network([Flatten(), Dense(10)])
    return saved_of(network, random_weights(network), UNPREPARED)


@pytest.fixture(scope="module")
def small_program(small, tmp_path_factory):
    if not COMPILER:
        pytest.skip("there is no C compiler")
    return compiled(COMPILER, source_of(small), tmp_path_factory.mktemp("program"), *SANITIZED)


def test_the_program_reads_pgm_and_bytes(small, small_program, tmp_path):
    pixels = pixels_for(small, 2)
    expected = scores_of_program(small_program, pixels)
    headers = [b"P5\n28 28\n255\n", b"P5 # a comment\n# another\n28\n28 255\n"]
    (tmp_path / "two.pgm").write_bytes(b"".join(h + image.tobytes() for h, image in zip(headers, pixels, strict=True)))
    printed = subprocess.run([small_program, tmp_path / "two.pgm"], capture_output=True, text=True, check=True).stdout
    found = np.array([line.split("\t")[1:] for line in printed.splitlines()], np.float32)
    np.testing.assert_array_equal(found, expected)


def test_the_program_scales_pgm_of_few_levels(small, small_program, tmp_path):
    bits = (pixels_for(small, 1) > 127).astype(np.uint8)
    (tmp_path / "bits.pgm").write_bytes(b"P5 28 28 1\n" + bits.tobytes())
    printed = subprocess.run([small_program, tmp_path / "bits.pgm"], capture_output=True, text=True, check=True).stdout
    expected = scores_of_program(small_program, 255 * bits)
    np.testing.assert_array_equal(np.array(printed.split("\t")[1:], np.float32), expected[0])


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 783,
        b"\0" * 1000,
        b"P5 28 29 255\n",
        b"P5 28 28 256\n" + b"\0" * 784,
        b"P5 28 28 255\n\0",
        b"P5",
        b"P",
        b"P5 x",
    ],
)
def test_the_program_refuses_other_files(content, small_program, tmp_path):
    (tmp_path / "image").write_bytes(content)
    done = subprocess.run([small_program, tmp_path / "image"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "Expected images of 28 x 28 pixels, as binary PGM or as bytes.\n")


def test_the_program_names_a_file_that_is_not_there(small_program):
    done = subprocess.run([small_program, "nowhere.pgm"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "nowhere.pgm cannot be opened.\n")


def test_memory_is_static_and_stated(small):
    exported = export.encode(small, "c", export.ExportOptions())
    text = exported.content.decode()
    assert not re.search(r"\b(malloc|calloc|realloc|alloca)\b", text)
    constants = 4 * (784 * 10 + 10 + 256)
    assert f"Constants take {constants:,} bytes of flash and arrays {4 * 784:,} bytes of RAM" in text
    assert exported.details in "\n".join(line.removeprefix(" * ") for line in text.splitlines())
    assert re.search(r"Arduino Uno R4 .* fits", exported.details)


def test_a_name_cannot_leave_the_comment(small):
    evil = replace(small, dataset="digits */ int evil; /*\n")
    assert "*/ int evil" not in source_of(evil).decode()


@needs_compiler
def test_classes_have_their_names(tmp_path):
    names = ["seven", 'say "yes"??/', "größe\\n"]
    network = Network([Flatten(), Dense(3)], (1, 2, 2), names)
    saved = saved_of(
        network, {"dense_1/weight": np.zeros((3, 4), np.float32), "dense_1/bias": np.eye(3, dtype=np.float32)[0]}
    )
    for number, name in enumerate(names):
        bias = np.eye(3, dtype=np.float32)[number]
        one = replace(saved, weights=saved.weights | {"dense_1/bias": bias})
        program = compiled(COMPILER, source_of(one), tmp_path)
        done = subprocess.run([program], input=b"1234", capture_output=True, check=True)
        assert done.stdout.decode().split("\t")[0] == name


@pytest.mark.parametrize("name", ["c", "header"])
def test_the_same_network_gives_the_same_c(small, name):
    once, again = (export.encode(small, name, export.ExportOptions()).content for _ in range(2))
    assert once == again
