//! What keeps a rung from being checked at all.

/// A rung could not be checked, which is not the same as being different.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The simulation failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Simulation(#[from] spikeloom_cosim::Error),
    /// The device did not answer, or not as it should.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Device(#[from] spikeloom_boards::Error),
    /// The circuit could not be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Circuit(#[from] spikeloom_hdl::Error),
    /// A sample does not fit the network.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sample(#[from] spikeloom_golden::SampleError),
    /// A sample does not fit the float reference.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Float(#[from] spikeloom_float::Error),
    /// The network breaks a rule of its level.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] spikeloom_ir::QuantizedError),
}
