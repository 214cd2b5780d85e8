//! `spikeloom compile`.

use std::path::PathBuf;

use spikeloom::{Level, Request, StopAt, compile};
use spikeloom_frontend::{Compression, ProjectFile, Sharing, WeightSource};

use crate::args::{ToolArgs, choice};
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs, text};

/// Compiles a model into a build folder: integer network, Verilog, bitstream, report.
#[derive(Debug, clap::Args)]
pub struct Compile {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    quantize: QuantizeArgs,
    /// Device or board, see `spikeloom targets` [default: up5k].
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Take a board that is experimental.
    #[arg(long)]
    experimental: bool,
    /// The design's clock, which the device then makes of the board's [default: the board's].
    #[arg(long, value_name = "MHZ", value_parser = mhz)]
    clock_mhz: Option<f64>,
    /// Synapses computed in one clock cycle; the mapper chooses by default.
    #[arg(long, value_name = "N")]
    lanes: Option<u32>,
    /// Which projections become compressed rows, where weights of 0 take no memory and no cycles
    /// [default: auto].
    #[arg(long, value_name = "NAME", value_parser = choice::<Compression>())]
    compress: Option<Compression>,
    /// Which populations share a core, which then computes them in turns within each tick
    /// [default: auto].
    #[arg(long, value_name = "NAME", value_parser = choice::<Sharing>())]
    fold: Option<Sharing>,
    /// Leave out the learning engine: the weights stay what they are.
    #[arg(long)]
    frozen: bool,
    /// From where the circuit gets weights that do not come with the bitstream, those in single-port RAM
    /// [default: link].
    #[arg(long, value_name = "NAME", value_parser = choice::<WeightSource>())]
    weights_from: Option<WeightSource>,
    /// The build folder [default: build].
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// The last step.
    #[arg(long, value_name = "STEP", default_value = "bitstream")]
    stop_at: StopAt,
    /// Print a level of the compilation to standard output.
    #[arg(long, value_name = "LEVEL")]
    dump_ir: Option<Level>,
    /// Print the report as JSON to standard output, and no steps.
    #[arg(long, conflicts_with = "dump_ir")]
    json: bool,
    #[command(flatten)]
    tools: ToolArgs,
}

fn mhz(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(mhz) if mhz.is_finite() && mhz > 0.0 => Ok(mhz),
        _ => Err("write a number of MHz, such as `24`".to_owned()),
    }
}

impl Compile {
    pub fn run(&self) -> miette::Result<()> {
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(ProjectFile {
            target: self.target.clone(),
            clock_mhz: self.clock_mhz,
            lanes: self.lanes,
            compress: self.compress,
            fold: self.fold,
            frozen: self.frozen.then_some(true),
            weights_from: self.weights_from,
            output: self.output.as_deref().map(text),
            ..self.quantize.project()
        })?;
        let output = project.output.as_deref().unwrap_or("build");
        let request = Request {
            model,
            output: PathBuf::from(output),
            project,
            calibration,
            stop_at: self.stop_at,
            dump: self.dump_ir,
            tools: self.tools.from,
            quiet: self.json,
            experimental: self.experimental,
        };
        let report = compile(&request)?;
        if self.json {
            let json =
                serde_json::to_string_pretty(&report).expect("a report has string keys only");
            println!("{json}");
        } else {
            eprintln!("wrote {}", request.output.display());
        }
        Ok(())
    }
}
