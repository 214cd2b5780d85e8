//! Loops unrolled, names resolved, macros and links lowered: a kernel as plain statements.

use rust_hdl_core::ast::{
    VerilogBlock, VerilogBlockOrConditional, VerilogConditional, VerilogExpression as Expression,
    VerilogLink, VerilogLinkDetails, VerilogStatement,
};

use crate::design::{Module, literal_value};
use crate::error::Error;

/// A statement whose names are signals of the module.
pub(crate) enum Statement {
    Assign {
        target: String,
        value: Expression,
    },
    AssignSlice {
        target: String,
        width: usize,
        offset: Expression,
        value: Expression,
    },
    If {
        test: Expression,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    Match {
        test: Expression,
        arms: Vec<(String, Vec<Statement>)>,
    },
}

pub(crate) fn flatten(
    module: &Module,
    kernel: &VerilogBlock,
) -> Result<Vec<Statement>, Vec<Error>> {
    let mut flattener = Flattener {
        module,
        loops: vec![],
        errors: vec![],
    };
    let statements = flattener.block(kernel);
    if flattener.errors.is_empty() {
        Ok(statements)
    } else {
        Err(flattener.errors)
    }
}

struct Flattener<'a> {
    module: &'a Module,
    /// Loop variables and their values, outermost first.
    loops: Vec<(String, i64)>,
    errors: Vec<Error>,
}

impl Flattener<'_> {
    fn block(&mut self, block: &[VerilogStatement]) -> Vec<Statement> {
        let mut statements = vec![];
        for statement in block {
            self.statement(statement, &mut statements);
        }
        statements
    }

    fn statement(&mut self, statement: &VerilogStatement, out: &mut Vec<Statement>) {
        match statement {
            VerilogStatement::Assignment(target, value) => {
                let value = self.expression(value);
                if let Some(target) = self.target(target) {
                    out.push(Statement::Assign { target, value });
                }
            }
            VerilogStatement::SliceAssignment {
                base,
                width,
                offset,
                replacement,
            } => {
                let (offset, value) = (self.expression(offset), self.expression(replacement));
                if let Some(target) = self.target(base) {
                    out.push(Statement::AssignSlice {
                        target,
                        width: *width,
                        offset,
                        value,
                    });
                }
            }
            VerilogStatement::If(conditional) => out.push(self.conditional(conditional)),
            VerilogStatement::Match(choice) => {
                let test = self.expression(&choice.test);
                let arms = choice
                    .cases
                    .iter()
                    .map(|case| (self.name(&case.condition), self.block(&case.block)))
                    .collect();
                out.push(Statement::Match { test, arms });
            }
            VerilogStatement::Loop(repetition) => {
                let from = literal_value(&repetition.from.to_string()) as i64;
                let to = literal_value(&repetition.to.to_string()) as i64;
                for value in from..to {
                    self.loops.push((repetition.index.clone(), value));
                    for inner in &repetition.block {
                        self.statement(inner, out);
                    }
                    self.loops.pop();
                }
            }
            VerilogStatement::Comment(_) => {}
            VerilogStatement::Link(links) => links.iter().for_each(|link| self.link(link, out)),
            VerilogStatement::Macro(block) => {
                block.iter().for_each(|inner| self.statement(inner, out));
            }
        }
    }

    fn conditional(&mut self, conditional: &VerilogConditional) -> Statement {
        Statement::If {
            test: self.expression(&conditional.test),
            then: self.block(&conditional.then),
            otherwise: match &conditional.otherwise {
                VerilogBlockOrConditional::Block(block) => self.block(block),
                VerilogBlockOrConditional::Conditional(inner) => {
                    self.block(std::slice::from_ref(inner))
                }
                VerilogBlockOrConditional::None => vec![],
            },
        }
    }

    /// A link between the ports of two blocks is two names for one wire; an assignment says it too.
    fn link(&mut self, link: &VerilogLink, out: &mut Vec<Statement>) {
        let named = |owner: &str, details: &VerilogLinkDetails| {
            if details.my_name.is_empty() {
                owner.to_owned()
            } else {
                format!("{owner}${}", details.my_name)
            }
        };
        let (target, source) = match link {
            VerilogLink::Forward(d) => (named(&d.other_name, d), named(&d.owner_name, d)),
            VerilogLink::Backward(d) => (named(&d.owner_name, d), named(&d.other_name, d)),
            VerilogLink::Bidirectional(d) => {
                let at = self.module.place(&d.owner_name);
                self.errors.push(Error::Unsupported {
                    at,
                    what: "a bidirectional link",
                });
                return;
            }
        };
        let value = Expression::Signal(self.name(&source));
        out.push(Statement::Assign {
            target: self.name(&target),
            value,
        });
    }

    fn target(&mut self, expression: &Expression) -> Option<String> {
        match expression {
            Expression::Signal(name) => Some(self.name(name)),
            _ => {
                let at = self.module.path.clone();
                self.errors.push(Error::Unsupported {
                    at,
                    what: "an assignment to an expression",
                });
                None
            }
        }
    }

    fn expression(&mut self, expression: &Expression) -> Expression {
        let mut inner = |e: &Expression| Box::new(self.expression(e));
        match expression {
            Expression::Signal(name) => {
                // The innermost loop variable of a name hides the outer ones, as in Rust.
                match self
                    .loops
                    .iter()
                    .rev()
                    .find(|(variable, _)| variable == name)
                {
                    Some((_, value)) => Expression::Literal((*value as u64).into()),
                    None => Expression::Signal(self.name(name)),
                }
            }
            Expression::Literal(literal) => Expression::Literal(literal.clone()),
            Expression::Cast(e, width) => Expression::Cast(inner(e), *width),
            Expression::Signed(e) => Expression::Signed(inner(e)),
            Expression::Unsigned(e) => Expression::Unsigned(inner(e)),
            Expression::Paren(e) => Expression::Paren(inner(e)),
            Expression::Binary(l, op, r) => Expression::Binary(inner(l), op.clone(), inner(r)),
            Expression::Unary(op, e) => Expression::Unary(op.clone(), inner(e)),
            Expression::Index(e, index) => Expression::Index(inner(e), inner(index)),
            Expression::Slice(e, width, offset) => {
                Expression::Slice(inner(e), *width, inner(offset))
            }
            Expression::IndexReplace(e, index, bit) => {
                Expression::IndexReplace(inner(e), inner(index), inner(bit))
            }
        }
    }

    /// The Verilog name of what the kernel calls `lanes[i].x`, which arrives as `lanes[i]$x$next`.
    fn name(&mut self, raw: &str) -> String {
        let name = raw
            .trim_start_matches('.')
            .replace("::", "$")
            .replace('.', "$");
        let name = name.strip_suffix("$next").unwrap_or(&name);
        let mut printed = String::new();
        let mut left = name;
        while let Some((before, rest)) = left.split_once('[') {
            let found = rest.split_once(']');
            let value = found.and_then(|(index, _)| evaluate(index, &self.loops));
            let (Some((_, after)), Some(value @ 0..)) = (found, value) else {
                self.errors.push(Error::BadIndex {
                    at: self.module.path.clone(),
                    name: name.to_owned(),
                });
                return name.to_owned();
            };
            printed.push_str(&format!("{before}${value}"));
            left = after;
        }
        printed + left
    }
}

/// The value of an index made of numbers, loop variables, `+ - * / %` and parentheses.
fn evaluate(text: &str, variables: &[(String, i64)]) -> Option<i64> {
    let mut parser = IndexParser {
        rest: text.trim(),
        variables,
    };
    let value = parser.sum()?;
    parser.rest.is_empty().then_some(value)
}

struct IndexParser<'a> {
    rest: &'a str,
    variables: &'a [(String, i64)],
}

impl IndexParser<'_> {
    fn accept(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            if self.accept('+') {
                value = value.checked_add(self.product()?)?;
            } else if self.accept('-') {
                value = value.checked_sub(self.product()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.factor()?;
        loop {
            if self.accept('*') {
                value = value.checked_mul(self.factor()?)?;
            } else if self.accept('/') {
                value = value.checked_div(self.factor()?)?;
            } else if self.accept('%') {
                value = value.checked_rem(self.factor()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn factor(&mut self) -> Option<i64> {
        if self.accept('(') {
            let value = self.sum()?;
            return self.accept(')').then_some(value);
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = word
                .trim_end_matches("usize")
                .trim_end_matches("u64")
                .replace('_', "");
            return digits.parse().ok();
        }
        self.variables
            .iter()
            .rev()
            .find(|(name, _)| name == word)
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_evaluated_as_in_rust() {
        let variables = [
            ("i".to_owned(), 5),
            ("j".to_owned(), 2),
            ("i".to_owned(), 7),
        ];
        for (text, value) in [
            ("0", Some(0)),
            ("3usize", Some(3)),
            ("i", Some(7)),
            ("i-1", Some(6)),
            ("i-1-j", Some(4)),
            ("2*(i+j)%4", Some(2)),
            ("i/j*j", Some(6)),
            ("((j))", Some(2)),
            ("k", None),
            ("_n-1", None),
            ("i+", None),
            ("(i", None),
            ("i/0", None),
            ("", None),
        ] {
            assert_eq!(evaluate(text, &variables), value, "{text}");
        }
    }
}
