"""The notebooks run from top to bottom, in a new folder, without a warning. They are stored without outputs."""

from pathlib import Path

import nbformat
import pytest
from markdown_pages import links
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
CELL_TIMEOUT_S = 600  # with time to compile kernels

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each_notebook
def test_notebooks_are_stored_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs"), cell.source
        assert cell.get("execution_count") is None, cell.source


@each_notebook
def test_links_of_notebooks_lead_somewhere(path):
    for link in links(path):
        assert link.startswith("https://") or (path.parent / link).exists(), link


@pytest.mark.slow
@each_notebook
def test_notebooks_run_without_warnings(path, tmp_path, environment, monkeypatch):
    for name, value in (environment | {"NUMBA_NUM_THREADS": "1"}).items():  # tests run next to other tests
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)  # so that the kernel shows figures
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises the exception of a cell
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    stderr = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert "Warning" not in stderr
    assert any("image/png" in output.get("data", {}) for output in outputs) or path.stem == "next_to_pytorch"
