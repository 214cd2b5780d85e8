//! Equal modules merged into one, and the result handed to rust-hdl's `ModuleDefines`.
//!
//! rust-hdl defines one module per instance: sixteen lanes are sixteen modules. Here the first
//! instance of each kind defines it, and the others are shown to `ModuleDefines` as black boxes of
//! that name, for which it prints an instance and no module.

use std::collections::{BTreeMap, BTreeSet};

use rust_hdl_core::ast::{BlackBox, Verilog, VerilogLiteral, Wrapper};
use rust_hdl_core::prelude::{
    Atom, AtomKind, Block, Logic, ModuleDefines, PinConstraint, Probe, TypeDescriptor, TypeKind,
    VCDValue,
};
use spikeloom_hdl::sized_literal;

use crate::Emitted;
use crate::design::{Design, Direction, Module, Port, Role, Signal};
use crate::error::Error;
use crate::names::plain;
use crate::print;
use crate::typing::Kernel;

const HEADER: &str = "// Made by spikeloom. Do not edit: change the circuit it was made from.\n\
                      `timescale 1ns / 1ps\n\
                      `default_nettype none\n";
const FOOTER: &str = "`default_nettype wire\n";

pub(crate) fn print(design: &Design, kernels: &[Option<Kernel>]) -> Result<Emitted, Error> {
    let renamed: BTreeMap<String, String> = design.modules[0]
        .own()
        .filter(|s| matches!(s.role, Role::Input | Role::Output) && s.name.contains('$'))
        .map(|signal| (signal.name.clone(), plain(&signal.name)))
        .collect();
    let units: Vec<Unit> = design
        .modules
        .iter()
        .enumerate()
        .map(|(position, module)| {
            let names = if position == 0 {
                &renamed
            } else {
                &BTreeMap::new()
            };
            Unit::new(module, kernels[position].as_ref(), names)
        })
        .collect();
    let kinds = kinds(design, &units);
    let mut defines = ModuleDefines::default();
    visit(design, &units, &kinds, 0, &mut defines);
    let mut images = BTreeSet::new();
    units
        .iter()
        .for_each(|unit| images.extend(image_names(unit.text())));
    let n_modules = kinds
        .iter()
        .enumerate()
        .filter(|(position, kind)| position == *kind)
        .count();
    Ok(Emitted {
        top: design.modules[0].instance.clone(),
        verilog: format!("{HEADER}{}{FOOTER}", defines.defines()),
        ports: ports(&units[0]),
        images: images.into_iter().collect(),
        n_modules,
        n_instances: design.modules.len(),
    })
}

/// A module as it is printed.
struct Unit {
    atoms: Vec<Signal>,
    body: Verilog,
}

impl Unit {
    fn new(module: &Module, kernel: Option<&Kernel>, renamed: &BTreeMap<String, String>) -> Self {
        let rename = |text: &str| print::rename_in_text(text, renamed);
        let body = match (kernel, &module.body) {
            (Some(kernel), _) => Verilog::Custom(print::kernel(module, kernel, renamed)),
            (None, Verilog::Custom(text)) => Verilog::Custom(rename(text)),
            (None, Verilog::Wrapper(wrapper)) => Verilog::Wrapper(Wrapper {
                code: rename(&wrapper.code),
                cores: wrapper.cores.clone(),
            }),
            (None, other) => other.clone(),
        };
        let mut unit = Self {
            atoms: vec![],
            body,
        };
        let used = print::words_in_text(unit.text());
        let mut atoms = vec![];
        for signal in module.own() {
            let name = renamed.get(&signal.name).unwrap_or(&signal.name);
            if signal.role != Role::Constant || used.contains(name.as_str()) {
                atoms.push(signal.renamed(name));
            }
        }
        if kernel.is_some() {
            for of in &module.enums {
                for (code, label) in of.labels.iter().enumerate() {
                    if used.contains(label.as_str()) {
                        atoms.push(Signal::constant(label.clone(), code as u64, of.width));
                    }
                }
            }
        }
        unit.atoms = atoms;
        unit
    }

    fn text(&self) -> &str {
        match &self.body {
            Verilog::Custom(text) => text,
            Verilog::Wrapper(wrapper) => &wrapper.code,
            _ => "",
        }
    }
}

/// For each module, the first one that prints the same: itself, unless it repeats an earlier one.
///
/// The first of a kind is never inside a module that repeats an earlier one, since that earlier
/// one holds the same kinds.
fn kinds(design: &Design, units: &[Unit]) -> Vec<usize> {
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    let mut class_of = vec![0; units.len()];
    let mut first = vec![];
    // Children stand after their parents, so their classes are known when the parent's is made.
    for (position, unit) in units.iter().enumerate().rev() {
        let module = &design.modules[position];
        let children: Vec<_> = module
            .children
            .iter()
            .map(|&child| (&design.modules[child].instance, class_of[child]))
            .collect();
        let atoms: Vec<_> = unit
            .atoms
            .iter()
            .map(|s| (&s.name, s.role, &s.of, s.printed_value()))
            .collect();
        let key = format!("{atoms:?} {:?} {children:?}", unit.body);
        let next = classes.len();
        let class = *classes.entry(key).or_insert(next);
        class_of[position] = class;
        if class == next {
            first.push(position);
        }
        first[class] = position;
    }
    class_of.into_iter().map(|class| first[class]).collect()
}

fn visit(
    design: &Design,
    units: &[Unit],
    kinds: &[usize],
    position: usize,
    defines: &mut ModuleDefines,
) {
    let (module, unit) = (&design.modules[position], &units[position]);
    let kind = kinds[position];
    let repeated = kind != position;
    let body = match (&unit.body, repeated) {
        (Verilog::Blackbox(black_box), true) => Verilog::Blackbox(BlackBox {
            code: String::new(),
            name: black_box.name.clone(),
        }),
        (_, true) => Verilog::Blackbox(BlackBox {
            code: String::new(),
            name: design.modules[kind].path.replace('.', "$"),
        }),
        (body, false) => body.clone(),
    };
    let block = Printed(body);
    defines.visit_start_scope(&module.instance, &block);
    for atom in &unit.atoms {
        let is_port = matches!(atom.role, Role::Input | Role::Output);
        if is_port || !repeated {
            defines.visit_atom(&atom.name, atom);
        }
    }
    if !repeated {
        module
            .children
            .iter()
            .for_each(|&child| visit(design, units, kinds, child, defines));
    }
    defines.visit_end_scope(&module.instance, &block);
}

fn ports(top: &Unit) -> Vec<Port> {
    let port = |signal: &Signal| {
        let direction = match signal.role {
            Role::Input => Direction::In,
            Role::Output => Direction::Out,
            _ => return None,
        };
        Some(Port {
            name: signal.name.clone(),
            direction,
            width: signal.of.width(),
            signed: signal.of.is_signed(),
        })
    };
    top.atoms.iter().filter_map(port).collect()
}

/// The files that a text reads with `$readmemh`.
fn image_names(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("$readmemh(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned()))
}

/// A block that is nothing but its body.
struct Printed(Verilog);

impl Logic for Printed {
    fn update(&mut self) {}
    fn hdl(&self) -> Verilog {
        self.0.clone()
    }
}

impl Block for Printed {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, _name: &str, _probe: &mut dyn Probe) {}
}

/// `ModuleDefines` takes atoms; names and widths are all it looks at.
impl Atom for Signal {
    fn bits(&self) -> usize {
        self.of.width()
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        match self.role {
            Role::Input => AtomKind::InputParameter,
            Role::Output => AtomKind::OutputParameter,
            Role::Local => AtomKind::LocalSignal,
            Role::Constant => AtomKind::Constant,
            Role::ChildInput => AtomKind::StubInputSignal,
            Role::ChildOutput => AtomKind::StubOutputSignal,
        }
    }
    fn descriptor(&self) -> TypeDescriptor {
        // Enums are plain bits here: their labels are printed as constants of their width.
        let width = self.of.width();
        let kind = if self.of.is_signed() {
            TypeKind::Signed(width)
        } else {
            TypeKind::Bits(width)
        };
        TypeDescriptor {
            name: String::new(),
            kind,
        }
    }
    fn vcd(&self) -> VCDValue {
        VCDValue::Vector(vec![])
    }
    fn id(&self) -> usize {
        0
    }
    fn verilog(&self) -> VerilogLiteral {
        self.literal.clone().unwrap_or_else(|| sized_literal(0, 1))
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}
