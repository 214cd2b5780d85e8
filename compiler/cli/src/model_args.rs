//! What a command that compiles a model, or a part of the way, is told about it.

use std::path::{Path, PathBuf};

use spikeloom::data::DataSet;
use spikeloom::{Given, Model};
use spikeloom_frontend::{
    Bits, Calibration, Choice, Coding, DecoderChoice, Encoding, LowerLimit, ProjectFile,
    ResetChoice, SpikesPerTick, parse_bytes,
};
use spikeloom_ir::coding::LatencyForm;
use spikeloom_ir::network::{MAX_TICKS, Semantics};

use crate::args::choice;

/// The model, and what its file does not say.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// A `.nir` file, a network in the native format, or a project file with these options as keys.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    options: ModelOptions,
}

/// What a model's file does not say.
#[derive(Debug, clap::Args)]
pub struct ModelOptions {
    /// Whose discretisation the model was trained in.
    #[arg(long, value_name = "NAME", value_parser = choice::<Semantics>())]
    semantics: Option<Semantics>,
    /// What a spike does to the membrane.
    #[arg(long, value_name = "NAME", value_parser = choice::<ResetChoice>())]
    reset: Option<ResetChoice>,
    /// What a spike does in one node, where it is not what `--reset` says; may be repeated.
    #[arg(long, value_name = "NODE=NAME", value_parser = of_node::<ResetChoice>)]
    reset_of: Vec<(String, ResetChoice)>,
    /// Whether the reset takes effect one tick after the spike; the semantics decide by default.
    #[arg(long, value_name = "BOOL")]
    reset_delay: Option<bool>,
    /// How often a neuron may fire in a tick.
    #[arg(long, value_name = "NAME", value_parser = choice::<SpikesPerTick>())]
    spikes: Option<SpikesPerTick>,
    /// The same for one node; may be repeated.
    #[arg(long, value_name = "NODE=NAME", value_parser = of_node::<SpikesPerTick>)]
    spikes_of: Vec<(String, SpikesPerTick)>,
    /// How far down a membrane can go: a potential, `threshold` for -v_threshold, or `none`.
    #[arg(long, value_name = "LIMIT", value_parser = lower_limit, allow_hyphen_values = true)]
    v_min: Option<LowerLimit>,
    /// The same for one node; may be repeated.
    #[arg(long, value_name = "NODE=LIMIT", value_parser = lower_limit_of)]
    v_min_of: Vec<(String, LowerLimit)>,
    /// Whether Sinabs weighs the input of a leaky neuron with 1 - alpha.
    #[arg(long, value_name = "BOOL")]
    norm_input: Option<bool>,
    /// The same for one node; may be repeated.
    #[arg(long, value_name = "NODE=BOOL", value_parser = flag_of)]
    norm_input_of: Vec<(String, bool)>,
    /// Whether the spikes of a layer of lava-dl leave one tick late.
    #[arg(long, value_name = "BOOL")]
    delay_shift: Option<bool>,
    /// Length of a tick in seconds, where the semantics do not fix it.
    #[arg(long, value_name = "SECONDS")]
    dt: Option<f64>,
    /// How a sample becomes events.
    #[arg(long, value_name = "NAME", value_parser = choice::<Encoding>())]
    encoding: Option<Encoding>,
    /// What an input value of 1 means; 1/255 by default.
    #[arg(long, value_name = "FACTOR")]
    input_scale: Option<f32>,
    #[command(flatten)]
    coding: CodingArgs,
    /// Ticks of a sample.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TICKS)))]
    ticks: Option<u32>,
    /// Seed of the rate encoder's generator.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,
    /// The `Output` node that is read, where there are several.
    #[arg(long, value_name = "NODE")]
    output_node: Option<String>,
    /// How the output becomes a class.
    #[arg(long, visible_alias = "decode", value_name = "NAME", value_parser = choice::<DecoderChoice>())]
    decoder: Option<DecoderChoice>,
}

/// How `--encoding latency` and `--encoding delta` place spikes in time.
#[derive(Debug, clap::Args)]
struct CodingArgs {
    /// Latency: what the time of a spike depends on [default: log].
    #[arg(long, value_name = "FORM", value_parser = choice::<LatencyForm>())]
    latency: Option<LatencyForm>,
    /// Latency: time constant in ticks; without it the times fill the sample.
    #[arg(long, value_name = "TICKS")]
    latency_tau: Option<f64>,
    /// Latency: of a value in 0 to 1 [default: 0.01]. Delta: the least change [default: 0.1].
    #[arg(long, value_name = "VALUE")]
    encoder_threshold: Option<f64>,
    /// Latency: whether values below the threshold do not spike at all [default: false].
    #[arg(long, value_name = "BOOL")]
    latency_clip: Option<bool>,
    /// Delta: whether a second half of the channels spikes where a value falls [default: false].
    #[arg(long, value_name = "BOOL")]
    delta_off: Option<bool>,
    /// Delta: whether the first tick has no spikes, rather than follow one of zeros [default: false].
    #[arg(long, value_name = "BOOL")]
    delta_padding: Option<bool>,
}

impl CodingArgs {
    fn coding(&self) -> Coding {
        Coding {
            form: self.latency,
            tau: self.latency_tau,
            threshold: self.encoder_threshold,
            clip: self.latency_clip,
            off_spikes: self.delta_off,
            padding: self.delta_padding,
        }
    }
}

/// How a model becomes an integer network.
#[derive(Debug, clap::Args)]
pub struct QuantizeArgs {
    /// Bits of a weight, 2 to 8 [default: 8]; with units that have an activation to 16 [12].
    /// `fc1=4,fc2=8` for single nodes, `4,fc2=8` for one and the others.
    #[arg(long, value_name = "BITS")]
    bits: Option<Bits>,
    /// Choose the widths of all nodes so that the weights take no more memory, such as `64KiB`.
    /// Needs `--calibrate`; `--bits` is then the most.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    weight_budget: Option<u64>,
    /// Bits of a state variable; as many as it takes by default, and of what units with an
    /// activation send 12.
    #[arg(long, value_name = "N")]
    state_bits: Option<u32>,
    /// Samples on which every neuron's scale and bias are chosen, and how many of them [default:
    /// 256]. Never give the test set.
    #[arg(long, value_name = "PATH[:N]", value_parser = calibrate)]
    calibrate: Option<(PathBuf, Option<u32>)>,
    /// How many of them, in place of `:N`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    calibration_samples: Option<u32>,
    /// Whether biases are corrected for what rounding the weights takes, which may need memory
    /// [default: true].
    #[arg(long, value_name = "BOOL")]
    correct_bias: Option<bool>,
}

/// A path, or a path, a colon and a number. What is there as it stands is a path.
fn calibrate(text: &str) -> Result<(PathBuf, Option<u32>), String> {
    let whole = Path::new(text);
    match text.rsplit_once(':') {
        Some((path, n)) if n.parse::<u32>().is_ok() && !whole.exists() => {
            let n = n.parse().ok().filter(|&n| n > 0);
            n.ok_or("0 samples are too few".to_owned())
                .map(|n| (PathBuf::from(path), Some(n)))
        }
        _ => Ok((whole.to_owned(), None)),
    }
}

/// The name of a node and what belongs to it, `NODE=VALUE`.
fn node_and<T>(
    text: &str,
    choices: &str,
    value: impl Fn(&str) -> Option<T>,
) -> Result<(String, T), String> {
    let (node, name) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("write the name of a node, `=` and one of {choices}"))?;
    let value = value(name).ok_or_else(|| format!("`{name}` is none of {choices}"))?;
    Ok((node.to_owned(), value))
}

fn of_node<C: Choice>(text: &str) -> Result<(String, C), String> {
    node_and(text, &C::list(), C::from_name)
}

fn lower_limit(text: &str) -> Result<LowerLimit, String> {
    LowerLimit::from_text(text).ok_or_else(|| format!("write {}", LowerLimit::LIST))
}

fn lower_limit_of(text: &str) -> Result<(String, LowerLimit), String> {
    node_and(text, LowerLimit::LIST, LowerLimit::from_text)
}

fn flag_of(text: &str) -> Result<(String, bool), String> {
    node_and(text, "`true`, `false`", |value| value.parse().ok())
}

/// A model with all that is said about it, in its project file and on the command line.
pub struct Loaded {
    /// All settings; the model's path is always there.
    pub project: ProjectFile,
    /// The model.
    pub model: Model,
    /// Samples on which scales are chosen.
    pub calibration: Option<DataSet>,
}

impl QuantizeArgs {
    /// The same as a project file.
    pub fn project(&self) -> ProjectFile {
        let (data, number) = self.calibrate.as_ref().map(|(d, n)| (d, *n)).unzip();
        let calibration = Calibration {
            data: data.map(|path| text(path)),
            samples: self.calibration_samples.or(number.flatten()),
            bias: self.correct_bias,
        };
        ProjectFile {
            bits: self.bits.clone().unwrap_or_default(),
            weight_budget: self.weight_budget,
            state_bits: self.state_bits,
            calibration: (calibration != Calibration::default()).then_some(calibration),
            ..ProjectFile::default()
        }
    }
}

impl ModelArgs {
    /// The model's file, or the project's.
    pub fn path(&self) -> &Path {
        &self.model
    }

    /// Reads the files that are named here, in `flags` or in the project file.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn load(&self, flags: ProjectFile) -> miette::Result<Loaded> {
        self.options.load(&self.model, flags)
    }
}

impl ModelOptions {
    /// As [`ModelArgs::load`], of the model at `path`.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, path: &Path, flags: ProjectFile) -> miette::Result<Loaded> {
        let given = Given::read(path, self.project(flags))?;
        let calibration = given.calibration()?;
        let Given { model, project } = given;
        Ok(Loaded {
            project,
            model,
            calibration,
        })
    }

    /// `flags` and what is said here.
    pub fn project(&self, flags: ProjectFile) -> ProjectFile {
        ProjectFile {
            semantics: self.semantics,
            reset: self.reset,
            resets: self.reset_of.iter().cloned().collect(),
            reset_delay: self.reset_delay,
            spikes: self.spikes,
            spikes_of: self.spikes_of.iter().cloned().collect(),
            v_min: self.v_min,
            v_min_of: self.v_min_of.iter().cloned().collect(),
            norm_input: self.norm_input,
            norm_input_of: self.norm_input_of.iter().cloned().collect(),
            delay_shift: self.delay_shift,
            dt: self.dt,
            encoding: self.encoding,
            input_scale: self.input_scale,
            coding: self.coding.coding(),
            ticks: self.ticks,
            seed: self.seed,
            output_node: self.output_node.clone(),
            decoder: self.decoder,
            ..flags
        }
    }
}

/// A path as a project file has it.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
