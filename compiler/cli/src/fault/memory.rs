//! Data outputs of memories, and which of them to break.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use spikeloom_bitstreams::{Gates, Net, Ram, Signal};

use super::Fault;

/// A data output to be stuck: of all memories that can be read, the bit that is 1 most often at power-up.
///
/// Such a memory holds weights or parameters, so that the bit is read whenever a neuron is. A small
/// network's are in logic cells. Then it is a bit of the memory with the widest words: those hold
/// sums and states, the others bytes and events.
pub fn stuck_bit(gates: &Gates) -> Option<Fault> {
    let read: BTreeSet<Net> = gates
        .tables
        .iter()
        .flat_map(|t| t.inputs)
        .chain(gates.flip_flops.iter().map(|f| f.data))
        .filter_map(|s| match s {
            Signal::Net(net) => Some(net),
            Signal::Low | Signal::High => None,
        })
        .collect();
    let mut widths: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    let outputs: Vec<_> = outputs(gates)
        .filter(|output| read.contains(&output.net))
        .collect();
    for output in &outputs {
        *widths.entry((output.memory, output.port)).or_default() += 1;
    }
    let best = outputs.into_iter().max_by_key(|output| {
        let port = (output.memory, output.port);
        (
            output.ones,
            widths.get(&port).copied(),
            Reverse((output.memory, output.port, output.bit)),
        )
    })?;
    Some(Fault::StuckBit {
        memory: best.memory.to_owned(),
        port: best.port,
        bit: best.bit,
    })
}

/// A data output of a block RAM, or of a RAM made of tables.
pub(super) struct Output<'g> {
    pub(super) memory: &'g str,
    pub(super) port: usize,
    pub(super) bit: usize,
    pub(super) net: Net,
    /// How many of the bits that it may give are 1 at power-up.
    ones: u32,
}

/// Every data output of a netlist's memories.
pub(super) fn outputs(gates: &Gates) -> impl Iterator<Item = Output<'_>> {
    let ice40 = gates.block_rams.iter().flat_map(|memory| {
        let bits = memory.read_data.iter().enumerate();
        bits.map(|(bit, net)| {
            // In mode n a bit of the port is one of 2^n bits of the stored word.
            let group = (1_u16 << (1 << memory.read_mode)).wrapping_sub(1);
            let group = group << (bit >> memory.read_mode << memory.read_mode);
            let ones = memory.contents.iter().map(|w| (w & group).count_ones());
            Output {
                memory: &memory.name,
                port: 0,
                bit,
                net: *net,
                ones: ones.sum(),
            }
        })
    });
    let others = gates.rams.iter().flat_map(|memory| {
        let ports = memory.ports.iter().enumerate();
        ports.flat_map(move |(port, side)| {
            let bits = side.data_out.iter().enumerate();
            bits.filter_map(move |(bit, net)| {
                Some(Output {
                    memory: &memory.name,
                    port,
                    bit,
                    net: (*net)?,
                    ones: ones(memory, usize::from(side.width), bit),
                })
            })
        })
    });
    let small = gates.lut_rams.iter().flat_map(|memory| {
        let bits = memory.data_out.iter().enumerate();
        bits.filter_map(|(bit, net)| {
            let ones = memory
                .contents
                .iter()
                .map(|word| u32::from(word >> bit & 1));
            Some(Output {
                memory: &memory.name,
                port: 0,
                bit,
                net: (*net)?,
                ones: ones.sum(),
            })
        })
    });
    ice40.chain(others).chain(small)
}

/// Bits that are 1 at power-up among those that `bit` of words of `width` bits may be.
fn ones(memory: &Ram, width: usize, bit: usize) -> u32 {
    let unit_bits = usize::from(memory.unit_bits);
    let (first, step, mask) = match width / unit_bits {
        // Several words in a unit, of which eight bits are used.
        0 => {
            let own = (bit..8).step_by(width.max(1));
            (0, 1, own.fold(0, |mask, at| mask | 1_u16 << at))
        }
        units => (bit / unit_bits, units, 1 << (bit % unit_bits)),
    };
    let units = memory.contents.iter().skip(first).step_by(step);
    units.map(|unit| (unit & mask).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_a_word_are_found_in_units() {
        let memory = Ram {
            name: "memory".to_owned(),
            unit_bits: 9,
            // Units 0 and 2 are the first and third quarter of a word of 36 bits.
            contents: vec![0b1_0000_0011, 0, 0b1_0000_0000, 0],
            ports: Vec::new(),
        };
        let counts = |width, bits: &[usize]| -> Vec<u32> {
            bits.iter().map(|bit| ones(&memory, width, *bit)).collect()
        };
        assert_eq!(counts(36, &[0, 8, 9, 18, 26, 35]), [1, 1, 0, 0, 1, 0]);
        assert_eq!(counts(18, &[0, 8, 9, 17]), [1, 2, 0, 0]);
        assert_eq!(counts(9, &[0, 1, 2, 8]), [1, 1, 0, 2]);
        // The ninth bits are in no word.
        assert_eq!(counts(2, &[0, 1]), [1, 1]);
        assert_eq!(counts(1, &[0]), [2]);
    }
}
