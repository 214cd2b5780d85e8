//! What can be wrong with the data a circuit is built from.

use miette::Diagnostic;
use thiserror::Error;

/// Why a circuit could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A memory image's name cannot stand in Verilog text and as a file name.
    #[error("the memory image name {name:?} is not a plain file name")]
    #[diagnostic(
        code(spikeloom::hdl::image_name),
        help("use letters, digits, `_`, `-` and `.` only, and start with a letter or digit")
    )]
    ImageName {
        /// The refused name.
        name: String,
    },

    /// There is no circuit for an encoder.
    #[error("there is no circuit for the encoder {encoder}")]
    #[diagnostic(
        code(spikeloom::hdl::encoder),
        help("simulate the network with the golden model")
    )]
    NoEncoder {
        /// The encoder.
        encoder: String,
    },

    /// The words of an image do not fill whole rows.
    #[error("memory image {name} has {n_words} words, which is not a multiple of {n_lanes} lanes")]
    #[diagnostic(
        code(spikeloom::hdl::image_size),
        help("give one word per lane for each row, row after row; pad the last row with zeros")
    )]
    ImageSize {
        /// The image.
        name: String,
        /// Words given.
        n_words: usize,
        /// Lanes in a row.
        n_lanes: usize,
    },

    /// A word of an image is wider than its lane.
    #[error(
        "memory image {name}: {word:#x} in row {row}, lane {lane} does not fit the lane's {width} \
         bits"
    )]
    #[diagnostic(
        code(spikeloom::hdl::image_word),
        help("mask two's complement values to the width of the lane first")
    )]
    ImageWord {
        /// The image.
        name: String,
        /// Row of the word.
        row: usize,
        /// Lane of the word.
        lane: usize,
        /// The word.
        word: u64,
        /// Bits of the lane.
        width: usize,
    },

    /// A memory would have no rows or no lanes.
    #[error("a memory of {n_lanes} lanes and {depth} rows is empty")]
    #[diagnostic(
        code(spikeloom::hdl::empty_memory),
        help("leave the memory out where there is nothing to store")
    )]
    EmptyMemory {
        /// Lanes asked for.
        n_lanes: usize,
        /// Rows asked for.
        depth: usize,
    },

    /// A width is outside what one signal can carry.
    #[error("{what} would be {width} bits wide; a signal is 1 to 64 bits wide")]
    #[diagnostic(
        code(spikeloom::hdl::width),
        help("use fewer bits, or split the value over several lanes")
    )]
    Width {
        /// What the signal is for.
        what: String,
        /// The width asked for.
        width: usize,
    },

    /// A data path reads an input it does not have.
    #[error("step {step} of a data path reads input {input}, but there are {n_inputs}")]
    #[diagnostic(
        code(spikeloom::hdl::data_input),
        help("declare the input in `DataPathSpec::inputs`; they are counted from 0")
    )]
    DataInput {
        /// The step.
        step: usize,
        /// The input it reads.
        input: usize,
        /// Inputs declared.
        n_inputs: usize,
    },

    /// A constant does not fit its width.
    #[error("step {step} of a data path is the constant {value}, which does not fit {width} bits")]
    #[diagnostic(code(spikeloom::hdl::data_constant), help("give the step more bits"))]
    DataConstant {
        /// The step.
        step: usize,
        /// The constant.
        value: i64,
        /// Its width.
        width: usize,
    },

    /// A step reads a value that does not exist yet.
    #[error("step {step} of a data path reads value {operand}, which is not made before it")]
    #[diagnostic(
        code(spikeloom::hdl::data_operand),
        help("put the steps in an order in which each reads only earlier ones")
    )]
    DataOperand {
        /// The step.
        step: usize,
        /// The value it reads.
        operand: usize,
    },

    /// A condition is used as a number, or the other way round.
    #[error("step {step} of a data path needs a {wanted}, which value {operand} is not")]
    #[diagnostic(
        code(spikeloom::hdl::data_kind),
        help("compare a number to make a condition, or select by a condition to make a number")
    )]
    DataKind {
        /// The step.
        step: usize,
        /// The value it reads.
        operand: usize,
        /// `condition` or `number`.
        wanted: &'static str,
    },

    /// A step reads a value of a later stage.
    #[error(
        "step {step} of a data path is in stage {stage} and reads value {operand} of stage \
         {operand_stage}"
    )]
    #[diagnostic(
        code(spikeloom::hdl::data_stage),
        help("move the step to the stage of its latest operand, or after it")
    )]
    DataStage {
        /// The step.
        step: usize,
        /// Its stage.
        stage: usize,
        /// The value it reads.
        operand: usize,
        /// The stage of that value.
        operand_stage: usize,
    },

    /// A step has another width than the value it stands for.
    #[error("step {step} of a data path is {width} bits wide, but its value has {expected}")]
    #[diagnostic(
        code(spikeloom::hdl::data_width),
        help(
            "a condition has 1 bit, an input the width of its port; resize it in a step of its own"
        )
    )]
    DataWidth {
        /// The step.
        step: usize,
        /// Its width.
        width: usize,
        /// The width its value has.
        expected: usize,
    },

    /// An output names a value that does not exist.
    #[error("output {output} of a data path is value {value}, which does not exist")]
    #[diagnostic(
        code(spikeloom::hdl::data_output),
        help("name the position of a step; they are counted from 0")
    )]
    DataOutput {
        /// The output.
        output: String,
        /// The value it names.
        value: usize,
    },

    /// An output's value is made after the outputs are due.
    #[error("output {output} of a data path is made in stage {stage}, after latency {latency}")]
    #[diagnostic(
        code(spikeloom::hdl::data_latency),
        help("set the latency to the highest stage of an output, or above it")
    )]
    DataLatency {
        /// The output.
        output: String,
        /// The stage of its value.
        stage: usize,
        /// The latency of the block.
        latency: usize,
    },

    /// A step of a data path reads a table that is not there, or whose length is no power of two.
    #[error("step {step} reads table {table}, which is missing or of a wrong length")]
    #[diagnostic(
        code(spikeloom::hdl::data_table),
        help("give a table with 2, 4, 8, ... entries")
    )]
    DataTable {
        /// The step.
        step: usize,
        /// The table.
        table: usize,
    },

    /// A bit of a serial line is too short or too long.
    #[error(
        "a bit of a serial line would take {cycles_per_bit} clock cycles; it takes {least} to {most}"
    )]
    #[diagnostic(
        code(spikeloom::hdl::cycles_per_bit),
        help("choose a baud rate of at most a quarter of the clock, or a slower clock")
    )]
    CyclesPerBit {
        /// The cycles asked for.
        cycles_per_bit: u32,
        /// The fewest possible.
        least: u32,
        /// The most possible.
        most: u32,
    },

    /// A rule reads a population that its engine does not follow.
    #[error("a rule that reads two other populations than its target has no circuit")]
    #[diagnostic(
        code(spikeloom::hdl::other_state),
        help("compile the weights as they are, with `--frozen`")
    )]
    OtherState,
    /// A block of the design has an input that nothing drives, which is a defect of Spikeloom.
    #[error("the design has a signal that nothing drives")]
    #[diagnostic(
        code(spikeloom::hdl::not_connected),
        help("this is a defect of spikeloom; please report it with the model")
    )]
    NotConnected,

    /// The design has a combinational loop, which is a defect of Spikeloom.
    #[error("the design has not settled")]
    #[diagnostic(
        code(spikeloom::hdl::design_not_settled),
        help("this is a defect of spikeloom; please report it with the model")
    )]
    NotSettled,
}
