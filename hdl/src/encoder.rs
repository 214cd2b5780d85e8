//! Encoders: the samples' bytes become events.

mod direct;
mod rate;

pub use direct::DirectEncoder;
pub use rate::RateEncoder;
