//! Encoders: the samples' bytes become events.
//!
//! [`SampleEncoder`] holds the sample and sends what its rule says. A rule is a small block for each
//! kind of encoder: it says which byte belongs to the channel whose turn it is, and a cycle later
//! whether that channel sends an event.

mod delta;
mod direct;
mod events;
mod latency;
mod rate;
mod sample;
mod sender;
mod series;

pub use delta::DeltaRule;
pub use direct::DirectRule;
pub use events::EventsRule;
pub use latency::LatencyRule;
pub use rate::RateRule;
pub use sample::{EncoderConfig, IN_FLIGHT, SampleEncoder};
pub use sender::Sender;
pub use series::SeriesEncoder;
