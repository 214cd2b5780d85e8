//! The levels a network passes through on its way to a circuit, as plain data.
