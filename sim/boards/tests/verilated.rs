//! The client against the circuit: the link's Verilog in Verilator, with memories behind its bus.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../cosim/tests/support/tools.rs"]
mod tools;

use std::sync::LazyLock;
use std::time::Duration;

use spikeloom_boards::{
    Client, ClientConfig, CycleRun, CycleTransport, Error, FaultRates, FaultyTransport, Space,
    Transport as Line, TransportError,
};
use spikeloom_cosim::{
    Initial, Instance, Model, Setup, Source, Traffic, Transport, UartPorts, build,
};
use spikeloom_emit::emit;
use spikeloom_hdl::link::{HostLink, UartHostLink};

const CLOCK_HZ: u32 = 12_000_000;
const CYCLES_PER_BIT: u32 = 4;

/// Bytes of space 16, the memory; space 0 has the version register and one that starts a run.
const SIZE: usize = 4096;

/// A run takes as many times 16 cycles as the byte that started it says.
const DESIGN: &str = "
reg [7:0] memory [0:4095];
reg [7:0] byte_1, byte_2, byte_3;
reg [11:0] running = 0;
integer i;
initial for (i = 0; i < 4096; i = i + 1) memory[i] = 0;
wire in_memory = bus_space == 16 && bus_address < 4096;
wire in_control = bus_space == 0 && bus_address < 20;
wire bus_error = !in_memory && !in_control;
wire busy = running != 0;
wire [7:0] control = bus_address == 8 ? 1 : bus_address == 19 ? {7'b0, busy} : 0;
wire [7:0] bus_read_data = byte_3;
always @(posedge clock) begin
    byte_1 <= in_control ? control : memory[bus_address[11:0]];
    byte_2 <= byte_1;
    byte_3 <= byte_2;
    if (bus_write && in_memory) memory[bus_address[11:0]] <= bus_write_data;
    if (bus_write && in_control && bus_address == 18) running <= {bus_write_data, 4'b0};
    else if (busy) running <= running - 1;
end
";

/// The bus between the link and the design.
const BUS: &str = "
wire [7:0] bus_space;
wire [23:0] bus_address;
wire bus_write, bus_read;
wire [7:0] bus_write_data;
";

const BUS_PORTS: &str = "\
.bus_space(bus_space), .bus_address(bus_address), .bus_write(bus_write), \
.bus_write_data(bus_write_data), .bus_read(bus_read), .bus_read_data(bus_read_data), \
.bus_error(bus_error), .busy(busy)";

fn model(
    top: &str,
    link: &str,
    link_verilog: &str,
    ports: &str,
    connections: &str,
) -> Option<Model> {
    let verilator = tools::verilator()?;
    let verilog = format!(
        "{link_verilog}\nmodule {top}(input wire clock, {ports});\n{BUS}{DESIGN}\
         {link} link(.clock(clock), {connections}, {BUS_PORTS});\nendmodule\n"
    );
    let mut source = Source::new(top);
    source.verilog.push((format!("{top}.v"), verilog));
    let cache = tempfile::tempdir().unwrap();
    Some(build(&verilator, cache.path(), &source).unwrap())
}

/// The link between byte streams.
fn stream_model() -> Option<Model> {
    static MODEL: LazyLock<Option<Model>> = LazyLock::new(build_stream_model);
    MODEL.clone()
}

fn build_stream_model() -> Option<Model> {
    let link = emit(&HostLink::new().unwrap().connected(), "host_link").unwrap();
    let ports = "input wire rx_valid, output wire rx_ready, input wire [7:0] rx_data, \
                 output wire tx_valid, input wire tx_ready, output wire [7:0] tx_data";
    let connections = ".rx_valid(rx_valid), .rx_ready(rx_ready), .rx_data(rx_data), \
                       .tx_valid(tx_valid), .tx_ready(tx_ready), .tx_data(tx_data)";
    model("stream_top", "host_link", &link.verilog, ports, connections)
}

/// The link between serial lines.
fn uart_model() -> Option<Model> {
    static MODEL: LazyLock<Option<Model>> = LazyLock::new(build_uart_model);
    MODEL.clone()
}

fn build_uart_model() -> Option<Model> {
    let link = UartHostLink::new(CYCLES_PER_BIT).unwrap().connected();
    let link = emit(&link, "uart_host_link").unwrap();
    let ports = "input wire uart_rx, output wire uart_tx";
    let connections = ".uart_rx(uart_rx), .uart_tx(uart_tx), .uart_framing_error(), \
                       .uart_overrun()";
    model(
        "uart_top",
        "uart_host_link",
        &link.verilog,
        ports,
        connections,
    )
}

/// The model as a line to a device.
fn line(model: &Model, transport: Transport, traffic: Traffic) -> impl Line + use<> {
    let setup = Setup {
        transport: Some(transport),
        traffic,
        reset: None,
        initial: Initial::Random { seed: 5 },
        ..Setup::default()
    };
    let mut instance = Instance::new(model, &setup).unwrap();
    let run = move |input: &[u8], want: usize, max_cycles: u64| {
        let run = instance.run_bytes(input, want, max_cycles);
        let run = run.map_err(|error| TransportError::Simulation {
            message: error.to_string(),
        })?;
        Ok(CycleRun {
            output: run.output,
            cycles: run.cycles,
        })
    };
    CycleTransport::new(CLOCK_HZ, run)
}

fn stream_line(model: &Model, traffic: Traffic) -> impl Line + use<> {
    line(model, Transport::Stream(Default::default()), traffic)
}

fn uart_line(model: &Model) -> impl Line + use<> {
    line(
        model,
        Transport::Uart(UartPorts::new(CYCLES_PER_BIT)),
        Traffic::default(),
    )
}

/// Writes and reads at random, each checked against a plain copy of the memory.
fn check<T: Line>(line: T, cfg: ClientConfig, n_transfers: usize, longest: usize) -> Client<T> {
    let mut client = Client::connect(line, cfg).unwrap();
    let mut expected = vec![0; SIZE];
    let mut random = fastrand::Rng::with_seed(1);
    for transfer in 0..n_transfers {
        let n_bytes = random.usize(..=longest);
        let start = random.usize(..=SIZE - n_bytes);
        let address = start as u32;
        if random.bool() {
            let bytes: Vec<u8> = (0..n_bytes)
                .map(|_| if random.bool() { 0xa5 } else { random.u8(..) })
                .collect();
            client.write(Space(16), address, &bytes).unwrap();
            expected[start..start + n_bytes].copy_from_slice(&bytes);
        } else {
            let found = client.read(Space(16), address, n_bytes).unwrap();
            assert_eq!(
                found,
                expected[start..start + n_bytes],
                "transfer {transfer}"
            );
        }
        if random.u8(..8) == 0 {
            client.write(Space::CONTROL, 18, &[random.u8(..)]).unwrap();
        }
    }
    assert_eq!(client.read(Space(16), 0, SIZE).unwrap(), expected);
    client
}

fn uart_config() -> ClientConfig {
    ClientConfig {
        // The run is over long before, so that nothing is sent twice without need.
        answer_timeout: Duration::from_millis(10),
        ..ClientConfig::for_baud(CLOCK_HZ / CYCLES_PER_BIT)
    }
}

#[test]
fn the_client_and_the_circuit_understand_each_other() {
    let Some(model) = stream_model() else { return };
    for traffic in [
        Traffic::default(),
        Traffic {
            seed: 1,
            input_gap: 100,
            output_stall: 200,
        },
        Traffic {
            seed: 2,
            input_gap: 220,
            output_stall: 20,
        },
    ] {
        let line = stream_line(&model, traffic);
        let client = check(line, ClientConfig::default(), 300, 1_000);
        let statistics = client.statistics();
        assert_eq!((statistics.retries, statistics.bad_answers), (0, 0));
        assert_eq!(statistics.frames_sent, statistics.answers);
    }
}

#[test]
fn the_client_and_the_circuit_understand_each_other_over_serial_lines() {
    let Some(model) = uart_model() else { return };
    let client = check(uart_line(&model), uart_config(), 200, 1_000);
    let statistics = client.statistics();
    assert_eq!((statistics.retries, statistics.bad_answers), (0, 0));
}

#[test]
fn faults_on_the_line_to_the_circuit_cost_only_time() {
    let rates = FaultRates::evenly(0.01, Duration::from_millis(8));
    if let Some(model) = stream_model() {
        let line = FaultyTransport::new(stream_line(&model, Traffic::default()), rates, 3);
        let client = check(line, uart_config(), 1_000, 48);
        assert!(client.statistics().retries > 100);
        assert!(client.transport().counts().total() > 300);
    }
    if let Some(model) = uart_model() {
        let line = FaultyTransport::new(uart_line(&model), rates, 4);
        let client = check(line, uart_config(), 300, 200);
        assert!(client.statistics().retries > 100);
    }
}

#[test]
fn refusals_of_the_circuit_arrive() {
    let Some(model) = stream_model() else { return };
    let line = stream_line(&model, Traffic::default());
    let mut client = Client::connect(line, ClientConfig::default()).unwrap();
    for (space, address, n_bytes) in [(Space(16), 4_000, 97), (Space(17), 0, 1)] {
        let error = client.read(space, address, n_bytes).unwrap_err();
        assert!(matches!(error, Error::NoSuchAddress { .. }), "{error}");
        let error = client.write(space, address, &vec![1; n_bytes]).unwrap_err();
        assert!(matches!(error, Error::NoSuchAddress { .. }), "{error}");
    }
    assert_eq!(client.read(Space(16), 4_000, 96).unwrap(), [1; 96]);
}

fn cycles(line: &impl Line) -> u128 {
    line.now().as_nanos() * u128::from(CLOCK_HZ) / 1_000_000_000
}

#[test]
fn a_byte_takes_little_more_than_a_cycle() {
    let Some(model) = stream_model() else { return };
    let line = stream_line(&model, Traffic::default());
    let cfg = ClientConfig {
        frame_bytes: 255,
        window_bytes: 4_000,
        ..ClientConfig::default()
    };
    let mut client = Client::connect(line, cfg).unwrap();
    let before = cycles(client.transport());
    client.write(Space(16), 0, &[3; SIZE]).unwrap();
    let written = cycles(client.transport()) - before;
    assert!(
        (SIZE as u128..SIZE as u128 * 12 / 10).contains(&written),
        "{written} cycles"
    );
    let before = cycles(client.transport());
    client.read(Space(16), 0, SIZE).unwrap();
    // Five cycles on the bus and two on the line, one after the other.
    let read = cycles(client.transport()) - before;
    assert!(
        (SIZE as u128 * 7..SIZE as u128 * 8).contains(&read),
        "{read} cycles"
    );
}

#[test]
fn bulk_loads_take_little_more_than_the_serial_line_does() {
    let Some(model) = uart_model() else { return };
    let mut client = Client::connect(uart_line(&model), uart_config()).unwrap();
    let before = cycles(client.transport());
    client.write(Space(16), 0, &[3; SIZE]).unwrap();
    let written = cycles(client.transport()) - before;
    // Ten bits a byte; the frames around them, and the last answer, come on top.
    let limit = SIZE as u128 * 10 * u128::from(CYCLES_PER_BIT);
    println!("{:.4} of the line", limit as f64 / written as f64);
    assert!(
        (limit..limit * 110 / 100).contains(&written),
        "{written} cycles, the line alone takes {limit}"
    );
}
