"""Running the hardware without hardware: Amaranth's simulator, cocotb benches on Verilator."""
