//! Where a design keeps what: its spaces and control registers.
//!
//! Only what all designs have in common is here; sizes and the layout of the results come with a
//! design's manifest.

use std::fmt;
use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::transport::Transport;

/// The version of the protocol and of this map.
pub const PROTOCOL_VERSION: u8 = 1;

/// Addresses in [`Space::CONTROL`].
pub mod register {
    /// Eight bytes: which design this is, little endian.
    pub const DESIGN_ID: u32 = 0x00;
    /// One byte: the version of the protocol.
    pub const PROTOCOL_VERSION: u32 = 0x08;
    /// Two bytes: the number of ticks of a run, little endian.
    pub const TICKS: u32 = 0x10;
    /// One byte: anything but 0 starts a run.
    pub const RUN: u32 = 0x12;
    /// One byte: [`BUSY`] is set while the design runs, and [`FROM_FLASH`] in one that loads its weights
    /// from a flash.
    pub const STATUS: u32 = 0x13;

    /// One byte: [`LEARNS`] and [`LABELLED`], in a design that learns.
    pub const LEARN: u32 = 0x14;
    /// Two bytes: the sample's label, little endian.
    pub const LABEL: u32 = 0x16;

    /// Four bytes, in a design that loads its weights from a flash: the checksum of what it read there.
    pub const FLASH_CHECKSUM: u32 = 0x18;

    /// The bit of [`LEARN`] that says that samples are learnt from.
    pub const LEARNS: u8 = 1;
    /// The bit of [`LEARN`] that says that they have a label.
    pub const LABELLED: u8 = 2;
    /// The bit of [`LEARN`] that says that a sample is a further phase of the one before.
    pub const GOES_ON: u8 = 4;
    /// The bit of [`STATUS`] that says that the design runs.
    pub const BUSY: u8 = 1;
    /// The bit of [`STATUS`] that says that the host has written no weights since the loader was done.
    pub const FROM_FLASH: u8 = 2;
}

/// A part of a device with addresses of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u8);

/// Spaces of a kind that each core has one of.
const N_CORES: usize = 48;

impl Space {
    /// Control registers, see [`register`]; the only space that is served during a run.
    pub const CONTROL: Self = Self(0);
    /// Results of the last run.
    pub const RESULTS: Self = Self(1);
    /// The sample: one byte per channel.
    pub const INPUT: Self = Self(2);
    /// Scores of the last run.
    pub const SCORES: Self = Self(3);
    /// The first core's weights.
    const WEIGHTS: u8 = 16;
    /// The first core's states.
    const STATES: u8 = 64;

    /// The first core's tags.
    const TAGS: u8 = 112;
    /// The traces of the first core's sources, and of its neurons.
    const PRE_TRACES: u8 = 160;
    const POST_TRACES: u8 = 208;

    /// The tags of a core, a row behind the other, two bytes each.
    ///
    /// # Errors
    /// If there are not so many cores.
    pub fn tags(core: usize) -> Result<Self, Error> {
        Self::of_core(Self::TAGS, core)
    }

    /// The traces of a core's sources, two bytes each, eight bytes a source.
    ///
    /// # Errors
    /// If there are not so many cores.
    pub fn pre_traces(core: usize) -> Result<Self, Error> {
        Self::of_core(Self::PRE_TRACES, core)
    }

    /// The traces of a core's neurons, two bytes each, eight bytes a neuron.
    ///
    /// # Errors
    /// If there are not so many cores.
    pub fn post_traces(core: usize) -> Result<Self, Error> {
        Self::of_core(Self::POST_TRACES, core)
    }

    /// The weights of a core. Written: rows one after the other, each of whole bytes. Read, of a
    /// core that learns: two bytes a weight.
    ///
    /// # Errors
    /// If there are not so many cores.
    pub fn weights(core: usize) -> Result<Self, Error> {
        Self::of_core(Self::WEIGHTS, core)
    }

    /// The states of a core's neurons.
    ///
    /// # Errors
    /// If there are not so many cores.
    pub fn states(core: usize) -> Result<Self, Error> {
        Self::of_core(Self::STATES, core)
    }

    fn of_core(first: u8, core: usize) -> Result<Self, Error> {
        match u8::try_from(core) {
            Ok(offset) if core < N_CORES => Ok(Self(first + offset)),
            _ => Err(Error::Core {
                core,
                limit: N_CORES,
            }),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = self.0;
        let core = |first: u8| usize::from(space - first);
        match space {
            0 => f.write_str("the control registers (space 0)"),
            1 => f.write_str("the results (space 1)"),
            2 => f.write_str("the input (space 2)"),
            3 => f.write_str("the scores (space 3)"),
            16..64 => write!(
                f,
                "the weights of core {} (space {space})",
                core(Self::WEIGHTS)
            ),
            64..112 => write!(
                f,
                "the states of core {} (space {space})",
                core(Self::STATES)
            ),
            112..160 => write!(f, "the tags of core {} (space {space})", core(Self::TAGS)),
            160..208 => write!(
                f,
                "the sources' traces of core {} (space {space})",
                core(Self::PRE_TRACES)
            ),
            208.. => write!(
                f,
                "the neurons' traces of core {} (space {space})",
                core(Self::POST_TRACES)
            ),
            _ => write!(f, "space {space}"),
        }
    }
}

impl<T: Transport> Client<T> {
    /// Which design the device holds.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn design_id(&mut self) -> Result<u64, Error> {
        let bytes = self.read(Space::CONTROL, register::DESIGN_ID, 8)?;
        let mut id = [0; 8];
        id.copy_from_slice(&bytes);
        Ok(u64::from_le_bytes(id))
    }

    /// Refuses a device that holds another design than `expected`.
    ///
    /// # Errors
    /// If the device holds another design or does not answer.
    pub fn check_design(&mut self, expected: u64) -> Result<(), Error> {
        match self.design_id()? {
            found if found == expected => Ok(()),
            found => Err(Error::WrongDesign { expected, found }),
        }
    }

    /// The version of the protocol that the device speaks.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn protocol_version(&mut self) -> Result<u8, Error> {
        self.read_control_byte(register::PROTOCOL_VERSION)
    }

    /// Refuses a device that speaks another version than [`PROTOCOL_VERSION`].
    ///
    /// # Errors
    /// If the device speaks another version or does not answer.
    pub fn check_protocol_version(&mut self) -> Result<(), Error> {
        match self.protocol_version()? {
            PROTOCOL_VERSION => Ok(()),
            found => Err(Error::ProtocolVersion {
                expected: PROTOCOL_VERSION,
                found,
            }),
        }
    }

    /// The number of ticks of a run.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn ticks(&mut self) -> Result<u16, Error> {
        let bytes = self.read(Space::CONTROL, register::TICKS, 2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Sets the number of ticks of a run.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn set_ticks(&mut self, n_ticks: u16) -> Result<(), Error> {
        self.write(Space::CONTROL, register::TICKS, &n_ticks.to_le_bytes())
    }

    /// Says whether the next samples change the weights, with their label for the reward, and
    /// whether the next is a further phase of the one before.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn set_learning(&mut self, flags: u8, label: u16) -> Result<(), Error> {
        let [low, high] = label.to_le_bytes();
        self.write(Space::CONTROL, register::LEARN, &[flags, 0, low, high])
    }

    /// Starts a run that is learnt from, by another number than the last run's: a command that the
    /// line made two of starts one.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn start_once(&mut self) -> Result<(), Error> {
        let last = self.read_control_byte(register::RUN)?;
        let next = last.wrapping_add(1).max(1);
        self.write(Space::CONTROL, register::RUN, &[next])
    }

    /// Loads a sample, a byte per channel. It waits for a run to end.
    ///
    /// # Errors
    /// If the design has fewer channels or the device does not answer.
    pub fn write_input(&mut self, sample: &[u8]) -> Result<(), Error> {
        self.write(Space::INPUT, 0, sample)
    }

    /// Loads weights of a core from byte `offset` of its rows. It waits for a run to end.
    ///
    /// # Errors
    /// If the core has fewer weights or the device does not answer.
    pub fn write_weights(&mut self, core: usize, offset: u32, rows: &[u8]) -> Result<(), Error> {
        self.write(Space::weights(core)?, offset, rows)
    }

    /// Starts a run of the sample that is loaded.
    ///
    /// If the answer is lost the command is sent again and may start the same run again, which
    /// costs time and changes nothing.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn start(&mut self) -> Result<(), Error> {
        self.write(Space::CONTROL, register::RUN, &[1])
    }

    /// Whether the design runs.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn is_busy(&mut self) -> Result<bool, Error> {
        Ok(self.read_control_byte(register::STATUS)? & register::BUSY != 0)
    }

    /// The checksum of what a design has read from its flash, which loads its weights from there; `None`
    /// where the host has written weights since.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn loaded_from_flash(&mut self) -> Result<Option<u32>, Error> {
        let status = self.read_control_byte(register::STATUS)?;
        let bytes = self.read(Space::CONTROL, register::FLASH_CHECKSUM, 4)?;
        let found = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Ok((status & register::FROM_FLASH != 0).then_some(found))
    }

    /// Asks until the design does not run any more.
    ///
    /// # Errors
    /// If it still runs after `limit`, in the transport's time, or the device does not answer.
    pub fn wait_until_idle(&mut self, limit: Duration) -> Result<(), Error> {
        let start = self.transport().now();
        while self.is_busy()? {
            let waited = self.transport().now().saturating_sub(start);
            if waited > limit {
                return Err(Error::StillRunning { waited });
            }
        }
        Ok(())
    }

    /// Reads `n_bytes` bytes of the results from `offset`. It waits for a run to end.
    ///
    /// # Errors
    /// If there are fewer or the device does not answer.
    pub fn read_results(&mut self, offset: u32, n_bytes: usize) -> Result<Vec<u8>, Error> {
        self.read(Space::RESULTS, offset, n_bytes)
    }

    /// Reads `n_bytes` bytes of a core's states from `offset`. It waits for a run to end.
    ///
    /// # Errors
    /// If there are fewer or the device does not answer.
    pub fn read_states(
        &mut self,
        core: usize,
        offset: u32,
        n_bytes: usize,
    ) -> Result<Vec<u8>, Error> {
        self.read(Space::states(core)?, offset, n_bytes)
    }

    fn read_control_byte(&mut self, address: u32) -> Result<u8, Error> {
        Ok(self.read(Space::CONTROL, address, 1)?[0])
    }
}
