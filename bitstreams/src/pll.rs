//! A clock that the board does not have, made of the one that it has.
//!
//! A **PLL** multiplies and divides the board's clock. Until it has locked, its output may be faster
//! than anything the design can follow, and the design has no reset that would undo what happened
//! meanwhile. So the output reaches the design through a **gate** that opens when the PLL has
//! said for [`SETTLING`] periods without a break that it has locked, closes when it says that it has not,
//! and moves only while the output is low: the design sees whole periods or none.
//!
//! [`Gates::without_generator`](crate::Gates::without_generator) takes both off a netlist again, and
//! checks them on the way.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::targets::Target;

/// Name of the module around the design where a clock is made.
const CLOCKED: &str = "clocked";

/// Periods of the made clock between the PLL's lock and the design's first edge, two more for the
/// lock's way to it.
pub(crate) const SETTLING: u32 = 64;

/// The clock generators of a device, and what they can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pll {
    /// Which cell.
    pub cell: PllCell,
    /// The board's clock behind the first divider, in MHz: least and greatest.
    pub phase_mhz: (u64, u64),
    /// The oscillator, in MHz.
    pub oscillator_mhz: (u64, u64),
    /// The output, in MHz.
    pub output_mhz: (u64, u64),
}

/// Cells that make clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PllCell {
    /// iCE40, with its input at the pad of the board's clock (`SB_PLL40_PAD`).
    Ice40Pad,
    /// iCE40, with its input from the fabric (`SB_PLL40_CORE`).
    Ice40Core,
    /// ECP5 (`EHXPLLL`).
    Ecp5,
    /// Gowin (`rPLL`).
    Gowin,
}

/// How a PLL is set.
///
/// On an iCE40 the oscillator is the input times `multiply / divide`, and the output that divided by
/// `post`. On the others the output is the input times `multiply / divide`, and the oscillator `post`
/// times that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PllSetting {
    /// Divides the board's clock.
    pub divide: u64,
    /// Multiplies it.
    pub multiply: u64,
    /// Between oscillator and output.
    pub post: u64,
}

/// A clock that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated {
    /// The board's own clock, in Hz.
    pub board_hz: u64,
    /// The cell.
    pub cell: PllCell,
    /// How it is set.
    pub setting: PllSetting,
}

impl PllSetting {
    /// The output for an input of so many Hz, as a fraction.
    const fn output(self, cell: PllCell, board_hz: u64) -> (u64, u64) {
        match cell {
            PllCell::Ice40Pad | PllCell::Ice40Core => {
                (board_hz * self.multiply, self.divide * self.post)
            }
            PllCell::Ecp5 | PllCell::Gowin => (board_hz * self.multiply, self.divide),
        }
    }

    /// The output in Hz, rounded.
    pub const fn output_hz(self, cell: PllCell, board_hz: u64) -> u64 {
        let (product, divisor) = self.output(cell, board_hz);
        (product + divisor / 2) / divisor
    }
}

impl PllCell {
    /// Every setting of the dividers, whatever becomes of the oscillator.
    fn settings(self) -> impl Iterator<Item = PllSetting> {
        // Lattice TN1251, FPGA-TN-02200; Gowin UG286.
        let (divides, multiplies, posts): (u64, u64, Vec<u64>) = match self {
            Self::Ice40Pad | Self::Ice40Core => {
                (16, 128, (1..=6).map(|shift| 1 << shift).collect())
            }
            Self::Ecp5 => (128, 80, (1..=128).collect()),
            Self::Gowin => (64, 64, vec![2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128]),
        };
        (1..=divides).flat_map(move |divide| {
            let posts = posts.clone();
            (1..=multiplies).flat_map(move |multiply| {
                posts.clone().into_iter().map(move |post| PllSetting {
                    divide,
                    multiply,
                    post,
                })
            })
        })
    }
}

impl Pll {
    /// Whether the device allows a setting.
    fn allows(&self, setting: PllSetting, board_hz: u64) -> bool {
        let PllSetting {
            divide,
            multiply,
            post,
        } = setting;
        // In Hz, multiplied out: nothing is rounded.
        let within = |(product, divisor): (u64, u64), (least, most): (u64, u64)| {
            product >= least * 1_000_000 * divisor && product <= most * 1_000_000 * divisor
        };
        let output = setting.output(self.cell, board_hz);
        let oscillator = match self.cell {
            PllCell::Ice40Pad | PllCell::Ice40Core => (board_hz * multiply, divide),
            PllCell::Ecp5 | PllCell::Gowin => (board_hz * multiply * post, divide),
        };
        within((board_hz, divide), self.phase_mhz)
            && within(oscillator, self.oscillator_mhz)
            && within(output, self.output_mhz)
    }

    /// The setting whose output is nearest to `wanted_hz` and not above it: of equal ones that with the
    /// fastest comparison of phases, and then with the fastest oscillator.
    fn nearest(&self, board_hz: u64, wanted_hz: u64) -> Option<PllSetting> {
        let cell = self.cell;
        let is_not_above = |setting: &PllSetting| {
            let (product, divisor) = setting.output(cell, board_hz);
            u128::from(product) <= u128::from(wanted_hz) * u128::from(divisor)
        };
        self.cell
            .settings()
            .filter(|setting| is_not_above(setting) && self.allows(*setting, board_hz))
            .max_by(|a, b| {
                let (x, y) = (a.output(cell, board_hz), b.output(cell, board_hz));
                // Products of such frequencies and dividers need more than 64 bits.
                let by_output =
                    (u128::from(x.0) * u128::from(y.1)).cmp(&(u128::from(y.0) * u128::from(x.1)));
                by_output
                    .then(b.divide.cmp(&a.divide))
                    .then(a.post.cmp(&b.post))
            })
    }
}

impl Target {
    /// The same board with a design that runs at `wanted_hz`, or as little below as its PLL can make.
    ///
    /// # Errors
    /// If the board has no PLL, it makes nothing within a hundredth of that, or the serial line's rate
    /// is no whole number of such periods, to a hundredth.
    pub fn clocked(self, wanted_hz: u64) -> Result<Self, Error> {
        let board_hz = self.clock_hz;
        if wanted_hz == board_hz {
            return Ok(self);
        }
        let no_clock = |reason: String| Error::NoClock {
            target: self.name.clone(),
            wanted_mhz: mhz(wanted_hz),
            board_mhz: mhz(board_hz),
            reason,
        };
        let Some(pll) = &self.pll else {
            return Err(no_clock(
                "the board's data name no clock generator".to_owned(),
            ));
        };
        let (least, most) = pll.output_mhz;
        let setting = pll.nearest(board_hz, wanted_hz);
        let made = setting.map(|setting| setting.output_hz(pll.cell, board_hz));
        let (setting, made) = match setting.zip(made) {
            Some((setting, made)) if made >= wanted_hz - wanted_hz / 100 => (setting, made),
            Some((_, made)) if wanted_hz / 1_000_000 <= most => {
                return Err(no_clock(format!(
                    "the nearest below that its generator makes are {} MHz",
                    mhz(made)
                )));
            }
            _ => {
                return Err(no_clock(format!(
                    "its generator makes {least} to {most} MHz"
                )));
            }
        };
        // Half a period more or less is a frame's last bit read beside its middle.
        let cycles = (made + self.baud / 2) / self.baud;
        if (cycles * self.baud).abs_diff(made) * 100 > made {
            let [below, above] = [made / self.baud, made / self.baud + 1];
            return Err(no_clock(format!(
                "no whole number of its cycles is a bit of the serial line's {} baud; {} and {} MHz have one",
                self.baud,
                mhz(below * self.baud),
                mhz(above * self.baud)
            )));
        }
        Ok(self.with_setting(setting))
    }

    /// The same board with a clock that is made in this way; as it is where it has no PLL.
    #[must_use]
    pub fn with_setting(mut self, setting: PllSetting) -> Self {
        if let Some(pll) = &self.pll {
            let board_hz = self.clock_hz;
            self.clock_hz = setting.output_hz(pll.cell, board_hz);
            self.generated = Some(Generated {
                board_hz,
                cell: pll.cell,
                setting,
            });
        }
        self
    }

    /// The module that is synthesised: `design`, or what is around it where a clock is made.
    pub fn top<'n>(&self, design: &'n str) -> &'n str {
        match self.generated {
            Some(_) => CLOCKED,
            None => design,
        }
    }

    /// Verilog of the module around `design`: the generator, the gate, the design's own ports. `None`
    /// where the board's clock is the design's.
    pub fn clocked_verilog(&self, design: &str) -> Option<String> {
        let generated = self.generated?;
        let cell = generated.instance();
        let last = SETTLING.ilog2();
        let width = last + 1;
        // nextpnr brings a clock that comes from a table to everyone by itself, but for Gowin.
        let way = match generated.cell {
            PllCell::Gowin => "BUFG buffer (.I(gated), .O(run));",
            _ => "assign run = gated;",
        };
        let ports = self.port_pins();
        let [declared, connected] = [
            ports
                .iter()
                .map(|(port, _)| declaration(port))
                .collect::<Vec<_>>(),
            ports.iter().map(|(port, _)| connection(port)).collect(),
        ]
        .map(|ports| ports.join(", "));
        Some(format!(
            "// The board's clock made into the design's.\n\
             module {CLOCKED} ({declared});\n\
             \x20   wire made;\n\
             \x20   wire locked;\n\
             \x20   {cell}\n\
             \x20   // Moves while the made clock is low.\n\
             \x20   reg [1:0] lock = 2'd0;\n\
             \x20   reg [{last}:0] settled = {width}'d0;\n\
             \x20   always @(negedge made) begin\n\
             \x20       lock <= {{lock[0], locked}};\n\
             \x20       if (!lock[1]) settled <= {width}'d0;\n\
             \x20       else if (!settled[{last}]) settled <= settled + {width}'d1;\n\
             \x20   end\n\
             \x20   wire gated = made & settled[{last}];\n\
             \x20   wire run;\n\
             \x20   {way}\n\
             \x20   {design} {design} ({connected});\n\
             endmodule\n"
        ))
    }
}

/// A port of the module around a design.
fn declaration(port: &str) -> String {
    let direction = match port {
        "clock" | "uart_rx" | "flash_miso" => "input",
        _ => "output",
    };
    format!("{direction} wire {port}")
}

/// What the design's port is connected to there.
fn connection(port: &str) -> String {
    let wire = if port == "clock" { "run" } else { port };
    format!(".{port}({wire})")
}

/// A frequency in MHz, as short as it is exact to a Hz.
fn mhz(hz: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let mhz = hz as f64 / 1e6;
    mhz.to_string()
}

/// A cell in Verilog.
struct Instance {
    attributes: &'static str,
    kind: &'static str,
    /// Parameters that are words.
    words: Vec<(&'static str, String)>,
    /// Parameters that are numbers.
    numbers: Vec<(&'static str, u64)>,
    /// Pins, and what is connected to them.
    pins: Vec<(&'static str, &'static str)>,
}

impl Generated {
    /// The loop filter of an iCE40, by the frequency at which phases are compared (Lattice TN1251).
    pub(crate) fn filter_range(&self) -> u64 {
        let hz = self.board_hz / self.setting.divide;
        let bounds = [17, 26, 44, 66, 101].map(|mhz| mhz * 1_000_000);
        1 + bounds.iter().filter(|bound| hz >= **bound).count() as u64
    }

    /// The cell in [`CLOCKED`].
    fn instance(&self) -> Instance {
        let Self {
            board_hz,
            cell,
            setting,
        } = *self;
        let PllSetting {
            divide,
            multiply,
            post,
        } = setting;
        let words = |words: &[(&'static str, &str)]| {
            let words = words.iter();
            words
                .map(|(name, word)| (*name, (*word).to_owned()))
                .collect()
        };
        match cell {
            PllCell::Ice40Pad | PllCell::Ice40Core => {
                let (kind, input) = match cell {
                    PllCell::Ice40Pad => ("SB_PLL40_PAD", "PACKAGEPIN"),
                    _ => ("SB_PLL40_CORE", "REFERENCECLK"),
                };
                Instance {
                    attributes: "",
                    kind,
                    words: words(&[("FEEDBACK_PATH", "SIMPLE"), ("PLLOUT_SELECT", "GENCLK")]),
                    numbers: vec![
                        ("DIVR", divide - 1),
                        ("DIVF", multiply - 1),
                        ("DIVQ", u64::from(post.ilog2())),
                        ("FILTER_RANGE", self.filter_range()),
                    ],
                    pins: vec![
                        (input, "clock"),
                        ("PLLOUTCORE", "made"),
                        ("LOCK", "locked"),
                        ("RESETB", "1'b1"),
                        ("BYPASS", "1'b0"),
                    ],
                }
            }
            PllCell::Ecp5 => Instance {
                // Charge pump and filter are those of Project Trellis's ecppll, whatever the frequency.
                attributes: "(* ICP_CURRENT=\"12\", LPF_RESISTOR=\"8\", \
                             MFG_ENABLE_FILTEROPAMP=\"1\", MFG_GMCREF_SEL=\"2\" *) ",
                kind: "EHXPLLL",
                words: words(&[
                    ("PLLRST_ENA", "DISABLED"),
                    ("INTFB_WAKE", "DISABLED"),
                    ("STDBY_ENABLE", "DISABLED"),
                    ("DPHASE_SOURCE", "DISABLED"),
                    ("OUTDIVIDER_MUXA", "DIVA"),
                    ("CLKOP_ENABLE", "ENABLED"),
                    ("FEEDBK_PATH", "CLKOP"),
                ]),
                numbers: vec![
                    ("CLKI_DIV", divide),
                    ("CLKFB_DIV", multiply),
                    ("CLKOP_DIV", post),
                    ("CLKOP_CPHASE", post - 1),
                    ("CLKOP_FPHASE", 0),
                ],
                pins: vec![
                    ("CLKI", "clock"),
                    ("CLKFB", "made"),
                    ("CLKOP", "made"),
                    ("LOCK", "locked"),
                    ("RST", "1'b0"),
                    ("STDBY", "1'b0"),
                    ("PHASESEL0", "1'b0"),
                    ("PHASESEL1", "1'b0"),
                    ("PHASEDIR", "1'b1"),
                    ("PHASESTEP", "1'b1"),
                    ("PHASELOADREG", "1'b1"),
                    ("PLLWAKESYNC", "1'b0"),
                    ("ENCLKOP", "1'b0"),
                ],
            },
            PllCell::Gowin => Instance {
                attributes: "",
                kind: "rPLL",
                words: words(&[
                    ("FCLKIN", &mhz(board_hz)),
                    ("DYN_IDIV_SEL", "false"),
                    ("DYN_FBDIV_SEL", "false"),
                    ("DYN_ODIV_SEL", "false"),
                    ("DYN_DA_EN", "false"),
                    ("PSDA_SEL", "0000"),
                    ("DUTYDA_SEL", "1000"),
                    ("CLKFB_SEL", "internal"),
                    ("CLKOUT_BYPASS", "false"),
                ]),
                numbers: vec![
                    ("IDIV_SEL", divide - 1),
                    ("FBDIV_SEL", multiply - 1),
                    ("ODIV_SEL", post),
                ],
                pins: vec![
                    ("CLKIN", "clock"),
                    ("CLKOUT", "made"),
                    ("LOCK", "locked"),
                    ("CLKFB", "1'b0"),
                    ("RESET", "1'b0"),
                    ("RESET_P", "1'b0"),
                    ("FBDSEL", "6'd0"),
                    ("IDSEL", "6'd0"),
                    ("ODSEL", "6'd0"),
                    ("PSDA", "4'd0"),
                    ("DUTYDA", "4'd0"),
                    ("FDLY", "4'd0"),
                ],
            },
        }
    }
}

impl std::fmt::Display for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.words.iter();
        let words = words.map(|(name, word)| format!(".{name}(\"{word}\")"));
        let numbers = self.numbers.iter();
        let numbers = numbers.map(|(name, number)| format!(".{name}({number})"));
        let parameters: Vec<String> = words.chain(numbers).collect();
        let pins = self.pins.iter();
        let pins: Vec<String> = pins.map(|(pin, wire)| format!(".{pin}({wire})")).collect();
        write!(
            f,
            "{}{} #({}) pll ({});",
            self.attributes,
            self.kind,
            parameters.join(", "),
            pins.join(", ")
        )
    }
}
