//! `spikeloom quickstart`.

use std::path::PathBuf;

use spikeloom::simulate::{accuracy, hardware};
use spikeloom::{Build, Counts, Ladder, Request, StopAt, compile, example};
use spikeloom_bitstreams::Toolchain;

use crate::args::ToolArgs;
use crate::cmd_verify::{climb, verdict};
use crate::show::{grouped, percent};

/// Installs the tools, compiles an embedded MNIST network to a bitstream, and verifies it.
#[derive(Debug, clap::Args)]
pub struct Quickstart {
    /// The build folder.
    #[arg(short, long, value_name = "FOLDER", default_value = "quickstart")]
    output: PathBuf,
    /// Verify with so many of the 10,000 test images.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    #[command(flatten)]
    tools: ToolArgs,
}

impl Quickstart {
    pub fn run(&self) -> miette::Result<()> {
        if Toolchain::find(self.tools.from).is_err() {
            eprintln!("installing the tools into the user's cache");
            Toolchain::install(self.tools.from, &mut |text| eprintln!("  {text}"))?;
        }
        compile(&Request {
            model: example::model(),
            project: example::project("up5k"),
            calibration: Some(example::training_subset()?),
            output: self.output.clone(),
            stop_at: StopAt::Bitstream,
            dump: None,
            tools: self.tools.from,
            quiet: false,
            experimental: false,
        })?;
        eprintln!("wrote {}", self.output.display());

        let build = Build::read(&self.output)?;
        let mut data = example::test_set()?;
        data.truncate(self.samples as usize);
        let reference = example::reference(&build.network)?;
        println!();
        let mut ladder = Ladder::new(&build, &data.samples, Some(&reference), Counts::default())?;
        let to = ladder.last_rung();
        let lines = climb(&mut ladder, to, self.tools.from, false)?;
        verdict(&lines)?;

        println!();
        let row = |what: &str, value: String| println!("{what:<38} {value:>22}");
        let labels = data.labels.as_deref();
        let of = |classes: Vec<usize>| accuracy(&classes, labels).map_or("-".into(), percent);
        let outcomes = ladder.expected()?.outcomes.clone();
        let golden = outcomes.iter().map(|o| o.class).collect();
        row(
            "accuracy in snnTorch, 10,000 images",
            percent(example::FRAMEWORK_ACCURACY),
        );
        row(
            &format!(
                "accuracy after quantising, {} images",
                grouped(self.samples.into())
            ),
            of(golden),
        );
        if let Some(run) = ladder.device_run() {
            row(
                "accuracy in the circuit",
                of(run.outcomes.iter().map(|o| o.class).collect()),
            );
            row(
                "results equal to the golden model's",
                format!(
                    "{} of {}",
                    grouped(run.outcomes.len() as u64),
                    grouped(self.samples.into())
                ),
            );
            if let Some(hardware) = hardware(&build, run, &outcomes) {
                row(
                    &format!("latency at {} MHz", hardware.clock_hz as f64 / 1e6),
                    format!("{:.2} ms", hardware.latency_us / 1e3),
                );
            }
        }
        if let Some(placed) = &build.report.place_and_route {
            for u in &placed.utilisation {
                if u.used > 0 && u.available > 0 {
                    row(
                        u.title(),
                        format!("{} of {}", grouped(u.used), grouped(u.available)),
                    );
                }
            }
            if let Some(mhz) = placed.achieved_mhz {
                row("highest clock", format!("{mhz:.1} MHz"));
            }
        }
        println!(
            "\nthe bitstream is {}",
            self.output
                .join(spikeloom_bitstreams::Family::Ice40.bitstream_file())
                .display()
        );
        Ok(())
    }
}
