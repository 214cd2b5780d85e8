//! Samples and networks that cannot be executed.

/// An error of the float reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The number of values is not the number of channels.
    #[error("the sample has {found} values but the network has {expected} input channels")]
    #[diagnostic(
        code(spikeloom::float::sample_length),
        help(
            "give one value for each input channel, in the order of the model's input, and of a time series for each tick"
        )
    )]
    SampleLength {
        /// Values given.
        found: usize,
        /// Channels of the network.
        expected: usize,
    },
    /// The number of ticks is not the network's.
    #[error("the sample has {found} ticks but the network runs for {expected}")]
    #[diagnostic(
        code(spikeloom::float::sample_ticks),
        help(
            "give one list of events for each tick, or set `--ticks` to the length of the sample"
        )
    )]
    SampleTicks {
        /// Ticks given.
        found: usize,
        /// Ticks of the network.
        expected: usize,
    },
    /// A spike of a channel that does not exist.
    #[error("tick {tick} has a spike of channel {channel}, but the network has {n_channels}")]
    #[diagnostic(
        code(spikeloom::float::sample_channel),
        help("channels count from 0, row-major over the input's shape")
    )]
    SampleChannel {
        /// The tick.
        tick: usize,
        /// The channel.
        channel: u32,
        /// Channels of the network.
        n_channels: usize,
    },
    /// Values for a network that takes spikes, or the other way round.
    #[error("the sample is of another kind than the network's encoder takes")]
    #[diagnostic(
        code(spikeloom::float::sample_kind),
        help("give what `encoding` says: values, spike trains or time series")
    )]
    SampleKind,
    /// A network whose parts do not fit.
    #[error("{what} of {name} has {found} entries, but {expected} are needed")]
    #[diagnostic(
        code(spikeloom::float::network_shape),
        help("the network was not made by the front end: correct it where it was made")
    )]
    NetworkShape {
        /// A vector of the network.
        what: &'static str,
        /// The population or projection.
        name: String,
        /// Its length.
        found: usize,
        /// What it must be.
        expected: usize,
    },
    /// A population with an activation and a threshold.
    #[error("population {name} has an activation and fires, and can only do one of them")]
    #[diagnostic(
        code(spikeloom::float::activation_fires),
        help("remove its activation or its threshold")
    )]
    ActivationFires {
        /// The population.
        name: String,
    },
    /// A projection that would need a value before it is computed.
    #[error("projection {name} closes a loop without delay")]
    #[diagnostic(
        code(spikeloom::float::loop_without_delay),
        help("a projection from the same or a later population needs a delay of at least 1")
    )]
    LoopWithoutDelay {
        /// The projection.
        name: String,
    },
    /// A projection whose learning has no meaning in real numbers.
    #[error("projection {projection} cannot learn in real numbers: {reason}")]
    #[diagnostic(
        code(spikeloom::float::learning),
        help(
            "let a dense projection of spikes or graded values learn, by a rule over `v_mem`, `i_syn` and traces that it has; or learn with `--engine golden`"
        )
    )]
    Learning {
        /// The projection.
        projection: String,
        /// Why not.
        reason: String,
    },
}
