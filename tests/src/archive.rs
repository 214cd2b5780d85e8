//! Archives as numpy writes them, and others that it would not.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// A `.npy` file of version 1 with any header.
pub fn npy(header: &str, values: &[u8]) -> Vec<u8> {
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    npy.extend(header.bytes());
    npy.extend(values);
    npy
}

/// The header of an array.
pub fn npy_header(descr: &str, shape: &[usize]) -> String {
    let axes: String = shape.iter().map(|n| format!("{n},")).collect();
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}\n")
}

/// A zip archive as numpy writes it: sizes are in the zip64 field of the local headers. Its files may
/// be deflated.
pub fn zip(files: &[(&str, &[u8])], is_deflated: bool) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content);
        let packed = if is_deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        } else {
            content.to_vec()
        };
        let offset = u32::try_from(bytes.len()).unwrap();
        let (size, packed_size) = (content.len() as u64, packed.len() as u64);
        let n_name = u16::try_from(name.len()).unwrap().to_le_bytes();
        let method: u8 = if is_deflated { 8 } else { 0 };
        bytes.extend(b"PK\x03\x04\x2d\x00\x00\x00");
        bytes.extend([method, 0, 0, 0, 0x21, 0]);
        bytes.extend(crc.sum().to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend(n_name);
        bytes.extend(20_u16.to_le_bytes());
        bytes.extend(name.bytes());
        bytes.extend([1, 0, 16, 0]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(packed_size.to_le_bytes());
        bytes.extend(&packed);
        directory.extend(b"PK\x01\x02\x2d\x03\x2d\x00\x00\x00");
        directory.extend([method, 0, 0, 0, 0x21, 0]);
        directory.extend(crc.sum().to_le_bytes());
        directory.extend(u32::try_from(packed_size).unwrap().to_le_bytes());
        directory.extend(u32::try_from(size).unwrap().to_le_bytes());
        directory.extend(n_name);
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let size = u32::try_from(directory.len()).unwrap();
    let n_files = u16::try_from(files.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend(n_files);
    bytes.extend(n_files);
    bytes.extend(size.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// A `.safetensors` file with any header.
pub fn safetensors(header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(values);
    bytes
}
