//! VCD to FST, in Rust.
//!
//! Verilator can write FST itself, but needs zlib's (and since 5.03x lz4's) C headers on the user's
//! machine and an FST library compiled into each model. The detour costs a temporary VCD file.

use std::collections::BTreeMap;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use fst_writer::{
    FstFileType, FstHeaderWriter, FstInfo, FstScopeType, FstSignalId, FstSignalType,
    FstVarDirection, FstVarType, FstWriteError,
};
use wellen::stream::{Filter, StreamError};
use wellen::{
    Hierarchy, ItemRef, LoadOptions, ScopeType, SignalEncoding, SignalRef, SignalValueRef, VarRef,
    VarType,
};

use crate::error::Error;

/// Changes kept in memory before a block of the FST file is written.
const BLOCK_BYTES: usize = 32 << 20;

/// Converts a VCD file to FST, typically a tenth to a hundredth of its size.
///
/// The FST file is written beside its place and renamed, so it is complete or absent. Neither a
/// date nor a path is put into it: equal waves give equal bytes.
pub fn vcd_to_fst(vcd: &Path, fst: &Path) -> Result<(), Error> {
    let unreadable = |error: &dyn std::fmt::Display| Error::WaveConversion {
        path: vcd.to_path_buf(),
        reason: error.to_string(),
    };
    let options = LoadOptions {
        multi_thread: false,
        ..LoadOptions::default()
    };
    let mut wave =
        wellen::stream::read_from_file(vcd, &options).map_err(|error| unreadable(&error))?;

    let parent = fst.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let part = tempfile::Builder::new()
        .suffix(".fst")
        .tempfile_in(parent)
        .map_err(Error::io("create a file in", parent))?;
    let unwritable = |error: FstWriteError| match error {
        FstWriteError::Io(error) => Error::io("write", fst)(error),
        error => unreadable(&error),
    };

    let hierarchy = wave.hierarchy();
    let info = FstInfo {
        // The writer's first block always begins at 0; a wave opened later shows `x` until then.
        start_time: 0,
        timescale_exponent: timescale_exponent(hierarchy),
        version: "spikeloom".to_owned(),
        date: String::new(),
        file_type: FstFileType::Verilog,
    };
    let file = part.reopen().map_err(Error::io("write", fst))?;
    let mut header = Header {
        hierarchy,
        out: FstHeaderWriter::new(BufWriter::new(file), &info).map_err(unwritable)?,
        signals: BTreeMap::new(),
    };
    header.items(hierarchy.items(), "").map_err(unwritable)?;
    let Header { out, signals, .. } = header;
    let mut body = out.finish().map_err(unwritable)?;

    let mut now = None;
    let streamed = wave.stream_changes(Filter::all(), |time, signal, value| {
        if now != Some(time) {
            // A block may only end where a new time begins.
            if body.size() >= BLOCK_BYTES {
                body.flush()?;
            }
            body.time_change(time)?;
            now = Some(time);
        }
        match (signals.get(&signal), value) {
            (Some(&id), SignalValueRef::BitVec(bits)) => {
                body.signal_change(id, bits.bit_string().as_bytes())
            }
            (Some(&id), SignalValueRef::Real(value)) => {
                body.signal_change(id, &value.to_le_bytes())
            }
            (Some(&id), SignalValueRef::Event) => body.signal_change(id, &[]),
            (_, SignalValueRef::String(_)) | (None, _) => Ok(()),
        }
    });
    streamed.map_err(|error| match error {
        StreamError::Callback(error) => unwritable(error),
        StreamError::Wellen(error) => unreadable(&error),
    })?;
    let mut file = body.finish().map_err(unwritable)?;
    file.flush().map_err(Error::io("write", fst))?;
    part.persist(fst)
        .map_err(|error| Error::io("write", fst)(error.error))?;
    Ok(())
}

/// Times in the file are in units of ten to this power, in seconds; 1, 10 and 100 of a unit are
/// allowed in a VCD.
fn timescale_exponent(hierarchy: &Hierarchy) -> i8 {
    let Some(timescale) = hierarchy.timescale() else {
        return 0;
    };
    let exponent = timescale.unit.to_exponent().unwrap_or(0);
    exponent
        + match timescale.factor {
            100 => 2,
            10 => 1,
            _ => 0,
        }
}

struct Header<'a, W: Write + Seek> {
    hierarchy: &'a Hierarchy,
    out: FstHeaderWriter<W>,
    /// Several variables may show one signal; those without an entry are not written.
    signals: BTreeMap<SignalRef, FstSignalId>,
}

impl<W: Write + Seek> Header<'_, W> {
    /// The reader makes a scope `rows` with variables `[0]`, `[1]`, ... of a memory, which no file
    /// has: their names begin with `array` again, as Verilog's do.
    fn items(
        &mut self,
        items: impl Iterator<Item = ItemRef>,
        array: &str,
    ) -> Result<(), FstWriteError> {
        for item in items {
            match item {
                ItemRef::Var(var) => self.variable(var, array)?,
                ItemRef::Scope(scope) if self.hierarchy[scope].is_array() => {
                    let scope = &self.hierarchy[scope];
                    let array = format!("{array}{}", scope.name(self.hierarchy));
                    self.items(scope.items(self.hierarchy), &array)?;
                }
                ItemRef::Scope(scope) => {
                    let scope = &self.hierarchy[scope];
                    let kind = scope_type(scope.scope_type());
                    let component = scope.component(self.hierarchy).unwrap_or_default();
                    self.out
                        .scope(scope.name(self.hierarchy), component, kind)?;
                    self.items(scope.items(self.hierarchy), "")?;
                    self.out.up_scope()?;
                }
            }
        }
        Ok(())
    }

    fn variable(&mut self, var: VarRef, array: &str) -> Result<(), FstWriteError> {
        let var = &self.hierarchy[var];
        let encoding = match var.signal_encoding(self.hierarchy) {
            SignalEncoding::BitVector(width) => FstSignalType::bit_vec(width),
            SignalEncoding::Real => FstSignalType::real(),
            // The writer has no strings of variable length, nor has synthesisable Verilog.
            SignalEncoding::String => return Ok(()),
        };
        let mut name = format!("{array}{}", var.name(self.hierarchy));
        if let Some(index) = var.index() {
            name += &match (index.msb(), index.lsb()) {
                (msb, lsb) if msb == lsb => format!(" [{msb}]"),
                (msb, lsb) => format!(" [{msb}:{lsb}]"),
            };
        }
        let signal = var.signal_ref();
        let alias = self.signals.get(&signal).copied();
        let kind = variable_type(var.var_type());
        let id = self
            .out
            .var(name, encoding, kind, FstVarDirection::Implicit, alias)?;
        self.signals.insert(signal, id);
        Ok(())
    }
}

/// What Verilator writes keeps its kind; anything else is shown as a module.
fn scope_type(scope: ScopeType) -> FstScopeType {
    match scope {
        ScopeType::Task => FstScopeType::Task,
        ScopeType::Function => FstScopeType::Function,
        ScopeType::Begin => FstScopeType::Begin,
        ScopeType::Fork => FstScopeType::Fork,
        ScopeType::Generate => FstScopeType::Generate,
        ScopeType::Struct => FstScopeType::Struct,
        ScopeType::Union => FstScopeType::Union,
        ScopeType::Interface => FstScopeType::Interface,
        ScopeType::Package => FstScopeType::Package,
        _ => FstScopeType::Module,
    }
}

fn variable_type(variable: VarType) -> FstVarType {
    match variable {
        VarType::Event => FstVarType::Event,
        VarType::Integer => FstVarType::Integer,
        VarType::Parameter => FstVarType::Parameter,
        VarType::Real => FstVarType::Real,
        VarType::Reg => FstVarType::Reg,
        VarType::Logic => FstVarType::Logic,
        VarType::Bit => FstVarType::Bit,
        VarType::Int => FstVarType::Int,
        _ => FstVarType::Wire,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const VCD: &str = "$timescale 1ps $end
$scope module top $end
$var wire 1 ! clock $end
$var wire 8 \" rows[0] [7:0] $end
$var wire 8 # rows[1] [7:0] $end
$var wire 4 $ grid[0][0] [3:0] $end
$var wire 4 % grid[0][1] [3:0] $end
$var wire 2 & after [1:0] $end
$upscope $end
$enddefinitions $end
#0
0!
b1 \"
b10 #
b11 $
b100 %
b1 &
#5
1!
b101 %
";

    /// Every variable with its path and the values it has.
    fn content(path: &Path) -> Vec<(String, Vec<String>)> {
        let mut wave = wellen::simple::read(path).unwrap();
        let variables: Vec<(String, SignalRef)> = wave
            .hierarchy()
            .all_vars()
            .map(|var| &wave.hierarchy()[var])
            .map(|var| (var.full_name(wave.hierarchy()), var.signal_ref()))
            .collect();
        let signals: Vec<SignalRef> = variables.iter().map(|(_, signal)| *signal).collect();
        wave.load_signals(&signals);
        let values = |signal: SignalRef| {
            let signal = wave.get_signal(signal).unwrap();
            let changes = signal.iter_changes();
            changes
                .map(|(_, value)| value.to_bit_string().unwrap())
                .collect()
        };
        variables
            .into_iter()
            .map(|(name, signal)| (name, values(signal)))
            .collect()
    }

    #[test]
    fn memories_keep_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let [vcd, fst] = ["a.vcd", "a.fst"].map(|name| folder.path().join(name));
        std::fs::write(&vcd, VCD).unwrap();
        vcd_to_fst(&vcd, &fst).unwrap();
        let found = content(&fst);
        assert_eq!(found, content(&vcd));
        assert_eq!(found.len(), 6);
        assert!(
            found.contains(&(
                "top.grid.[0].[1]".to_owned(),
                vec!["0100".to_owned(), "0101".to_owned()]
            )),
            "{found:?}"
        );
    }
}
