//! The tree of modules as plain data.
//!
//! rust-hdl's blocks are read once, through its `Probe`; the later passes see only what is here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_hdl_core::ast::{Verilog, VerilogBlock, VerilogLiteral};
use rust_hdl_core::check_error::{CheckError, check_all as rust_hdl_check_all};
use rust_hdl_core::prelude::{Atom, AtomKind, Block, Probe, TypeKind};
use spikeloom_hdl::sized_literal;

use crate::error::Error;
use crate::typing::Type;

/// Direction of a port of the top module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Driven from outside.
    In,
    /// Driven by the circuit.
    Out,
}

/// A port of the top module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name in the Verilog.
    pub name: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Width in bits.
    pub width: usize,
    /// Whether it is in two's complement.
    pub signed: bool,
}

/// What a signal is to the module it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Input,
    Output,
    Local,
    Constant,
    /// The input of a child, which this module drives.
    ChildInput,
    /// The output of a child, which this module reads.
    ChildOutput,
}

#[derive(Debug, Clone)]
pub(crate) struct Signal {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) of: Type,
    /// The value, where it is a constant of at most 64 bits.
    pub(crate) value: u64,
    /// The value as rust-hdl prints it, where it is a constant.
    pub(crate) literal: Option<VerilogLiteral>,
    connected: bool,
}

impl Signal {
    pub(crate) fn constant(name: String, value: u64, width: usize) -> Self {
        Self {
            name,
            role: Role::Constant,
            of: Type::Bits {
                width,
                signed: false,
            },
            value,
            literal: Some(sized_literal(value, width)),
            connected: true,
        }
    }

    /// The same signal under another name.
    pub(crate) fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// What tells two constants apart in print.
    pub(crate) fn printed_value(&self) -> String {
        self.literal
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// An enum that signals of a module use; the position of a label is its code.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Enum {
    pub(crate) name: String,
    /// Labels as they are written in Verilog: `State$Idle`.
    pub(crate) labels: Vec<String>,
    pub(crate) width: usize,
}

#[derive(Debug)]
pub(crate) struct Module {
    /// Path of instances with dots.
    pub(crate) path: String,
    /// Name of the instance in its parent.
    pub(crate) instance: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    /// Own atoms first, then the ports of the children as `child$port`.
    pub(crate) signals: Vec<Signal>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) body: Verilog,
}

impl Module {
    pub(crate) fn signal(&self, name: &str) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.name == name)
    }

    /// The module's own signals, without its children's ports.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Signal> {
        self.signals
            .iter()
            .filter(|signal| !matches!(signal.role, Role::ChildInput | Role::ChildOutput))
    }

    pub(crate) fn place(&self, signal: &str) -> String {
        format!("{}: {signal}", self.path)
    }
}

/// All modules; the top is the first, and a parent stands before its children.
pub(crate) struct Design {
    pub(crate) modules: Vec<Module>,
}

/// The syntax tree of a module's kernel, if it has one.
pub(crate) fn kernel(module: &Module) -> Option<&VerilogBlock> {
    match &module.body {
        Verilog::Combinatorial(block) => Some(block),
        _ => None,
    }
}

pub(crate) fn collect(top: &dyn Block, name: &str) -> Result<Design, Error> {
    let mut collector = Collector::default();
    top.accept(name, &mut collector);
    Error::from_findings(collector.errors)?;
    Ok(Design {
        modules: collector.modules,
    })
}

/// rust-hdl's own check prints to stderr when it finds an open signal, so this comes before it.
pub(crate) fn check_connected(design: &Design) -> Vec<Error> {
    let mut errors = vec![];
    for (position, module) in design.modules.iter().enumerate() {
        for signal in module.own() {
            let from_outside = position == 0 && signal.role == Role::Input;
            if !signal.connected && !from_outside {
                let (at, signal) = (module.path.clone(), signal.name.clone());
                errors.push(Error::NotConnected { at, signal });
            }
        }
    }
    errors
}

/// rust-hdl's own checks, as a second opinion after ours.
pub(crate) fn check_all(top: &dyn Block) -> Vec<Error> {
    let (what, names) = match rust_hdl_check_all(top) {
        Ok(()) => return vec![],
        Err(CheckError::OpenSignal(open)) => ("an open signal", open.into_values().collect()),
        Err(CheckError::LogicLoops(names)) => ("a read before a write", names),
        Err(CheckError::WritesToInputs(names)) => ("a write to an input", names),
    };
    let mut errors: Vec<_> = names
        .into_iter()
        .map(|name| Error::RustHdlCheck {
            at: name.path,
            what,
            signal: name.name,
        })
        .collect();
    errors.sort_by_key(ToString::to_string);
    errors
}

#[derive(Default)]
struct Collector {
    modules: Vec<Module>,
    open: Vec<usize>,
    namespaces: Vec<String>,
    errors: Vec<Error>,
}

impl Probe for Collector {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let parent = self.open.last().copied();
        let position = self.modules.len();
        let path = match parent {
            Some(parent) => {
                self.modules[parent].children.push(position);
                format!("{}.{name}", self.modules[parent].path)
            }
            None => name.to_owned(),
        };
        let body = match catch_unwind(AssertUnwindSafe(|| node.hdl())) {
            Ok(body) => body,
            Err(panic) => {
                let message = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
                    .unwrap_or_else(|| "no message".to_owned());
                self.errors.push(Error::KernelPanicked {
                    at: path.clone(),
                    message,
                });
                Verilog::Empty
            }
        };
        self.open.push(position);
        self.namespaces.clear();
        self.modules.push(Module {
            path,
            instance: name.to_owned(),
            parent,
            children: vec![],
            signals: vec![],
            enums: vec![],
            body,
        });
    }

    fn visit_start_namespace(&mut self, name: &str, _node: &dyn Block) {
        self.namespaces.push(name.to_owned());
    }

    fn visit_end_namespace(&mut self, _name: &str, _node: &dyn Block) {
        self.namespaces.pop();
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let Some(&position) = self.open.last() else {
            let what = "a signal outside of any block";
            self.errors.push(Error::Unsupported {
                at: name.to_owned(),
                what,
            });
            return;
        };
        let mut full_name = self.namespaces.join("$");
        if !full_name.is_empty() {
            full_name.push('$');
        }
        full_name.push_str(name);
        let (own, stub) = match atom.kind() {
            AtomKind::InputParameter => (Role::Input, Some(Role::ChildInput)),
            AtomKind::OutputParameter => (Role::Output, Some(Role::ChildOutput)),
            AtomKind::LocalSignal => (Role::Local, None),
            AtomKind::Constant => (Role::Constant, None),
            _ => {
                let at = self.modules[position].place(&full_name);
                self.errors.push(Error::Unsupported {
                    at,
                    what: "a bidirectional signal",
                });
                return;
            }
        };
        let descriptor = atom.descriptor();
        let width = atom.bits();
        let of = match &descriptor.kind {
            TypeKind::Bits(_) => Type::Bits {
                width,
                signed: false,
            },
            TypeKind::Signed(_) => Type::Bits {
                width,
                signed: true,
            },
            TypeKind::Enum(_) => Type::Named {
                name: descriptor.name.clone(),
                width,
            },
            TypeKind::Composite(_) => Type::Named {
                name: descriptor.name.clone(),
                width,
            },
        };
        let labels = match &descriptor.kind {
            TypeKind::Enum(labels) => Some(Enum {
                name: descriptor.name,
                labels: labels
                    .iter()
                    .map(|label| label.replace("::", "$"))
                    .collect(),
                width,
            }),
            _ => None,
        };
        let signal = Signal {
            name: full_name.clone(),
            role: own,
            of,
            value: literal_value(&atom.verilog().to_string()),
            literal: (own == Role::Constant).then(|| atom.verilog()),
            connected: atom.connected(),
        };
        let module = &mut self.modules[position];
        let stub = module.parent.zip(stub).map(|(parent, role)| {
            let name = format!("{}${full_name}", module.instance);
            (
                parent,
                Signal {
                    name,
                    role,
                    ..signal.clone()
                },
            )
        });
        let place = module.signals.iter().take_while(|s| is_own(s.role)).count();
        module.signals.insert(place, signal);
        add_enum(&mut module.enums, labels.clone());
        if let Some((parent, stub)) = stub {
            self.modules[parent].signals.push(stub);
            add_enum(&mut self.modules[parent].enums, labels);
        }
    }

    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        self.open.pop();
    }
}

fn is_own(role: Role) -> bool {
    !matches!(role, Role::ChildInput | Role::ChildOutput)
}

fn add_enum(enums: &mut Vec<Enum>, new: Option<Enum>) {
    if let Some(new) = new.filter(|new| !enums.contains(new)) {
        enums.push(new);
    }
}

/// The digits of a literal, whose fields are private; 0 where it is wider than 64 bits.
pub(crate) fn literal_value(text: &str) -> u64 {
    let digits = text.rsplit('\'').next().unwrap_or_default();
    let (radix, digits) = match digits.split_at_checked(1) {
        Some(("b", digits)) => (2, digits),
        Some(("h", digits)) => (16, digits),
        _ => (10, digits),
    };
    u64::from_str_radix(digits, radix).unwrap_or(0)
}
