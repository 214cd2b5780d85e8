//! Newtypes for ids, indices, widths and clocks, so that none of them is mistaken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Position of a population in its level's `populations`.
    PopulationId,
    usize
);
id!(
    /// Position of a projection in its level's `projections`.
    ProjectionId,
    usize
);
id!(
    /// Position of a neuron inside its population, row-major over the population's shape.
    NeuronIdx,
    u32
);
id!(
    /// One step of network time.
    Tick,
    u32
);
id!(
    /// One clock period of a circuit.
    Cycle,
    u64
);
id!(
    /// A clock frequency in hertz.
    Hertz,
    u64
);
