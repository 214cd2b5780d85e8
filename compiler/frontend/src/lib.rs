//! Model files (bytes) into the Network level.
