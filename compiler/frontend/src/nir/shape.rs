//! Which shape goes into a primitive and which comes out of it.

use super::{Conv, Dense, Padding, Pool, Primitive};

/// What a primitive takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// This shape.
    Exactly(Vec<usize>),
    /// So many channels, then this many axes of any length.
    Image { channels: usize, axes: usize },
    /// This many axes of any length.
    Rank(usize),
    /// Whatever comes.
    Anything,
}

impl Takes {
    pub(super) fn accepts(&self, shape: &[usize]) -> bool {
        match self {
            Takes::Exactly(wanted) => wanted == shape,
            Takes::Image { channels, axes } => {
                shape.len() == axes + 1 && shape.first() == Some(channels)
            }
            Takes::Rank(rank) => shape.len() == *rank,
            Takes::Anything => true,
        }
    }

    /// The shape without its leading axes of length 1 (a batch or time axis that an exporter
    /// left in), if it is accepted so.
    pub(super) fn accepts_without_batch<'a>(&self, shape: &'a [usize]) -> Option<&'a [usize]> {
        let mut rest = shape;
        while let [1, tail @ ..] = rest {
            rest = tail;
            if !rest.is_empty() && self.accepts(rest) {
                return Some(rest);
            }
        }
        None
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Takes::Exactly(shape) => format!("{shape:?}"),
            Takes::Image { channels, axes: 1 } => format!("[{channels}, length]"),
            Takes::Image { channels, .. } => format!("[{channels}, height, width]"),
            Takes::Rank(_) => "[channels, height, width]".to_owned(),
            Takes::Anything => "anything".to_owned(),
        }
    }
}

/// What `primitive` takes, as far as its own fields say. A nested graph takes what its only
/// input takes.
pub(super) fn takes(primitive: &Primitive) -> Takes {
    match primitive {
        Primitive::Affine(dense) | Primitive::Linear(dense) => match dense_shapes(dense) {
            Some((input, _)) => Takes::Exactly(input),
            None => Takes::Anything,
        },
        Primitive::Conv1d(conv) | Primitive::Conv2d(conv) => {
            let axes = conv.stride.len();
            let Some(per_group) = conv.weight.shape.get(1) else {
                return Takes::Anything;
            };
            let channels = per_group.saturating_mul(conv.groups);
            match &conv.input_shape {
                Some(spatial) => {
                    Takes::Exactly([channels].iter().chain(spatial).copied().collect())
                }
                None => Takes::Image { channels, axes },
            }
        }
        Primitive::SumPool2d(_) | Primitive::AvgPool2d(_) => Takes::Rank(3),
        Primitive::Flatten {
            input_shape: Some(shape),
            ..
        } => Takes::Exactly(shape.clone()),
        Primitive::Output { shape } => Takes::Exactly(shape.clone()),
        Primitive::Graph(graph) => {
            let mut inputs = graph.nodes.iter().filter_map(|node| match &node.primitive {
                Primitive::Input { shape } => Some(shape),
                _ => None,
            });
            match (inputs.next(), inputs.next()) {
                (Some(shape), None) => Takes::Exactly(shape.clone()),
                _ => Takes::Anything,
            }
        }
        other => match other.tensors().first() {
            // After broadcasting, all parameters have one shape.
            Some((_, tensor)) if !tensor.is_single_value() || tensor.shape == [1] => {
                Takes::Exactly(tensor.shape.clone())
            }
            _ => Takes::Anything,
        },
    }
}

/// What comes out of `primitive` when `input` goes in, or why nothing can.
pub(super) fn gives(primitive: &Primitive, input: &[usize]) -> Result<Vec<usize>, String> {
    match primitive {
        Primitive::Affine(dense) | Primitive::Linear(dense) => {
            Ok(dense_shapes(dense).map_or_else(Vec::new, |(_, output)| output))
        }
        Primitive::Conv1d(conv) | Primitive::Conv2d(conv) => conv_output(conv, input),
        Primitive::SumPool2d(pool) | Primitive::AvgPool2d(pool) => pool_output(pool, input),
        Primitive::Flatten {
            start_dim, end_dim, ..
        } => flatten_output(*start_dim, *end_dim, input),
        Primitive::Graph(graph) => {
            let mut outputs = graph.nodes.iter().filter_map(|node| match &node.primitive {
                Primitive::Output { shape } => Some(shape),
                _ => None,
            });
            Ok(outputs.next().cloned().unwrap_or_default())
        }
        Primitive::Input { shape } => Ok(shape.clone()),
        _ => Ok(input.to_vec()),
    }
}

/// Shapes in and out of a weight matrix `[…, out, in]`.
pub(super) fn dense_shapes(dense: &Dense) -> Option<(Vec<usize>, Vec<usize>)> {
    let [stack @ .., n_out, n_in] = dense.weight.shape.as_slice() else {
        return None;
    };
    let with = |last: usize| stack.iter().copied().chain([last]).collect();
    Some((with(*n_in), with(*n_out)))
}

fn conv_output(conv: &Conv, input: &[usize]) -> Result<Vec<usize>, String> {
    let [channels, _, kernel @ ..] = conv.weight.shape.as_slice() else {
        return Ok(input.to_vec());
    };
    let mut output = vec![*channels];
    for (axis, &kernel) in kernel.iter().enumerate() {
        let length = input.get(axis + 1).copied().unwrap_or(0);
        let at = |values: &[usize], default| values.get(axis).copied().unwrap_or(default);
        output.push(match &conv.padding {
            Padding::Same => length,
            Padding::Zeros(zeros) => windows(
                length,
                kernel,
                at(&conv.stride, 1),
                at(zeros, 0),
                at(&conv.dilation, 1),
            )?,
        });
    }
    Ok(output)
}

fn pool_output(pool: &Pool, input: &[usize]) -> Result<Vec<usize>, String> {
    let [channels, spatial @ ..] = input else {
        return Ok(input.to_vec());
    };
    let mut output = vec![*channels];
    for (axis, &length) in spatial.iter().enumerate() {
        let at = |values: &[usize], default| values.get(axis).copied().unwrap_or(default);
        output.push(windows(
            length,
            at(&pool.kernel_size, 1),
            at(&pool.stride, 1),
            at(&pool.padding, 0),
            1,
        )?);
    }
    Ok(output)
}

/// Number of places where a window of `kernel` elements, `dilation` apart, fits.
fn windows(
    length: usize,
    kernel: usize,
    stride: usize,
    zeros: usize,
    dilation: usize,
) -> Result<usize, String> {
    let padded = length.saturating_add(zeros.saturating_mul(2));
    let span = kernel
        .saturating_sub(1)
        .saturating_mul(dilation)
        .saturating_add(1);
    match padded.checked_sub(span) {
        Some(room) => Ok(room / stride.max(1) + 1),
        None => Err(format!(
            "its window spans {span} elements, but only {padded} come in"
        )),
    }
}

fn flatten_output(start_dim: i64, end_dim: i64, input: &[usize]) -> Result<Vec<usize>, String> {
    let rank = i64::try_from(input.len()).unwrap_or(i64::MAX);
    let position = |dim: i64| {
        let at = if dim < 0 {
            rank.saturating_add(dim)
        } else {
            dim
        };
        usize::try_from(at).ok().filter(|&at| at < input.len())
    };
    match (position(start_dim), position(end_dim)) {
        (Some(start), Some(end)) if start <= end => {
            let joined = input[start..=end]
                .iter()
                .fold(1_usize, |n, &length| n.saturating_mul(length));
            Ok(input[..start]
                .iter()
                .copied()
                .chain([joined])
                .chain(input[end + 1..].iter().copied())
                .collect())
        }
        _ => Err(format!(
            "its axes {start_dim} to {end_dim} do not exist in the shape {input:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_agree_with_pytorch() {
        // torch.nn.Conv2d(1, 1, 5, stride=2, padding=1) on 34 gives 16; dilation 2 on 34 gives 14.
        assert_eq!(windows(34, 5, 2, 1, 1), Ok(16));
        assert_eq!(windows(34, 5, 2, 1, 2), Ok(14));
        assert_eq!(windows(5, 5, 1, 0, 1), Ok(1));
        assert!(windows(4, 5, 1, 0, 1).is_err());
        assert!(windows(usize::MAX, usize::MAX, 1, usize::MAX, usize::MAX).is_ok());
    }

    #[test]
    fn flatten_joins_a_range_of_axes() {
        assert_eq!(flatten_output(0, -1, &[16, 5, 5]), Ok(vec![400]));
        assert_eq!(flatten_output(1, -1, &[16, 5, 5]), Ok(vec![16, 25]));
        assert_eq!(flatten_output(-3, -2, &[16, 5, 5]), Ok(vec![80, 5]));
        assert!(flatten_output(1, -1, &[16]).is_err());
        assert!(flatten_output(0, 3, &[16]).is_err());
    }

    #[test]
    fn only_leading_axes_of_length_one_are_dropped() {
        let takes = Takes::Exactly(vec![10]);
        assert_eq!(
            takes.accepts_without_batch(&[1, 1, 10]),
            Some([10].as_slice())
        );
        assert_eq!(takes.accepts_without_batch(&[10, 1]), None);
        assert_eq!(takes.accepts_without_batch(&[2, 10]), None);
        assert_eq!(Takes::Anything.accepts_without_batch(&[1]), None);
    }
}
