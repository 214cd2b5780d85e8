//! Errors of the command itself; those of the libraries pass through unchanged.

use std::path::PathBuf;

use crate::parts::PathPiece;

/// Why a command stopped.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(
        code(spikeloom::unreadable),
        help("check the path and its permissions")
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The circuit is slower than its clock.
    #[error(
        "the circuit reaches {achieved_mhz:.2} MHz of the {wanted_mhz:.2} MHz wanted; its slowest path goes through\n{}",
        path_in_words(path)
    )]
    #[diagnostic(
        code(spikeloom::too_slow),
        help(
            "use fewer lanes or narrower states, another `--seed`, or a slower clock (`--clock-mhz`)"
        )
    )]
    TooSlow {
        /// What was reached, in MHz.
        achieved_mhz: f64,
        /// What was asked for, in MHz.
        wanted_mhz: f64,
        /// The slowest path, from part to part.
        path: Vec<PathPiece>,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    #[diagnostic(
        code(spikeloom::unwritable),
        help("check the folder's permissions and free space")
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file in YAML that is none.
    #[error("{} is not text in UTF-8", path.display())]
    #[diagnostic(
        code(spikeloom::not_text),
        help("check that it is the file you mean: a model in NIR is called `.nir`")
    )]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A file of more bytes than any of its kind has.
    #[error("{} has more than {limit} bytes", path.display())]
    #[diagnostic(
        code(spikeloom::too_long),
        help(
            "check that it is the file you mean: no device holds a larger network; the values of one in YAML belong into an `.npz` beside it"
        )
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: u64,
    },
    /// A build folder without a bitstream.
    #[error("{} was compiled to the {stopped_at} only", path.display())]
    #[diagnostic(
        code(spikeloom::no_bitstream),
        help("compile the model again without `--stop-at`")
    )]
    NoBitstream {
        /// The build folder.
        path: PathBuf,
        /// Its last step.
        stopped_at: &'static str,
    },
    /// Nothing is to be loaded from a flash.
    #[error(
        "all weights of {network} come with the bitstream: there are none to load from the flash"
    )]
    #[diagnostic(
        code(spikeloom::nothing_from_flash),
        help(
            "leave out `--weights-from flash`: the board starts by itself without it; only single-port RAMs are loaded, where weights go that need more than a quarter of the block RAMs"
        )
    )]
    NothingFromFlash {
        /// The network.
        network: String,
    },
    /// A bitstream for the pins of another board.
    #[error("{} was compiled for {target}, not for {board}", path.display())]
    #[diagnostic(
        code(spikeloom::other_board),
        help("compile the model with `--target {board}`: each board has its own pins and clock")
    )]
    OtherBoard {
        /// The build folder.
        path: PathBuf,
        /// The board it was compiled for.
        target: String,
        /// The board asked for.
        board: String,
    },
    /// New weights that are not those of the network.
    #[error("the weights in {} are not of this network: {what}", path.display())]
    #[diagnostic(
        code(spikeloom::wrong_weights),
        help(
            "give a model of the same shape, or an `.npz` or `.safetensors` with arrays called `PROJECTION.weight`, `PROJECTION.bias` and `POPULATION.v_threshold`; `spikeloom inspect` lists the names"
        )
    )]
    WrongWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file that would be replaced.
    #[error("{} exists", path.display())]
    #[diagnostic(
        code(spikeloom::output_exists),
        help("give another name, or `--force` to replace the file")
    )]
    OutputExists {
        /// The file.
        path: PathBuf,
    },
    /// An argument that no script can hold.
    #[error("`{text}` cannot stand in a script")]
    #[diagnostic(
        code(spikeloom::not_in_a_script),
        help("give files and folders names in UTF-8")
    )]
    NotInAScript {
        /// The argument.
        text: String,
    },
    /// No model was named.
    #[error("no model is given")]
    #[diagnostic(
        code(spikeloom::no_model),
        help("name a `.nir` file, a network in YAML, or a project file with a `model:` key")
    )]
    NoModel,
    /// The output folder holds something else.
    #[error("{} exists and is not a build folder", path.display())]
    #[diagnostic(
        code(spikeloom::output_in_use),
        help(
            "give another folder with `-o`, or remove this one yourself: nothing in it was touched"
        )
    )]
    OutputInUse {
        /// The folder.
        path: PathBuf,
    },
    /// Another compilation makes the same build folder.
    #[error("another compilation into {} is running", path.display())]
    #[diagnostic(
        code(spikeloom::output_busy),
        help(
            "wait for its end, or give another folder with `-o`; of a command that was killed, a tool may still run"
        )
    )]
    OutputBusy {
        /// The folder.
        path: PathBuf,
    },
    /// A build folder is missing or incomplete.
    #[error("{} is not a complete build folder: {what}", path.display())]
    #[diagnostic(
        code(spikeloom::build_folder),
        help("make it with `spikeloom compile MODEL -o {}`", path.display())
    )]
    BuildFolder {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        what: String,
    },
    /// A rung needs a step that the build folder was stopped before.
    #[error("rung {rung} needs the {needs}, and {} was compiled with `--stop-at {stopped_at}`", path.display())]
    #[diagnostic(
        code(spikeloom::stopped_before),
        help("compile again without `--stop-at`, or verify with `--to {last}`")
    )]
    StoppedBefore {
        /// What was asked for.
        rung: String,
        /// What it needs.
        needs: &'static str,
        /// Where compilation stopped.
        stopped_at: String,
        /// The last rung that the build folder has.
        last: &'static str,
        /// The build folder.
        path: PathBuf,
    },
    /// No data was named where some are needed.
    #[error("no data is given")]
    #[diagnostic(
        code(spikeloom::no_data),
        help(
            "name samples with `--data FILE`: an IDX file, an .npz, or a folder with an IDX pair"
        )
    )]
    NoData,
    /// A budget of memory, and nothing on which widths could be chosen.
    #[error("`--weight-budget` is given, and no samples on which widths are chosen")]
    #[diagnostic(
        code(spikeloom::budget_without_data),
        help(
            "name training samples with `--calibrate FILE`, or give widths yourself with `--bits NODE=N,…`"
        )
    )]
    BudgetWithoutData,
    /// A file of data without any sample.
    #[error("{} holds no samples", path.display())]
    #[diagnostic(
        code(spikeloom::empty_data),
        help(
            "give data with at least one sample: an array `[n, …]` or an IDX file with n of 1 or more"
        )
    )]
    EmptyData {
        /// The file.
        path: PathBuf,
    },
    /// The build folder's network takes bytes and the data are spikes, or the other way round.
    #[error("the data are {found}, but {what} takes {wanted}")]
    #[diagnostic(
        code(spikeloom::data_kind),
        help("use other data, or compile with another `--encoding`")
    )]
    DataKind {
        /// What was given.
        found: &'static str,
        /// What is to take it.
        what: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// Verification found a difference.
    #[error("{0}")]
    #[diagnostic(
        code(spikeloom::verification_failed),
        help(
            "the first difference is named above; please report it with the model if you changed nothing by hand"
        )
    )]
    VerificationFailed(String),
    /// A board that computes what it should, and is right too seldom.
    #[error(
        "the board is right in {:.2} % of {samples} samples, and {:.2} % were asked for",
        found * 100.0,
        wanted * 100.0
    )]
    #[diagnostic(
        code(spikeloom::accuracy_too_low),
        help(
            "`spikeloom quantize MODEL --data FILE` tells what is lost between the model and its integers"
        )
    )]
    AccuracyTooLow {
        /// Share of samples whose class is the label.
        found: f64,
        /// Least share that was asked for.
        wanted: f64,
        /// Number of samples.
        samples: u64,
    },
    /// Faults for a board that is not virtual.
    #[error("`--faults` and `--chip` are put into a virtual board")]
    #[diagnostic(
        code(spikeloom::faults_of_board),
        help(
            "give `--virtual`; a board on a port has faults of its own, and `board virtual` offers a virtual one with faults as a port"
        )
    )]
    FaultsOfBoard,
    /// An accuracy is asked for, of samples without labels.
    #[error("an accuracy is asked for, and the samples have no labels")]
    #[diagnostic(
        code(spikeloom::no_accuracy),
        help("give samples with labels (`--data`, `--labels`), or leave out `--at-least`")
    )]
    NoAccuracy,
    /// A board's weights are no longer those of its design.
    #[error(
        "the board has learnt: its weights of projection {projection} are not the build folder's"
    )]
    #[diagnostic(
        code(spikeloom::has_learnt),
        help("load the bitstream again, or start the virtual board again")
    )]
    HasLearnt {
        /// Its name.
        projection: String,
    },
    /// An interrupted check of something else.
    #[error("{} is of a check of another design, of other samples or of other states", path.display())]
    #[diagnostic(
        code(spikeloom::other_check),
        help("check as then, or leave out `--resume` to start anew")
    )]
    OtherCheck {
        /// The file.
        path: PathBuf,
    },
    /// A file that describes no chip.
    #[error("{} describes no chip: {what}", path.display())]
    #[diagnostic(
        code(spikeloom::chip_file),
        help(
            "write keys of docs/boards.md, such as `stuck_weights: 0.01`, `threshold_offsets: 0.05` and `seed: 1`"
        )
    )]
    ChipFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An imperfection that the network has no place for.
    #[error("the chip cannot be as it is described: {what}")]
    #[diagnostic(
        code(spikeloom::no_place_for_imperfection),
        help("leave the key out; docs/boards.md says what each is put into")
    )]
    NoPlaceForImperfection {
        /// Which.
        what: String,
    },
    /// Something is where a link should go.
    #[error("{} exists", path.display())]
    #[diagnostic(
        code(spikeloom::link_exists),
        help("give `--link` another name, or remove it: it may be the port of a board that runs")
    )]
    LinkExists {
        /// The link.
        path: PathBuf,
    },
    /// Neither a port nor a virtual board was named.
    #[error("no board is given")]
    #[diagnostic(
        code(spikeloom::no_board),
        help("name its port with `--board PATH`, or take `--virtual` for one in Verilator")
    )]
    NoBoard,
    /// A number of samples that is not there.
    #[error("sample {asked} is asked for and there are {available}")]
    #[diagnostic(code(spikeloom::no_such_sample), help("samples are numbered from 0"))]
    NoSuchSample {
        /// Number asked for.
        asked: usize,
        /// Samples there are.
        available: usize,
    },
    /// Samples of another size than the network's input.
    #[error("a sample of {} has {found} values, and the network takes {wanted}", path.display())]
    #[diagnostic(
        code(spikeloom::sample_size),
        help("give data of the kind that the network was trained on")
    )]
    SampleSize {
        /// The file.
        path: PathBuf,
        /// Values of a sample.
        found: usize,
        /// Channels of the network.
        wanted: usize,
    },
    /// Samples without labels, for a teacher.
    #[error("the network has a teacher, and the samples no labels")]
    #[diagnostic(
        code(spikeloom::no_labels),
        help("give an array `labels` beside `input`, or `--labels`")
    )]
    NoLabels,
    /// A label that no channel of the teacher stands for.
    #[error("a sample has label {label}, and the teacher has {n_channels} channels")]
    #[diagnostic(
        code(spikeloom::label_of_no_channel),
        help(
            "give `input:` in the network's file as many `teacher:` channels as there are classes"
        )
    )]
    LabelOfNoChannel {
        /// The label.
        label: usize,
        /// Channels of the teacher.
        n_channels: usize,
    },
    /// Nothing is left to learn from.
    #[error("{held_out} samples are to be held out, and there are {found}")]
    #[diagnostic(code(spikeloom::held_out), help("give `--hold-out` a smaller number"))]
    HeldOut {
        /// Samples of the data.
        found: usize,
        /// Samples asked for.
        held_out: u32,
    },
    /// A model without anything to learn.
    #[error("nothing in {} learns", path.display())]
    #[diagnostic(
        code(spikeloom::nothing_learns),
        help("give a projection `learning:` in the network's file, as docs/learning.md describes")
    )]
    NothingLearns {
        /// The model.
        path: PathBuf,
    },
    /// A projection that learns and that the compiler numbers anew.
    #[error(
        "projection {projection} learns, and its source is a plane of channels, rows and columns"
    )]
    #[diagnostic(
        code(spikeloom::renumbered),
        help("put a population of one axis between the plane and the projection")
    )]
    Renumbered {
        /// Its name.
        projection: String,
    },
    /// Targets of another number of outputs than the network's.
    #[error("a target has {found} values a tick, and the network has {wanted} outputs")]
    #[diagnostic(
        code(spikeloom::targets),
        help("give an array `target` of the shape [n, ticks, {wanted}]")
    )]
    Targets {
        /// Values of a target.
        found: usize,
        /// Neurons of the output.
        wanted: usize,
    },
    /// An engine that needs a build folder was asked for with a model.
    #[error("{} is a model, and {what} needs a build folder", path.display())]
    #[diagnostic(
        code(spikeloom::needs_build_folder),
        help("make one with `spikeloom compile {}`, and name it", path.display())
    )]
    NeedsBuildFolder {
        /// The model.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
    },
    /// What a build folder has not was asked for with one.
    #[error("{} is a build folder, and {what} needs the model", path.display())]
    #[diagnostic(
        code(spikeloom::needs_model),
        help("name the model's file that it was compiled from")
    )]
    NeedsModel {
        /// The build folder.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
    },
    /// Settings of a compilation beside a build folder, which has its own.
    #[error("{} is a build folder, which was compiled with settings of its own", path.display())]
    #[diagnostic(
        code(spikeloom::settings_of_build_folder),
        help("compile again with these options, or name the model in its place")
    )]
    SettingsOfBuildFolder {
        /// The build folder.
        path: PathBuf,
    },
    /// Some external tool is missing or does not run.
    #[error("not ready: {}", missing.join(", "))]
    #[diagnostic(
        code(spikeloom::tools_missing),
        help("run the command named above for each")
    )]
    ToolsMissing {
        /// Their names.
        missing: Vec<String>,
    },
}

fn path_in_words(path: &[PathPiece]) -> String {
    let lines = path.iter().map(|piece| {
        format!(
            "  {:6.2} ns logic, {:6.2} ns routing  {}",
            piece.logic_ns, piece.routing_ns, piece.part
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
