//! One `always @(*)` per target, every width explicit.
//!
//! One block per kernel would make Verilator see loops that are not there, since it orders whole
//! blocks: a kernel that drives a child's input and reads its output depends on itself.
//!
//! Each printed expression has, taken alone, exactly the width of its type. Extensions are
//! concatenations and truncations are part selects, which Verilog sizes by themselves, so no rule
//! about context widths can change a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::design::{Module, Role};
use crate::typing::{Kernel, Node, Typed, TypedStatement};

/// The signals that the statements assign, in the order of their first assignment.
pub(crate) fn targets(statements: &[TypedStatement]) -> Vec<String> {
    fn collect(statements: &[TypedStatement], found: &mut Vec<String>) {
        for statement in statements {
            match statement {
                TypedStatement::Assign { target, .. }
                | TypedStatement::AssignSlice { target, .. } => {
                    if !found.contains(target) {
                        found.push(target.clone());
                    }
                }
                TypedStatement::If {
                    then, otherwise, ..
                } => {
                    collect(then, found);
                    collect(otherwise, found);
                }
                TypedStatement::Match { arms, .. } => {
                    arms.iter()
                        .for_each(|(_, statements)| collect(statements, found));
                }
            }
        }
    }
    let mut found = vec![];
    collect(statements, &mut found);
    found
}

/// What is left of the statements when only one target matters.
pub(crate) fn project(statements: &[TypedStatement], wanted: &str) -> Vec<TypedStatement> {
    let mut projected = vec![];
    for statement in statements {
        match statement {
            TypedStatement::Assign { target, .. } | TypedStatement::AssignSlice { target, .. } => {
                if target == wanted {
                    projected.push(statement.clone());
                }
            }
            TypedStatement::If {
                test,
                then,
                otherwise,
            } => {
                let (then, otherwise) = (project(then, wanted), project(otherwise, wanted));
                if !then.is_empty() || !otherwise.is_empty() {
                    projected.push(TypedStatement::If {
                        test: test.clone(),
                        then,
                        otherwise,
                    });
                }
            }
            TypedStatement::Match {
                test,
                arms,
                complete,
            } => {
                let arms: Vec<_> = arms
                    .iter()
                    .map(|(label, inner)| (label.clone(), project(inner, wanted)))
                    .collect();
                if arms.iter().any(|(_, inner)| !inner.is_empty()) {
                    let (test, complete) = (test.clone(), *complete);
                    projected.push(TypedStatement::Match {
                        test,
                        arms,
                        complete,
                    });
                }
            }
        }
    }
    projected
}

/// The text of a kernel. `renamed` gives signals other names than they have in the kernel.
pub(crate) fn kernel(
    module: &Module,
    kernel: &Kernel,
    renamed: &BTreeMap<String, String>,
) -> String {
    let mut printer = Printer {
        module,
        renamed,
        wires: String::new(),
        n_wires: 0,
    };
    let mut blocks = String::new();
    for target in targets(&kernel.statements) {
        let statements = project(&kernel.statements, &target);
        let start = if is_constant(module, &statements) {
            // An event simulator never starts a block that waits for nothing.
            "initial"
        } else {
            "always @(*)"
        };
        match statements.as_slice() {
            [single @ TypedStatement::Assign { .. }] => {
                blocks.push_str(start);
                blocks.push(' ');
                printer.statement(single, 0, &mut blocks);
            }
            several => {
                let _ = writeln!(blocks, "{start} begin");
                several
                    .iter()
                    .for_each(|s| printer.statement(s, 1, &mut blocks));
                blocks.push_str("end\n");
            }
        }
    }
    printer.wires + &blocks
}

/// A number with its width.
pub(crate) fn number(value: u64, width: usize) -> String {
    let value = if width < 64 {
        value & ((1 << width) - 1)
    } else {
        value
    };
    format!("{width}'h{value:x}")
}

fn is_constant(module: &Module, statements: &[TypedStatement]) -> bool {
    let constant = |typed: &Typed| {
        let mut constant = true;
        typed.reads(&mut |name| {
            let role = module.signal(name).map(|signal| signal.role);
            constant &= role == Some(Role::Constant);
        });
        constant
    };
    statements.iter().all(|statement| match statement {
        TypedStatement::Assign { value, .. } | TypedStatement::AssignSlice { value, .. } => {
            constant(value)
        }
        TypedStatement::If {
            test,
            then,
            otherwise,
        } => constant(test) && is_constant(module, then) && is_constant(module, otherwise),
        TypedStatement::Match { test, arms, .. } => {
            constant(test) && arms.iter().all(|(_, inner)| is_constant(module, inner))
        }
    })
}

struct Printer<'a> {
    module: &'a Module,
    renamed: &'a BTreeMap<String, String>,
    /// Declarations of the expressions that needed a name.
    wires: String,
    n_wires: usize,
}

impl Printer<'_> {
    fn statement(&mut self, statement: &TypedStatement, depth: usize, out: &mut String) {
        let indent = "    ".repeat(depth);
        match statement {
            TypedStatement::Assign { target, value } => {
                let value = self.expression(value);
                let value = without_parentheses(&value);
                let start = line_start(out, &indent);
                let _ = writeln!(out, "{start}{} = {value};", self.name(target));
            }
            TypedStatement::AssignSlice {
                target,
                low,
                width,
                value,
            } => {
                let value = self.expression(value);
                let value = without_parentheses(&value);
                let whole = self
                    .module
                    .signal(target)
                    .map_or(1, |signal| signal.of.width());
                let bits = range_of(whole, *low, *width);
                let (name, start) = (self.name(target), line_start(out, &indent));
                let _ = writeln!(out, "{start}{name}{bits} = {value};");
            }
            TypedStatement::If {
                test,
                then,
                otherwise,
            } => {
                let test = self.expression(test);
                let test = without_parentheses(&test);
                let start = line_start(out, &indent);
                let _ = writeln!(out, "{start}if ({test}) begin");
                then.iter().for_each(|s| self.statement(s, depth + 1, out));
                match otherwise.as_slice() {
                    [] => {
                        let _ = writeln!(out, "{indent}end");
                    }
                    [chained @ TypedStatement::If { .. }] => {
                        let _ = write!(out, "{indent}end else ");
                        self.statement(chained, depth, out);
                    }
                    several => {
                        let _ = writeln!(out, "{indent}end else begin");
                        several
                            .iter()
                            .for_each(|s| self.statement(s, depth + 1, out));
                        let _ = writeln!(out, "{indent}end");
                    }
                }
            }
            TypedStatement::Match {
                test,
                arms,
                complete,
            } => {
                let test = self.expression(test);
                let test = without_parentheses(&test);
                let start = line_start(out, &indent);
                let _ = writeln!(out, "{start}case ({test})");
                let mut has_default = false;
                for (label, statements) in arms {
                    has_default |= label.is_none();
                    let label = label.as_deref().unwrap_or("default");
                    if statements.is_empty() {
                        let _ = writeln!(out, "{indent}    {label}: ;");
                        continue;
                    }
                    let _ = writeln!(out, "{indent}    {label}: begin");
                    statements
                        .iter()
                        .for_each(|s| self.statement(s, depth + 2, out));
                    let _ = writeln!(out, "{indent}    end");
                }
                if !has_default && !complete {
                    // The checks have seen to it that every target has a value before.
                    let _ = writeln!(out, "{indent}    default: ;");
                }
                let _ = writeln!(out, "{indent}endcase");
            }
        }
    }

    fn name<'b>(&'b self, name: &'b str) -> &'b str {
        self.renamed.get(name).map_or(name, String::as_str)
    }

    fn expression(&mut self, typed: &Typed) -> String {
        let width = typed.of.width();
        match &typed.node {
            Node::Signal(name) => self.name(name).to_owned(),
            Node::Number(value) => number(*value, width),
            Node::Label(label) => label.clone(),
            Node::Binary(symbol, l, r) => {
                let (l, r) = (self.expression(l), self.expression(r));
                format!("({l} {symbol} {r})")
            }
            Node::Compare(symbol, l, r) => {
                let (l, r) = (self.compared(l), self.compared(r));
                format!("({l} {symbol} {r})")
            }
            Node::Unary(symbol, inner) => match (&inner.node, self.expression(inner)) {
                (Node::Unary(..), inner) => format!("{symbol}({inner})"),
                (_, inner) => format!("{symbol}{inner}"),
            },
            Node::Convert(inner) => self.converted(inner, width),
            Node::Bit(name, index) => match (&index.node, self.signal_width(name)) {
                (Node::Number(_), 1) => self.name(name).to_owned(),
                (Node::Number(bit), _) => format!("{}[{bit}]", self.name(name)),
                _ => {
                    let index = self.expression(index);
                    format!("{}[{}]", self.name(name), without_parentheses(&index))
                }
            },
            Node::Slice(name, offset) => match &offset.node {
                Node::Number(low) => {
                    let bits = range_of(self.signal_width(name), *low as usize, width);
                    format!("{}{bits}", self.name(name))
                }
                _ => {
                    let offset = self.expression(offset);
                    let offset = without_parentheses(&offset);
                    format!("{}[{offset} +: {width}]", self.name(name))
                }
            },
            Node::ReplaceBit(name, index, bit) => {
                let index = match &index.node {
                    Node::Number(bit) => bit.to_string(),
                    _ => self.expression(index),
                };
                let name = self.name(name).to_owned();
                let bit = self.expression(bit);
                let one = number(1, width);
                let moved = match width {
                    1 => format!("({bit} << {index})"),
                    _ => format!("({{{}, {bit}}} << {index})", number(0, width - 1)),
                };
                format!("(({name} & ~({one} << {index})) | {moved})")
            }
        }
    }

    /// An operand of a comparison, which is signed only if both of its operands are.
    fn compared(&mut self, typed: &Typed) -> String {
        let text = self.expression(typed);
        match (&typed.node, typed.of.is_signed()) {
            (Node::Signal(_), _) | (_, false) => text,
            _ => format!("$signed({})", without_parentheses(&text)),
        }
    }

    fn converted(&mut self, inner: &Typed, width: usize) -> String {
        let own = inner.of.width();
        if let Some(value) = self.constant(inner) {
            let negative = inner.of.is_signed() && (value >> (own - 1)) & 1 == 1;
            let extended = if negative && own < 64 {
                value | (u64::MAX << own)
            } else {
                value
            };
            return number(extended, width);
        }
        if width == own {
            return self.expression(inner);
        }
        if width < own {
            let name = self.named(inner);
            return format!("{name}{}", range_of(own, 0, width));
        }
        let above = width - own;
        if inner.of.is_signed() {
            let name = self.named(inner);
            let sign = range_of(own, own - 1, 1);
            format!("{{{{{above}{{{name}{sign}}}}}, {name}}}")
        } else {
            let text = self.expression(inner);
            format!("{{{}, {}}}", number(0, above), without_parentheses(&text))
        }
    }

    /// The value of a constant of at most 64 bits, which is then printed itself: not every tool
    /// takes bits out of a parameter.
    fn constant(&self, typed: &Typed) -> Option<u64> {
        match &typed.node {
            Node::Number(value) => Some(*value),
            Node::Signal(name) => self
                .module
                .signal(name)
                .filter(|s| s.role == Role::Constant && s.of.width() <= 64)
                .map(|s| s.value),
            _ => None,
        }
    }

    /// A name for an expression that bits are taken from.
    fn named(&mut self, typed: &Typed) -> String {
        if let Node::Signal(name) = &typed.node {
            return self.name(name).to_owned();
        }
        let value = self.expression(typed);
        let name = loop {
            let name = format!("wire${}", self.n_wires);
            self.n_wires += 1;
            if self.module.signal(&name).is_none() {
                break name;
            }
        };
        let range = declared_range(typed.of.width());
        let value = without_parentheses(&value);
        let _ = writeln!(self.wires, "wire {range}{name} = {value};");
        name
    }

    fn signal_width(&self, name: &str) -> usize {
        self.module
            .signal(name)
            .map_or(1, |signal| signal.of.width())
    }
}

/// The select of some bits; all of them need none.
fn range_of(whole: usize, low: usize, width: usize) -> String {
    match width {
        n if n == whole => String::new(),
        1 => format!("[{low}]"),
        n => format!("[{}:{low}]", low + n - 1),
    }
}

fn declared_range(width: usize) -> String {
    if width == 1 {
        String::new()
    } else {
        format!("[{}:0] ", width - 1)
    }
}

/// An `else if` stands on the line that its `else` has begun.
fn line_start<'a>(out: &str, indent: &'a str) -> &'a str {
    if out.is_empty() || out.ends_with('\n') {
        indent
    } else {
        ""
    }
}

/// Drops parentheses that enclose the whole expression.
fn without_parentheses(text: &str) -> &str {
    let Some(inner) = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
    else {
        return text;
    };
    let mut depth = 0i32;
    for c in inner.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return text;
        }
    }
    inner
}

/// Calls `visit` with each stretch of text between words and the word after it.
fn words<'a>(text: &'a str, visit: &mut dyn FnMut(&'a str, &'a str)) {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.find(word).unwrap_or(rest.len());
        let (between, from_word) = rest.split_at(start);
        let end = from_word.find(|c| !word(c)).unwrap_or(from_word.len());
        let (name, after) = from_word.split_at(end);
        visit(between, name);
        rest = after;
    }
}

/// Replaces whole identifiers in a leaf's text.
pub(crate) fn rename_in_text(text: &str, renamed: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    words(text, &mut |between, name| {
        out.push_str(between);
        out.push_str(renamed.get(name).map_or(name, String::as_str));
    });
    out
}

/// All words of a text, identifiers among them.
pub(crate) fn words_in_text(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    words(text, &mut |_, name| {
        found.insert(name);
    });
    found
}
