import doctest
import re
import warnings
from pathlib import Path

import pytest

from sw import convert, data
from sw.network import Network

README = (Path(__file__).parent.parent / "README.md").read_text()


def examples():
    """The Python examples: sessions, programs, and those that need Brevitas."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    sessions = [block for block in blocks if block.startswith(">>>")]
    brevitas = [block for block in blocks if "import brevitas" in block or "from brevitas" in block]
    return sessions, [x for x in blocks if x not in (*sessions, *brevitas)], brevitas


def test_sessions_print_what_the_readme_says():
    sessions, *_ = examples()
    assert sessions
    for session in sessions:
        test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
        assert test.examples and not doctest.DocTestRunner().run(test).failed


def test_the_program_makes_a_network_that_decides(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, (program,), _ = examples()
    exec(program, {})
    assert capsys.readouterr().out.split() == ["[[1]", "[1]", "[3]", "[1]", "[0]]"]
    assert Network.load("net.npz").name == "example"


@pytest.mark.parametrize("program", examples()[2])
def test_what_brevitas_trains_is_imported(program, capsys, tmp_path, monkeypatch):
    pytest.importorskip("brevitas", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # Brevitas and its exporter warn of their own
        pytest.importorskip("torch").manual_seed(0)
        exec(program, {})
    arguments = ["net.onnx", "--dataset", "digits", "--frames", "50", "-o", "net.npz"]
    assert convert.main(arguments) == 0
    assert convert.main(["net.npz", "-o", "back.onnx"]) == 0
    sample = data.load("digits")
    found = Network.load("net.npz").run(sample.images.reshape(len(sample), -1))[:, 0]
    assert (found == sample.labels).mean() > 0.8
