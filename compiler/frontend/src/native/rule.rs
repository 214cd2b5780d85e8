//! Learning rules as text; `spikeloom_ir::learning` says what they mean.

use std::ops::Range;

use spikeloom_ir::learning::{
    Factor, MAX_CONSTANT, MAX_EXPONENT, MAX_FACTORS, MAX_PRODUCTS, MIN_EXPONENT, Name, Product,
    Rule,
};

/// What is wrong with a rule, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// Reads a rule.
///
/// # Errors
/// The first fault of the text.
pub fn parse(text: &str) -> Result<Rule, Fault> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        end: text.len(),
    };
    let mut products = vec![parser.product(true)?];
    while parser.peek().is_some() {
        products.push(parser.product(false)?);
        if products.len() > MAX_PRODUCTS {
            return Err(Fault {
                at: 0..text.len(),
                what: format!("the rule has more than {MAX_PRODUCTS} products"),
                help: "leave the smaller ones out, or give another projection a part of them"
                    .into(),
            });
        }
    }
    Ok(Rule { products })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Number(i32),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, Fault> {
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        if first.is_whitespace() {
            continue;
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if !is_part(first) {
            let end = start + first.len_utf8();
            if !"+-*^()".contains(first) {
                return Err(Fault {
                    at: start..end,
                    what: format!("`{first}` has no meaning in a rule"),
                    help: "write a sum of products, such as `2^-4 * x1 * y0 - 2^-6 * y1 * x0`"
                        .into(),
                });
            }
            found.push((Token::Sign(first), start..end));
            continue;
        }
        let mut end = start + 1;
        while let Some((at, _)) = rest.next_if(|(_, c)| is_part(*c)) {
            end = at + 1;
        }
        let word = &text[start..end];
        let token = if first.is_ascii_digit() || first == '.' {
            Token::Number(number(word).map_err(|(what, help)| Fault {
                at: start..end,
                what,
                help,
            })?)
        } else {
            Token::Word(word)
        };
        found.push((token, start..end));
    }
    Ok(found)
}

fn number(word: &str) -> Result<i32, (String, String)> {
    if let Ok(number) = word.parse::<i32>()
        && number <= MAX_CONSTANT
    {
        return Ok(number);
    }
    if word.bytes().all(|c| c.is_ascii_digit()) {
        return Err((
            format!("{word} is larger than {MAX_CONSTANT}"),
            "write it as a smaller number times a power of two, such as `3 * 2^16`".into(),
        ));
    }
    let help = match word.parse::<f64>() {
        Ok(number) if number > 0.0 => format!(
            "rules are computed in whole numbers: write a number times a power of two, such as `{}`",
            nearest(number)
        ),
        _ => "write a whole number or a power of two".to_owned(),
    };
    Err((format!("`{word}` is not a whole number"), help))
}

/// The nearest product of at most four bits and a power of two.
fn nearest(number: f64) -> String {
    let exponent = number.log2().floor() as i32 - 3;
    let mantissa = (number / f64::from(exponent).exp2()).round() as i32;
    let shift = mantissa.trailing_zeros() as i32;
    format!("{} * 2^{}", mantissa >> shift, exponent + shift)
}

struct Parser<'a> {
    tokens: Vec<(Token<'a>, Range<usize>)>,
    at: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn next(&mut self) -> Option<(Token<'a>, Range<usize>)> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: char) -> bool {
        let is_there = self.peek() == Some(Token::Sign(sign));
        if is_there {
            self.at += 1;
        }
        is_there
    }

    /// Where the next token is, or the end of the text.
    fn here(&self) -> Range<usize> {
        let token = self.tokens.get(self.at);
        token.map_or(self.end..self.end, |(_, at)| at.clone())
    }

    fn expected(&self, what: &str) -> Fault {
        Fault {
            at: self.here(),
            what: match self.peek() {
                None => format!("the rule ends where {what} is expected"),
                Some(_) => format!("{what} is expected here"),
            },
            help: "write a sum of products, such as `2^-4 * x1 * y0 - 2^-6 * y1 * x0`".into(),
        }
    }

    fn product(&mut self, is_first: bool) -> Result<Product, Fault> {
        let start = self.here().start;
        let is_negative = self.take('-');
        if !is_negative && !self.take('+') && !is_first {
            return Err(self.expected("`+`, `-` or `*`"));
        }
        let mut mantissa: i64 = if is_negative { -1 } else { 1 };
        let mut exponent = 0;
        let mut factors: Vec<(Factor, Range<usize>)> = Vec::new();
        loop {
            let start = self.here().start;
            match self.factor()? {
                Part::Constant(constant, power) => {
                    mantissa *= i64::from(constant);
                    exponent += power;
                }
                Part::Factor(factor) => factors.push((factor, start..self.last_end())),
            }
            let at = start..self.last_end();
            if mantissa == 0 {
                return Err(Fault {
                    at,
                    what: "a product with 0 is always 0".into(),
                    help: "leave the product out".into(),
                });
            }
            if mantissa.abs() > i64::from(MAX_CONSTANT)
                || !(MIN_EXPONENT..=MAX_EXPONENT).contains(&exponent)
            {
                return Err(Fault {
                    at,
                    what: format!(
                        "the constants of the product come to more than {MAX_CONSTANT} times 2^{MAX_EXPONENT}, or to less than 2^{MIN_EXPONENT}"
                    ),
                    help: "use smaller constants; a weight has 16 bits at most".into(),
                });
            }
            if !self.take('*') {
                break;
            }
        }
        let at = start..self.last_end();
        check(&factors, at)?;
        let shift = mantissa.trailing_zeros();
        Ok(Product {
            mantissa: i32::try_from(mantissa >> shift).expect("at most the largest constant"),
            exponent: exponent + i32::try_from(shift).expect("at most 15"),
            factors: factors.into_iter().map(|(factor, _)| factor).collect(),
        })
    }

    fn last_end(&self) -> usize {
        self.tokens[self.at - 1].1.end
    }

    fn factor(&mut self) -> Result<Part, Fault> {
        let Some((token, at)) = self.next() else {
            self.at -= 1;
            return Err(self.expected("a factor"));
        };
        match token {
            Token::Number(number) if self.take('^') => {
                let start = at.start;
                let is_negative = self.take('-');
                let exponent = match self.next() {
                    Some((Token::Number(exponent), _)) => exponent,
                    _ => {
                        self.at -= 1;
                        return Err(self.expected("a whole number, the exponent,"));
                    }
                };
                let exponent = if is_negative { -exponent } else { exponent };
                if number != 2 || !(MIN_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
                    return Err(Fault {
                        at: start..self.last_end(),
                        what: format!(
                            "only powers of two from 2^{MIN_EXPONENT} to 2^{MAX_EXPONENT} are shifts"
                        ),
                        help: "write another number out, and the power of two beside it".into(),
                    });
                }
                Ok(Part::Constant(1, exponent))
            }
            Token::Number(number) => Ok(Part::Constant(number, 0)),
            Token::Word("sgn") => {
                self.want('(')?;
                let (name, _) = self.name()?;
                self.want(')')?;
                Ok(Part::Factor(Factor::Sign(name)))
            }
            Token::Word(_) => {
                self.at -= 1;
                Ok(Part::Factor(Factor::Value(self.name()?.0)))
            }
            Token::Sign('(') => {
                let part = self.sum()?;
                self.want(')')?;
                Ok(Part::Factor(part))
            }
            Token::Sign(_) => {
                self.at -= 1;
                Err(self.expected("a factor"))
            }
        }
    }

    /// Inside parentheses: a name and a constant.
    fn sum(&mut self) -> Result<Factor, Fault> {
        if let Some(Token::Number(constant)) = self.peek() {
            self.at += 1;
            if self.take('+') {
                return Ok(Factor::Sum(self.name()?.0, constant));
            }
            self.want('-')?;
            return Ok(Factor::Difference(constant, self.name()?.0));
        }
        let (name, _) = self.name()?;
        let is_negative = self.take('-');
        if !is_negative && !self.take('+') {
            return Err(self.expected("`+` or `-` and a whole number"));
        }
        match self.next() {
            Some((Token::Number(constant), _)) => {
                let constant = if is_negative { -constant } else { constant };
                Ok(Factor::Sum(name, constant))
            }
            _ => {
                self.at -= 1;
                Err(self.expected("a whole number"))
            }
        }
    }

    fn want(&mut self, sign: char) -> Result<(), Fault> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{sign}`")))
        }
    }

    fn name(&mut self) -> Result<(Name, Range<usize>), Fault> {
        let Some((Token::Word(word), at)) = self.next() else {
            self.at -= 1;
            return Err(self.expected("a name, such as `x1` or `w`,"));
        };
        let found = Name::all().find(|name| name.to_string() == word);
        match found {
            Some(name) => Ok((name, at)),
            None => Err(Fault {
                at,
                what: format!("`{word}` is not a name that a rule knows"),
                help: format!(
                    "known are {}",
                    Name::all()
                        .map(|name| format!("`{name}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            }),
        }
    }
}

enum Part {
    /// A number and a power of two.
    Constant(i32, i32),
    Factor(Factor),
}

/// What a product must have, and what it cannot.
fn check(factors: &[(Factor, Range<usize>)], at: Range<usize>) -> Result<(), Fault> {
    if factors.len() > MAX_FACTORS {
        return Err(Fault {
            at,
            what: format!("the product has more than {MAX_FACTORS} factors"),
            help: "keep a part of it in the tag `t`".into(),
        });
    }
    let says_when = |factor: &Factor| matches!(factor, Factor::Value(name) if name.says_when());
    for (factor, at) in factors {
        if factor.name().says_when() && !says_when(factor) {
            return Err(Fault {
                at: at.clone(),
                what: format!(
                    "`{}` says when a product counts, and stands alone",
                    factor.name()
                ),
                help: format!("write `{}` as a factor of its own", factor.name()),
            });
        }
    }
    let moments = factors
        .iter()
        .filter(|(factor, _)| matches!(factor.name(), Name::Every(_) | Name::End));
    if let Some((factor, at)) = moments.clone().nth(1) {
        return Err(Fault {
            at: at.clone(),
            what: format!("`{}` is a second moment of the same product", factor.name()),
            help: "leave one of them".into(),
        });
    }
    if !factors.iter().any(|(factor, _)| says_when(factor)) {
        return Err(Fault {
            at,
            what: "the product does not say when it counts".into(),
            help: "add a factor: `x0` (a spike of the source), `y0` (of the target), `u0` (every tick), `u3` (every 8th) or `end` (after a sample)".into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_printed_as_they_are_read() {
        for (text, printed) in [
            (
                "2^-4 * x1 * y0 - 2^-6 * y1 * x0",
                "2^-4 * x1 * y0 - 2^-6 * y1 * x0",
            ),
            ("-2^-2*x0*y1+x1*y0", "-2^-2 * x0 * y1 + x1 * y0"),
            ("6 * 2^-4 * e0 * x1 * u3", "3 * 2^-3 * e0 * x1 * u3"),
            (
                "2^-5 * y0 * x1 * (127 - w) - x0 * (w + 8) * y1",
                "2^-5 * y0 * x1 * (127 - w) - x0 * (w + 8) * y1",
            ),
            ("r * t * end * (w - 3)", "r * t * end * (w - 3)"),
            ("sgn(e1) * x1 * u0", "sgn(e1) * x1 * u0"),
            ("+ 2 * x0", "2^1 * x0"),
        ] {
            let rule = parse(text).unwrap();
            assert_eq!(rule.to_string(), printed);
            assert_eq!(parse(printed).unwrap(), rule);
        }
    }

    #[test]
    fn faults_are_at_their_columns() {
        for (text, at, what) in [
            ("", 0..0, "the rule ends"),
            ("x1 * w", 0..6, "does not say when"),
            ("2^-4 * x1 * y0 - w", 15..18, "does not say when"),
            ("0.1 * x1 * y0", 0..3, "not a whole number"),
            ("x1 * y0 * z", 10..11, "`z` is not a name"),
            ("x1 * y0 x0", 8..10, "`+`, `-` or `*`"),
            ("3^2 * x0", 0..3, "only powers of two"),
            ("x0 *", 4..4, "ends where a factor"),
            ("sgn w * x0", 4..5, "`(`"),
            ("x0 * 0", 5..6, "always 0"),
            ("u1 * end * w", 5..8, "second moment"),
            ("(x0 + 1) * w", 0..8, "stands alone"),
            ("x0 / 2", 3..4, "no meaning"),
            ("70000 * x0", 0..5, "larger than"),
            ("2^99 * x0", 0..4, "only powers of two"),
            ("(w + x1) * x0", 5..7, "a whole number"),
            ("x0 * (", 6..6, "ends where a name"),
            ("y0 * x1 * x1 * x1 * w * t", 0..25, "more than 5 factors"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
            assert_eq!(fault.at, at, "{text}: {}", fault.what);
        }
    }

    #[test]
    fn a_decimal_is_answered_with_its_nearest_product() {
        assert!(parse("0.1 * x0").unwrap_err().help.contains("13 * 2^-7"));
        assert!(parse("0.25 * x0").unwrap_err().help.contains("1 * 2^-2"));
    }
}
