//! Fixed-point formats, rounding and overflow: the only definition of arithmetic.
