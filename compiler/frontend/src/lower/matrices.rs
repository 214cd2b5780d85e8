//! What nodes in a row do to the weights in front of them, in double precision.

use crate::nir::{Conv, Dense};
use crate::{Tensor, Values};

/// `outer . inner`, in double precision; the bias of `outer` where it is wanted.
pub(super) fn product(outer: &Dense, inner: &Dense, with_bias: bool) -> Dense {
    let [n_out, n_between] = outer.weight.shape[..] else {
        return outer.clone();
    };
    let n_in = inner.weight.shape.last().copied().unwrap_or(0);
    let left: Vec<f64> = outer.weight.values.iter().collect();
    let right: Vec<f64> = inner.weight.values.iter().collect();
    let mut weight = vec![0.0; n_out * n_in];
    if n_in > 0 && n_between > 0 {
        for (row, left) in weight.chunks_mut(n_in).zip(left.chunks(n_between)) {
            for (l, right) in left.iter().zip(right.chunks(n_in)) {
                row.iter_mut().zip(right).for_each(|(w, r)| *w += l * r);
            }
        }
    }
    let bias = (inner.bias.is_some() || outer.bias.is_some() && with_bias).then(|| {
        let mut bias = match (&outer.bias, with_bias) {
            (Some(own), true) => own.values.iter().collect(),
            _ => vec![0.0; n_out],
        };
        if let Some(inner) = &inner.bias {
            let inner: Vec<f64> = inner.values.iter().collect();
            for (b, left) in bias.iter_mut().zip(left.chunks(n_between.max(1))) {
                *b += left.iter().zip(&inner).map(|(l, i)| l * i).sum::<f64>();
            }
        }
        tensor(bias, vec![n_out], &outer.weight)
    });
    Dense {
        weight: tensor(weight, vec![n_out, n_in], &outer.weight),
        bias,
    }
}

/// Every row times its factor.
pub(super) fn scaled(scale: &Tensor, inner: &Dense) -> Dense {
    let factors: Vec<f64> = scale.values.iter().collect();
    let n_in = inner.weight.shape.last().copied().unwrap_or(0).max(1);
    let values = inner.weight.values.iter().enumerate();
    let weight = values.map(|(at, w)| w * factors.get(at / n_in).copied().unwrap_or(1.0));
    let bias = inner.bias.as_ref().map(|bias| {
        let values = bias.values.iter().zip(&factors).map(|(b, f)| b * f);
        tensor(values.collect(), bias.shape.clone(), scale)
    });
    Dense {
        weight: tensor(weight.collect(), inner.weight.shape.clone(), scale),
        bias,
    }
}

/// A scaling in front of everything else, and a factor on all of it, as a matrix.
pub(super) fn diagonal(scale: &Tensor, common: f64) -> Dense {
    let n = scale.values.len();
    let mut weight = vec![0.0; n * n];
    for (at, factor) in scale.values.iter().enumerate() {
        weight[at * n + at] = factor * common;
    }
    Dense {
        weight: tensor(weight, vec![n, n], scale),
        bias: None,
    }
}

pub(super) fn tensor(values: Vec<f64>, shape: Vec<usize>, from: &Tensor) -> Tensor {
    Tensor {
        shape,
        values: Values::F64(values),
        origin: from.origin.clone(),
    }
}

/// Every channel times its factor; `None` where a channel has several.
pub(super) fn scaled_convolution(scale: &Tensor, inner: &Conv) -> Option<Conv> {
    let channels = inner.weight.shape.first().copied()?;
    let factors: Vec<f64> = scale.values.iter().collect();
    let per_channel = factors.len() / channels.max(1);
    let uniform: Vec<f64> = factors
        .chunks(per_channel.max(1))
        .map(|of_channel| {
            let first = *of_channel.first()?;
            of_channel.iter().all(|f| *f == first).then_some(first)
        })
        .collect::<Option<_>>()?;
    if uniform.len() != channels {
        return None;
    }
    let n = inner.weight.values.len() / channels.max(1);
    let values = inner.weight.values.iter().enumerate();
    let values = values.map(|(at, w)| w * uniform[at / n.max(1)]).collect();
    let bias = inner.bias.as_ref().map(|bias| {
        let values = bias.values.iter().zip(&uniform).map(|(b, f)| b * f);
        tensor(values.collect(), bias.shape.clone(), bias)
    });
    Some(Conv {
        weight: tensor(values, inner.weight.shape.clone(), &inner.weight),
        bias,
        ..inner.clone()
    })
}
