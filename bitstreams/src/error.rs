use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::flow::{PathSegment, Utilisation};
use crate::tools::ToolSource;

/// What can go wrong between Verilog text and a bitstream, and back.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// No board or device has this name.
    #[error("there is no target `{name}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::unknown_target),
        help("{}the targets are: {known}", hint(suggestion.as_deref()))
    )]
    UnknownTarget {
        /// The name asked for.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
        /// The names there are, joined by commas.
        known: String,
    },

    /// An experimental board was not asked for as such.
    #[error("{target} is experimental: less is verified for it than for other boards")]
    #[diagnostic(
        code(spikeloom::bitstreams::experimental),
        help(
            "add `--experimental` to compile for it all the same; docs/targets.md says what is missing"
        )
    )]
    Experimental {
        /// The board.
        target: String,
    },

    /// Memories of a design cannot be replaced.
    #[error("designs for {target} take no new weights")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_new_weights),
        help("compile the new network")
    )]
    NoNewWeights {
        /// The board.
        target: String,
    },

    /// The board has no flash that a circuit can read.
    #[error("a circuit on {target} has no way to a flash")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_flash),
        help(
            "leave out `--weights-from flash`: the host then loads what does not come with the bitstream, over the serial line; boards with a way to their flash are: {known}"
        )
    )]
    NoFlash {
        /// The board.
        target: String,
        /// The boards that have one, joined by commas.
        known: String,
    },

    /// Something has no room in a board's flash.
    #[error("{what} takes {n_bytes} bytes of {target}'s flash, and there is room for {room}")]
    #[diagnostic(
        code(spikeloom::bitstreams::flash_full),
        help(
            "leave out `--weights-from flash`: the host then loads what does not come with the bitstream, over the serial line"
        )
    )]
    FlashFull {
        /// The board.
        target: String,
        /// What it is.
        what: &'static str,
        /// Its size.
        n_bytes: u64,
        /// The most there is room for.
        room: u64,
    },

    /// There is no folder to keep the tools in.
    #[error("the user has no cache folder")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_cache),
        help("set `SPIKELOOM_CACHE` to a folder that can be written")
    )]
    NoCache,

    /// The tools have not been installed, or what was installed is no longer there.
    #[error("the tools from {source} are not installed: {reason}", source = from.as_str())]
    #[diagnostic(
        code(spikeloom::bitstreams::tools_not_installed),
        help("run `spikeloom tools install --from {}`", from.as_str())
    )]
    ToolsNotInstalled {
        /// Where they would come from.
        from: ToolSource,
        /// What is missing.
        reason: String,
    },

    /// Bitstreams of the family are not decoded.
    #[error("bitstreams for {target} cannot be decoded")]
    #[diagnostic(
        code(spikeloom::bitstreams::not_decoded),
        help("the netlist after synthesis is the last that is verified for this board")
    )]
    NotDecoded {
        /// The board.
        target: String,
    },

    /// A set of tools lacks one.
    #[error("the tools from {source} have no `{program}`", source = from.as_str())]
    #[diagnostic(
        code(spikeloom::bitstreams::not_in_this_set),
        help("take the tools from PyPI, with `--from pypi`: Debian has those for iCE40 only")
    )]
    NotInThisSet {
        /// The tool.
        program: &'static str,
        /// The set.
        from: ToolSource,
    },

    /// A program that the installation itself needs is missing.
    #[error("`{program}` is needed for {purpose} and was not found")]
    #[diagnostic(code(spikeloom::bitstreams::program_missing), help("{remedy}"))]
    ProgramMissing {
        /// The program or package.
        program: String,
        /// What it is for.
        purpose: &'static str,
        /// The command that installs it.
        remedy: String,
    },

    /// Something that the installation needs could not be had over the network.
    #[error("cannot get {what} from {origin}:\n{output}")]
    #[diagnostic(
        code(spikeloom::bitstreams::not_fetched),
        help("nothing was installed; check the network and try again, or {alternative}")
    )]
    NotFetched {
        /// The packages.
        what: String,
        /// Who has them.
        origin: &'static str,
        /// The last lines of what the package manager printed.
        output: String,
        /// What else can be done.
        alternative: String,
    },

    /// A set of tools without the programs for proofs.
    #[error("the tools from {from} have nothing to prove with")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_prover),
        help("take those of `spikeloom tools install --from pypi`")
    )]
    NoProver {
        /// Where they come from.
        from: ToolSource,
    },

    /// No program is known that writes to a board so.
    #[error("no program is known here that writes to {board} so")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_programmer),
        help("write `bitstream.bin` with the program that came with the board")
    )]
    NoProgrammer {
        /// The board.
        board: String,
    },

    /// The board is not connected.
    #[error("no {board} was found by `{command}`:\n{output}")]
    #[diagnostic(
        code(spikeloom::bitstreams::board_not_found),
        help(
            "connect the board by a cable that carries data, see whether `lsusb` lists it, and end programs that use its serial line; `--dry-run` shows the command alone"
        )
    )]
    BoardNotFound {
        /// The board.
        board: String,
        /// The command line.
        command: String,
        /// The last lines it printed.
        output: String,
    },

    /// The board is there, and this user may not use it.
    #[error("`{command}` may not use the {board}:\n{output}")]
    #[diagnostic(
        code(spikeloom::bitstreams::board_not_allowed),
        help(
            "join the group that owns the device, often `sudo usermod -aG plugdev $USER`, log in again and reconnect the board"
        )
    )]
    BoardNotAllowed {
        /// The board.
        board: String,
        /// The command line.
        command: String,
        /// The last lines it printed.
        output: String,
    },

    /// A source of tools was named that does not exist.
    #[error("there is no source of tools called `{name}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::unknown_source),
        help("the sources are `pypi` and `apt`")
    )]
    UnknownSource {
        /// The name given.
        name: String,
    },

    /// An external program could not be started.
    #[error("cannot start `{command}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::tool_not_started),
        help("run `spikeloom doctor`; `spikeloom tools install` repairs the tools")
    )]
    ToolNotStarted {
        /// The command line.
        command: String,
        /// Why the operating system refused.
        source: std::io::Error,
    },

    /// An external program ended with a failure.
    #[error("`{command}` failed ({status}):\n{output}")]
    #[diagnostic(
        code(spikeloom::bitstreams::tool_failed),
        help("the lines above are the last that the tool printed; nothing it wrote was kept")
    )]
    ToolFailed {
        /// The command line.
        command: String,
        /// Its exit status in words.
        status: String,
        /// The last lines of what it printed.
        output: String,
    },

    /// An external program was ended because it took too long.
    #[error("`{command}` did not end within {seconds} s:\n{output}")]
    #[diagnostic(
        code(spikeloom::bitstreams::tool_too_slow),
        help("raise the flow's time limit, or make the design smaller")
    )]
    ToolTooSlow {
        /// The command line.
        command: String,
        /// The limit.
        seconds: u64,
        /// The last lines of what it printed.
        output: String,
    },

    /// A program ended well, and there is no room for what it wrote.
    #[error("no room is left in `{}` behind `{command}`: what it wrote may be cut off", path.display())]
    #[diagnostic(
        code(spikeloom::bitstreams::disk_full),
        help("make room, and try again")
    )]
    DiskFull {
        /// The command line.
        command: String,
        /// Where it wrote.
        path: PathBuf,
    },

    /// A file operation failed.
    #[error("cannot {action} `{}`", path.display())]
    #[diagnostic(
        code(spikeloom::bitstreams::io),
        help("check that the folder exists, is writable and has room")
    )]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },

    /// A file or module name that cannot be written into a tool's script.
    #[error("`{name}` cannot be used as a {what}")]
    #[diagnostic(
        code(spikeloom::bitstreams::bad_name),
        help(
            "use a plain name of letters, digits, `_`, `-` and `.` that starts with a letter or `_`"
        )
    )]
    BadName {
        /// `file name` or `module name`.
        what: &'static str,
        /// The offending name.
        name: String,
    },

    /// No Verilog was given.
    #[error("no Verilog file was given for `{top}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_verilog),
        help("name at least one file that ends in `.v` or `.sv`")
    )]
    NoVerilog {
        /// The top module.
        top: String,
    },

    /// A file of a tool is not as it should be.
    #[error("cannot make sense of `{file}`: {reason}")]
    #[diagnostic(
        code(spikeloom::bitstreams::malformed),
        help(
            "a tool wrote this file; there may have been no room for all of it, or the tool is of another version (`spikeloom doctor`)"
        )
    )]
    Malformed {
        /// Which file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The design needs more than the device has.
    #[error("the design does not fit {target}: {}", over_in_words(over))]
    #[diagnostic(
        code(spikeloom::bitstreams::does_not_fit),
        help("use fewer lanes, fewer bits or fewer neurons, or a larger device")
    )]
    DoesNotFit {
        /// Board.
        target: String,
        /// What is over its limit, the worst first.
        over: Vec<Utilisation>,
    },

    /// Everything fits and yet no placement or routing was found.
    #[error(
        "no placement that can be routed was found on {target}, though nothing is over its limit ({}):\n{output}",
        use_in_words(used)
    )]
    #[diagnostic(
        code(spikeloom::bitstreams::no_placement),
        help(
            "the device is close to full: use fewer lanes, fewer bits or fewer neurons, a larger device, or another seed"
        )
    )]
    NoPlacement {
        /// Board.
        target: String,
        /// What the design uses.
        used: Vec<Utilisation>,
        /// The last lines of what the tool printed.
        output: String,
    },

    /// The circuit is slower than the board's clock.
    #[error(
        "the circuit reaches {achieved_mhz:.2} MHz of the {wanted_mhz:.2} MHz wanted; the critical path is\n{}",
        path_in_words(path)
    )]
    #[diagnostic(
        code(spikeloom::bitstreams::too_slow),
        help("use fewer lanes or narrower states, or another seed")
    )]
    TooSlow {
        /// What was reached.
        achieved_mhz: f64,
        /// What was asked for.
        wanted_mhz: f64,
        /// The slowest path.
        path: Vec<PathSegment>,
    },

    /// The board cannot make a clock.
    #[error("{target} has no clock of {wanted_mhz} MHz: {reason}")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_clock),
        help(
            "leave `clock_mhz` out for the board's own clock of {board_mhz} MHz, or take another frequency"
        )
    )]
    NoClock {
        /// Board.
        target: String,
        /// What was asked for, in MHz.
        wanted_mhz: String,
        /// What the board has, in MHz.
        board_mhz: String,
        /// What stands in the way.
        reason: String,
    },

    /// A design's clock does not reach it as it has to.
    #[error("the design's clock is not as it has to be: {what}")]
    #[diagnostic(
        code(spikeloom::bitstreams::bad_clock),
        help("the netlist or bitstream is not the one of this build: compile again")
    )]
    BadClock {
        /// What is wrong with it.
        what: String,
    },

    /// A cell that this crate has no model of.
    #[error("{place} uses {what}, which is not supported")]
    #[diagnostic(
        code(spikeloom::bitstreams::unsupported_cell),
        help("nothing is left out silently: the netlist cannot be simulated without this part")
    )]
    UnsupportedCell {
        /// Cell or tile.
        place: String,
        /// What it is.
        what: String,
    },

    /// The bitstream says something that the database of the device does not explain.
    #[error("the bitstream has {what} at {place}")]
    #[diagnostic(
        code(spikeloom::bitstreams::undecodable),
        help("the bitstream is damaged, or made for another device than the database given")
    )]
    Undecodable {
        /// Tile, and bit or wire.
        place: String,
        /// What was found.
        what: String,
    },

    /// A bitstream is for another device than the target's.
    #[error("the bitstream is for a device `{found}`, and {target} has a `{wanted}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::other_device),
        help("the bitstream is not the one of this build: compile again, or name its own target")
    )]
    OtherDevice {
        /// The device's size, as the bitstream names it.
        found: String,
        /// Name of the target.
        target: String,
        /// The target's device.
        wanted: String,
    },

    /// A decoded bitstream lacks cells that were placed, or has more.
    #[error("the bitstream holds {found} {what}, {expected} were placed")]
    #[diagnostic(
        code(spikeloom::bitstreams::cells_differ),
        help(
            "the bitstream is not the one of this build, or the decoder dropped something: do not trust it"
        )
    )]
    CellsDiffer {
        /// Kind of cell.
        what: &'static str,
        /// Cells decoded.
        found: u64,
        /// Cells placed.
        expected: u64,
    },

    /// A netlist has no order in which it could be computed.
    #[error("the netlist has a combinational loop through `{net}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::combinational_loop),
        help("break the loop with a register")
    )]
    CombinationalLoop {
        /// A net on the loop.
        net: String,
    },

    /// A netlist that is not of one clock cannot take the fast form.
    #[error("the netlist is not clocked by the rising edge of one input alone: {reason}")]
    #[diagnostic(
        code(spikeloom::bitstreams::not_one_clock),
        help("simulate its cells instead (`reference_sources`)")
    )]
    NotOneClock {
        /// What breaks the rule.
        reason: String,
    },

    /// No net has this name.
    #[error("the netlist has no net `{name}`")]
    #[diagnostic(
        code(spikeloom::bitstreams::no_such_net),
        help("`Gates::nets` lists the names")
    )]
    NoSuchNet {
        /// The name.
        name: String,
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

    /// What a tool printed before it failed, or why it could not run.
    pub(crate) fn into_output(self) -> String {
        match self {
            Self::ToolFailed { output, .. } => output,
            other => other.to_string(),
        }
    }

    pub(crate) fn malformed(file: &str, reason: impl ToString) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            reason: reason.to_string(),
        }
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!("did you mean `{name}`? "))
}

fn over_in_words(over: &[Utilisation]) -> String {
    over.iter()
        .map(|u| {
            format!(
                "{} {} of {} ({} too many)",
                u.used,
                u.title(),
                u.available,
                u.used - u.available
            )
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn use_in_words(used: &[Utilisation]) -> String {
    used.iter()
        .filter(|u| u.used > 0)
        .map(|u| format!("{} {} of {}", u.used, u.title(), u.available))
        .collect::<Vec<_>>()
        .join(", ")
}

fn path_in_words(path: &[PathSegment]) -> String {
    path.iter()
        .map(|s| format!("  {:6.2} ns {} {} -> {}", s.delay_ns, s.kind, s.from, s.to))
        .collect::<Vec<_>>()
        .join("\n")
}
