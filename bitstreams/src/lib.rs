//! Targets, external tools, synthesis, place and route, packing and decoding.
