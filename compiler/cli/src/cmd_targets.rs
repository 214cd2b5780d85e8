//! `spikeloom targets`.

use spikeloom_bitstreams::{Target, target, targets};

use crate::show::grouped;

/// Lists the boards and devices that can be compiled for.
#[derive(Debug, clap::Args)]
pub struct Targets {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Shows one of them with its limits and pins.
    Show {
        /// Its name.
        name: String,
    },
}

impl Targets {
    pub fn run(&self) -> miette::Result<()> {
        if let Some(Action::Show { name }) = &self.action {
            show(&target(name)?);
            return Ok(());
        }
        let targets = targets();
        if self.json {
            let json =
                serde_json::to_string_pretty(&targets).expect("the list has string keys only");
            println!("{json}");
            return Ok(());
        }
        for t in targets {
            let names: Vec<&str> = std::iter::once(t.name.as_str())
                .chain(t.aliases.iter().map(String::as_str))
                .collect();
            let mark = if t.experimental { ", experimental" } else { "" };
            println!("{:<28} {}{mark}", names.join(", "), t.title);
        }
        Ok(())
    }
}

fn show(t: &Target) {
    let line = |what: &str, value: String| println!("{what:<24} {value}");
    line("name", t.name.clone());
    line("also called", t.aliases.join(", "));
    line("board", t.title.clone());
    line("device, package", format!("{}, {}", t.device, t.package));
    line("clock", format!("{} MHz", t.clock_hz as f64 / 1e6));
    if let Some(pll) = &t.pll {
        let (least, most) = pll.output_mhz;
        line("other clocks", format!("{least} to {most} MHz"));
    }
    line("verified to", t.verified_to().to_owned());
    line("serial line", format!("{} baud", t.baud));
    line("logic cells", t.limits.logic_cells.to_string());
    line(
        "block RAMs",
        format!(
            "{} of {} bits",
            t.limits.block_rams,
            grouped(
                t.limits
                    .block_ram_shapes
                    .first()
                    .map_or(0, |(words, bits)| words * bits)
            )
        ),
    );
    let (words, bits) = t.limits.single_port_ram_shape;
    if t.limits.single_port_rams > 0 {
        line(
            "single-port RAMs",
            format!("{} of {words} x {bits} bits", t.limits.single_port_rams),
        );
    }
    if t.limits.small_rams > 0 {
        line("RAMs of tables", t.limits.small_rams.to_string());
    }
    line("multipliers", t.limits.multipliers.to_string());
    for (port, pin) in t.port_pins() {
        line(&format!("pin of {port}"), pin.to_owned());
    }
    if let Some(flash) = &t.flash {
        line("flash", format!("{} bytes", grouped(flash.bytes)));
        for (port, pin) in flash.port_pins() {
            line(&format!("pin of {port}"), pin.to_owned());
        }
    }
}
