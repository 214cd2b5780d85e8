//! The circuits, in rust-hdl, with widths fixed at run time.
