//! The ladder of a build folder: each executor against the golden model.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use spikeloom_bitstreams::{
    Files, Gates, ToolSource, Toolchain, VerilogSources, decode, fast_sources, netlist_sources,
};
use spikeloom_boards::Layout;
use spikeloom_golden::{Golden, Sample};
use spikeloom_hdl::DeviceConfig;
use spikeloom_ir::quantized::Encoder;
use spikeloom_ir::{Network, Quantized};
use spikeloom_ladder::{
    Access, Case, DeviceRun, Divergence, Expected, Lessons, Report, Rung, Verdict, Workload,
    check_float, check_hdl, check_hdl_learning, check_learning, check_outcomes, check_traces,
    shown,
};

use crate::build::Build;
use crate::compile::TOP;
use crate::data::{DataSet, Samples};
use crate::error::Error;
use crate::fault::{self, Fault};
use crate::reference::Reference;
use crate::report::StopAt;
use crate::simulator::{Simulator, images};

/// How many samples each rung compares, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Float reference against golden model, where no framework's spikes are given.
    pub float: usize,
    /// Golden model: widths.
    pub golden: usize,
    /// rust-hdl's simulator, every state and spike.
    pub hdl: usize,
    /// Verilator, results.
    pub verilator: usize,
    /// Verilator, every state and spike.
    pub traces: usize,
    /// Verilator, through the serial line.
    pub serial: usize,
    /// Netlist, results.
    pub netlist: usize,
    /// Netlist, final states too.
    pub netlist_states: usize,
    /// Bitstream, results.
    pub bitstream: usize,
    /// Bitstream, final states too.
    pub bitstream_states: usize,
    /// rust-hdl's simulator, learning.
    pub learn_hdl: usize,
    /// Verilator, learning.
    pub learn_verilator: usize,
    /// Netlist, learning.
    pub learn_netlist: usize,
    /// Bitstream, learning.
    pub learn_bitstream: usize,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            float: 64,
            golden: usize::MAX,
            hdl: 1,
            verilator: usize::MAX,
            traces: 64,
            serial: 2,
            netlist: 16,
            netlist_states: 2,
            bitstream: 4,
            bitstream_states: 1,
            learn_hdl: 1,
            learn_verilator: 64,
            learn_netlist: 4,
            learn_bitstream: 2,
        }
    }
}

impl Counts {
    /// No rung compares more than `n`.
    pub fn at_most(self, n: usize) -> Self {
        Self {
            float: self.float.min(n),
            golden: self.golden.min(n),
            hdl: self.hdl.min(n),
            verilator: self.verilator.min(n),
            traces: self.traces.min(n),
            serial: self.serial.min(n),
            netlist: self.netlist.min(n),
            netlist_states: self.netlist_states.min(n),
            bitstream: self.bitstream.min(n),
            bitstream_states: self.bitstream_states.min(n),
            learn_hdl: self.learn_hdl.min(n),
            learn_verilator: self.learn_verilator.min(n),
            learn_netlist: self.learn_netlist.min(n),
            learn_bitstream: self.learn_bitstream.min(n),
        }
    }
}

/// Ticks of a time series in rust-hdl's simulator, which is slow where every tick has many bit planes.
const HDL_SERIES_TICKS: usize = 4;

/// One rung that was climbed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What was compared and what it came to.
    #[serde(flatten)]
    pub report: Report,
    /// How long it took, simulation builds included.
    pub seconds: f64,
}

/// Everything that the rungs of one build folder need.
#[derive(Debug)]
pub struct Ladder<'a> {
    build: &'a Build,
    samples: Arc<[Vec<u8>]>,
    reference: Option<&'a Reference>,
    counts: Counts,
    layout: Layout,
    cfg: DeviceConfig,
    expected: Option<Expected>,
    tools: Option<Toolchain>,
    device_run: Option<DeviceRun>,
    /// Samples to be learnt from, with what the teacher says.
    lessons: Vec<Vec<u8>>,
    /// Their labels.
    lesson_labels: Option<Vec<usize>>,
}

/// Samples after which weights, tags and traces are compared; and after the last.
const SYNAPSES_COMPARED: usize = 8;

/// Called with the samples done and their total.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

impl<'a> Ladder<'a> {
    /// For some samples, and the framework's own spikes where there are some.
    ///
    /// # Errors
    /// If there is no sample, or the samples do not fit the network.
    pub fn new(
        build: &'a Build,
        samples: &'a Samples,
        reference: Option<&'a Reference>,
        counts: Counts,
    ) -> miette::Result<Self> {
        if samples.is_empty() {
            return Err(Error::NoData.into());
        }
        let id = build.design_id();
        Ok(Self {
            build,
            samples: samples.to_bytes(&build.quantized).into(),
            reference,
            counts,
            layout: build.layout()?,
            cfg: DeviceConfig::new(&build.quantized, &build.mapped, id)?,
            expected: None,
            tools: None,
            device_run: None,
            lessons: Vec::new(),
            lesson_labels: None,
        })
    }

    /// Lets every rung that can learn from samples too, with what the teacher says of them. In a
    /// design that does not learn this is nothing.
    pub fn teach(&mut self, data: &DataSet) {
        if self.build.mapped.learns() {
            self.lessons = data.samples.to_bytes(&self.build.quantized);
            self.lesson_labels.clone_from(&data.labels);
        }
    }

    fn lessons(&self, n: usize) -> Option<Lessons<'_>> {
        let all = Lessons {
            samples: &self.lessons,
            labels: self.lesson_labels.as_deref(),
            with_synapses: SYNAPSES_COMPARED,
        };
        (n > 0 && !self.lessons.is_empty()).then(|| all.first(n))
    }

    /// What the golden model says of all samples; computed once.
    ///
    /// # Errors
    /// If a sample does not fit.
    pub fn expected(&mut self) -> miette::Result<&Expected> {
        if self.expected.is_none() {
            let most = self.counts.golden.max(self.counts.verilator);
            let samples = first(&self.samples, most);
            self.expected = Some(Expected::new(&self.build.quantized, samples)?);
        }
        Ok(self.expected.as_ref().expect("it was just set"))
    }

    /// What the Verilog did on the samples, once its rung was climbed.
    pub fn device_run(&self) -> Option<&DeviceRun> {
        self.device_run.as_ref()
    }

    /// Fails where the build folder was stopped before what a rung needs.
    ///
    /// # Errors
    /// Then.
    pub fn check_available(&self, to: Rung) -> miette::Result<()> {
        let needed = match to {
            Rung::Netlist => StopAt::Netlist,
            Rung::Bitstream => StopAt::Bitstream,
            _ => StopAt::Verilog,
        };
        let stopped_at = self.build.report.stopped_at;
        if stopped_at < needed {
            return Err(Error::StoppedBefore {
                rung: to.name().to_owned(),
                needs: needed.name(),
                stopped_at: stopped_at.name().to_owned(),
                last: self.last_rung().name(),
                path: self.build.folder.clone(),
            }
            .into());
        }
        if to == Rung::Bitstream {
            self.build.target()?.check_decoded()?;
        }
        Ok(())
    }

    /// Looks for the tools where climbing that far needs some, so that a missing one is told before
    /// the rungs without tools are climbed.
    ///
    /// # Errors
    /// If they are not installed.
    pub fn find_tools(&mut self, to: Rung, source: ToolSource) -> miette::Result<()> {
        if to > Rung::Hdl && self.tools.is_none() {
            self.tools = Some(Toolchain::find(source)?);
        }
        Ok(())
    }

    /// The highest rung that the build folder has.
    pub fn last_rung(&self) -> Rung {
        match self.build.report.stopped_at {
            StopAt::Verilog => Rung::Verilator,
            StopAt::Netlist => Rung::Netlist,
            StopAt::Bitstream => match self.build.target() {
                Ok(target) if target.check_decoded().is_err() => Rung::Netlist,
                _ => Rung::Bitstream,
            },
        }
    }

    /// Climbs one rung.
    ///
    /// # Errors
    /// If it cannot be climbed at all; a difference is not an error but a verdict.
    pub fn climb(
        &mut self,
        rung: Rung,
        source: ToolSource,
        progress: Progress<'_>,
    ) -> miette::Result<Line> {
        self.climb_with(rung, source, None, progress)
    }

    /// Climbs one rung with a fault in its executor.
    ///
    /// # Errors
    /// As [`Ladder::climb`].
    pub fn climb_with(
        &mut self,
        rung: Rung,
        source: ToolSource,
        fault: Option<&Fault>,
        progress: Progress<'_>,
    ) -> miette::Result<Line> {
        let start = Instant::now();
        self.find_tools(rung, source)?;
        let result = match rung {
            Rung::Float => self.float(fault),
            Rung::Golden => self.golden(fault),
            Rung::Hdl => self.hdl(fault),
            Rung::Verilator => self.verilator(fault, progress),
            Rung::Netlist | Rung::Bitstream => {
                let circuit = self.circuit(rung, fault)?;
                self.netlist(rung, circuit, fault, progress)
            }
        };
        let report = result.or_else(|error| unanswered(rung, error))?;
        Ok(Line {
            report,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Faults that [`Ladder::climb_with`] should find on a rung.
    ///
    /// # Errors
    /// If the netlist cannot be read.
    pub fn faults(&mut self, rung: Rung, source: ToolSource) -> miette::Result<Vec<Fault>> {
        if matches!(rung, Rung::Netlist | Rung::Bitstream) {
            self.find_tools(rung, source)?;
            if !self.build.target()?.has_cell_models() {
                return Ok(Vec::new());
            }
            return Ok(fault::stuck_bit(&self.gates(rung)?).into_iter().collect());
        }
        // The fault must show in what the rung runs.
        let mut network = self.build.quantized.clone();
        let samples = match self.reference {
            Some(reference) if rung == Rung::Float => {
                if matches!(reference.samples, Samples::Events(_)) {
                    network.input.encoder = Encoder::Events;
                }
                reference.samples.to_bytes(&network)
            }
            _ if rung == Rung::Hdl => self.hdl_samples(),
            _ => first(&self.samples, self.counts.hdl.max(1)).to_vec(),
        };
        let mut faults = fault::choose(rung, &network, &samples)?;
        if let Some(lesson) = self.lessons(1).filter(|_| rung == Rung::Verilator) {
            let (sample, label) = (&lesson.samples[0], lesson.label(0));
            faults.extend(fault::in_rules(&network, sample, label)?);
        }
        Ok(faults)
    }

    fn case(&self) -> Case<'_> {
        self.build.case(&self.layout)
    }

    fn tools(&self) -> &Toolchain {
        self.tools
            .as_ref()
            .expect("climbing a rung that needs them looks for them first")
    }

    /// The real-valued network against the framework and the golden model.
    ///
    /// A framework's own spike trains replace the encoder where the network has a random one.
    fn float(&self, fault: Option<&Fault>) -> miette::Result<Report> {
        let mut network = self.build.network.clone();
        let mut quantized = self.build.quantized.clone();
        let own;
        let (samples, framework): (&Samples, _) = match self.reference {
            Some(reference) => {
                if matches!(reference.samples, Samples::Events(_)) {
                    network.input.encoder = spikeloom_ir::network::Encoder::Events;
                    quantized.input.encoder = Encoder::Events;
                }
                (&reference.samples, reference.spikes.clone())
            }
            None => {
                let few = first(&self.samples, self.counts.float);
                own = Samples::from_bytes(few, &self.build.quantized);
                // To find a fault without a framework, the network without it stands in.
                let framework = match fault {
                    Some(_) => float_shown(&network, &own, &quantized)?,
                    None => Vec::new(),
                };
                (&own, framework)
            }
        };
        if let Some(fault) = fault {
            network = fault.in_network(&network);
        }
        let n = samples.len().min(self.counts.float);
        let samples: Vec<Sample<'_>> = (0..n).map(|k| samples.get(k)).collect();
        Ok(check_float(&network, &quantized, &samples, &framework)?.report)
    }

    /// No value leaves the width that range analysis gave it.
    fn golden(&mut self, fault: Option<&Fault>) -> miette::Result<Report> {
        let network: Quantized = match fault {
            Some(fault) => fault.in_quantized(&self.build.quantized),
            None => self.build.quantized.clone(),
        };
        self.expected()?;
        let samples = first(&self.samples, self.counts.golden);
        let steps: u64 = network
            .populations
            .iter()
            .map(|p| (p.n_neurons * p.program.steps.len()) as u64)
            .sum();
        let golden = Golden::new(&network)?;
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let share = samples.len().div_ceil(threads).max(1);
        let found: Vec<Result<_, spikeloom_ladder::Error>> = std::thread::scope(|scope| {
            let workers: Vec<_> = samples
                .chunks(share)
                .map(|part| {
                    let mut golden = golden.clone();
                    scope.spawn(move || {
                        for (k, sample) in part.iter().enumerate() {
                            if let Some(found) = golden.find_overflow(Sample::Values(sample))? {
                                return Ok(Some((k, found)));
                            }
                        }
                        Ok(None)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|w| w.join().expect("the golden model does not panic"))
                .collect()
        });
        let mut verdict = Verdict::Equal;
        let mut compared = samples.len();
        for (part, found) in found.into_iter().enumerate() {
            if let Some((k, (population, step, neuron, value))) = found? {
                let sample = part * share + k;
                let population = &network.populations[population];
                let bits = population.program.steps[step].bits;
                compared = sample + 1;
                verdict = Verdict::Different(Divergence {
                    sample: sample as u64,
                    tick: None,
                    population: population.name.clone(),
                    neuron: population.file_index(neuron) as u64,
                    variable: format!("%{step}"),
                    expected: spikeloom_fixed::saturate(value, bits),
                    found: value,
                });
                break;
            }
        }
        Ok(Report {
            rung: Rung::Golden,
            samples: compared as u64,
            learnt: 0,
            values: compared as u64 * steps * u64::from(network.ticks),
            verdict,
        })
    }

    /// What rust-hdl's simulator, which is slow, runs of the samples.
    fn hdl_samples(&self) -> Vec<Vec<u8>> {
        let most = match self.build.quantized.input.encoder {
            Encoder::Series => HDL_SERIES_TICKS * self.build.quantized.input.bytes_a_tick(),
            _ => usize::MAX,
        };
        let samples = first(&self.samples, self.counts.hdl).iter();
        samples.map(|s| s[..s.len().min(most)].to_vec()).collect()
    }

    fn hdl(&self, fault: Option<&Fault>) -> miette::Result<Report> {
        let faulty;
        let cfg = match fault {
            Some(fault) => {
                let network = fault.in_quantized(&self.build.quantized);
                faulty = DeviceConfig::new(&network, &self.build.mapped, self.build.design_id())?;
                &faulty
            }
            None => &self.cfg,
        };
        let report = check_hdl(self.case(), cfg, &self.hdl_samples())?;
        match (fault, self.lessons(self.counts.learn_hdl)) {
            (None, Some(lessons)) if report.verdict.holds() => {
                let learnt = check_hdl_learning(self.case(), cfg, lessons)?;
                Ok(together(report, learnt))
            }
            _ => Ok(report),
        }
    }

    /// The emitted Verilog: all results, every state of some samples, some over the serial line.
    fn verilator(
        &mut self,
        fault: Option<&Fault>,
        progress: Progress<'_>,
    ) -> miette::Result<Report> {
        let simulator = Simulator::new(self.tools())?;
        let all = Arc::clone(&self.samples);
        let samples = first(&all, self.counts.verilator);
        if let Some(fault) = fault {
            let network = fault.in_quantized(&self.build.quantized);
            let id = self.build.design_id();
            let cfg = DeviceConfig::new(&network, &self.build.mapped, id)?;
            let model = simulator.emitted(&spikeloom_emit::emit_device(&cfg)?, images(&cfg))?;
            let layout = Layout::new(&network, &self.build.mapped, id)?;
            let case = Case {
                layout: &layout,
                ..self.case()
            };
            if let (Fault::RuleOffByOne { .. }, Some(lessons)) = (fault, self.lessons(1)) {
                let rung = Rung::Verilator;
                let (access, done) = (Access::Stream, &|_| ());
                return Ok(check_learning(rung, &model, case, access, lessons, done)?);
            }
            let few = first(samples, self.counts.hdl.max(1));
            let sent: Vec<Vec<u8>> = {
                let change = |s: &Vec<u8>| fault.in_sample(s, &self.build.quantized);
                few.iter().map(change).collect()
            };
            return Ok(check_traces(Rung::Verilator, &model, case, few, &sent)?);
        }
        self.expected()?;
        let model = simulator.device(self.build, false)?;
        let traced = first(samples, self.counts.traces);
        let traces = check_traces(Rung::Verilator, &model, self.case(), traced, traced)?;
        if !traces.verdict.holds() {
            return Ok(traces);
        }
        let expected = self.expected.as_ref().expect("it was computed above");
        let total = samples.len() as u64;
        let done = |n: u64| progress(n, total);
        let work = |n: usize| Workload {
            samples: first(samples, n),
            expected,
            with_states: 0,
        };
        let (mut results, run) = check_outcomes(
            Rung::Verilator,
            &model,
            self.case(),
            Access::Stream,
            work(usize::MAX),
            &done,
        )?;
        results.values += traces.values;
        if results.verdict.holds() && self.counts.serial > 0 {
            let top = simulator.top(self.build)?;
            let (serial, _) = check_outcomes(
                Rung::Verilator,
                &top,
                self.case(),
                self.serial(),
                work(self.counts.serial),
                &|_| (),
            )?;
            results.values += serial.values;
            results.verdict = serial.verdict;
        }
        let lessons = self.lessons(self.counts.learn_verilator);
        if let Some(lessons) = lessons.filter(|_| results.verdict.holds()) {
            let (case, access) = (self.case(), Access::Stream);
            let total = lessons.samples.len() as u64;
            let done = |n: u64| progress(n, total);
            let rung = Rung::Verilator;
            let learnt = check_learning(rung, &model, case, access, lessons, &done)?;
            results = together(results, learnt);
        }
        self.device_run = Some(run);
        Ok(results)
    }

    fn serial(&self) -> Access {
        Access::Uart {
            cycles_per_bit: self.build.report.cycles_per_bit,
        }
    }

    /// The netlist after synthesis, or decoded from the bitstream.
    fn gates(&self, rung: Rung) -> miette::Result<Gates> {
        let target = self.build.target()?;
        if rung == Rung::Netlist {
            let json = self.build.text(Files::NETLIST_JSON)?;
            let gates = Gates::from_netlist(&json, target.top(TOP), target.family)?;
            target.check_clock(&gates)?;
            return Ok(gates);
        }
        let path = self.build.folder.join(target.family.bitstream_file());
        let decoded = decode(&path, &target, self.tools())?;
        target.check_clock(&decoded.gates)?;
        if let Some(placed) = &self.build.report.place_and_route {
            decoded.check(&self.gates(Rung::Netlist)?, placed)?;
        }
        Ok(decoded.gates)
    }

    /// The Verilog of what the rung runs: our form of the cells, or, where we have none, the tool's own
    /// netlist with its models of them.
    fn circuit(&self, rung: Rung, fault: Option<&Fault>) -> miette::Result<VerilogSources> {
        let target = self.build.target()?;
        if !target.has_cell_models() {
            let netlist = self.build.text(Files::NETLIST_VERILOG)?;
            let top = target.top(TOP);
            return Ok(netlist_sources(top, &netlist, target.family, self.tools())?);
        }
        let mut gates = self.gates(rung)?;
        if let Some(fault) = fault {
            fault.in_gates(&mut gates);
        }
        Ok(fast_sources(&gates)?)
    }

    fn netlist(
        &mut self,
        rung: Rung,
        circuit: VerilogSources,
        fault: Option<&Fault>,
        progress: Progress<'_>,
    ) -> miette::Result<Report> {
        let (n, with_states) = match (rung, fault) {
            (_, Some(_)) => (1, 1),
            (Rung::Netlist, None) => (self.counts.netlist, self.counts.netlist_states),
            (_, None) => (self.counts.bitstream, self.counts.bitstream_states),
        };
        if let (Rung::Bitstream, Some(message)) = (rung, self.build.wrong_flash_image()?) {
            return Ok(Report {
                rung,
                samples: 0,
                learnt: 0,
                values: 0,
                verdict: Verdict::Failed { message },
            });
        }
        let simulator = Simulator::new(self.tools())?;
        let model = simulator.netlist(circuit, self.build)?;
        self.expected()?;
        let samples = first(&self.samples, n);
        let total = samples.len() as u64;
        let work = Workload {
            samples,
            expected: self.expected.as_ref().expect("it was computed above"),
            with_states,
        };
        let done = |n: u64| progress(n, total);
        let (report, _) = check_outcomes(rung, &model, self.case(), self.serial(), work, &done)?;
        let n = match rung {
            Rung::Netlist => self.counts.learn_netlist,
            _ => self.counts.learn_bitstream,
        };
        match (fault, self.lessons(n)) {
            (None, Some(lessons)) if report.verdict.holds() => {
                let (case, access) = (self.case(), self.serial());
                let done = |n: u64| progress(n, lessons.samples.len() as u64);
                let learnt = check_learning(rung, &model, case, access, lessons, &done)?;
                Ok(together(report, learnt))
            }
            _ => Ok(report),
        }
    }
}

/// What a rung came to without learning, and then with it.
fn together(report: Report, learnt: Report) -> Report {
    Report {
        learnt: learnt.learnt,
        values: report.values + learnt.values,
        verdict: learnt.verdict,
        ..report
    }
}

/// There is no cable to a simulated device: one that does not answer, or not as it should, does not
/// compute the network, which is a verdict.
fn unanswered(rung: Rung, error: miette::Report) -> miette::Result<Report> {
    use spikeloom_boards::Error as Device;
    match error.downcast_ref() {
        Some(spikeloom_ladder::Error::Device(device))
            if !matches!(device, Device::Transport(_)) =>
        {
            Ok(Report {
                rung,
                samples: 0,
                learnt: 0,
                values: 0,
                verdict: Verdict::Failed {
                    message: device.to_string(),
                },
            })
        }
        _ => Err(error),
    }
}

fn first<T>(samples: &[T], n: usize) -> &[T] {
    &samples[..samples.len().min(n)]
}

/// What the float reference shows: `[sample][population][tick][neuron]`, neurons in the file's order.
fn float_shown(
    network: &Network,
    samples: &Samples,
    quantized: &Quantized,
) -> miette::Result<Vec<Vec<Vec<Vec<i64>>>>> {
    (0..samples.len())
        .map(|k| {
            let record = crate::compile::run_float(network, samples, k)?;
            let in_file_order = |p: usize| -> Vec<Vec<i64>> {
                let (own, record) = (&network.populations[p], &record.populations[p]);
                let ticks = (0..record.v_mem.len()).map(|tick| {
                    let shown = shown(own, record, tick);
                    let mut reordered = vec![0; shown.len()];
                    for (neuron, value) in shown.into_iter().enumerate() {
                        reordered[quantized.populations[p].file_index(neuron)] = value;
                    }
                    reordered
                });
                ticks.collect()
            };
            Ok((0..network.populations.len()).map(in_file_order).collect())
        })
        .collect()
}
