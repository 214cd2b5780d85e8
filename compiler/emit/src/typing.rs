//! Every expression gets its width and sign, or the kernel is refused.
//!
//! rust-hdl's syntax tree has no types, and its printer relies on Verilog's rules for the width of
//! an expression, which look at the whole expression and at the target. The simulator's rule is
//! simpler: both operands have one type, and the result has it too. So types are rebuilt here from
//! the leaves up, by the simulator's rule, and the printer makes each of them explicit.
//!
//! One piece of information is missing from the tree: `signed_bit_cast(x, w)` arrives without its
//! `w`. Such an expression stays open ([`Shape::Open`]) until the other operand or the target says
//! how wide it is.

use std::collections::BTreeSet;

use rust_hdl_core::ast::{
    VerilogBlock, VerilogExpression as Expression, VerilogOp, VerilogOpUnary,
};

use crate::design::{Module, Role, literal_value};
use crate::error::Error;
use crate::flatten::{self, Statement};

/// Type of a signal or expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Bits {
        width: usize,
        signed: bool,
    },
    /// An enum or struct: only assigned, compared for equality, matched or sliced.
    Named {
        name: String,
        width: usize,
    },
}

impl Type {
    pub(crate) const BIT: Type = Type::Bits {
        width: 1,
        signed: false,
    };

    pub(crate) fn width(&self) -> usize {
        match self {
            Type::Bits { width, .. } | Type::Named { width, .. } => *width,
        }
    }

    pub(crate) fn is_signed(&self) -> bool {
        matches!(self, Type::Bits { signed: true, .. })
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Bits {
                width,
                signed: true,
            } => write!(f, "{width} bits signed"),
            Type::Bits {
                width,
                signed: false,
            } => write!(f, "{width} bits unsigned"),
            Type::Named { name, .. } => f.write_str(name),
        }
    }
}

/// A kernel whose expressions are typed.
pub(crate) struct Kernel {
    pub(crate) statements: Vec<TypedStatement>,
}

#[derive(Debug, Clone)]
pub(crate) enum TypedStatement {
    Assign {
        target: String,
        value: Typed,
    },
    AssignSlice {
        target: String,
        low: usize,
        width: usize,
        value: Typed,
    },
    If {
        test: Typed,
        then: Vec<TypedStatement>,
        otherwise: Vec<TypedStatement>,
    },
    Match {
        test: Typed,
        /// Labels; `None` is the default.
        arms: Vec<(Option<String>, Vec<TypedStatement>)>,
        /// Whether some arm runs for every code of the tested bits.
        complete: bool,
    },
}

/// An expression of known type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) of: Type,
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Signal(String),
    Number(u64),
    /// A label of an enum.
    Label(String),
    Binary(&'static str, Box<Typed>, Box<Typed>),
    /// `left op right` with one bit as result.
    Compare(&'static str, Box<Typed>, Box<Typed>),
    Unary(&'static str, Box<Typed>),
    /// The bits of the operand in this type, extended by the operand's sign or truncated.
    Convert(Box<Typed>),
    /// One bit of a signal.
    Bit(String, Box<Typed>),
    /// Bits of a signal from an offset up.
    Slice(String, Box<Typed>),
    /// A signal with one bit, at an index, replaced.
    ReplaceBit(String, Box<Typed>, Box<Typed>),
}

impl Typed {
    /// Calls `visit` for every signal that the expression reads.
    pub(crate) fn reads(&self, visit: &mut dyn FnMut(&str)) {
        match &self.node {
            Node::Signal(name) => visit(name),
            Node::Number(_) | Node::Label(_) => {}
            Node::Binary(_, l, r) | Node::Compare(_, l, r) => {
                l.reads(visit);
                r.reads(visit);
            }
            Node::Unary(_, e) | Node::Convert(e) => e.reads(visit),
            Node::Bit(name, e) | Node::Slice(name, e) => {
                visit(name);
                e.reads(visit);
            }
            Node::ReplaceBit(name, index, bit) => {
                visit(name);
                index.reads(visit);
                bit.reads(visit);
            }
        }
    }
}

/// What is known of an expression on the way up.
enum Shape {
    Known(Typed),
    /// Signed, at least `least` bits; the width comes from what it meets.
    Open {
        least: usize,
        node: Open,
    },
    Literal(u64),
}

enum Open {
    /// A signed value to be sign-extended.
    Extend(Box<Typed>),
    Binary(&'static str, Box<Shape>, Box<Shape>),
    Unary(&'static str, Box<Shape>),
}

/// An expression with the two facts that the refusals look at.
struct Found {
    shape: Shape,
    /// It is arithmetic that wraps in simulation and may not in Verilog.
    carry: bool,
    /// The arithmetic holds an untyped literal.
    literal: Option<u64>,
}

impl Found {
    fn stable(of: Type, node: Node) -> Self {
        Self {
            shape: Shape::Known(Typed { of, node }),
            carry: false,
            literal: None,
        }
    }
}

pub(crate) fn check(module: &Module, kernel: &VerilogBlock) -> Result<Kernel, Vec<Error>> {
    let statements = flatten::flatten(module, kernel)?;
    let mut checker = Checker {
        module,
        errors: vec![],
        at: String::new(),
    };
    let statements = checker.block(&statements);
    if checker.errors.is_empty() {
        Ok(Kernel { statements })
    } else {
        Err(checker.errors)
    }
}

struct Checker<'a> {
    module: &'a Module,
    errors: Vec<Error>,
    /// The signal being assigned, for messages.
    at: String,
}

impl Checker<'_> {
    fn block(&mut self, statements: &[Statement]) -> Vec<TypedStatement> {
        let mut typed = vec![];
        for statement in statements {
            match self.statement(statement) {
                Ok(statement) => typed.push(statement),
                Err(error) => self.errors.push(error),
            }
        }
        typed
    }

    fn statement(&mut self, statement: &Statement) -> Result<TypedStatement, Error> {
        match statement {
            Statement::Assign { target, value } => {
                self.at = self.module.place(target);
                let of = self.target(target)?;
                let value = self.expression(value)?;
                let value = self.assigned(value, &of, "assignment")?;
                Ok(TypedStatement::Assign {
                    target: target.clone(),
                    value,
                })
            }
            Statement::AssignSlice {
                target,
                width,
                offset,
                value,
            } => {
                self.at = self.module.place(target);
                let of = self.target(target)?;
                let low = match offset {
                    Expression::Literal(literal) => literal_value(&literal.to_string()) as usize,
                    _ => {
                        let what = "an assignment to a moving slice";
                        return Err(Error::Unsupported {
                            at: self.at.clone(),
                            what,
                        });
                    }
                };
                self.bits_exist(target, of.width(), low, *width)?;
                let value = self.expression(value)?;
                let field = match &value.shape {
                    // Fields of a struct have types of their own, which the tree does not hold.
                    Shape::Known(typed) if typed.of.width() == *width => typed.of.clone(),
                    _ => Type::Bits {
                        width: *width,
                        signed: false,
                    },
                };
                let value = self.assigned(value, &field, "assignment")?;
                Ok(TypedStatement::AssignSlice {
                    target: target.clone(),
                    low,
                    width: *width,
                    value,
                })
            }
            Statement::If {
                test,
                then,
                otherwise,
            } => {
                self.at = self.module.place("if");
                let test = self.expression(test)?;
                let test = self.bit(test, "if")?;
                Ok(TypedStatement::If {
                    test,
                    then: self.block(then),
                    otherwise: self.block(otherwise),
                })
            }
            Statement::Match { test, arms } => {
                self.at = self.module.place("match");
                let test = self.expression(test)?;
                let test = self.known(test, "match")?;
                self.arms(test, arms)
            }
        }
    }

    fn arms(
        &mut self,
        test: Typed,
        arms: &[(String, Vec<Statement>)],
    ) -> Result<TypedStatement, Error> {
        let labels = match &test.of {
            Type::Named { name, .. } => self
                .module
                .enums
                .iter()
                .find(|e| e.name == *name)
                .map(|e| e.labels.as_slice()),
            Type::Bits { .. } => None,
        };
        let Some(labels) = labels else {
            let (at, found) = (self.at.clone(), test.of.to_string());
            return Err(Error::WrongOperand {
                at,
                operation: "match".into(),
                found,
            });
        };
        let mut typed = vec![];
        let mut covered = BTreeSet::new();
        let mut complete = false;
        for (label, statements) in arms {
            let label = if label == "default" {
                complete = true;
                None
            } else if labels.contains(label) {
                covered.insert(label);
                Some(label.clone())
            } else {
                let (at, name) = (self.at.clone(), label.clone());
                return Err(Error::UnknownName { at, name });
            };
            typed.push((label, self.block(statements)));
        }
        // Rust accepts a match over all variants as complete, but in hardware the bits can hold
        // codes that no variant has.
        let n_codes = 1usize.checked_shl(test.of.width() as u32);
        complete |= covered.len() == labels.len() && n_codes == Some(labels.len());
        Ok(TypedStatement::Match {
            test,
            arms: typed,
            complete,
        })
    }

    fn target(&self, name: &str) -> Result<Type, Error> {
        let at = self.at.clone();
        match self.module.signal(name) {
            None => Err(Error::UnknownName {
                at,
                name: name.to_owned(),
            }),
            Some(signal) => match signal.role {
                Role::Output | Role::Local | Role::ChildInput => Ok(signal.of.clone()),
                Role::Input | Role::Constant | Role::ChildOutput => Err(Error::DrivesForeign {
                    at,
                    signal: name.to_owned(),
                }),
            },
        }
    }

    fn expression(&self, expression: &Expression) -> Result<Found, Error> {
        match expression {
            Expression::Signal(name) => self.signal(name),
            Expression::Literal(literal) => {
                let text = literal.to_string();
                let value = literal_value(&text);
                // `true` and `false` are the only literals that come with their width.
                Ok(if text.starts_with("1'") {
                    Found::stable(Type::BIT, Node::Number(value))
                } else {
                    Found {
                        shape: Shape::Literal(value),
                        carry: false,
                        literal: None,
                    }
                })
            }
            Expression::Paren(inner) => self.expression(inner),
            Expression::Cast(inner, width) => self.cast(inner, *width),
            Expression::Signed(inner) => self.signed(inner),
            Expression::Unsigned(inner) => {
                let found = self.expression(inner)?;
                let typed = self.settled(found, "unsigned_cast")?;
                let of = Type::Bits {
                    width: typed.of.width(),
                    signed: false,
                };
                Ok(Found::stable(of, Node::Convert(Box::new(typed))))
            }
            Expression::Unary(op, inner) => self.unary(op, inner),
            Expression::Binary(left, op, right) => self.binary(left, op, right),
            Expression::Index(base, index) => {
                let (name, of) = self.base(base, "get_bit")?;
                let index = self.position(index, &name, &of, 1)?;
                Ok(Found::stable(Type::BIT, Node::Bit(name, index)))
            }
            Expression::Slice(base, width, offset) => {
                let (name, of) = self.base(base, "get_bits")?;
                let offset = self.position(offset, &name, &of, *width)?;
                let of = Type::Bits {
                    width: *width,
                    signed: false,
                };
                Ok(Found::stable(of, Node::Slice(name, offset)))
            }
            Expression::IndexReplace(base, index, bit) => {
                let (name, of) = self.base(base, "replace_bit")?;
                let index = self.position(index, &name, &of, 1)?;
                let bit = self.expression(bit)?;
                let bit = Box::new(self.bit(bit, "replace_bit")?);
                Ok(Found::stable(of, Node::ReplaceBit(name, index, bit)))
            }
        }
    }

    fn signal(&self, name: &str) -> Result<Found, Error> {
        if let Some(signal) = self.module.signal(name) {
            if signal.role == Role::ChildInput {
                let (at, signal) = (self.at.clone(), name.to_owned());
                return Err(Error::ReadsChildInput { at, signal });
            }
            return Ok(Found::stable(
                signal.of.clone(),
                Node::Signal(name.to_owned()),
            ));
        }
        for of in &self.module.enums {
            if of.labels.iter().any(|label| label == name) {
                let named = Type::Named {
                    name: of.name.clone(),
                    width: of.width,
                };
                return Ok(Found::stable(named, Node::Label(name.to_owned())));
            }
        }
        Err(Error::UnknownName {
            at: self.at.clone(),
            name: name.to_owned(),
        })
    }

    /// `bit_cast`: rust-hdl prints a mask, which keeps a carry that the simulator has dropped.
    fn cast(&self, inner: &Expression, width: usize) -> Result<Found, Error> {
        let found = self.expression(inner)?;
        let of = Type::Bits {
            width,
            signed: false,
        };
        if let Shape::Literal(value) = found.shape {
            return Ok(Found::stable(of, Node::Number(self.fitting(value, width)?)));
        }
        let typed = self.settled(found, "bit_cast")?;
        match typed.of {
            Type::Bits { signed: false, .. } => {
                Ok(Found::stable(of, Node::Convert(Box::new(typed))))
            }
            _ => Err(self.wrong_operand("bit_cast", &typed.of)),
        }
    }

    /// `signed_cast` or `signed_bit_cast`, which the tree does not tell apart.
    fn signed(&self, inner: &Expression) -> Result<Found, Error> {
        let found = self.expression(inner)?;
        if let Shape::Literal(literal) = found.shape {
            let (at, operation) = (self.at.clone(), "signed_cast".to_owned());
            return Err(Error::UnsizedLiteral {
                at,
                literal,
                operation,
            });
        }
        if let (
            Shape::Open {
                node: Open::Extend(_),
                ..
            },
            false,
        ) = (&found.shape, found.carry)
        {
            // Extending twice is extending once, to the wider of the two.
            return Ok(found);
        }
        let typed = self.settled(found, "signed_bit_cast")?;
        let width = typed.of.width();
        match typed.of {
            Type::Bits { signed: true, .. } => {
                let node = Open::Extend(Box::new(typed));
                Ok(Found {
                    shape: Shape::Open { least: width, node },
                    carry: false,
                    literal: None,
                })
            }
            Type::Bits { signed: false, .. } => {
                let of = Type::Bits {
                    width,
                    signed: true,
                };
                Ok(Found::stable(of, Node::Convert(Box::new(typed))))
            }
            Type::Named { .. } => Err(self.wrong_operand("signed_cast", &typed.of)),
        }
    }

    fn unary(&self, op: &VerilogOpUnary, inner: &Expression) -> Result<Found, Error> {
        let found = self.expression(inner)?;
        let (symbol, name) = match op {
            VerilogOpUnary::Not => ("~", "!"),
            VerilogOpUnary::Neg => ("-", "-"),
            VerilogOpUnary::All => ("&", "all"),
            VerilogOpUnary::Any => ("|", "any"),
            VerilogOpUnary::Xor => ("^", "xor"),
        };
        if matches!(
            op,
            VerilogOpUnary::All | VerilogOpUnary::Any | VerilogOpUnary::Xor
        ) {
            let typed = self.settled(found, name)?;
            return Ok(Found::stable(
                Type::BIT,
                Node::Unary(symbol, Box::new(typed)),
            ));
        }
        // The complement of one bit has no bits above it that could differ.
        let carry = !(symbol == "~" && is_bit(&found.shape));
        let literal = found.literal;
        let shape = match found.shape {
            Shape::Literal(literal) => {
                let (at, operation) = (self.at.clone(), name.to_owned());
                return Err(Error::UnsizedLiteral {
                    at,
                    literal,
                    operation,
                });
            }
            Shape::Known(typed) => {
                if let Type::Named { .. } = typed.of {
                    return Err(self.wrong_operand(name, &typed.of));
                }
                let of = typed.of.clone();
                Shape::Known(Typed {
                    of,
                    node: Node::Unary(symbol, Box::new(typed)),
                })
            }
            Shape::Open { least, node } => {
                let inner = Box::new(Shape::Open { least, node });
                Shape::Open {
                    least,
                    node: Open::Unary(symbol, inner),
                }
            }
        };
        Ok(Found {
            shape,
            carry,
            literal,
        })
    }

    fn binary(
        &self,
        left: &Expression,
        op: &VerilogOp,
        right: &Expression,
    ) -> Result<Found, Error> {
        self.check_precedence(left, op, right)?;
        let (l, r) = (self.expression(left)?, self.expression(right)?);
        match op {
            VerilogOp::Add => self.arithmetic("+", l, r),
            VerilogOp::Sub => self.arithmetic("-", l, r),
            VerilogOp::Mul => self.arithmetic("*", l, r),
            VerilogOp::BitAnd => self.arithmetic("&", l, r),
            VerilogOp::BitOr => self.arithmetic("|", l, r),
            VerilogOp::BitXor => self.arithmetic("^", l, r),
            VerilogOp::Shl => self.shift("<<", l, r),
            VerilogOp::Shr => self.shift(">>", l, r),
            VerilogOp::Eq => self.comparison("==", l, r),
            VerilogOp::Ne => self.comparison("!=", l, r),
            VerilogOp::Lt => self.comparison("<", l, r),
            VerilogOp::Le => self.comparison("<=", l, r),
            VerilogOp::Gt => self.comparison(">", l, r),
            VerilogOp::Ge => self.comparison(">=", l, r),
            VerilogOp::LogicalAnd => self.logic("&&", l, r),
            VerilogOp::LogicalOr => self.logic("||", l, r),
        }
    }

    fn logic(&self, symbol: &'static str, l: Found, r: Found) -> Result<Found, Error> {
        let (l, r) = (self.bit(l, symbol)?, self.bit(r, symbol)?);
        Ok(Found::stable(
            Type::BIT,
            Node::Compare(symbol, Box::new(l), Box::new(r)),
        ))
    }

    fn arithmetic(&self, symbol: &'static str, l: Found, r: Found) -> Result<Found, Error> {
        let adds = matches!(symbol, "+" | "-" | "*");
        let carry = adds || l.carry || r.carry;
        let direct = |found: &Found| match found.shape {
            Shape::Literal(value) => Some(value),
            _ => None,
        };
        let literal = direct(&l).or(direct(&r)).or(l.literal).or(r.literal);
        let shape = match (l.shape, r.shape) {
            (Shape::Literal(literal), Shape::Literal(_)) => {
                let (at, operation) = (self.at.clone(), symbol.to_owned());
                return Err(Error::UnsizedLiteral {
                    at,
                    literal,
                    operation,
                });
            }
            (Shape::Literal(literal), Shape::Open { .. })
            | (Shape::Open { .. }, Shape::Literal(literal)) => {
                let (at, operation) = (self.at.clone(), symbol.to_owned());
                return Err(Error::UnsizedLiteral {
                    at,
                    literal,
                    operation,
                });
            }
            (
                l @ Shape::Open {
                    least: left_least, ..
                },
                r @ Shape::Open {
                    least: right_least, ..
                },
            ) => Shape::Open {
                least: left_least.max(right_least),
                node: Open::Binary(symbol, Box::new(l), Box::new(r)),
            },
            (l, r) => {
                let (l, r) = self.same_type(l, r, symbol)?;
                if let Type::Named { .. } = l.of {
                    return Err(self.wrong_operand(symbol, &l.of));
                }
                let of = l.of.clone();
                Shape::Known(Typed {
                    of,
                    node: Node::Binary(symbol, Box::new(l), Box::new(r)),
                })
            }
        };
        Ok(Found {
            shape,
            carry,
            literal,
        })
    }

    fn shift(&self, symbol: &'static str, l: Found, r: Found) -> Result<Found, Error> {
        let literal = l.literal;
        let carry = symbol == "<<";
        let value = if carry {
            self.known(l, symbol)?
        } else {
            self.settled(l, symbol)?
        };
        let Type::Bits { signed: false, .. } = value.of else {
            return Err(self.wrong_operand(symbol, &value.of));
        };
        let amount = match r.shape {
            Shape::Literal(amount) => {
                let width = (u64::BITS - amount.leading_zeros()).max(1) as usize;
                Typed {
                    of: Type::Bits {
                        width,
                        signed: false,
                    },
                    node: Node::Number(amount),
                }
            }
            _ => self.settled(r, symbol)?,
        };
        let Type::Bits { signed: false, .. } = amount.of else {
            return Err(self.wrong_operand(symbol, &amount.of));
        };
        let of = value.of.clone();
        let node = Node::Binary(symbol, Box::new(value), Box::new(amount));
        Ok(Found {
            shape: Shape::Known(Typed { of, node }),
            carry,
            literal,
        })
    }

    fn comparison(&self, symbol: &'static str, l: Found, r: Found) -> Result<Found, Error> {
        // rust-hdl prints a literal with 32 bits: arithmetic with one in it would not wrap.
        if let Some(literal) = l.literal.or(r.literal) {
            let (at, operation) = (self.at.clone(), symbol.to_owned());
            return Err(Error::UnsizedLiteral {
                at,
                literal,
                operation,
            });
        }
        let open_carry = l.carry || r.carry;
        let (l, r) = match (l.shape, r.shape) {
            (Shape::Literal(literal), other) | (other, Shape::Literal(literal)) => {
                // And without a sign, so that the whole comparison would be unsigned.
                let unsigned = matches!(
                    &other,
                    Shape::Known(Typed {
                        of: Type::Bits { signed: false, .. },
                        ..
                    })
                );
                if !unsigned {
                    let (at, operation) = (self.at.clone(), symbol.to_owned());
                    return Err(Error::UnsizedLiteral {
                        at,
                        literal,
                        operation,
                    });
                }
                self.same_type(other, Shape::Literal(literal), symbol)?
            }
            (
                l @ Shape::Open {
                    least: left_least, ..
                },
                r @ Shape::Open {
                    least: right_least, ..
                },
            ) => {
                if open_carry {
                    let (at, operation) = (self.at.clone(), symbol.to_owned());
                    return Err(Error::OpenSignedWidth { at, operation });
                }
                // Two sign extensions compare alike at any width that holds both.
                let width = left_least.max(right_least);
                (close(l, width), close(r, width))
            }
            (l, r) => self.same_type(l, r, symbol)?,
        };
        if let (Type::Named { .. }, false) = (&l.of, matches!(symbol, "==" | "!=")) {
            return Err(self.wrong_operand(symbol, &l.of));
        }
        Ok(Found::stable(
            Type::BIT,
            Node::Compare(symbol, Box::new(l), Box::new(r)),
        ))
    }

    /// Brings two operands to one type, which at least one of them has to know.
    fn same_type(&self, l: Shape, r: Shape, operation: &str) -> Result<(Typed, Typed), Error> {
        let (l, r) = match (l, r) {
            (Shape::Known(l), r) => {
                let r = self.of_type(r, &l.of, operation, false)?;
                (l, r)
            }
            (l, Shape::Known(r)) => {
                let l = self.of_type(l, &r.of, operation, true)?;
                (l, r)
            }
            _ => {
                let (at, operation) = (self.at.clone(), operation.to_owned());
                return Err(Error::OpenSignedWidth { at, operation });
            }
        };
        Ok((l, r))
    }

    /// Gives an open or untyped expression a type, and refuses one that has another.
    fn of_type(
        &self,
        shape: Shape,
        wanted: &Type,
        operation: &str,
        on_the_left: bool,
    ) -> Result<Typed, Error> {
        let mismatch = |found: String| {
            let wanted = wanted.to_string();
            let (left, right) = if on_the_left {
                (found, wanted)
            } else {
                (wanted, found)
            };
            Error::WidthMismatch {
                at: self.at.clone(),
                operation: operation.to_owned(),
                left,
                right,
            }
        };
        match (shape, wanted) {
            (Shape::Known(typed), _) if typed.of == *wanted => Ok(typed),
            (Shape::Known(typed), _) => Err(mismatch(typed.of.to_string())),
            (Shape::Literal(value), Type::Bits { width, .. }) => {
                let node = Node::Number(self.fitting(value, *width)?);
                Ok(Typed {
                    of: wanted.clone(),
                    node,
                })
            }
            (
                Shape::Open { least, node },
                Type::Bits {
                    width,
                    signed: true,
                },
            ) if least <= *width => Ok(close(Shape::Open { least, node }, *width)),
            (Shape::Open { least, .. }, _) => {
                Err(mismatch(format!("at least {least} bits signed")))
            }
            (Shape::Literal(value), _) => Err(mismatch(format!("the literal {value}"))),
        }
    }

    fn assigned(&self, found: Found, of: &Type, operation: &str) -> Result<Typed, Error> {
        self.of_type(found.shape, of, operation, false)
    }

    /// An expression whose own type is known, whatever its carry.
    fn known(&self, found: Found, operation: &str) -> Result<Typed, Error> {
        let (at, operation) = (self.at.clone(), operation.to_owned());
        match found.shape {
            Shape::Known(typed) => Ok(typed),
            Shape::Open { .. } => Err(Error::OpenSignedWidth { at, operation }),
            Shape::Literal(literal) => Err(Error::UnsizedLiteral {
                at,
                literal,
                operation,
            }),
        }
    }

    /// An expression that has the same value in every width: what casts, right shifts and
    /// reductions may be applied to.
    fn settled(&self, found: Found, operation: &str) -> Result<Typed, Error> {
        let (at, name) = (self.at.clone(), operation.to_owned());
        if let Some(literal) = found.literal {
            return Err(Error::UnsizedLiteral {
                at,
                literal,
                operation: name,
            });
        }
        if found.carry {
            return Err(Error::OpenCarry {
                at,
                operation: name,
            });
        }
        self.known(found, operation)
    }

    fn bit(&self, found: Found, operation: &str) -> Result<Typed, Error> {
        let typed = self.known(found, operation)?;
        if typed.of == Type::BIT {
            return Ok(typed);
        }
        let (at, found) = (self.at.clone(), typed.of.to_string());
        Err(Error::NotABit {
            at,
            operation: operation.to_owned(),
            found,
        })
    }

    /// The signal that bits are taken from; Verilog takes none from an expression.
    fn base(&self, expression: &Expression, operation: &str) -> Result<(String, Type), Error> {
        let found = self.expression(expression)?;
        match self.known(found, operation)? {
            Typed {
                node: Node::Signal(name),
                of,
            } => Ok((name, of)),
            _ => {
                let (at, operation) = (self.at.clone(), operation.to_owned());
                Err(Error::OpenCarry { at, operation })
            }
        }
    }

    /// The place of `taken` bits in a signal.
    fn position(
        &self,
        expression: &Expression,
        signal: &str,
        of: &Type,
        taken: usize,
    ) -> Result<Box<Typed>, Error> {
        let found = self.expression(expression)?;
        let position = match found.shape {
            Shape::Literal(value) => {
                self.bits_exist(signal, of.width(), value as usize, taken)?;
                Typed {
                    of: Type::Bits {
                        width: 64,
                        signed: false,
                    },
                    node: Node::Number(value),
                }
            }
            _ => self.settled(found, "an index")?,
        };
        // A signal of one bit has no index in Verilog, unless it is known to be 0.
        let moving = !matches!(position.node, Node::Number(_));
        let first = usize::from(moving && of.width() == 1);
        self.bits_exist(signal, of.width(), first, taken)?;
        match position.of {
            Type::Bits { signed: false, .. } => Ok(Box::new(position)),
            _ => Err(self.wrong_operand("an index", &position.of)),
        }
    }

    fn bits_exist(
        &self,
        signal: &str,
        width: usize,
        low: usize,
        taken: usize,
    ) -> Result<(), Error> {
        let end = low.saturating_add(taken);
        if taken > 0 && end <= width {
            return Ok(());
        }
        let (at, signal) = (self.at.clone(), signal.to_owned());
        Err(Error::NoSuchBits {
            at,
            signal,
            low,
            high: end.saturating_sub(1),
            width,
        })
    }

    fn fitting(&self, literal: u64, width: usize) -> Result<u64, Error> {
        if width < 64 && literal >> width != 0 {
            return Err(Error::LiteralTooWide {
                at: self.at.clone(),
                literal,
                width,
            });
        }
        Ok(literal)
    }

    fn wrong_operand(&self, operation: &str, found: &Type) -> Error {
        Error::WrongOperand {
            at: self.at.clone(),
            operation: operation.to_owned(),
            found: found.to_string(),
        }
    }

    /// Refuses what Verilog would group differently from Rust, as the tree prints without
    /// parentheses of its own.
    fn check_precedence(
        &self,
        left: &Expression,
        op: &VerilogOp,
        right: &Expression,
    ) -> Result<(), Error> {
        let (outer, level) = verilog_operator(op);
        for (side, may_equal) in [(left, true), (right, false)] {
            if let Expression::Binary(_, inner, _) = side {
                let (inner, inner_level) = verilog_operator(inner);
                if inner_level < level || (inner_level == level && !may_equal) {
                    return Err(Error::Precedence {
                        at: self.at.clone(),
                        inner,
                        outer,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Sets the width of an open expression; the caller has checked that it is wide enough.
fn close(shape: Shape, width: usize) -> Typed {
    let of = Type::Bits {
        width,
        signed: true,
    };
    match shape {
        Shape::Known(typed) => typed,
        Shape::Literal(value) => Typed {
            of,
            node: Node::Number(value),
        },
        Shape::Open { node, .. } => {
            let node = match node {
                Open::Extend(inner) => Node::Convert(inner),
                Open::Binary(symbol, l, r) => Node::Binary(
                    symbol,
                    Box::new(close(*l, width)),
                    Box::new(close(*r, width)),
                ),
                Open::Unary(symbol, inner) => Node::Unary(symbol, Box::new(close(*inner, width))),
            };
            Typed { of, node }
        }
    }
}

fn is_bit(shape: &Shape) -> bool {
    matches!(shape, Shape::Known(typed) if typed.of == Type::BIT)
}

/// A binary operator's symbol, and how tightly Verilog binds it.
fn verilog_operator(op: &VerilogOp) -> (&'static str, u8) {
    match op {
        VerilogOp::Mul => ("*", 10),
        VerilogOp::Add => ("+", 9),
        VerilogOp::Sub => ("-", 9),
        VerilogOp::Shl => ("<<", 8),
        VerilogOp::Shr => (">>", 8),
        VerilogOp::Lt => ("<", 7),
        VerilogOp::Le => ("<=", 7),
        VerilogOp::Gt => (">", 7),
        VerilogOp::Ge => (">=", 7),
        VerilogOp::Eq => ("==", 6),
        VerilogOp::Ne => ("!=", 6),
        VerilogOp::BitAnd => ("&", 5),
        VerilogOp::BitXor => ("^", 4),
        VerilogOp::BitOr => ("|", 3),
        VerilogOp::LogicalAnd => ("&&", 2),
        VerilogOp::LogicalOr => ("||", 1),
    }
}
