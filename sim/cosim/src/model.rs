use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::error::Error;
use crate::source::Source;

/// The direction of a port, seen from the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The host sets it.
    Input,
    /// The host reads it.
    Output,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// A port of the top module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name in the Verilog, without the backslash of an escaped one.
    pub name: String,
    /// Its width in bits.
    pub width: u32,
    /// Its direction.
    pub direction: Direction,
}

/// Handle of an input port of one [`Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    pub(crate) index: u32,
    pub(crate) model: u64,
}

/// Handle of an output port of one [`Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    pub(crate) index: u32,
    pub(crate) model: u64,
}

/// A design compiled to machine code and loaded; [`Instance`](crate::Instance)s are made from it.
///
/// Cheap to clone. The code is unloaded with the last clone and the last instance.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) api: Api,
    pub(crate) id: u64,
    pub(crate) trace: bool,
    ports: Vec<Port>,
    warnings: String,
    directory: PathBuf,
    // Last, so that nothing outlives it while the struct is dropped.
    _library: Library,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// The shared object's name in the model's cache directory.
    pub(crate) const FILE: &str = "model.so";

    pub(crate) fn load(directory: &Path, key: &str, source: &Source) -> Result<Self, Error> {
        let path = directory.join(Self::FILE);
        let failed = |error: libloading::Error| Error::Load {
            path: path.clone(),
            reason: error.to_string(),
        };
        // SAFETY: the file is the result of our own build, complete since it stands under its key.
        // Its static constructors are those of Verilator's runtime and touch no other library.
        // RTLD_NOW: a missing symbol is an error here and not a dead process later.
        let library =
            unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(failed)?;
        // SAFETY: the types in `Api` are those of the shim, which is part of the cache key.
        let api = unsafe { Api::find(&library) }.map_err(failed)?;
        // SAFETY: both functions only read a constant table.
        let ports = (0..unsafe { (api.n_ports)() })
            .map(|index| {
                // SAFETY: the index is in range and the table is static.
                let info = unsafe { &*(api.port)(index) };
                Port {
                    // SAFETY: the name is a string literal of the shim.
                    name: unsafe { CStr::from_ptr(info.name) }
                        .to_string_lossy()
                        .into_owned(),
                    width: info.width,
                    direction: match info.direction {
                        0 => Direction::Input,
                        _ => Direction::Output,
                    },
                }
            })
            .collect();
        let log = directory.join("verilator.log");
        let warnings = std::fs::read_to_string(&log).map_err(Error::io("read", &log))?;
        // The key is 32 hexadecimal digits; half of them tell models apart.
        let id = u64::from_str_radix(&key[..16], 16).unwrap_or_default();
        let inner = Inner {
            api,
            id,
            trace: source.trace,
            ports,
            warnings,
            directory: directory.to_path_buf(),
            _library: library,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The ports of the top module.
    pub fn ports(&self) -> &[Port] {
        &self.inner.ports
    }

    /// What Verilator printed when the model was built.
    pub fn warnings(&self) -> &str {
        &self.inner.warnings
    }

    /// The directory in the cache: the Verilog as compiled and the shared object.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Looks an input up by name.
    pub fn input(&self, name: &str) -> Result<Input, Error> {
        let index = self.find(name, Some(Direction::Input))?;
        Ok(Input {
            index,
            model: self.inner.id,
        })
    }

    /// Looks an output up by name.
    pub fn output(&self, name: &str) -> Result<Output, Error> {
        let index = self.find(name, Some(Direction::Output))?;
        Ok(Output {
            index,
            model: self.inner.id,
        })
    }

    /// Looks a port up whose direction must be the given one, or may be either.
    pub(crate) fn find(&self, name: &str, direction: Option<Direction>) -> Result<u32, Error> {
        let ports = self.ports();
        let Some(index) = ports.iter().position(|port| port.name == name) else {
            let known = ports
                .iter()
                .map(|port| port.name.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Error::NoSuchPort {
                name: name.to_owned(),
                known,
            });
        };
        let found = ports[index].direction;
        if direction.is_some_and(|direction| direction != found) {
            return Err(Error::WrongDirection {
                name: name.to_owned(),
                direction: found,
            });
        }
        Ok(u32::try_from(index).expect("a module has fewer than 2^32 ports"))
    }

    /// As [`find`](Self::find), for ports whose width a protocol fixes.
    pub(crate) fn find_exact(
        &self,
        name: &str,
        direction: Option<Direction>,
        width: u32,
    ) -> Result<u32, Error> {
        let index = self.find(name, direction)?;
        let found = self.ports()[index as usize].width;
        if found != width {
            let expected = format!("exactly {width}");
            return Err(Error::PortWidth {
                name: name.to_owned(),
                width: found,
                expected,
            });
        }
        Ok(index)
    }
}

/// A port as the shim describes it.
#[repr(C)]
pub(crate) struct PortInfo {
    name: *const c_char,
    width: u32,
    direction: u32,
}

/// What the shim keeps up to date for Rust to read.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) cycle: u64,
    pub(crate) framing_errors: u64,
    pub(crate) input_waiting: u64,
    pub(crate) finished: u32,
    pub(crate) failed: u32,
}

/// Opaque to Rust.
pub(crate) type Handle = *mut c_void;

macro_rules! api {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the shim; shim.cpp says what each does.
        pub(crate) struct Api {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Api {
            /// # Safety
            ///
            /// The library must be a model built with the shim of this very crate.
            unsafe fn find(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    // SAFETY: the caller vouches for the types.
                    $($name: *unsafe { library.get($symbol)? },)*
                })
            }
        }
    };
}

api! {
    n_ports = b"spikeloom_n_ports": fn() -> u32;
    port = b"spikeloom_port": fn(u32) -> *const PortInfo;
    new = b"spikeloom_new": fn(u32, u32, i32, u32) -> Handle;
    free = b"spikeloom_free": fn(Handle);
    status = b"spikeloom_status": fn(Handle) -> *const Status;
    port_data = b"spikeloom_port_data": fn(Handle, u32) -> *mut c_void;
    eval = b"spikeloom_eval": fn(Handle) -> u32;
    run = b"spikeloom_run": fn(Handle, *const u8, usize, u64, u64, u32) -> u32;
    set_stream = b"spikeloom_set_stream": fn(Handle, *const u32);
    set_uart = b"spikeloom_set_uart": fn(Handle, u32, u32, u32);
    set_traffic = b"spikeloom_set_traffic": fn(Handle, u64, u32, u32);
    output = b"spikeloom_output": fn(Handle, *mut *const u8) -> usize;
    take_output = b"spikeloom_take_output": fn(Handle, usize);
    clear_probes = b"spikeloom_clear_probes": fn(Handle);
    add_probe = b"spikeloom_add_probe": fn(Handle, u32, *const u32, usize) -> u32;
    set_record_limit = b"spikeloom_set_record_limit": fn(Handle, u64);
    records = b"spikeloom_records": fn(Handle, *mut *const u64, *mut u64) -> usize;
    clear_records = b"spikeloom_clear_records": fn(Handle);
    messages = b"spikeloom_messages": fn(Handle, *mut *const c_char) -> usize;
    clear_messages = b"spikeloom_clear_messages": fn(Handle);
    open_vcd = b"spikeloom_open_vcd": fn(Handle, *const c_char) -> u32;
    close_vcd = b"spikeloom_close_vcd": fn(Handle);
}
