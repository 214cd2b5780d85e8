//! Physics-aware training: forward on a device, backward through a model of it.
//!
//! After Wright, Onodera, Stein, Wang, Schachter, Hu and McMahon, "Deep physical neural networks
//! trained with backpropagation", Nature 601:549-555, 2022. With maps `f` of the device and `m` of its
//! model, and a loss `L` of the device's outputs,
//!
//! ```text
//! forward    x[l+1] = f(x[l], theta[l])
//! backward   g_theta[l] = (dm/dtheta at x[l], theta[l])' g[l+1]
//!            g[l]       = (dm/dx     at x[l], theta[l])' g[l+1]      g[L] = dL/dx[L]
//! ```
//!
//! so slopes are the model's, but at the states that the device was in. In-silico training is the same
//! with the model as the device. [`crate::Backprop::through`] trains a [`Chain`] on a [`Device`].

use crate::chain::{Activity, Chain, Drive};

/// What takes the weights of a chain and runs it, but not exactly as the chain says.
pub trait Device: Sync {
    /// Takes the weights and biases of a chain; `None` where it cannot, or does not answer.
    fn load<'a>(&'a self, chain: &'a Chain) -> Option<Box<dyn Loaded + 'a>>;
}

/// A device with the weights of a chain.
pub trait Loaded: Sync {
    /// What is known of the device: the chain whose slopes gradients are made of. It has the layers
    /// and units of the one that was loaded.
    fn model(&self) -> &Chain;

    /// What every layer of the device did, in the model's units; where a state cannot be read, what
    /// the device says it is. `seed` is for whatever a simulated device draws. `None` where it did not
    /// answer.
    fn run(&self, drive: &Drive, seed: u64) -> Option<Vec<Activity>>;
}

/// The device that is exactly its model, with which training through a device is training in silico.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact;

impl Device for Exact {
    fn load<'a>(&'a self, chain: &'a Chain) -> Option<Box<dyn Loaded + 'a>> {
        Some(Box::new(chain))
    }
}

impl Loaded for &Chain {
    fn model(&self) -> &Chain {
        self
    }

    fn run(&self, drive: &Drive, _seed: u64) -> Option<Vec<Activity>> {
        Some(Chain::run(self, drive, &[]))
    }
}

/// Goes back through maps that follow each other, from the last of so many.
///
/// `errors` is the gradient of the loss by what the last map gave. `pull_back` takes a map's number and
/// the gradient by what it gave, and returns that by its parameters and that by what it was given,
/// both at the states that were recorded. Gradients of the parameters come back from the first map on.
pub fn backward<E, G>(
    n_maps: usize,
    errors: E,
    mut pull_back: impl FnMut(usize, E) -> (G, E),
) -> Vec<G> {
    let mut gradients = Vec::with_capacity(n_maps);
    let mut errors = errors;
    for map in (0..n_maps).rev() {
        let (gradient, before) = pull_back(map, errors);
        gradients.push(gradient);
        errors = before;
    }
    gradients.reverse();
    gradients
}
