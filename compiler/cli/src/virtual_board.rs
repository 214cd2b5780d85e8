//! The design of a build folder, in Verilator, as a board on a port.

use std::thread::JoinHandle;

use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_boards::{
    Device, FaultRates, Imperfect, PseudoTerminal, ServeConfig, Served, TransportError, serve,
};
use spikeloom_cosim::Model;
use spikeloom_hdl::DeviceConfig;
use spikeloom_ladder::{Access, Simulated};

use crate::build::Build;
use crate::chip::{ChipFile, draw};
use crate::simulator::{Simulator, images};

/// How the board behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualConfig {
    /// What its line damages, and how long it is served.
    pub serve: ServeConfig,
    /// What is wrong with its chip.
    pub chip: Option<ChipFile>,
    /// Where Verilator comes from.
    pub tools: ToolSource,
}

impl VirtualConfig {
    /// A perfect board, for one client.
    pub fn perfect(tools: ToolSource) -> Self {
        Self {
            serve: ServeConfig {
                once: true,
                faults: FaultRates::NONE,
                reset: 0.0,
                seed: 1,
            },
            chip: None,
            tools,
        }
    }
}

/// A board that is powered, and whose port is there.
pub struct VirtualBoard {
    port: PseudoTerminal,
    device: Box<dyn Device + Send>,
    /// What is wrong with its chip, in words.
    remark: Option<String>,
    serve: ServeConfig,
}

impl VirtualBoard {
    /// The design of a build folder on its pins.
    ///
    /// # Errors
    /// If it cannot be simulated, or the system has no pseudo-terminal left.
    pub fn new(build: &Build, cfg: &VirtualConfig) -> miette::Result<Self> {
        let simulator = Simulator::new(&Toolchain::find(cfg.tools)?)?;
        let cycles_per_bit = build.report.cycles_per_bit;
        let layout = build.layout()?;
        let power_up = |model: &Model| {
            let access = Access::Uart { cycles_per_bit };
            let mut device = Simulated::new(model, build.report.clock_hz, access, cfg.serve.seed)?;
            if let Some(flash) = layout.flash {
                device
                    .run_for(flash.load_time)
                    .map_err(spikeloom_boards::Error::from)?;
            }
            Ok::<_, spikeloom_ladder::Error>(device)
        };
        let (device, remark): (Box<dyn Device + Send>, _) = match &cfg.chip {
            None => (Box::new(power_up(&simulator.top(build)?)?), None),
            Some(file) => {
                let mut chip = draw(file, &build.quantized, &build.mapped)?;
                let cfg = DeviceConfig {
                    flash: build.flash_config(),
                    ..DeviceConfig::new(&chip.die.network, &build.mapped, build.design_id())?
                };
                let top = spikeloom_emit::emit_top(&cfg, cycles_per_bit)?;
                // Its flash is erased, so that the host loads the weights, through what is wrong.
                let device = power_up(&simulator.emitted_top(&top, images(&cfg), build)?)?;
                let remark = chip.die.to_string();
                let device = Imperfect::new(device, move |frame| chip.take(frame));
                (Box::new(device), Some(remark))
            }
        };
        Ok(Self {
            port: PseudoTerminal::new()?,
            device,
            remark,
            serve: cfg.serve,
        })
    }

    /// What is wrong with its chip, in words.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// What clients open.
    pub fn path(&self) -> &std::path::Path {
        self.port.path()
    }

    /// Serves clients; `left` is told when one has closed the port.
    ///
    /// # Errors
    /// If the simulator fails.
    pub fn serve(mut self, left: &mut dyn FnMut(&Served)) -> Result<(), TransportError> {
        serve(&mut self.port, self.device, &self.serve, left)
    }

    /// Serves a client in this program, in a thread of its own.
    pub fn in_thread(self) -> JoinHandle<Result<(), TransportError>> {
        std::thread::Builder::new()
            // Verilator needs more stack than a thread has by default.
            .stack_size(64 << 20)
            .spawn(move || self.serve(&mut |_| ()))
            .expect("the operating system starts a thread")
    }
}

/// Reads faults as they are written on the command line: `drop=1e-3,flip=1e-3,delay=1e-3`. Rates are
/// those of a byte.
///
/// # Errors
/// A text that says what is wrong.
pub fn parse_faults(text: &str) -> Result<(FaultRates, f64), String> {
    const KEYS: &str = "drop, flip, duplicate, delay, delay-ms, reset";
    let mut rates = FaultRates {
        longest_delay: std::time::Duration::from_millis(20),
        ..FaultRates::NONE
    };
    let mut reset = 0.0;
    for item in text.split(',') {
        let (key, value) = item
            .split_once('=')
            .ok_or_else(|| format!("`{item}` is no KEY=VALUE; keys are {KEYS}"))?;
        let number: f64 = value
            .parse()
            .map_err(|_| format!("`{value}` of `{key}` is no number"))?;
        if key == "delay-ms" {
            if !(0.0..=10_000.0).contains(&number) {
                return Err(format!("`delay-ms` is {value}; it is 0 to 10000"));
            }
            rates.longest_delay = std::time::Duration::from_secs_f64(number / 1e3);
            continue;
        }
        if !(0.0..=0.5).contains(&number) {
            return Err(format!("`{key}` is {value}; a rate is 0 to 0.5"));
        }
        match key {
            "drop" => rates.drop = number,
            "flip" => rates.flip = number,
            "duplicate" => rates.duplicate = number,
            "delay" => rates.delay = number,
            "reset" => reset = number,
            _ => return Err(format!("`{key}` is no fault; keys are {KEYS}")),
        }
    }
    if rates.drop + rates.flip + rates.duplicate + rates.delay > 0.5 {
        return Err("more than half of all bytes would be damaged".to_owned());
    }
    Ok((rates, reset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let (rates, reset) = parse_faults("drop=1e-3,delay=0.25,delay-ms=5,reset=1e-6").unwrap();
        assert_eq!((rates.drop, rates.flip, rates.delay), (1e-3, 0.0, 0.25));
        assert_eq!(rates.longest_delay.as_millis(), 5);
        assert_eq!(reset, 1e-6);
        for wrong in [
            "drop", "drop=x", "drop=0.6", "drop=-1", "burn=0.1", "flip=NaN", "",
        ] {
            assert!(parse_faults(wrong).is_err(), "{wrong}");
        }
    }
}
