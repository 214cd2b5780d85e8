//! Arrays of a model file.

use spikeloom_ir::Origin;

/// An array with its shape and the place it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Length of each axis; empty for a single value. Its product is the number of values.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub values: Values,
    /// The field, such as `/node/nodes/1/v_threshold`.
    pub origin: Origin,
}

/// The values of a [`Tensor`], in the precision of the file.
///
/// The precision is kept because it decides how a framework computed with them: snnTorch's decay
/// comes back as exactly 0.9 only if a single-precision `tau` is divided in single precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Any integer type.
    I64(Vec<i64>),
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
            Values::I64(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `at`, exactly (an integer beyond 2^53 is rounded).
    pub fn get(&self, at: usize) -> Option<f64> {
        match self {
            Values::F32(v) => v.get(at).map(|&x| f64::from(x)),
            Values::F64(v) => v.get(at).copied(),
            Values::I64(v) => v.get(at).map(|&x| x as f64),
        }
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Whether the file has single precision.
    pub fn is_single(&self) -> bool {
        matches!(self, Values::F32(_))
    }

    /// How the type is called in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Values::F32(_) => "float32",
            Values::F64(_) => "float64",
            Values::I64(_) => "int64",
        }
    }

    /// `self[0]` repeated `n` times.
    fn repeated(&self, n: usize) -> Self {
        match self {
            Values::F32(v) => Values::F32(v.first().map_or(Vec::new(), |&x| vec![x; n])),
            Values::F64(v) => Values::F64(v.first().map_or(Vec::new(), |&x| vec![x; n])),
            Values::I64(v) => Values::I64(v.first().map_or(Vec::new(), |&x| vec![x; n])),
        }
    }
}

impl Tensor {
    /// All zero, with the shape and precision of `like`.
    pub(crate) fn filled_like(like: &Tensor, value: f32, origin: Origin) -> Self {
        let n = like.values.len();
        let values = if like.values.is_single() {
            Values::F32(vec![value; n])
        } else {
            Values::F64(vec![f64::from(value); n])
        };
        Self {
            shape: like.shape.clone(),
            values,
            origin,
        }
    }

    /// Whether it is one value, of whatever rank.
    pub fn is_single_value(&self) -> bool {
        self.values.len() == 1
    }

    /// Repeats a single value over `shape`.
    pub(crate) fn broadcast(&mut self, shape: &[usize]) {
        self.values = self.values.repeated(shape.iter().product());
        self.shape = shape.to_vec();
    }

    /// The place of one value: the field with its index, such as `…/v_threshold[17]`.
    pub fn origin_of(&self, at: usize) -> Origin {
        let Origin::Node(path) = &self.origin else {
            return self.origin.clone();
        };
        if self.shape.is_empty() {
            return self.origin.clone();
        }
        let mut rest = at;
        let mut index: Vec<String> = self
            .shape
            .iter()
            .rev()
            .map(|&length| {
                let i = rest.checked_rem(length).unwrap_or(0);
                rest = rest.checked_div(length).unwrap_or(0);
                i.to_string()
            })
            .collect();
        index.reverse();
        Origin::Node(format!("{path}[{}]", index.join(",")))
    }

    /// Smallest and largest value, `None` if there is none or one is not a number.
    pub fn range(&self) -> Option<(f64, f64)> {
        let mut range: Option<(f64, f64)> = None;
        for x in self.values.iter() {
            if x.is_nan() {
                return None;
            }
            let (low, high) = range.unwrap_or((x, x));
            range = Some((low.min(x), high.max(x)));
        }
        range
    }
}
