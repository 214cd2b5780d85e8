//! Builds generated Verilog with Verilator and drives it.
