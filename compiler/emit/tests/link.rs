//! The host link in rust-hdl's simulator against its Verilog, cycle by cycle.
//!
//! Random inputs would never form a frame, so the traffic is commands, some of them damaged, and
//! the design behind the bus answers it; inputs and outputs of each cycle are recorded and replayed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rust_hdl_core::prelude::*;
use spikeloom_emit::emit;
use spikeloom_hdl::DSignal;
use spikeloom_hdl::link::{HostLink, UartReceiver, UartTransmitter};
use support::{Random, Recording, cell_counts, lint, record, yosys_run};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

/// Frames with all commands, lengths and refusals, every fifth with a wrong bit.
fn traffic(random: &mut Random, n_frames: usize) -> Vec<u8> {
    let mut stream = vec![];
    for sequence in 0..n_frames {
        let code = [1, 1, 2, 2, 2, 3][random.next() as usize % 6];
        let n_bytes = [0, 1, 5, 20, 255][random.next() as usize % 5];
        let payload: Vec<u8> = match code {
            1 => vec![n_bytes],
            _ => (0..n_bytes).map(|_| random.next() as u8).collect(),
        };
        let address = random.next() as u32 % 300;
        let space = random.next() as u8 % 4;
        let mut body = vec![payload.len() as u8, sequence as u8, code, space];
        body.extend(&address.to_le_bytes()[..3]);
        body.extend(payload);
        let checksum = crc16(&body);
        if random.next().is_multiple_of(5) {
            let at = random.next() as usize % body.len();
            body[at] ^= 1 << (random.next() % 8);
        }
        stream.push(0xa5);
        stream.extend(body);
        stream.extend(checksum.to_le_bytes());
    }
    stream
}

/// A design behind the bus: a byte that depends on the place, four cycles after the strobe.
struct Design {
    random: Random,
    pipeline: [u64; 4],
    busy_left: u64,
}

impl Design {
    fn new() -> Self {
        Self {
            random: Random(7),
            pipeline: [0; 4],
            busy_left: 0,
        }
    }

    /// Sets the inputs of the bus for a cycle whose outputs are known up to the strobes.
    #[allow(clippy::too_many_arguments, reason = "they are the ports of the bus")]
    fn drive(
        &mut self,
        space: &DSignal<Out>,
        address: &DSignal<Out>,
        strobe: bool,
        bus_read_data: &mut DSignal<In>,
        bus_error: &mut Signal<In, Bit>,
        busy: &mut Signal<In, Bit>,
    ) {
        let place = address.val().raw() * 4 + space.val().raw();
        bus_read_data.next = (self.pipeline[3] & 0xff).into();
        self.pipeline.rotate_right(1);
        self.pipeline[0] = place.wrapping_mul(0x9e37) >> 3;
        bus_error.next = address.val().raw() >= 450;
        if strobe && self.random.next().is_multiple_of(64) {
            self.busy_left = self.random.next() % 200;
        }
        self.busy_left = self.busy_left.saturating_sub(1);
        busy.next = self.busy_left > 0;
    }
}

fn host_link() -> Recording {
    let mut random = Random(1);
    let stream = traffic(&mut random, 60);
    let mut design = Design::new();
    let (mut sent, mut offered, mut n_answer_bytes) = (0, false, 0);
    let link = HostLink::new().unwrap();
    let recording = record(
        "host_link",
        link,
        vec![],
        |link| &mut link.clock,
        |link, cycle, at_edge| {
            let [rx_ready, tx_valid, ..] = *at_edge else {
                panic!("the first outputs are `rx_ready` and `tx_valid`");
            };
            sent += usize::from(offered) & rx_ready as usize;
            n_answer_bytes += u64::from(link.tx_ready.val()) & tx_valid;
            let strobe = link.bus_write.val() || link.bus_read.val();
            design.drive(
                &link.bus_space,
                &link.bus_address,
                strobe,
                &mut link.bus_read_data,
                &mut link.bus_error,
                &mut link.busy,
            );
            // Rhythms change every 512 cycles, from full speed to long stalls.
            let (gap, stall) = [(0, 0), (3, 0), (0, 3), (2, 2)][(cycle / 512) as usize % 4];
            offered = sent < stream.len() && random.next() % 4 >= gap;
            link.rx_valid.next = offered;
            let byte = stream.get(sent).copied().unwrap_or(0xff);
            link.rx_data.next = u64::from(byte).into();
            link.tx_ready.next = random.next() % 4 >= stall;
            cycle < 20_000
        },
    );
    assert_eq!(sent, stream.len());
    assert!(n_answer_bytes > 1_000, "{n_answer_bytes} bytes of answers");
    recording
}

#[test]
fn the_link_and_its_verilog_are_equal_in_each_cycle() {
    host_link().check_equal();
}

#[test]
fn the_link_fits_its_budget_of_logic_cells() {
    let mut receiver = UartReceiver::new(104).unwrap();
    let mut link = HostLink::new().unwrap();
    let mut transmitter = UartTransmitter::new(104).unwrap();
    receiver.connect_all();
    link.connect_all();
    transmitter.connect_all();
    let blocks: [(&str, &dyn Block); 3] = [
        ("uart_receiver", &receiver),
        ("host_link", &link),
        ("uart_transmitter", &transmitter),
    ];
    let mut verilog = String::new();
    for (name, block) in blocks {
        let emitted = emit(block, name).unwrap();
        lint(&emitted.verilog, name);
        verilog.push_str(&emitted.verilog);
    }
    verilog.push_str(
        "module serial_link(input wire clock, uart_rx, busy, bus_error, output wire uart_tx,
            output wire [7:0] bus_space, bus_write_data, output wire [23:0] bus_address,
            output wire bus_write, bus_read, input wire [7:0] bus_read_data);
        wire rx_valid, rx_ready, tx_valid, tx_ready;
        wire [7:0] rx_data, tx_data;
        uart_receiver receiver(.clock(clock), .line(uart_rx), .rx_valid(rx_valid),
            .rx_ready(rx_ready), .rx_data(rx_data), .framing_error(), .overrun());
        host_link link(.clock(clock), .rx_valid(rx_valid), .rx_ready(rx_ready), .rx_data(rx_data),
            .tx_valid(tx_valid), .tx_ready(tx_ready), .tx_data(tx_data), .bus_space(bus_space),
            .bus_address(bus_address), .bus_write(bus_write), .bus_write_data(bus_write_data),
            .bus_read(bus_read), .bus_read_data(bus_read_data), .bus_error(bus_error),
            .busy(busy));
        uart_transmitter transmitter(.clock(clock), .tx_valid(tx_valid), .tx_ready(tx_ready),
            .tx_data(tx_data), .line(uart_tx));
        endmodule\n",
    );
    let script = "read_verilog top.v; synth_ice40 -device u -top serial_link; tee -o stat.txt stat";
    let Some(report) = yosys_run(&verilog, &[], script) else {
        return;
    };
    let counts = cell_counts(&report);
    assert_eq!(counts["SB_RAM40_4K"], 2);
    // A cell is a LUT, a flip-flop or both, so this is what the packing has to start from.
    let n_luts = counts["SB_LUT4"];
    assert!((1..=400).contains(&n_luts), "{n_luts} LUTs");
}
