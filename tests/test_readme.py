import doctest
import re
from pathlib import Path

from sw.network import Network

README = (Path(__file__).parent.parent / "README.md").read_text()


def examples():
    """The Python examples: sessions, and programs."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    sessions = [block for block in blocks if block.startswith(">>>")]
    return sessions, [block for block in blocks if block not in sessions]


def test_sessions_print_what_the_readme_says():
    sessions, _ = examples()
    assert sessions
    for session in sessions:
        test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
        assert test.examples and not doctest.DocTestRunner().run(test).failed


def test_the_program_makes_a_network_that_decides(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, (program,) = examples()
    exec(program, {})
    assert capsys.readouterr().out.split() == ["[[1]", "[1]", "[3]", "[1]", "[0]]"]
    assert Network.load("net.npz").name == "example"
