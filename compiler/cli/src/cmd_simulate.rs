//! `spikeloom simulate`.

use std::path::PathBuf;

use spikeloom::quantised::quantise_on;
use spikeloom::score::SeriesScore;
use spikeloom::simulate::{
    Subject, Summary, simulate_golden, simulate_verilator, trace, write_wave,
};
use spikeloom::{Build, Error};
use spikeloom_frontend::ProjectFile;
use spikeloom_passes::normalise;

use crate::args::{DataArgs, Engine, ToolArgs, tell};
use crate::model_args::{Loaded, ModelOptions, QuantizeArgs};
use crate::show::{bar, grouped, percent};

/// Runs samples: accuracy, spikes, cycles, latency.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// The build folder that `spikeloom compile` made; or a model, as `compile` takes it, for the
    /// golden model alone.
    #[arg(value_name = "BUILD|MODEL", default_value = "build")]
    build: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// What executes the network.
    #[arg(long, value_name = "ENGINE", default_value = "golden")]
    engine: Engine,
    /// End each sample as soon as the best score is so far above all others: spikes, ticks, or the
    /// integer membrane, as the decoder has it.
    #[arg(long, value_name = "MARGIN", value_parser = clap::value_parser!(i64).range(1..), conflicts_with_all = ["wave", "trace"])]
    until: Option<i64>,
    /// Write a wave file (`.fst` or `.vcd`) of one sample in Verilator, and stop.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "json"])]
    wave: Option<PathBuf>,
    /// Print every state and spike of one sample, and stop.
    #[arg(long, conflicts_with = "json")]
    trace: bool,
    /// The sample of `--wave` and `--trace`.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    sample: usize,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten, next_help_heading = "Of a model")]
    model: ModelOptions,
    #[command(flatten, next_help_heading = "Of a model")]
    quantize: QuantizeArgs,
}

impl Simulate {
    pub fn run(&self) -> miette::Result<()> {
        if self.build.is_file() {
            return self.run_model();
        }
        if self.model.project(self.quantize.project()) != ProjectFile::default() {
            let path = self.build.clone();
            return Err(Error::SettingsOfBuildFolder { path }.into());
        }
        let build = Build::read(&self.build)?;
        let data = self.data.read(&build.network)?.ok_or(Error::NoData)?;
        if let Some(path) = &self.wave {
            write_wave(&build, &data.samples, self.sample, self.tools.from, path)?;
            eprintln!("wrote {}", path.display());
            return Ok(());
        }
        if self.trace {
            print!("{}", trace(&build.quantized, &data.samples, self.sample)?);
            return Ok(());
        }
        let summary = match self.engine {
            Engine::Golden => simulate_golden((&build).into(), &data, self.until)?,
            Engine::Verilator => {
                let bar = bar("verilator");
                let progress = |done, total| {
                    bar.set_length(total);
                    bar.set_position(done);
                };
                let summary =
                    simulate_verilator(&build, &data, self.until, self.tools.from, &progress);
                bar.finish_and_clear();
                let summary = summary?;
                if summary.hardware.is_none() {
                    eprintln!(
                        "remark: a sample took more cycles than a counter holds; none are told"
                    );
                }
                summary
            }
        };
        self.tell(&summary, &build.report.target);
        Ok(())
    }

    /// A model in the golden model, without a build folder.
    fn run_model(&self) -> miette::Result<()> {
        let what = match (&self.wave, self.engine) {
            (Some(_), _) => Some("a wave file"),
            (None, Engine::Verilator) => Some("Verilator"),
            (None, Engine::Golden) => None,
        };
        if let Some(what) = what {
            let path = self.build.clone();
            return Err(Error::NeedsBuildFolder { path, what }.into());
        }
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(&self.build, self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        tell(&remarks);
        let network = normalise(&network);
        let data = self.data.read(&network)?.ok_or(Error::NoData)?;
        let quantised = quantise_on(&network, &project, calibration.as_ref())?;
        if self.trace {
            print!("{}", trace(&quantised.network, &data.samples, self.sample)?);
            return Ok(());
        }
        let subject = Subject {
            network: &network,
            quantized: &quantised.network,
            report: &quantised.report,
            mapped: None,
        };
        self.tell(&simulate_golden(subject, &data, self.until)?, "");
        Ok(())
    }

    fn tell(&self, summary: &Summary, target: &str) {
        if self.json {
            let json =
                serde_json::to_string_pretty(summary).expect("a summary has string keys only");
            println!("{json}");
        } else {
            print(target, summary);
        }
    }
}

fn print_series(series: &SeriesScore) {
    let line = |what: &str, value: String| println!("{what:<34} {value:>14}");
    if let Some(accuracy) = series.float_accuracy {
        line("accuracy of the float reference", percent(accuracy));
        line("classes equal to its", percent(series.classes_of_float));
    }
    let nrmse = |what: &str, value: Option<f64>| {
        if let Some(value) = value {
            line(what, format!("{value:.5}"));
        }
    };
    nrmse("NRMSE", series.nrmse);
    nrmse("NRMSE of the float reference", series.float_nrmse);
    nrmse("NRMSE against the float reference", series.nrmse_from_float);
}

fn print(target: &str, summary: &Summary) {
    let line = |what: &str, value: String| println!("{what:<34} {value:>14}");
    line("engine", summary.engine.to_owned());
    line("samples", grouped(summary.samples));
    if let Some(accuracy) = summary.accuracy {
        line("accuracy", percent(accuracy));
    }
    if let Some(early) = &summary.early_exit {
        if let Some(accuracy) = early.full_accuracy {
            line("accuracy with all ticks", percent(accuracy));
        }
        line(
            &format!("ticks a sample, mean (of {})", early.all_ticks),
            format!("{:.2}", early.ticks),
        );
    }
    if let Some(series) = &summary.series {
        print_series(series);
    }
    line(
        "input events a sample",
        format!("{:.1}", summary.input_events),
    );
    for p in &summary.spikes {
        line(
            &format!("spikes a sample, population {}", p.population),
            format!("{:.1}", p.spikes),
        );
    }
    line(
        "synaptic operations a sample",
        format!("{:.0}", summary.synaptic_operations),
    );
    line(
        "- with a weight that is not 0",
        format!("{:.0}", summary.operations_not_0),
    );
    if let Some(stored) = summary.operations_stored {
        line("- of synapses in the circuit", format!("{stored:.0}"));
    }
    let Some(hardware) = &summary.hardware else {
        return;
    };
    line("cycles a sample, mean", format!("{:.0}", hardware.cycles));
    line("cycles a sample, most", grouped(hardware.most_cycles));
    line(
        &format!(
            "latency at {} MHz ({})",
            hardware.clock_hz as f64 / 1e6,
            target
        ),
        format!("{:.0} us", hardware.latency_us),
    );
    for core in &hardware.cores {
        line(
            &format!("core {}: events", core.population),
            format!("{:.1}", core.events),
        );
        line(
            &format!("core {}: active cycles", core.population),
            format!("{:.1}", core.active_cycles),
        );
        line(
            &format!("core {}: stalled cycles", core.population),
            format!("{:.1}", core.stalled_cycles),
        );
        line(
            &format!("core {}: operations/lane/cycle", core.population),
            format!("{:.3}", core.operations_per_lane_cycle),
        );
    }
}
