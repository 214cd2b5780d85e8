//! Circuits to checked Verilog and memory images.
