//! Speed of the golden model.

fn main() {}
