//! Recordings of events that other libraries wrote (`tests/data/events`), as spike trains.

use std::path::Path;

use spikeloom::data::aer::{Clock, Frame, Sensor, parse};
use spikeloom::data::{self, Samples, Taken};
use spikeloom_tests::archive;

type Trains = Vec<Vec<u32>>;

fn read(name: &str, shape: &[usize], clock: Clock) -> Vec<(Trains, Option<usize>)> {
    let path = spikeloom_tests::folder().join("data/events").join(name);
    let frame = Frame::new(shape, &Sensor::default()).unwrap();
    parse(&path, std::fs::read(&path).unwrap(), &frame, &clock).unwrap()
}

/// Column, row and polarity of the event of each 250 microseconds.
fn event(n: u32) -> (u32, u32, bool) {
    (n % 3, n / 3 % 2, n.is_multiple_of(4))
}

/// Four events a tick.
fn trains() -> Trains {
    let tick = |tick: u32| {
        let channels = (4 * tick..4 * tick + 4).map(|n| {
            let (x, y, on) = event(n);
            u32::from(on) * 6 + y * 3 + x
        });
        let mut channels: Vec<u32> = channels.collect();
        channels.sort_unstable();
        channels
    };
    (0..6).map(tick).collect()
}

#[test]
fn every_format_of_a_camera_has_the_same_events() {
    let clock = Clock {
        tick_us: Some(1000),
        ticks: 6,
    };
    for name in [
        "none.aedat4",
        "lz4.aedat4",
        "zstd.aedat4",
        "columns.h5",
        "records.h5",
        "big_endian.h5",
    ] {
        let found = read(name, &[2, 2, 3], clock);
        assert_eq!(found, [(trains(), None)], "{name}");
    }
}

/// Bytes as the data set's authors lay them out, and as libcaer writes packets.
#[test]
fn older_formats_have_the_same_events() {
    let mut nmnist = Vec::new();
    let mut caer = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n".to_vec();
    // A packet of another kind, which is passed over, and one of events, the last of them not valid.
    for (kind, n, size) in [(0_u16, 1, 8), (1, 25, 8)] {
        caer.extend(kind.to_le_bytes());
        caer.extend(1_u16.to_le_bytes());
        for word in [size, 4, 1, n, n, n] {
            caer.extend(u32::to_le_bytes(word));
        }
        for event_number in 0..n {
            let (x, y, on) = event(event_number);
            let time = 1000 + 250 * event_number;
            let valid = u32::from(event_number != 24);
            let data = x << 17 | y << 2 | u32::from(on) << 1 | valid;
            caer.extend([data.to_le_bytes(), time.to_le_bytes()].concat());
            if valid == 1 && kind == 1 {
                let packed = u32::from(on) << 23 | time;
                nmnist.extend([x as u8, y as u8]);
                nmnist.extend(&packed.to_be_bytes()[1..]);
            }
        }
    }
    let frame = Frame::new(&[2, 2, 3], &Sensor::default()).unwrap();
    let clock = Clock {
        tick_us: Some(1000),
        ticks: 6,
    };
    for (name, bytes) in [("r.aedat", caer), ("r.bin", nmnist)] {
        let found = parse(Path::new(name), bytes, &frame, &clock).unwrap();
        assert_eq!(found, [(trains(), None)], "{name}");
    }
}

#[test]
fn samples_of_spike_times_begin_at_zero_and_have_labels() {
    // A spike each 1/64 s, of which two fall into a tick.
    let clock = Clock {
        tick_us: Some(31_250),
        ticks: 8,
    };
    let samples = [2_u32, 5, 8, 0, 14].into_iter().zip([0, 1, 2, 0, 1]);
    let wanted: Vec<(Trains, Option<usize>)> = (0..)
        .zip(samples)
        .map(|(sample, (n, label))| {
            let mut trains = vec![Vec::new(); 8];
            for spike in 0..n {
                trains[spike as usize / 2].push((7 * sample + 5 * spike) % 12);
            }
            trains.iter_mut().for_each(|train| train.sort_unstable());
            (trains, Some(label))
        })
        .collect();
    assert_eq!(read("sequences.h5", &[12], clock), wanted);
}

/// A train does not say how many channels it has, so the array is asked.
#[test]
fn spike_trains_of_another_shape_are_refused() {
    let taken = Taken {
        ticks: 6,
        events: Some(4),
        ..Taken::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let read = |shape: [usize; 3]| {
        let header = archive::npy_header("|u1", &shape);
        let array = archive::npy(&header, &vec![1; shape.iter().product()]);
        let path = folder.path().join("spikes.npz");
        std::fs::write(&path, archive::zip(&[("input.npy", &array)], false)).unwrap();
        data::read(&path, None, &taken).map_err(|error| error.to_string())
    };
    let found = read([2, 6, 4]).unwrap().samples;
    assert_eq!(found, Samples::Events(vec![vec![vec![0, 1, 2, 3]; 6]; 2]));
    for shape in [[2, 6, 3], [2, 6, 5], [2, 5, 4], [2, 4, 6]] {
        let told = read(shape).unwrap_err();
        assert!(told.contains(&format!("{shape:?}")), "{told}");
        assert!(told.contains("[sample, 6 ticks, 4 channels]"), "{told}");
    }
}
