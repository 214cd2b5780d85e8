//! Files of arrays: what is written is read back, what numpy writes is read, what lies is refused.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use proptest::prelude::*;
use spikeloom_frontend::arrays::{
    Archive, ArchiveFormat, ArrayError, Budget, Element, NumberArray, write,
};
use spikeloom_tests::archive::{npy, zip};

fn array() -> impl Strategy<Value = NumberArray> {
    let shape = prop::collection::vec(0_usize..4, 0..4);
    shape.prop_flat_map(|shape| {
        let n = shape.iter().product::<usize>();
        prop::collection::vec(any::<f32>(), n)
            .prop_map(move |values| NumberArray::of_f32(shape.clone(), &values).unwrap())
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        arrays in prop::collection::btree_map("[a-z0-9._/ ä]{1,12}", array(), 0..5),
        format in prop::sample::select(&ArchiveFormat::ALL[..]),
    ) {
        let arrays: Vec<(String, NumberArray)> = arrays.into_iter().collect();
        let bytes = write(format, &arrays).unwrap();
        let mut archive = Archive::open(format, bytes.clone(), Budget::MODEL).unwrap();
        let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(archive.names(), names);
        for (name, array) in &arrays {
            prop_assert_eq!(&archive.get(name).unwrap(), array);
        }
    }
}

/// A `.npy` file in an archive, stored.
fn npz_of(name: &str, header: &str, values: &[u8]) -> Vec<u8> {
    zip(&[(name, &npy(header, values))], false)
}

fn read(bytes: &[u8]) -> Result<NumberArray, ArrayError> {
    Archive::open(ArchiveFormat::Npz, bytes.to_vec(), Budget::MODEL)?.get("x")
}

fn reason(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn column_major_and_big_endian_arrays_are_turned() {
    let values: Vec<u8> = [1_i16, 4, 2, 5, 3, 6]
        .iter()
        .flat_map(|x| x.to_be_bytes())
        .collect();
    let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
    let array = read(&npz_of("x.npy", header, &values)).unwrap();
    assert_eq!(array.shape(), [2, 3]);
    assert_eq!(array.to_i64().unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn every_type_is_read_in_single_precision() {
    let cases: [(&str, &[u8], f32); 12] = [
        ("|b1", &[1], 1.0),
        ("|u1", &[255], 255.0),
        ("|i1", &[255], -1.0),
        ("<u2", &[0, 1], 256.0),
        ("<i2", &[0xfe, 0xff], -2.0),
        ("<u4", &[0, 0, 1, 0], 65536.0),
        ("<i4", &[0xfd, 0xff, 0xff, 0xff], -3.0),
        ("<u8", &[7, 0, 0, 0, 0, 0, 0, 0], 7.0),
        ("<i8", &[0xff; 8], -1.0),
        ("<f2", &[0, 0x38], 0.5),
        ("<f4", &[0, 0, 0, 0x3f], 0.5),
        ("<f8", &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f], 0.5),
    ];
    for (descr, bytes, value) in cases {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ()}}");
        let array = read(&npz_of("x.npy", &header, bytes)).unwrap();
        assert_eq!((array.to_f32(), array.len()), (vec![value], 1), "{descr}");
        assert_eq!(array.element().size(), bytes.len());
    }
    assert_eq!(Element::F32.name(), "float32");
}

#[test]
fn a_shape_that_the_values_do_not_have_is_refused_before_room_is_made() {
    for shape in [
        "(1099511627776,)",
        "(4294967296, 4294967296, 4294967296)",
        "(2,)",
    ] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
        let reason = reason(&npz_of("x.npy", &header, &[0; 4]));
        assert!(reason.contains("declares the shape"), "{reason}");
    }
}

#[test]
fn headers_that_are_none_are_refused() {
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    assert!(read(&npz_of("x.npy", good, &[0; 4])).is_ok());
    for bad in [
        "",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ((1),)}",
        "{'descr': <f4, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
    ] {
        let reason = reason(&npz_of("x.npy", bad, &[0; 4]));
        assert!(
            reason.contains("its header is not one of an array"),
            "{bad}: {reason}"
        );
    }
    let nested = format!("{{'descr': {}", "[".repeat(60_000));
    assert!(reason(&npz_of("x.npy", &nested, &[])).contains("its header is longer"));
    for (descr, found) in [
        ("'|O'", "`|O`"),
        ("'<U8'", "`<U8`"),
        ("[('a', '<f4')]", "`records`"),
    ] {
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}");
        let reason = reason(&npz_of("x.npy", &header, &[0; 4]));
        assert_eq!(reason, format!("the array `x` holds {found}, not numbers"));
    }
}

#[test]
fn every_truncation_is_refused() {
    let array = NumberArray::of_f32(vec![3], &[1.0, 2.0, 3.0]).unwrap();
    for format in ArchiveFormat::ALL {
        let bytes = write(format, &[("x".to_owned(), array.clone())]).unwrap();
        for length in 0..bytes.len() {
            let opened = Archive::open(format, bytes[..length].to_vec(), Budget::MODEL);
            assert!(opened.is_err(), "{format:?} {length}");
        }
    }
}

#[test]
fn a_changed_value_is_noticed_by_the_checksum() {
    let array = NumberArray::of_f32(vec![1], &[1.0]).unwrap();
    let mut bytes = write(ArchiveFormat::Npz, &[("x".to_owned(), array)]).unwrap();
    let at = bytes
        .windows(4)
        .position(|w| w == 1.0_f32.to_le_bytes())
        .unwrap();
    bytes[at] ^= 1;
    assert_eq!(
        reason(&bytes),
        "the array `x.npy` is damaged: its checksum is another"
    );
}

#[test]
fn an_archive_that_declares_many_entries_makes_no_room_for_them() {
    let mut bytes = zip(&[("x.npy", b"")], false);
    let end = bytes.len() - 22;
    bytes[end + 8..end + 12].fill(0xff);
    assert_eq!(
        reason(&bytes),
        "it declares 65535 arrays, at most 10000 can be read"
    );
}

#[test]
fn names_that_are_there_twice_are_refused() {
    let array = NumberArray::of_f32(vec![1], &[1.0]).unwrap();
    for format in ArchiveFormat::ALL {
        let twice = [
            ("x".to_owned(), array.clone()),
            ("x".to_owned(), array.clone()),
        ];
        assert_eq!(
            write(format, &twice),
            Err(ArrayError::Duplicate {
                array: "x".to_owned()
            })
        );
    }
    // Two entries of one length whose names are made equal afterwards.
    let names = [("x".to_owned(), array.clone()), ("y".to_owned(), array)];
    let mut bytes = write(ArchiveFormat::Npz, &names).unwrap();
    while let Some(at) = bytes.windows(5).position(|w| w == b"y.npy") {
        bytes[at] = b'x';
    }
    assert_eq!(reason(&bytes), "the array `x.npy` is there twice");
}

#[test]
fn a_budget_is_for_all_arrays_of_a_file() {
    let array = NumberArray::of_f32(vec![100], &[0.5; 100]).unwrap();
    let arrays = [
        ("x".to_owned(), array.clone()),
        ("y".to_owned(), array.clone()),
    ];
    for format in ArchiveFormat::ALL {
        let bytes = write(format, &arrays).unwrap();
        let mut archive = Archive::open(format, bytes.clone(), Budget(700)).unwrap();
        assert!(archive.get("x").is_ok());
        assert!(matches!(archive.get("y"), Err(ArrayError::TooLarge { .. })));
        assert_eq!(
            Archive::open(format, bytes.clone(), Budget(0))
                .unwrap()
                .get("z")
                .unwrap_err(),
            ArrayError::Missing {
                array: "z".to_owned(),
                known: vec!["x".to_owned(), "y".to_owned()]
            }
        );
    }
}
