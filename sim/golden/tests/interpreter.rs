//! The golden model against a second, plain interpreter, on random programs and networks.
//!
//! The interpreter below takes the documentation of `spikeloom_ir::quantized` and
//! `spikeloom_ir::program` at its word: one neuron and one operation at a time, in `i128`, with
//! divisions instead of shifts. It shares no arithmetic with the golden model.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use proptest::prelude::*;
use spikeloom_fixed::{BitWidth, Rounding};
use spikeloom_golden::{Golden, Operations, Sample};
use spikeloom_ir::coding::Delta;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::Compare;
use spikeloom_ir::quantized::{
    Accumulator, Decoder, Encoder, Input, Population, Projection, Source,
};
use spikeloom_ir::{
    Init, Op, Origin, Parameter, PopulationId, Program, Quantized, StateVariable, Step, ValueId,
};

/// What one population did in one tick: `[state][neuron]`, who fired, and what each sent that is
/// graded.
type Activity = (Vec<Vec<i128>>, Vec<u32>, Vec<i128>);

#[derive(Debug, PartialEq)]
struct Run {
    /// `[tick][population]`.
    ticks: Vec<Vec<Activity>>,
    scores: Vec<i128>,
    class: usize,
    spikes: Vec<u64>,
    input_events: u64,
    /// One entry a projection.
    operations: Vec<Operations>,
}

fn divide(value: i128, bits: u32, rounding: Rounding) -> i128 {
    let divisor = 2i128.pow(bits);
    match rounding {
        Rounding::Floor => value.div_euclid(divisor),
        Rounding::NearestUp => (2 * value + divisor).div_euclid(2 * divisor),
    }
}

/// One neuron, one tick: the new states, how often it fires, and its payload.
fn neuron(
    program: &Program,
    n: usize,
    states: &[i128],
    inputs: &[i128],
) -> (Vec<i128>, usize, Option<i128>) {
    let mut values: Vec<i128> = Vec::new();
    for step in &program.steps {
        let v = |id: ValueId| values[id.0];
        let truth = |condition: bool| if condition { 1 } else { 0 };
        let value = match step.op {
            Op::State(s) => states[s],
            Op::Input(i) => inputs[i],
            Op::Parameter(p) => program.parameters[p].values[n].into(),
            Op::Constant(c) => c.into(),
            Op::Add(a, b) => v(a) + v(b),
            Op::Subtract(a, b) => v(a) - v(b),
            Op::Scale(a, factor) => v(a) * i128::from(factor),
            Op::Multiply(a, b) => v(a) * v(b),
            Op::ShiftLeft(a, bits) => v(a) * 2i128.pow(bits),
            Op::ShiftRight(a, bits, rounding) => divide(v(a), bits, rounding),
            Op::Saturate(a) => {
                let half = 2i128.pow(step.bits.get() - 1);
                v(a).clamp(-half, half - 1)
            }
            Op::Compare(a, Compare::Greater, b) => truth(v(a) > v(b)),
            Op::Compare(a, Compare::GreaterOrEqual, b) => truth(v(a) >= v(b)),
            Op::Select(c, a, b) => [v(b), v(a)][usize::from(v(c) == 1)],
            Op::And(a, b) => truth(v(a) == 1 && v(b) == 1),
            Op::Or(a, b) => truth(v(a) == 1 || v(b) == 1),
            Op::Not(a) => truth(v(a) == 0),
            Op::Lookup(a, t) => {
                let half = program.tables[t].len() as i128 / 2;
                program.tables[t][usize::try_from(v(a) + half).unwrap()].into()
            }
        };
        values.push(value);
    }
    let next = program.next_states.iter().map(|id| values[id.0]).collect();
    let spikes = program.spike.map_or(0, |id| values[id.0]);
    let payload = program.payload.map(|id| values[id.0]);
    (next, usize::try_from(spikes).unwrap(), payload)
}

/// Channel, row and column of an element.
fn place(grid: &Grid, element: usize) -> [i64; 3] {
    let plane = grid.height * grid.width;
    let [c, at] = match grid.order {
        AxisOrder::ChannelsFirst => [element / plane, element % plane],
        AxisOrder::ChannelsLast => [element % grid.channels, element / grid.channels],
    };
    [c, at / grid.width, at % grid.width].map(|n| n as i64)
}

/// Which element of the window, along `axis`, at `output` covers `input`.
fn element_of(window: &Window, axis: usize, input: i64, output: i64) -> Option<i64> {
    let [kernel, stride, padding, dilation] = [
        window.kernel,
        window.stride,
        window.padding,
        window.dilation,
    ]
    .map(|a| a[axis] as i64);
    let offset = input - (output * stride - padding);
    (offset >= 0 && offset % dilation == 0 && offset / dilation < kernel)
        .then_some(offset / dilation)
}

/// The elements behind a pooling that an element in front of it adds to.
fn pooled(pooling: &Pooling, element: usize) -> Vec<usize> {
    let [c, y, x] = place(&pooling.input, element);
    (0..pooling.output.n_elements())
        .filter(|&at| {
            let [channel, row, column] = place(&pooling.output, at);
            c == channel
                && element_of(&pooling.window, 0, y, row).is_some()
                && element_of(&pooling.window, 1, x, column).is_some()
        })
        .collect()
}

/// The weight from an element that they see to a neuron, if there is one.
fn weight_between(p: &Projection, element: usize, post: usize) -> Option<i128> {
    let n_post = |n_in: usize| p.weights.len() / n_in.max(1);
    let at = match &p.connectivity {
        Connectivity::Dense => {
            let n_in = p.pooling.last().map_or(p.n_pre, |l| l.output.n_elements());
            assert!(post < n_post(n_in));
            post * n_in + element
        }
        Connectivity::Convolution(conv) => {
            let [c, y, x] = place(&conv.input, element);
            let [o, row, column] = place(&conv.output, post);
            let (n_in, n_out) = (
                (conv.input.channels / conv.groups) as i64,
                (conv.output.channels / conv.groups) as i64,
            );
            if c / n_in != o / n_out {
                return None;
            }
            let ky = element_of(&conv.window, 0, y, row)?;
            let kx = element_of(&conv.window, 1, x, column)?;
            let [height, width] = conv.window.kernel.map(|n| n as i64);
            (((o * n_in + c % n_in) * height + ky) * width + kx) as usize
        }
    };
    Some(p.weights[at].into())
}

fn interpret(network: &Quantized, sample: Sample<'_>) -> Run {
    // The input's (channel, payload) pairs, before the first tick and in every tick.
    let mut first = Vec::new();
    let mut inputs: Vec<Vec<(usize, i128)>> = vec![Vec::new(); network.ticks as usize];
    match (sample, &network.input.encoder) {
        (Sample::Values(values), Encoder::Direct) => {
            let pairs = values.iter().map(|&v| i128::from(v)).enumerate();
            first = pairs.filter(|(_, v)| *v != 0).collect();
        }
        (Sample::Values(values), Encoder::Rate { seed }) => {
            let mut state = u64::from(*seed);
            for tick in &mut inputs {
                for (channel, &value) in values.iter().enumerate() {
                    state = (state ^ (state << 13)) & 0xffff_ffff;
                    state ^= state >> 17;
                    state = (state ^ (state << 5)) & 0xffff_ffff;
                    if u64::from(value) * 256 + u64::from(value) > state >> 16 {
                        tick.push((channel, 1));
                    }
                }
            }
        }
        (Sample::Values(values), Encoder::Latency { least }) => {
            for (channel, &value) in values.iter().enumerate() {
                let first = least.iter().position(|&least| least <= u16::from(value));
                if let Some(tick) = first {
                    inputs[tick].push((channel, 1));
                }
            }
        }
        (Sample::Values(values), Encoder::Delta(delta)) => {
            let n_channels = network.input.n_channels;
            let n = n_channels / (1 + usize::from(delta.off_spikes));
            let value = |tick: usize, at: usize| i32::from(values[tick * n + at]);
            for (tick, events) in inputs.iter_mut().enumerate() {
                for at in 0..n {
                    let change = match tick.checked_sub(1) {
                        Some(before) => value(tick, at) - value(before, at),
                        None if delta.padding => 0,
                        None => value(tick, at),
                    };
                    if change >= delta.threshold.into() {
                        events.push((at, 1));
                    }
                    if delta.off_spikes && -change >= delta.threshold.into() {
                        events.push((n + at, 1));
                    }
                }
            }
        }
        (Sample::Events(events), _) => {
            for (tick, events) in inputs.iter_mut().zip(events) {
                tick.extend(events.iter().map(|&channel| (channel as usize, 1)));
            }
        }
        (Sample::Series(values), _) => {
            let ticks = values.chunks(network.input.n_channels);
            inputs.truncate(ticks.len());
            for (tick, values) in inputs.iter_mut().zip(ticks) {
                let pairs = values.iter().map(|&v| i128::from(v)).enumerate();
                tick.extend(pairs.filter(|(_, v)| *v != 0));
            }
        }
        (Sample::Values(_), Encoder::Events | Encoder::Series) => {
            unreachable!("this test gives events and series")
        }
    }

    let mut run = Run {
        ticks: Vec::new(),
        scores: vec![0; network.populations[network.output.0].n_neurons],
        class: 0,
        spikes: vec![0; network.populations.len()],
        input_events: (first.len() + inputs.iter().map(Vec::len).sum::<usize>()) as u64,
        operations: vec![Operations::default(); network.projections.len()],
    };
    let mut held: Vec<Vec<Vec<i128>>> = Vec::new();
    let mut states: Vec<Vec<Vec<i128>>> = Vec::new();
    for population in &network.populations {
        held.push(vec![
            vec![0; population.n_neurons];
            population.accumulators.len()
        ]);
        let program = &population.program;
        let start = |s: &StateVariable, n: usize| match s.init {
            Init::Value(value) => i128::from(value),
            Init::Parameter(p) => program.parameters[p].values[n].into(),
        };
        states.push(
            program
                .states
                .iter()
                .map(|s| (0..population.n_neurons).map(|n| start(s, n)).collect())
                .collect(),
        );
    }
    // Adds the events of a projection to one accumulator.
    let add = |p: &Projection, events: &[(usize, i128)], sums: &mut [i128]| {
        let mut visited = Operations::default();
        for &(pre, payload) in events {
            let mut elements = vec![pre];
            for pooling in &p.pooling {
                elements = elements.iter().flat_map(|&e| pooled(pooling, e)).collect();
            }
            for element in elements {
                for (post, sum) in sums.iter_mut().enumerate() {
                    if let Some(weight) = weight_between(p, element, post) {
                        *sum += weight * payload * (1i128 << p.spike_shift);
                        visited.all += 1;
                        visited.not_0 += u64::from(weight != 0);
                        visited.stored += 1;
                    }
                }
            }
        }
        visited
    };
    for (p, operations) in network.projections.iter().zip(&mut run.operations) {
        if p.source == Source::Input {
            let sums = &mut held[p.target.0][p.accumulator];
            operations.add(add(p, &first, sums));
        }
    }
    for tick in 0..inputs.len() {
        let mut now: Vec<Activity> = Vec::new();
        for (id, population) in network.populations.iter().enumerate() {
            let mut sums = held[id].clone();
            let projections = network.projections.iter().enumerate();
            for (number, p) in projections.filter(|(_, p)| p.target.0 == id) {
                let spikes = |activity: &Activity| -> Vec<(usize, i128)> {
                    let spikes = activity.1.iter().map(|&n| (n as usize, 1));
                    let sent = activity.2.iter().copied().enumerate();
                    spikes.chain(sent.filter(|(_, v)| *v != 0)).collect()
                };
                // Every channel by itself, however many ticks ago it sent what arrives now.
                for channel in 0..p.n_pre {
                    let more = p.channel_delays.as_ref().map_or(0, |d| d[channel]);
                    let Some(then) = tick.checked_sub((p.delay + more) as usize) else {
                        continue;
                    };
                    let mut events = match p.source {
                        Source::Input => inputs[then].clone(),
                        Source::Population(source) if then == tick => spikes(&now[source.0]),
                        Source::Population(source) => spikes(&run.ticks[then][source.0]),
                    };
                    events.retain(|(pre, _)| *pre == channel);
                    run.operations[number].add(add(p, &events, &mut sums[p.accumulator]));
                }
            }
            let mut fired = Vec::new();
            let mut sent = Vec::new();
            for n in 0..population.n_neurons {
                let own: Vec<i128> = states[id].iter().map(|s| s[n]).collect();
                let inputs: Vec<i128> = sums.iter().map(|s| s[n]).collect();
                let (next, fires, payload) = neuron(&population.program, n, &own, &inputs);
                for (state, value) in states[id].iter_mut().zip(next) {
                    state[n] = value;
                }
                fired.extend(vec![n as u32; fires]);
                sent.extend(payload);
            }
            let n_sent = sent.iter().filter(|&&v| v != 0).count();
            run.spikes[id] += (fired.len() + n_sent) as u64;
            now.push((states[id].clone(), fired, sent));
        }
        let output = &now[network.output.0];
        match network.decoder {
            Decoder::SpikeCount => output.1.iter().for_each(|&n| run.scores[n as usize] += 1),
            Decoder::FirstSpike => {
                for &n in &output.1 {
                    let left = (inputs.len() - tick) as i128;
                    run.scores[n as usize] = run.scores[n as usize].max(left);
                }
            }
            Decoder::StateSum { state } => {
                for (score, v) in run.scores.iter_mut().zip(&output.0[state]) {
                    *score += v;
                }
            }
            Decoder::StateMax { state } => {
                for (n, v) in output.0[state].iter().enumerate() {
                    let before = run
                        .ticks
                        .iter()
                        .map(|then| then[network.output.0].0[state][n]);
                    run.scores[n] = before.chain([*v]).max().unwrap();
                }
            }
        }
        run.ticks.push(now);
    }
    let best = *run.scores.iter().max().unwrap();
    run.class = run.scores.iter().position(|&s| s == best).unwrap();
    run
}

fn check(network: &Quantized, sample: Sample<'_>) {
    let expected = interpret(network, sample);
    let mut golden = Golden::new(network).unwrap();
    // Twice: the second run must not see anything of the first.
    for _ in 0..2 {
        let (outcome, trace) = golden.trace(sample).unwrap();
        for (tick, (found, expected)) in trace.ticks.iter().zip(&expected.ticks).enumerate() {
            for (p, (found, expected)) in found.iter().zip(expected).enumerate() {
                let at = format!("tick {tick}, population {p} of\n{network}");
                let states: Vec<Vec<i128>> = found
                    .states
                    .iter()
                    .map(|s| s.iter().map(|&v| v.into()).collect())
                    .collect();
                assert_eq!(states, expected.0, "states at {at}");
                assert_eq!(found.spikes, expected.1, "spikes at {at}");
                let payloads: Vec<i128> = found.payloads.iter().map(|&v| v.into()).collect();
                assert_eq!(payloads, expected.2, "payloads at {at}");
            }
        }
        assert_eq!(trace.ticks.len(), expected.ticks.len());
        let scores: Vec<i128> = outcome.scores.iter().map(|&s| s.into()).collect();
        assert_eq!(scores, expected.scores);
        assert_eq!(outcome.class, expected.class);
        assert_eq!(outcome.spikes, expected.spikes);
        assert_eq!(outcome.input_events, expected.input_events);
        assert_eq!(outcome.operations, expected.operations);
        let all: u64 = expected.operations.iter().map(|o| o.all).sum();
        assert_eq!(outcome.synaptic_operations, all);
        assert_eq!(golden.find_overflow(sample).unwrap(), None, "{network}");
        assert_eq!(golden.run(sample).unwrap(), outcome);
    }
}

/// A small generator, so that a case is its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }
    fn count(&mut self, low: u64, high: u64) -> usize {
        (low + self.below(high - low + 1)) as usize
    }
    fn signed(&mut self, bits: u32) -> i64 {
        self.below(1 << bits) as i64 - (1 << (bits - 1))
    }
}

fn width(bits: u32) -> BitWidth {
    BitWidth::new(bits).unwrap()
}

/// Any program whose widths hold by construction, from the widths of the operands alone.
/// `most` bounds the widths, so that both word sizes of the golden model are met; a `graded` neuron
/// sends so many bits in place of spikes.
fn program(r: &mut Random, n: usize, inputs: &[u32], most: u32, graded: Option<u32>) -> Program {
    let states: Vec<StateVariable> = (0..r.count(1, 3))
        .map(|s| {
            let bits = 1 + r.below(u64::from(most.min(30))) as u32;
            StateVariable {
                name: format!("s{s}"),
                bits: width(bits),
                init: Init::Value(r.signed(bits)),
            }
        })
        .collect();
    let parameters: Vec<Parameter> = (0..r.count(0, 2))
        .map(|p| {
            let bits = 1 + r.below(16) as u32;
            Parameter {
                name: format!("p{p}"),
                bits: width(bits),
                values: (0..n).map(|_| r.signed(bits)).collect(),
            }
        })
        .collect();
    let mut steps: Vec<Step> = Vec::new();
    for (at, s) in states.iter().enumerate() {
        steps.push(Step {
            op: Op::State(at),
            bits: s.bits,
        });
    }
    for (at, &bits) in inputs.iter().enumerate() {
        steps.push(Step {
            op: Op::Input(at),
            bits: width(bits),
        });
    }
    for (at, p) in parameters.iter().enumerate() {
        steps.push(Step {
            op: Op::Parameter(at),
            bits: p.bits,
        });
    }
    let constant = r.signed(12);
    steps.push(Step {
        op: Op::Constant(constant),
        bits: width(12),
    });
    let mut tables: Vec<Vec<i64>> = Vec::new();
    for _ in 0..r.below(24) {
        let of = |steps: &[Step], condition: bool, r: &mut Random| -> Option<(ValueId, u32)> {
            let all: Vec<usize> = (0..steps.len())
                .filter(|&k| steps[k].op.is_condition() == condition)
                .collect();
            (!all.is_empty()).then(|| {
                let k = all[r.below(all.len() as u64) as usize];
                (ValueId(k), steps[k].bits.get())
            })
        };
        let (a, wa) = of(&steps, false, r).unwrap();
        let (b, wb) = of(&steps, false, r).unwrap();
        let small = 1 + r.below(9) as u32;
        let rounding = [Rounding::Floor, Rounding::NearestUp][r.below(2) as usize];
        let compare = [Compare::Greater, Compare::GreaterOrEqual][r.below(2) as usize];
        let (op, bits) = match (r.below(13), of(&steps, true, r), of(&steps, true, r)) {
            (0, ..) => (Op::Add(a, b), wa.max(wb) + 1),
            (1, ..) => (Op::Subtract(a, b), wa.max(wb) + 1),
            (2, ..) => (Op::Scale(a, r.signed(small)), wa + small),
            (3, ..) => (Op::Multiply(a, b), wa + wb),
            (4, ..) => (Op::ShiftLeft(a, small), wa + small),
            (5, ..) => {
                // One bit more than floor needs: nearest can round up to the next power.
                let shift = r.below(20) as u32;
                (
                    Op::ShiftRight(a, shift, rounding),
                    wa.saturating_sub(shift).max(1) + 1,
                )
            }
            (6, ..) => (Op::Saturate(a), 1 + r.below(u64::from(wa)) as u32),
            (7, Some((c, _)), _) => (Op::Select(c, a, b), wa.max(wb)),
            (8, Some((c, _)), Some((d, _))) => (Op::And(c, d), 1),
            (9, Some((c, _)), Some((d, _))) => (Op::Or(c, d), 1),
            (10, Some((c, _)), _) => (Op::Not(c), 1),
            (12, ..) if wa <= 10 => {
                // As many entries as the argument has values.
                tables.push((0..1 << wa).map(|_| r.signed(small)).collect());
                (Op::Lookup(a, tables.len() - 1), small)
            }
            _ => (Op::Compare(a, compare, b), 1),
        };
        if bits <= most {
            steps.push(Step {
                op,
                bits: width(bits),
            });
        }
    }
    let numbers: Vec<usize> = (0..steps.len())
        .filter(|&k| !steps[k].op.is_condition())
        .collect();
    let next_states = states
        .iter()
        .map(|s| {
            // The later values are the more interesting ones.
            let k = numbers[numbers.len() - 1 - r.below(numbers.len().min(4) as u64) as usize];
            steps.push(Step {
                op: Op::Saturate(ValueId(k)),
                bits: s.bits,
            });
            ValueId(steps.len() - 1)
        })
        .collect();
    let condition = (0..steps.len()).rev().find(|&k| steps[k].op.is_condition());
    let mut spike = condition.map(ValueId);
    if r.below(3) == 0 {
        // A number of spikes: what is above 0 of the last number, up to 7.
        let number = ValueId(*numbers.last().unwrap());
        let mut push = |op, bits| {
            steps.push(Step {
                op,
                bits: width(bits),
            });
            ValueId(steps.len() - 1)
        };
        let short = push(Op::Saturate(number), 4);
        let zero = push(Op::Constant(0), 1);
        let above = push(Op::Compare(short, Compare::Greater, zero), 1);
        spike = Some(push(Op::Select(above, short, zero), 4));
    }
    let mut payload = None;
    if let Some(most) = graded {
        // Graded in place of spikes.
        spike = None;
        let number = ValueId(*numbers.last().unwrap());
        let bits = steps[number.0].bits.get();
        steps.push(Step {
            op: Op::Saturate(number),
            bits: width(bits.min(most)),
        });
        payload = Some(ValueId(steps.len() - 1));
    }
    Program {
        states,
        parameters,
        steps,
        next_states,
        spike,
        payload,
        tables,
    }
}

/// A plane of so many elements.
fn grid(r: &mut Random, n: usize) -> Grid {
    let divisor = |r: &mut Random, n: usize| {
        let divisors: Vec<usize> = (1..=n).filter(|&d| n.is_multiple_of(d)).collect();
        divisors[r.below(divisors.len() as u64) as usize]
    };
    let channels = divisor(r, n);
    let height = divisor(r, n / channels);
    Grid {
        channels,
        height,
        width: n / channels / height,
        order: [AxisOrder::ChannelsFirst, AxisOrder::ChannelsLast][r.below(2) as usize],
    }
}

/// Any window that can go from one plane to the other.
fn window(r: &mut Random, input: &Grid, output: &Grid) -> Window {
    let kernel = [r.count(1, 3), r.count(1, 3)];
    let dilation = [r.count(1, 2), r.count(1, 2)];
    let mut stride = [1, 1];
    let mut padding = [0, 0];
    let sides = [(input.height, output.height), (input.width, output.width)];
    for (axis, (n_in, n_out)) in sides.into_iter().enumerate() {
        padding[axis] = (n_out - 1).saturating_sub(n_in).div_ceil(2) + r.count(0, 1);
        let room = n_in + 2 * padding[axis];
        let widest = room / (n_out - 1).max(1);
        stride[axis] = r.count(1, widest.clamp(1, 3) as u64);
    }
    Window {
        kernel,
        stride,
        padding,
        dilation,
    }
}

/// Poolings and a connectivity from so many elements to so many neurons, and the weights' number.
fn geometry(r: &mut Random, n_pre: usize, n_post: usize) -> (Vec<Pooling>, Connectivity, usize) {
    let mut pooling = Vec::new();
    let mut input = grid(r, n_pre);
    for _ in 0..r.below(3) {
        let output = Grid {
            height: r.count(1, input.height as u64),
            width: r.count(1, input.width as u64),
            ..input
        };
        let mut window = window(r, &input, &output);
        window.dilation = [1, 1];
        pooling.push(Pooling {
            input,
            output,
            window,
        });
        input = output;
    }
    if r.below(2) == 0 {
        return (pooling, Connectivity::Dense, input.n_elements() * n_post);
    }
    let output = grid(r, n_post);
    let groups: Vec<usize> = (1..=input.channels)
        .filter(|&g| input.channels.is_multiple_of(g) && output.channels.is_multiple_of(g))
        .collect();
    let convolution = Convolution {
        input,
        output,
        window: window(r, &input, &output),
        groups: groups[r.below(groups.len() as u64) as usize],
    };
    (
        pooling,
        Connectivity::Convolution(convolution),
        convolution.n_weights(),
    )
}

/// Any network: convolutions and poolings, several accumulators, delays, loops, all encoders and decoders, and populations
/// on both sides of the golden model's tile sizes.
fn network(seed: u64) -> Quantized {
    let r = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut n_channels = r.count(1, 40);
    let ticks = r.count(1, 8) as u32;
    let encoder = match r.below(6) {
        0 => Encoder::Direct,
        2 => Encoder::Series,
        1 => Encoder::Rate {
            seed: 1 + r.below(u64::from(u32::MAX)) as u32,
        },
        3 => Encoder::Latency {
            least: {
                let mut least: Vec<u16> = (0..ticks).map(|_| r.below(257) as u16).collect();
                least.sort_by(|a, b| b.cmp(a));
                least
            },
        },
        4 => {
            let off_spikes = r.below(2) == 0;
            n_channels *= 1 + usize::from(off_spikes);
            Encoder::Delta(Delta {
                threshold: 1 + r.below(255) as u8,
                off_spikes,
                padding: r.below(2) == 0,
            })
        }
        _ => Encoder::Events,
    };
    let sizes: Vec<usize> = (0..r.count(1, 3))
        .map(|_| [r.count(1, 9), r.count(10, 40), r.count(60, 150)][r.below(3) as usize])
        .collect();
    let graded: Vec<Option<u32>> = sizes
        .iter()
        .map(|_| [None, None, Some(2), Some(8), Some(16)][r.below(5) as usize])
        .collect();
    let mut accumulators: Vec<Vec<Accumulator>> = sizes.iter().map(|_| Vec::new()).collect();
    let mut projections = Vec::new();
    for target in 0..sizes.len() {
        for at in 0..r.count(1, 3) {
            let source = match r.below(3) {
                0 => Source::Input,
                _ => Source::Population(PopulationId(r.below(sizes.len() as u64) as usize)),
            };
            let (n_pre, least_delay) = match source {
                Source::Input => (n_channels, 0),
                Source::Population(id) => (sizes[id.0], u64::from(id.0 >= target)),
            };
            let hold = source == Source::Input && encoder == Encoder::Direct;
            let bits = [2, 4, 8, 12, 16][r.below(5) as usize];
            let (pooling, connectivity, n_weights) = match r.below(2) {
                0 => (vec![], Connectivity::Dense, n_pre * sizes[target]),
                _ => geometry(r, n_pre, sizes[target]),
            };
            let heavy = r.below(4) == 0;
            let lowest = -(1i64 << (bits - 1)) as i32;
            let is_graded = match source {
                Source::Input => encoder == Encoder::Series,
                Source::Population(id) => graded[id.0].is_some(),
            };
            let spike_shift = match r.below(6) {
                0 if !is_graded && !hold => r.count(1, 12) as u32,
                _ => 0,
            };
            let weight = |r: &mut Random| if heavy { lowest } else { r.signed(bits) as i32 };
            accumulators[target].push(Accumulator {
                name: format!("a{at}"),
                // 16-bit weights, 150 events and payloads of 8 bits, or 7 spikes of each, stay below
                // 2^31, and a pooling shares an event among 9 elements at most twice.
                // Payloads of 16 bits take 14 more.
                bits: width(match source {
                    Source::Input if encoder == Encoder::Series => 48,
                    Source::Population(id) if graded[id.0].is_some_and(|bits| bits > 2) => 48,
                    _ if spike_shift > 0 => 48,
                    _ => 32,
                }),
                hold,
            });
            projections.push(Projection {
                name: format!("p{at}"),
                source,
                target: PopulationId(target),
                accumulator: at,
                n_pre,
                pooling,
                connectivity,
                weight_bits: width(bits),
                delay: if hold {
                    0
                } else {
                    r.count(least_delay, 3) as u32
                },
                channel_delays: (!hold && r.below(3) == 0)
                    .then(|| (0..n_pre).map(|_| r.below(4) as u32).collect()),
                spike_shift,
                weights: (0..n_weights).map(|_| weight(r)).collect(),
                plasticity: None,
                origin: Origin::Synthetic,
            });
        }
    }
    let most = [32, 63][r.below(2) as usize];
    let populations: Vec<Population> = sizes
        .iter()
        .zip(accumulators)
        .enumerate()
        .map(|(id, (&n, accumulators))| Population {
            name: format!("n{id}"),
            n_neurons: n,
            shape: vec![n],
            order: AxisOrder::ChannelsFirst,
            program: program(
                r,
                n,
                &accumulators
                    .iter()
                    .map(|a| a.bits.get())
                    .collect::<Vec<u32>>(),
                most,
                graded[id],
            ),
            accumulators,
            origin: Origin::Synthetic,
        })
        .collect();
    let output = PopulationId(r.below(sizes.len() as u64) as usize);
    Quantized {
        name: format!("seed {seed}"),
        ticks,
        phases: 1,
        input: Input {
            n_channels,
            teacher: 0,
            encoder,
        },
        decoder: {
            let n_states = populations[output.0].program.states.len();
            let state = r.below(n_states as u64) as usize;
            match r.below(4) {
                0 => Decoder::SpikeCount,
                1 => Decoder::FirstSpike,
                2 => Decoder::StateMax { state },
                _ => Decoder::StateSum { state },
            }
        },
        populations,
        projections,
        output,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn golden_agrees_with_a_plain_interpreter(seed in any::<u64>()) {
        let network = network(seed);
        network.check().unwrap();
        let r = &mut Random(seed | 1);
        for density in [0, 3, 10] {
            let values: Vec<u8> = (0..network.input.n_channels)
                .map(|_| if density == 10 { 255 } else { r.below(256) as u8 * u8::from(r.below(10) < density) })
                .collect();
            let events: Vec<Vec<u32>> = (0..network.ticks)
                .map(|_| {
                    (0..network.input.n_channels as u32).filter(|_| r.below(10) < density).collect()
                })
                .collect();
            match &network.input.encoder {
                Encoder::Direct => check(&network, Sample::Values(&values)),
                Encoder::Events => check(&network, Sample::Events(&events)),
                Encoder::Series => {
                    let n_ticks = r.count(1, u64::from(network.ticks));
                    let series: Vec<i16> = (0..n_ticks * network.input.n_channels)
                        .map(|_| match density {
                            0 => 0,
                            3 => r.signed(12) as i16 * i16::from(r.below(3) == 0),
                            _ => i16::MIN,
                        })
                        .collect();
                    check(&network, Sample::Series(&series));
                    let bytes: Vec<u8> = series.iter().flat_map(|v| v.to_le_bytes()).collect();
                    let mut golden = Golden::new(&network).unwrap();
                    let of_bytes = golden.trace(Sample::Values(&bytes)).unwrap();
                    assert_eq!(of_bytes, golden.trace(Sample::Series(&series)).unwrap());
                }
                Encoder::Delta(_) => {
                    let bytes: Vec<u8> = (0..network.sample_bytes())
                        .map(|_| r.below(256) as u8 * u8::from(r.below(10) < density))
                        .collect();
                    check(&network, Sample::Values(&bytes));
                    check(&network, Sample::Events(&events));
                }
                Encoder::Rate { .. } | Encoder::Latency { .. } => {
                    check(&network, Sample::Values(&values));
                    check(&network, Sample::Events(&events));
                }
            }
        }
    }
}

proptest! {
    /// Ending early is the same as having so few ticks, and no tick earlier was enough.
    #[test]
    fn an_early_end_is_the_end_of_a_shorter_sample(seed in any::<u64>(), margin in 1_i64..40) {
        let mut network = network(seed);
        let r = &mut Random(seed | 1);
        let bytes: Vec<u8> = (0..network.sample_bytes()).map(|_| r.below(256) as u8).collect();
        let found = Golden::new(&network).unwrap().run_until(Sample::Values(&bytes), margin).unwrap();
        let all = network.ticks;
        for ticks in (1..=found.ticks).rev() {
            network.ticks = ticks;
            if let Encoder::Latency { least } = &mut network.input.encoder {
                least.truncate(ticks as usize);
            }
            let mut golden = Golden::new(&network).unwrap();
            let shorter = golden.run(Sample::Values(&bytes[..network.sample_bytes()])).unwrap();
            let mut sorted = shorter.scores.clone();
            sorted.sort();
            let lead = match sorted[..] {
                [.., second, best] => best - second,
                _ => 0,
            };
            assert_eq!(lead >= margin, ticks == found.ticks && (ticks < all || lead >= margin), "{sorted:?}");
            if ticks == found.ticks {
                assert_eq!(shorter, found);
            }
        }
    }
}

#[test]
fn a_value_that_leaves_its_width_is_found() {
    let mut network = (0..)
        .map(network)
        .find(|n| n.input.encoder == Encoder::Events)
        .unwrap();
    let events = vec![Vec::new(); network.ticks as usize];
    let program = &mut network.populations[0].program;
    let constant = program
        .steps
        .iter()
        .position(|s| matches!(s.op, Op::Constant(_)))
        .unwrap();
    // Twice a constant of 100 takes 9 bits, not 8.
    program.steps[constant].op = Op::Constant(100);
    program.steps.push(Step {
        op: Op::Add(ValueId(constant), ValueId(constant)),
        bits: width(8),
    });
    let step = program.steps.len() - 1;
    let mut golden = Golden::new(&network).unwrap();
    let found = golden.find_overflow(Sample::Events(&events)).unwrap();
    assert_eq!(found, Some((0, step, 0, 200)));
}

#[test]
fn a_sample_of_the_wrong_kind_is_refused() {
    let direct = (0..)
        .map(network)
        .find(|n| n.input.encoder == Encoder::Direct)
        .unwrap();
    let mut golden = Golden::new(&direct).unwrap();
    let n = direct.input.n_channels;
    assert!(golden.run(Sample::Values(&vec![0; n])).is_ok());
    let long = golden.run(Sample::Values(&vec![0; n + 1])).unwrap_err();
    assert_eq!(
        long.to_string(),
        format!("the sample has {} bytes but the network takes {n}", n + 1)
    );
    let events = golden.run(Sample::Events(&[])).unwrap_err();
    assert_eq!(
        events.to_string(),
        "this network's encoder takes values, not events"
    );

    let spiking = (0..)
        .map(network)
        .find(|n| n.input.encoder == Encoder::Events)
        .unwrap();
    let mut golden = Golden::new(&spiking).unwrap();
    let n = spiking.input.n_channels;
    assert!(golden.run(Sample::Values(&vec![0; n])).is_err());
    // The same spike trains as a list and as bits, whose unused ones mean nothing.
    let events: Vec<Vec<u32>> = (0..spiking.ticks)
        .map(|tick| (0..n as u32).filter(|c| (c + tick) % 3 == 0).collect())
        .collect();
    let n_bytes = spiking.input.bytes_a_tick();
    let mut bytes = vec![0u8; spiking.sample_bytes()];
    for (events, bytes) in events.iter().zip(bytes.chunks_mut(n_bytes)) {
        for &channel in events {
            bytes[channel as usize / 8] |= 1 << (channel % 8);
        }
        if n % 8 > 0 {
            bytes[n_bytes - 1] |= 0xff << (n % 8);
        }
    }
    assert_eq!(
        golden.trace(Sample::Events(&events)),
        golden.trace(Sample::Values(&bytes))
    );
    let beyond = vec![vec![], vec![n as u32]];
    assert_eq!(
        golden.run(Sample::Events(&beyond)).unwrap_err().to_string(),
        format!("tick 1 has an event on channel {n}, but there are {n} channels")
    );
}
