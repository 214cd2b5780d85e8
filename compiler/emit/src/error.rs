//! Why a circuit is not printed.

use miette::Diagnostic;
use thiserror::Error;

/// A circuit whose Verilog would not be what its simulation is, or not legal.
///
/// `at` is where it stands: the path of instances, and in a kernel the signal being assigned.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The circuit could not be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Circuit(#[from] spikeloom_hdl::Error),

    /// Several findings at once.
    #[error("the circuit has {} faults; the first: {}", errors.len(), errors[0])]
    #[diagnostic(
        code(spikeloom::emit::several),
        help("each fault below has its own advice")
    )]
    Several {
        /// All of them, in the order of the modules.
        #[related]
        errors: Vec<Error>,
    },

    /// A signal has no driver.
    #[error("{at}: nothing drives {signal}")]
    #[diagnostic(
        code(spikeloom::emit::not_connected),
        help("assign it in the kernel of the block that holds it; inputs in the parent's kernel")
    )]
    NotConnected {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// A kernel assigns a signal that it does not drive.
    #[error("{at}: the kernel assigns {signal}, which is driven from elsewhere")]
    #[diagnostic(
        code(spikeloom::emit::drives_foreign),
        help("a kernel drives its own outputs and locals and its children's inputs, nothing else")
    )]
    DrivesForeign {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// rust-hdl's own check found something that the checks here did not.
    #[error("rust-hdl refuses the circuit at {at}: {what} of {signal}")]
    #[diagnostic(
        code(spikeloom::emit::rust_hdl_check),
        help("assign a local before reading it, and never assign an own input")
    )]
    RustHdlCheck {
        /// Where.
        at: String,
        /// What rust-hdl calls it.
        what: &'static str,
        /// The signal.
        signal: String,
    },

    /// A kernel panicked while its syntax tree was made.
    #[error("{at}: the kernel cannot be translated: {message}")]
    #[diagnostic(
        code(spikeloom::emit::kernel_panicked),
        help(
            "casts are evaluated when the tree is made: give both sides of the operator inside one \
             width and one sign"
        )
    )]
    KernelPanicked {
        /// Where.
        at: String,
        /// What it said.
        message: String,
    },

    /// Two operands have different widths or signs.
    #[error("{at}: {operation} joins {left} and {right}")]
    #[diagnostic(
        code(spikeloom::emit::width_mismatch),
        help(
            "bring both to one type with `bit_cast`, `signed_bit_cast`, `signed_cast` or `unsigned_cast`"
        )
    )]
    WidthMismatch {
        /// Where.
        at: String,
        /// The operator, or `assignment`.
        operation: String,
        /// Type on the left.
        left: String,
        /// Type on the right.
        right: String,
    },

    /// A literal has no width where the width matters.
    #[error("{at}: the literal {literal} has no width under {operation}")]
    #[diagnostic(
        code(spikeloom::emit::unsized_literal),
        help(
            "hold it in a `DConst`, or assign the expression with the literal to a signal first; \
             rust-hdl prints it as 32 unsigned bits"
        )
    )]
    UnsizedLiteral {
        /// Where.
        at: String,
        /// The value.
        literal: u64,
        /// The operator that looks at the width or sign.
        operation: String,
    },

    /// A literal does not fit the width it is used in.
    #[error("{at}: the literal {literal} does not fit {width} bits")]
    #[diagnostic(
        code(spikeloom::emit::literal_too_wide),
        help("widen the signal it meets")
    )]
    LiteralTooWide {
        /// Where.
        at: String,
        /// The value.
        literal: u64,
        /// The width there is.
        width: usize,
    },

    /// A carry would be dropped in simulation and kept in Verilog.
    #[error("{at}: {operation} is applied to arithmetic whose carry is still open")]
    #[diagnostic(
        code(spikeloom::emit::open_carry),
        help(
            "assign the arithmetic to a signal of its width first, or widen its operands instead"
        )
    )]
    OpenCarry {
        /// Where.
        at: String,
        /// The cast, slice, shift or reduction.
        operation: String,
    },

    /// Rust and Verilog would group an expression differently.
    #[error("{at}: `{inner}` stands next to `{outer}` without parentheses")]
    #[diagnostic(
        code(spikeloom::emit::precedence),
        help(
            "write the parentheses: in Rust `&`, `^` and `|` bind tighter than comparisons, in \
             Verilog the other way round"
        )
    )]
    Precedence {
        /// Where.
        at: String,
        /// The operator below.
        inner: &'static str,
        /// The operator above.
        outer: &'static str,
    },

    /// The width of a sign extension cannot be told from the syntax tree.
    #[error("{at}: the width of a signed cast under {operation} cannot be told")]
    #[diagnostic(
        code(spikeloom::emit::open_signed_width),
        help("assign the cast to a signal of the width meant, and use that")
    )]
    OpenSignedWidth {
        /// Where.
        at: String,
        /// The operator above it.
        operation: String,
    },

    /// A signal keeps its value on some path through the kernel.
    #[error("{at}: {signal} is not assigned on every path")]
    #[diagnostic(
        code(spikeloom::emit::latch),
        help(
            "assign a default at the top of the kernel; a `match` needs a `_` arm unless its states \
             use up all codes of their bits"
        )
    )]
    Latch {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// A signal is read before the kernel has assigned it.
    #[error("{at}: {signal} is read before it is assigned")]
    #[diagnostic(
        code(spikeloom::emit::read_before_write),
        help("move the assignment up; the simulation would read the value of the pass before")
    )]
    ReadBeforeWrite {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// A signal is assigned again after it was read.
    #[error("{at}: {signal} is assigned again after it was read")]
    #[diagnostic(
        code(spikeloom::emit::write_after_read),
        help("give the intermediate value a signal of its own")
    )]
    WriteAfterRead {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// A kernel reads the input of a child.
    #[error("{at}: the kernel reads {signal}, the input of a child")]
    #[diagnostic(
        code(spikeloom::emit::reads_child_input),
        help(
            "compute the value into a local, and assign that to the input; the simulation would \
             read the input's old value"
        )
    )]
    ReadsChildInput {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
    },

    /// Signals depend on each other in a circle without a register.
    #[error("combinational loop: {}", signals.join(" -> "))]
    #[diagnostic(
        code(spikeloom::emit::combinational_loop),
        help("break the circle with a register, or split the block that seems to close it")
    )]
    CombinationalLoop {
        /// The signals of the circle with the paths of their instances.
        signals: Vec<String>,
    },

    /// A name is a keyword.
    #[error("{at}: {name} is a keyword of {language}")]
    #[diagnostic(code(spikeloom::emit::keyword), help("rename the field"))]
    Keyword {
        /// Where.
        at: String,
        /// The name.
        name: String,
        /// `Verilog`, `SystemVerilog` or `C++`.
        language: &'static str,
    },

    /// A name is not a Verilog identifier.
    #[error("{at}: {name:?} is not a Verilog identifier")]
    #[diagnostic(
        code(spikeloom::emit::bad_name),
        help("use letters, digits and `_`, and start with a letter")
    )]
    BadName {
        /// Where.
        at: String,
        /// The name.
        name: String,
    },

    /// Two things in a module have the same name.
    #[error("{at}: there are two signals or instances called {name}")]
    #[diagnostic(code(spikeloom::emit::name_clash), help("rename one of the fields"))]
    NameClash {
        /// Where.
        at: String,
        /// The name.
        name: String,
    },

    /// A kernel names something that is not hardware.
    #[error("{at}: {name} is not a signal or constant of the block")]
    #[diagnostic(
        code(spikeloom::emit::unknown_name),
        help(
            "hold a number of the kernel in a `DConst`; fields that start with `_` are not hardware"
        )
    )]
    UnknownName {
        /// Where.
        at: String,
        /// The name.
        name: String,
    },

    /// An index is not made of numbers and loop variables.
    #[error("{at}: the index of {name} is not made of numbers and loop variables")]
    #[diagnostic(
        code(spikeloom::emit::bad_index),
        help("only `+ - * / %` of numbers and loop variables can index signals and blocks")
    )]
    BadIndex {
        /// Where.
        at: String,
        /// The name.
        name: String,
    },

    /// A bit or slice is taken that the signal does not have.
    #[error("{at}: bits {low} to {high} of {signal}, which has {width}")]
    #[diagnostic(
        code(spikeloom::emit::no_such_bits),
        help("bits are counted from 0; use `any()` to read a signal of one bit")
    )]
    NoSuchBits {
        /// Where.
        at: String,
        /// The signal.
        signal: String,
        /// Lowest bit taken.
        low: usize,
        /// Highest bit taken.
        high: usize,
        /// Bits there are.
        width: usize,
    },

    /// A condition is not one bit.
    #[error("{at}: {operation} needs one bit and gets {found}")]
    #[diagnostic(
        code(spikeloom::emit::not_a_bit),
        help("compare the value, or reduce it with `any()` or `all()`")
    )]
    NotABit {
        /// Where.
        at: String,
        /// `if`, `&&`, `||`.
        operation: String,
        /// What it got.
        found: String,
    },

    /// An operator is used on a type it does not have.
    #[error("{at}: {operation} on {found} has no meaning of its own in Verilog")]
    #[diagnostic(
        code(spikeloom::emit::wrong_operand),
        help(
            "shift signed values with the `Asr` block, cast them before `bit_cast`, and compare \
             states with `==` or `match`"
        )
    )]
    WrongOperand {
        /// Where.
        at: String,
        /// The operation.
        operation: String,
        /// The type it got.
        found: String,
    },

    /// Something that rust-hdl can express and this crate does not print.
    #[error("{at}: {what} cannot be printed")]
    #[diagnostic(
        code(spikeloom::emit::unsupported),
        help("write it as a leaf block with its own Verilog text")
    )]
    Unsupported {
        /// Where.
        at: String,
        /// What.
        what: &'static str,
    },
}

impl Error {
    /// No findings are fine, one stands for itself, more come together.
    pub(crate) fn from_findings(mut findings: Vec<Error>) -> Result<(), Error> {
        match findings.len() {
            0 => Ok(()),
            1 => Err(findings.remove(0)),
            _ => Err(Error::Several { errors: findings }),
        }
    }
}
