//! Designs of a build folder as simulations: which Verilog, which memory images.

use std::path::PathBuf;

use spikeloom_bitstreams::{
    BOARD, BOARD_IMAGE, Toolchain, VerilogSources, board_around, cache_folder,
};
use spikeloom_cosim::{Model, Source, Verilator, build};
use spikeloom_emit::Emitted;
use spikeloom_hdl::DeviceConfig;

use crate::build::{Build, file};

/// The memory images of a circuit, as files.
pub fn images(cfg: &DeviceConfig) -> Vec<(String, Vec<u8>)> {
    let images = cfg.images();
    let files = images.iter();
    files
        .map(|image| (image.name().to_owned(), image.to_hex().into_bytes()))
        .collect()
}

/// Verilator and its cache.
#[derive(Debug)]
pub struct Simulator {
    verilator: Verilator,
    cache: PathBuf,
}

impl Simulator {
    /// With the tools that are installed.
    ///
    /// # Errors
    /// If Verilator's runtime is incomplete or there is no cache folder.
    pub fn new(tools: &Toolchain) -> miette::Result<Self> {
        Ok(Self {
            verilator: Verilator::new(
                &tools.verilator.path,
                &tools.verilator_root,
                &tools.compiler.path,
            )?,
            cache: cache_folder()?.join("models"),
        })
    }

    /// The design behind a byte stream; `trace` compiles wave output in.
    ///
    /// # Errors
    /// If the folder cannot be read or the model cannot be built.
    pub fn device(&self, folder: &Build, trace: bool) -> miette::Result<Model> {
        let source = Self::source(folder, "device", file::DEVICE, trace)?;
        Ok(build(&self.verilator, &self.cache, &source)?)
    }

    /// The design on its pins.
    ///
    /// # Errors
    /// As [`Simulator::device`].
    pub fn top(&self, folder: &Build) -> miette::Result<Model> {
        let source = Self::source(folder, "top", file::TOP, false)?;
        self.on_board(source, folder, folder.flash_image()?)
    }

    /// Builds a design on its pins with the board's flash, where it reads one.
    fn on_board(
        &self,
        mut source: Source,
        folder: &Build,
        flash: Option<Vec<u8>>,
    ) -> miette::Result<Model> {
        if let Some(image) = flash {
            let (board, rows) = board_around(&source.top, &image, folder.report.clock_hz);
            source.top = BOARD.to_owned();
            source.verilog.push((format!("{BOARD}.v"), board));
            source.images.push((BOARD_IMAGE.to_owned(), rows.into()));
        }
        Ok(build(&self.verilator, &self.cache, &source)?)
    }

    fn source(folder: &Build, top: &str, name: &str, trace: bool) -> miette::Result<Source> {
        let mut source = Source::new(top);
        source.verilog = vec![(name.to_owned(), folder.text(name)?)];
        source.images = folder.images()?;
        source.trace = trace;
        Ok(source)
    }

    /// A design that was just emitted, with the images of the circuit it was made from.
    ///
    /// # Errors
    /// If the model cannot be built.
    pub fn emitted(
        &self,
        emitted: &Emitted,
        images: Vec<(String, Vec<u8>)>,
    ) -> miette::Result<Model> {
        let mut source = Source::new(emitted.top.clone());
        source.verilog = vec![(format!("{}.v", emitted.top), emitted.verilog.clone())];
        source.images = images;
        Ok(build(&self.verilator, &self.cache, &source)?)
    }

    /// A design on its pins that was just emitted for the board of a build folder, whose flash, where it
    /// reads one, is erased.
    ///
    /// # Errors
    /// If the model cannot be built.
    pub fn emitted_top(
        &self,
        emitted: &Emitted,
        images: Vec<(String, Vec<u8>)>,
        folder: &Build,
    ) -> miette::Result<Model> {
        let mut source = Source::new(emitted.top.clone());
        source.verilog = vec![(format!("{}.v", emitted.top), emitted.verilog.clone())];
        source.images = images;
        let flash = folder.report.flash.as_ref().map(|_| Vec::new());
        self.on_board(source, folder, flash)
    }

    /// A netlist, on the board of its build folder.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn netlist(&self, verilog: VerilogSources, folder: &Build) -> miette::Result<Model> {
        let mut source = Source::new(verilog.top);
        source.verilog = verilog.files;
        source.defines = verilog.defines;
        self.on_board(source, folder, folder.flash_image()?)
    }
}
