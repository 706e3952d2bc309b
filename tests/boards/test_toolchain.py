import pytest

from boards import ice40, toolchain
from hw.errors import ToolFailed, UserError

HEAD = "Info: Routing..\nInfo: Setting up routing queue.\nInfo: Routing 1000 arcs.\n"


@pytest.mark.parametrize("iterations, stuck", [([], False), ([1000, 1500], False),
                                               ([1000, 20_000], False), ([1000, 20_001], True)])
def test_a_router_that_goes_round_in_circles_is_told_by_its_iterations(iterations, stuck):
    lines = "".join(f"Info: {count:10} |      900      100 |   99   10 |   784|  0.1   1.0|\n"
                    for count in iterations)
    assert ice40._livelocked(HEAD + lines) is stuck


def test_a_stuck_tool_is_ended(tmp_path):
    with pytest.raises(toolchain.Stuck, match="^sleep makes no progress any more; see "):
        toolchain.run_tool("time", "sleep", tmp_path, "log", [], stuck=lambda said, silent: True)


def test_verilog_that_is_wrong_is_reported_with_yosys_own_words(tmp_path):
    (tmp_path / "top.v").write_text("module top(; endmodule")
    with pytest.raises(ToolFailed, match=r"^yosys failed: top\.v:1: ERROR: syntax error.*; see "):
        ice40.synthesize(tmp_path, top="top", sources=["top.v"])


@pytest.mark.parametrize("said", [
    "Unable to place cell 'x', no BELs remaining",
    "Unable to find legal placement for all cells, design is probably at utilisation limit.",
])
def test_a_design_too_large_for_the_device_is_the_users_to_change(tmp_path, said):
    with pytest.raises(UserError, match="^the design does not fit the device"):
        toolchain._explain("nextpnr", f"ERROR: {said}", tmp_path / "log")


@pytest.mark.parametrize("last, silent, stuck", [
    ("Info:     at iteration #1, type ALL: wirelen solved = 240, legal = 38831; time = 2.55s\n",
     200, True),
    ("Info:     at iteration #1, type ALL: wirelen solved = 240, legal = 38831; time = 2.55s\n",
     100, False),
    ("Info: HeAP Placer Time: 20.26s\n", 500, False)])
def test_a_placer_that_finds_no_legal_place_is_told_by_its_silence(last, silent, stuck):
    assert ice40._unplaced(HEAD + last, silent) is stuck
