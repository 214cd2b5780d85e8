//! Encoders: the samples' bytes become events.

mod direct;
mod events;
mod rate;

pub use direct::DirectEncoder;
pub use events::EventsEncoder;
pub use rate::RateEncoder;
