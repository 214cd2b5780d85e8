//! Groups of options that several commands share.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use spikeloom::Error;
use spikeloom::chip::ChipFile;
use spikeloom::convert::{Target, check, save};
use spikeloom::data::aer::Sensor;
use spikeloom::data::{self, DataSet};
use spikeloom::virtual_board::{VirtualConfig, parse_faults};
use spikeloom_bitstreams::ToolSource;
use spikeloom_boards::{FaultRates, ServeConfig};
use spikeloom_frontend::{Choice, Remark};
use spikeloom_ir::Network;

/// What executes the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The bit-exact reference.
    Golden,
    /// The Verilog, cycle by cycle.
    Verilator,
}

/// A parser of one of the names of a choice, with their meanings in `--help`.
pub fn choice<C: Choice + Send + Sync>() -> impl TypedValueParser<Value = C> {
    let values = C::ALL
        .iter()
        .map(|(_, name, meaning)| PossibleValue::new(*name).help(*meaning));
    PossibleValuesParser::new(values)
        .try_map(|name| C::from_name(&name).ok_or("not a name of this choice"))
}

/// Where external tools come from.
#[derive(Debug, clap::Args)]
pub struct ToolArgs {
    /// Where the external tools come from: `pypi` (the same versions everywhere) or `apt`.
    #[arg(long = "from", value_name = "SOURCE", default_value = "pypi", value_parser = source())]
    pub from: ToolSource,
}

fn source() -> impl TypedValueParser<Value = ToolSource> {
    PossibleValuesParser::new(["pypi", "apt"]).try_map(|name| name.parse::<ToolSource>())
}

/// What is wrong with a virtual board.
#[derive(Debug, clap::Args)]
pub struct FaultArgs {
    /// What the line does to a byte, and how often: `drop`, `flip`, `duplicate`, `delay` (by up to
    /// `delay-ms`, 20), and `reset`, which takes the device's power, such as
    /// `drop=1e-3,flip=1e-3,reset=1e-6`.
    #[arg(long, value_name = "KEY=RATE,…", value_parser = parse_faults)]
    faults: Option<(FaultRates, f64)>,
    /// What is wrong with the chip, as a file in YAML (docs/boards.md): stuck weights, offsets of
    /// weights and thresholds, lost events, noise.
    #[arg(long, value_name = "FILE")]
    chip: Option<PathBuf>,
    /// Seed of the faults, and of what is in memories at power-up.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl FaultArgs {
    /// The board, for one client or for all that come.
    ///
    /// # Errors
    /// If the file of the chip cannot be read.
    pub fn board(&self, once: bool, tools: ToolSource) -> Result<VirtualConfig, Error> {
        let (faults, reset) = self.faults.unwrap_or((FaultRates::NONE, 0.0));
        Ok(VirtualConfig {
            serve: ServeConfig {
                once,
                faults,
                reset,
                seed: self.seed,
            },
            chip: self.chip.as_deref().map(ChipFile::read).transpose()?,
            tools,
        })
    }

    /// Whether anything is said.
    pub fn are_given(&self) -> bool {
        self.faults.is_some() || self.chip.is_some()
    }
}

/// Where a network goes.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// The file to write: `.nir`, or `.yaml` for a network in the native format.
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
    /// Where the arrays of a network go: `.npz` or `.safetensors`; by default beside the `.yaml`
    /// file, with its name and the extension `.npz`.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
}

impl OutputArgs {
    /// The files, which can be written.
    pub fn target(&self) -> miette::Result<Target> {
        let target = Target::new(&self.output, self.weights.as_deref())?;
        check(&target, self.force)?;
        Ok(target)
    }

    /// Writes a network, shows what there is to show, and tells the rest.
    pub fn deliver(
        &self,
        network: &Network,
        target: &Target,
        mut remarks: Vec<Remark>,
        show: impl FnOnce(),
    ) -> miette::Result<()> {
        let (files, more) = save(network, target, self.force)?;
        remarks.extend(more);
        tell(&remarks);
        show();
        name(&files);
        Ok(())
    }
}

/// Tells remarks.
pub fn tell(remarks: &[Remark]) {
    for remark in remarks {
        eprintln!("remark: {remark}");
    }
}

/// Names files that were written.
pub fn name(files: &[PathBuf]) {
    for path in files {
        eprintln!("wrote {}", path.display());
    }
}

/// Samples to be run.
#[derive(Debug, Clone, clap::Args)]
pub struct DataArgs {
    /// Samples: an IDX file (may be gzipped), an .npz with `input` and `labels` (for time series also
    /// `length`, `target` and `warmup`), a folder with an IDX pair; or recordings of events as text
    /// (`t x y p` lines in .txt, .csv or .aer), HDF5 (.h5), AEDAT (.aedat, .aedat4) or N-MNIST (.bin),
    /// also a folder of such files, or of folders called like their class.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Labels of the samples, as an IDX file, where they are not in the same file.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels: Option<PathBuf>,
    /// Use only so many samples, from the first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Of events: length of a tick in microseconds [default: a recording fills all ticks].
    #[arg(long, value_name = "N", requires = "data", value_parser = clap::value_parser!(u64).range(1..))]
    pub tick_us: Option<u64>,
    /// Of events: the sensor's size [default: from the network's input].
    #[arg(long, value_name = "WIDTHxHEIGHT", requires = "data", value_parser = size)]
    pub sensor: Option<(u32, u32)>,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let size = text.split_once('x').and_then(|(width, height)| {
        let size = (width.parse().ok()?, height.parse().ok()?);
        (size.0 > 0 && size.1 > 0).then_some(size)
    });
    size.ok_or_else(|| "write the width, `x` and the height, such as `34x34`".to_owned())
}

impl DataArgs {
    /// The samples, checked against a network; its teacher is silent.
    pub fn read(&self, network: &Network) -> miette::Result<Option<DataSet>> {
        let mut data = self.read_own(network)?;
        if let Some(data) = &mut data {
            data.samples.silence_teacher(&network.input);
        }
        Ok(data)
    }

    /// The samples, checked against a network, with what its teacher says of them.
    pub fn read_taught(&self, network: &Network) -> miette::Result<Option<DataSet>> {
        let mut data = self.read_own(network)?;
        if let Some(data) = &mut data {
            data.teach(&network.input, network.ticks)?;
        }
        Ok(data)
    }

    fn read_own(&self, network: &Network) -> miette::Result<Option<DataSet>> {
        let Some(path) = &self.data else {
            return Ok(None);
        };
        let sensor = Sensor {
            size: self.sensor,
            tick_us: self.tick_us,
        };
        let (input, ticks) = (network.input.of_samples(), network.ticks);
        let mut data = data::read_for(network, path, self.labels.as_deref(), &sensor)?;
        if let Some(n) = self.samples {
            data.truncate(n as usize);
        }
        data.samples.check(&input, ticks, path)?;
        Ok(Some(data))
    }
}
