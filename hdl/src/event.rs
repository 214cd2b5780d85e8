//! What travels between encoder, cores and decoder: events and tick tokens, in band.
//!
//! A word has a `kind` of [`KIND_BITS`] bits and an `index`. Within a sample the order is
//!
//! ```text
//! BEGIN  (EVENT* PLANE)*  (EVENT* TICK)*
//! ```
//!
//! `BEGIN` starts a sample: state is reset. `PLANE` ends a bit plane of a held input, most
//! significant plane first: what the receiver summed so far is doubled and the plane's sum is
//! added. `TICK` ends a tick. Only the encoder sends `PLANE`.

/// Bits of an event's kind.
pub const KIND_BITS: usize = 2;
/// A neuron or channel fired; the index says which.
pub const EVENT: u64 = 0;
/// All events of the tick have been sent.
pub const TICK: u64 = 1;
/// All events of a bit plane have been sent.
pub const PLANE: u64 = 2;
/// A sample starts.
pub const BEGIN: u64 = 3;
