//! `gain:` of `learning:`, recursive least squares.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::learning::Gain;

use super::Loader;
use crate::fields::Entry;

/// All keys of a gain.
pub const GAIN_KEYS: &[&str] = &["alpha", "bits"];
/// Powers of two that `alpha` may be.
const ALPHA_EXPONENTS: std::ops::RangeInclusive<i32> = -20..=8;
const DEFAULT_BITS: u32 = 32;

impl Loader<'_> {
    pub(super) fn gain(&mut self, entry: &Entry) -> Option<Gain> {
        let help = "write `gain: {alpha: 2^-12, bits: 32}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        let (mut alpha, mut bits) = (None, Some(DEFAULT_BITS));
        for member in members {
            match member.0.text.as_str() {
                "alpha" => alpha = Some(self.power_of_two(member)?),
                "bits" => bits = self.reader.count_in(16..=32, member),
                _ => self.reader.unknown(&member.0, GAIN_KEYS),
            }
        }
        if !members.iter().any(|(key, _)| key.text == "alpha") {
            self.reader.missing("`gain`", "alpha", entry.0.span.clone());
        }
        Some(Gain {
            alpha_exponent: alpha?,
            bits: BitWidth::new(bits?).ok()?,
        })
    }

    /// The exponent of what is written as `2^-12`, or as a number.
    fn power_of_two(&mut self, entry: &Entry) -> Option<i32> {
        let exponent = entry.1.plain_text().and_then(|text| {
            if let Some(exponent) = text.strip_prefix("2^") {
                return exponent.parse().ok();
            }
            let value: f64 = text.parse().ok()?;
            let mut exponents = ALPHA_EXPONENTS;
            exponents.find(|&exponent| value == 2f64.powi(exponent))
        });
        let exponent = exponent.filter(|exponent| ALPHA_EXPONENTS.contains(exponent));
        if exponent.is_none() {
            let (least, most) = (ALPHA_EXPONENTS.start(), ALPHA_EXPONENTS.end());
            self.reader.bad(
                entry,
                format!("a power of two from 2^{least} to 2^{most}"),
                "write it as `alpha: 2^-12`",
            );
        }
        exponent
    }
}

/// A gain as it is read.
pub(super) fn write(gain: &Gain) -> String {
    format!("{{alpha: 2^{}, bits: {}}}", gain.alpha_exponent, gain.bits)
}
