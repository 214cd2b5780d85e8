//! A device of real size, as the compiler makes it: 784 channels, 128 and 10 neurons, 8 lanes.

use std::path::Path;

use spikeloom_boards::Layout;
use spikeloom_boards::frame::{CommandFrame, command};
use spikeloom_boards::map::{Space, register};
use spikeloom_cosim::Source;
use spikeloom_emit::{VERILATOR_WAIVERS, emit_device, emit_top};
use spikeloom_frontend::{Encoding, Options, ResetChoice};
use spikeloom_hdl::DeviceConfig;
use spikeloom_ir::Hertz;
use spikeloom_ir::mapped::Limits;
use spikeloom_ir::network::Semantics;
use spikeloom_passes::{MapConfig, QuantizeConfig, map, normalise, quantize};

/// Clock cycles of a bit of the top's serial line: 115 200 baud at 12 MHz.
pub const CYCLES_PER_BIT: u32 = 104;

/// The design of `tests/models/snntorch-leaky-mnist-direct` for an iCE40 UP5K.
pub struct RealDevice {
    pub layout: Layout,
    cfg: DeviceConfig,
}

impl RealDevice {
    pub fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/models/snntorch-leaky-mnist-direct/model.nir");
        let options = Options {
            name: "mnist".to_owned(),
            semantics: Some(Semantics::SnnTorch),
            reset: Some(ResetChoice::Subtract),
            reset_delay: Some(true),
            encoding: Some(Encoding::Direct),
            ticks: Some(25),
            ..Options::default()
        };
        let (network, _) =
            spikeloom_frontend::load(&std::fs::read(path).unwrap(), &options).unwrap();
        let network = normalise(&network);
        let (network, _) = quantize(&network, &QuantizeConfig::default()).unwrap();
        let limits = Limits {
            target: "up5k".to_owned(),
            clock_hz: Hertz(12_000_000),
            logic_cells: 5280,
            block_rams: 30,
            block_ram_shapes: vec![(256, 16), (512, 8), (1024, 4), (2048, 2)],
            single_port_rams: 4,
            single_port_shape: (16384, 16),
            block_rules: spikeloom_ir::mapped::BlockRules::Bits,
            small_rams: 0,
            multipliers: 0,
            multiplier_bits: 0,
            cells_per_100: 100,
            adders_per_stage: 5,
        };
        let mapped = map(
            &network,
            &limits,
            &MapConfig {
                lanes: Some(8),
                ..MapConfig::default()
            },
        )
        .unwrap();
        let cfg = DeviceConfig::new(&network, &mapped, 1).unwrap();
        let layout = Layout::new(&network, &mapped, 1).unwrap();
        Self { layout, cfg }
    }

    /// The device behind a byte stream, with trace ports.
    pub fn device(&self) -> Source {
        self.source(emit_device(&self.cfg).unwrap())
    }

    /// The device on its pins.
    pub fn top(&self) -> Source {
        self.source(emit_top(&self.cfg, CYCLES_PER_BIT).unwrap())
    }

    /// What a host sends to run a sample of as many ticks as there can be, about 40 million cycles.
    pub fn start_of_a_long_run(&self) -> Vec<u8> {
        let mut sequence = 0;
        let mut bytes = Vec::new();
        let mut write = |space, address, payload: &[u8]| {
            sequence += 1;
            let frame =
                CommandFrame::new(sequence, command::WRITE, space, address, payload.to_vec());
            bytes.extend(frame.unwrap().encode());
        };
        for layout in &self.layout.cores {
            let weights = layout.weights.as_deref().unwrap_or_default();
            for (at, part) in (0..).step_by(128).zip(weights.chunks(128)) {
                write(Space::weights(layout.core).unwrap(), at, part);
            }
        }
        // A bright square on black, a fifth of the channels, as in a digit.
        let sample: Vec<u8> = (0..self.layout.sample_bytes)
            .map(|at| match (at / 28, at % 28) {
                (8..20, 8..20) => 200,
                _ => 0,
            })
            .collect();
        for (at, part) in (0..).step_by(128).zip(sample.chunks(128)) {
            write(Space::INPUT, at, part);
        }
        write(Space::CONTROL, register::TICKS, &u16::MAX.to_le_bytes());
        write(Space::CONTROL, register::RUN, &[1]);
        bytes
    }

    fn source(&self, emitted: spikeloom_emit::Emitted) -> Source {
        let mut source = Source::new(&emitted.top);
        source.verilog = vec![
            ("waivers.vlt".to_owned(), VERILATOR_WAIVERS.to_owned()),
            (format!("{}.v", emitted.top), emitted.verilog),
        ];
        source.images = self
            .cfg
            .images()
            .iter()
            .map(|image| (image.name().to_owned(), image.to_hex().into_bytes()))
            .collect();
        source
    }
}
