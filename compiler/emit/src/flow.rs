//! Reads and writes in an order that means the same in a kernel and in Verilog.
//!
//! A kernel runs from top to bottom; its Verilog is one `always @(*)` per target, and they run in
//! any order until nothing changes. Both mean the same if every signal is complete before it is
//! read: assigned on every path, and not again after the first read.

use std::collections::BTreeSet;

use crate::design::{Module, Role};
use crate::error::Error;
use crate::typing::{Kernel, Typed, TypedStatement};

pub(crate) fn check(module: &Module, kernel: &Kernel) -> Vec<Error> {
    let mut flow = Flow {
        module,
        errors: vec![],
        targets: BTreeSet::new(),
    };
    let mut state = State::default();
    flow.block(&kernel.statements, &mut state);
    for signal in &module.signals {
        let driven = matches!(signal.role, Role::Output | Role::Local | Role::ChildInput);
        if driven && !state.assigned.contains(&signal.name) {
            let (at, name) = (module.path.clone(), signal.name.clone());
            flow.errors.push(if flow.targets.contains(&signal.name) {
                Error::Latch { at, signal: name }
            } else {
                Error::NotConnected { at, signal: name }
            });
        }
    }
    flow.errors
}

/// What has happened on the way to a statement.
#[derive(Default, Clone)]
struct State {
    /// Assigned on every path.
    assigned: BTreeSet<String>,
    /// Read on some path.
    read: BTreeSet<String>,
}

struct Flow<'a> {
    module: &'a Module,
    errors: Vec<Error>,
    /// Assigned on some path.
    targets: BTreeSet<String>,
}

impl Flow<'_> {
    fn block(&mut self, statements: &[TypedStatement], state: &mut State) {
        for statement in statements {
            match statement {
                TypedStatement::Assign { target, value } => {
                    self.read(value, state, target);
                    self.assign(target, state);
                    state.assigned.insert(target.clone());
                }
                TypedStatement::AssignSlice { target, value, .. } => {
                    // A slice does not complete a signal; the whole has to be assigned before.
                    self.read(value, state, target);
                    self.assign(target, state);
                }
                TypedStatement::If {
                    test,
                    then,
                    otherwise,
                } => {
                    self.read(test, state, "if");
                    let mut other = state.clone();
                    self.block(then, state);
                    self.block(otherwise, &mut other);
                    state.join(other);
                }
                TypedStatement::Match {
                    test,
                    arms,
                    complete,
                } => {
                    self.read(test, state, "match");
                    let before = state.clone();
                    let mut ends = (!complete).then(|| before.clone());
                    for (_, statements) in arms {
                        let mut end = before.clone();
                        self.block(statements, &mut end);
                        match &mut ends {
                            Some(ends) => ends.join(end),
                            None => ends = Some(end),
                        }
                    }
                    *state = ends.unwrap_or(before);
                }
            }
        }
    }

    fn assign(&mut self, target: &str, state: &State) {
        self.targets.insert(target.to_owned());
        if state.read.contains(target) {
            let (at, signal) = (self.module.path.clone(), target.to_owned());
            self.push(Error::WriteAfterRead { at, signal });
        }
    }

    fn read(&mut self, value: &Typed, state: &mut State, target: &str) {
        let mut names = BTreeSet::new();
        value.reads(&mut |name| {
            names.insert(name.to_owned());
        });
        for name in names {
            let role = self.module.signal(&name).map(|signal| signal.role);
            if !matches!(role, Some(Role::Output | Role::Local)) {
                continue;
            }
            if !state.assigned.contains(&name) {
                let (at, signal) = (self.module.place(target), name.clone());
                self.push(Error::ReadBeforeWrite { at, signal });
            }
            state.read.insert(name);
        }
    }

    fn push(&mut self, error: Error) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

impl State {
    /// What holds after either of two paths.
    fn join(&mut self, other: State) {
        self.assigned.retain(|name| other.assigned.contains(name));
        self.read.extend(other.read);
    }
}
