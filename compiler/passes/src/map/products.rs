//! Which products the device's multipliers compute.

use std::collections::BTreeMap;

use spikeloom_ir::gain::Gain;
use spikeloom_ir::mapped::{Limits, Mapped, product_key};
use spikeloom_ir::{Op, Program, Quantized};

use super::widths::wide;

/// The smallest product that is worth a multiplier: of four bits by four.
const LEAST_SIZE: u64 = 16;

/// Bits of what gains multiply a number of `P` by.
const GAIN_RIGHT_BITS: u64 = 32;

/// Products of one key in the whole design.
struct Products {
    /// Widths of the factors.
    bits: [u64; 2],
    /// How many there are.
    copies: u64,
}

impl Products {
    /// Multipliers of one of them, with factors of `at_most` bits: one for each pair of parts of the
    /// factors. A single bit that is over is left to logic.
    fn multipliers_each(&self, at_most: u64) -> u64 {
        let parts = |bits: u64| bits / at_most + u64::from(bits % at_most > 1);
        parts(self.bits[0]) * parts(self.bits[1])
    }

    fn size(&self) -> u64 {
        self.bits[0] * self.bits[1]
    }
}

/// Keys of the products that become multipliers, and how many these are: of those that the device's
/// can hold the ones that spare most logic for each.
pub(super) fn choose(network: &Quantized, mapped: &Mapped, limits: &Limits) -> (Vec<u64>, u64) {
    match limits.multipliers {
        0 => (Vec::new(), 0),
        available => chosen(products(network, mapped), available, limits.multiplier_bits),
    }
}

/// As [`choose`], of `available` multipliers with factors of `bits` bits.
fn chosen(products: BTreeMap<u64, Products>, available: u64, bits: u64) -> (Vec<u64>, u64) {
    let mut all: Vec<(u64, Products)> = products.into_iter().collect();
    all.retain(|(_, p)| p.size() >= LEAST_SIZE);
    // Most logic for a multiplier first; compared crosswise, so that nothing is rounded.
    all.sort_by(|(a_key, a), (b_key, b)| {
        let (left, right) = (
            a.size() * b.multipliers_each(bits),
            b.size() * a.multipliers_each(bits),
        );
        right.cmp(&left).then(a_key.cmp(b_key))
    });
    let mut used = 0;
    let mut keys = Vec::new();
    for (key, products) in all {
        let wanted = products.copies * products.multipliers_each(bits);
        if used + wanted <= available {
            used += wanted;
            keys.push(key);
        }
    }
    keys.sort_unstable();
    (keys, used)
}

/// Every product of two values, by its key.
fn products(network: &Quantized, mapped: &Mapped) -> BTreeMap<u64, Products> {
    let mut found: BTreeMap<u64, Products> = BTreeMap::new();
    let mut add = |key: u64, bits: [u64; 2], copies: u64| {
        let products = found.entry(key).or_insert(Products { bits, copies: 0 });
        products.copies += copies;
    };
    let mut add_program = |program: &Program, copies: u64| {
        for product in program_products(program) {
            add(product.key, product.factors, copies);
        }
    };
    for program in &mapped.programs(network) {
        add_program(program, 1);
    }
    let mut gains = Vec::new();
    for core in &mapped.cores {
        for learning in &core.learning {
            let plasticity = &network.projections[learning.projection.0].plasticity;
            let Some(plasticity) = plasticity else {
                continue;
            };
            add_program(&plasticity.rule, wide(core.lanes));
            add_program(&plasticity.pre.program, 1);
            add_program(&plasticity.post.program, 1);
            gains.extend(plasticity.gain.as_ref().map(gain_product));
        }
    }
    for (key, bits) in gains {
        add(key, bits, 1);
    }
    found
}

/// The product of what computes gains: its key and the widths of its factors.
pub(super) fn gain_product(gain: &Gain) -> (u64, [u64; 2]) {
    let bits = [u64::from(gain.covariance.get()), GAIN_RIGHT_BITS];
    (product_key(bits[0], bits[1], 0), bits)
}

/// A product of a program.
pub(super) struct Product {
    /// What it is known by.
    pub(super) key: u64,
    /// Widths of its factors.
    factors: [u64; 2],
    /// Its own width.
    pub(super) bits: u32,
}

/// The products of a program.
pub(super) fn program_products(program: &Program) -> impl Iterator<Item = Product> {
    let products = program.steps.iter().filter_map(|step| match step.op {
        Op::Multiply(x, y) => Some((step, [x, y])),
        _ => None,
    });
    products.zip(0..).map(|((step, factors), number)| {
        let factors = factors.map(|value| u64::from(program.steps[value.0].bits.get()));
        Product {
            key: product_key(factors[0], factors[1], number),
            factors,
            bits: step.bits.get(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_that_spare_most_come_first_and_all_copies_of_one_together() {
        let chosen = |available, bits| {
            let all = [
                [9, 9, 16, 0],
                [9, 9, 16, 1],
                [32, 32, 1, 0],
                [19, 18, 2, 0],
                [3, 5, 1, 0],
            ];
            let all = all.map(|[left, right, copies, number]| {
                let bits = [left, right];
                (product_key(left, right, number), Products { bits, copies })
            });
            chosen(BTreeMap::from(all), available, bits)
        };
        let [first, second, wide, longer] = [
            product_key(9, 9, 0),
            product_key(9, 9, 1),
            product_key(32, 32, 0),
            product_key(19, 18, 0),
        ];
        assert!(first < second && second < longer && longer < wide);
        assert_eq!(chosen(0, 18), (vec![], 0));
        // A product of 32 bits by 32 takes four, one of 19 by 18 one: a single bit is left over.
        assert_eq!(chosen(5, 18), (vec![longer], 2));
        assert_eq!(chosen(6, 18), (vec![longer, wide], 6));
        // Sixteen lanes have no half.
        assert_eq!(chosen(21, 18), (vec![longer, wide], 6));
        assert_eq!(chosen(28, 18), (vec![first, longer, wide], 22));
        // That of 3 bits by 5 is none for a multiplier.
        assert_eq!(chosen(100, 18), (vec![first, second, longer, wide], 38));
        // With factors of 16 bits the one of 19 by 18 takes four as well.
        assert_eq!(chosen(5, 16), (vec![wide], 4));
        assert_eq!(chosen(12, 16), (vec![longer, wide], 12));
    }
}
