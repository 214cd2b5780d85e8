//! The golden model: interprets the integer network.
