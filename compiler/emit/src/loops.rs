//! Combinational loops through the hierarchy.
//!
//! rust-hdl looks for them inside one kernel only; a loop through a child makes its simulator give
//! up, and synthesis tools build it. The graph here has a node per signal and instance. A kernel
//! gives an edge from everything a target depends on; a leaf with its own Verilog text is read with
//! the small part of the grammar that leaves use, and what its clocked blocks assign starts anew.

use std::collections::BTreeMap;

use rust_hdl_core::ast::Verilog;

use crate::design::{Design, Role};
use crate::error::Error;
use crate::names::is_identifier;
use crate::print::project;
use crate::typing::{Kernel, TypedStatement};

/// Depends-on edges between the signals of one module, by name.
type Edges = Vec<(String, String)>;

pub(crate) fn check(design: &Design, kernels: &[Option<Kernel>]) -> Vec<Error> {
    let mut graph = Graph::default();
    for (position, module) in design.modules.iter().enumerate() {
        let edges = match (&kernels[position], &module.body) {
            (Some(kernel), _) => kernel_edges(kernel),
            (None, Verilog::Custom(text)) => text_edges(text),
            _ => vec![],
        };
        for (from, to) in edges {
            graph.add((position, from), (position, to));
        }
        let Some(parent) = module.parent else {
            continue;
        };
        for signal in module.own() {
            let inside = (position, signal.name.clone());
            let outside = (parent, format!("{}${}", module.instance, signal.name));
            match signal.role {
                Role::Input => graph.add(outside, inside),
                Role::Output => graph.add(inside, outside),
                _ => {}
            }
        }
    }
    match graph.cycle() {
        None => vec![],
        Some(nodes) => {
            let signals = nodes
                .into_iter()
                .map(|(module, name)| format!("{}.{name}", design.modules[module].path))
                .collect();
            vec![Error::CombinationalLoop { signals }]
        }
    }
}

fn kernel_edges(kernel: &Kernel) -> Edges {
    let mut edges = vec![];
    for target in crate::print::targets(&kernel.statements) {
        let mut add = |name: &str| {
            let edge = (name.to_owned(), target.clone());
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        };
        reads(&project(&kernel.statements, &target), &mut add);
    }
    edges
}

fn reads(statements: &[TypedStatement], visit: &mut dyn FnMut(&str)) {
    for statement in statements {
        match statement {
            TypedStatement::Assign { value, .. } | TypedStatement::AssignSlice { value, .. } => {
                value.reads(visit);
            }
            TypedStatement::If {
                test,
                then,
                otherwise,
            } => {
                test.reads(visit);
                reads(then, visit);
                reads(otherwise, visit);
            }
            TypedStatement::Match { test, arms, .. } => {
                test.reads(visit);
                arms.iter()
                    .for_each(|(_, statements)| reads(statements, visit));
            }
        }
    }
}

type Node = (usize, String);

#[derive(Default)]
struct Graph {
    numbers: BTreeMap<Node, usize>,
    nodes: Vec<Node>,
    next: Vec<Vec<usize>>,
}

impl Graph {
    fn number(&mut self, node: Node) -> usize {
        if let Some(&number) = self.numbers.get(&node) {
            return number;
        }
        self.numbers.insert(node.clone(), self.nodes.len());
        self.nodes.push(node);
        self.next.push(vec![]);
        self.nodes.len() - 1
    }

    fn add(&mut self, from: Node, to: Node) {
        let (from, to) = (self.number(from), self.number(to));
        self.next[from].push(to);
    }

    /// The nodes of some circle, the first one again at the end. Depth first without recursion:
    /// paths through a large design are longer than the stack.
    fn cycle(&self) -> Option<Vec<Node>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut path: Vec<(usize, usize)> = vec![];
            if marks[start] == Mark::New {
                marks[start] = Mark::Open;
                path.push((start, 0));
            }
            while let Some((node, branch)) = path.last_mut() {
                let Some(&next) = self.next[*node].get(*branch) else {
                    marks[*node] = Mark::Done;
                    path.pop();
                    continue;
                };
                *branch += 1;
                match marks[next] {
                    Mark::Done => {}
                    Mark::New => {
                        marks[next] = Mark::Open;
                        path.push((next, 0));
                    }
                    Mark::Open => {
                        let first = path.iter().position(|&(node, _)| node == next)?;
                        let circle = path[first..].iter().map(|&(node, _)| node).chain([next]);
                        return Some(circle.map(|node| self.nodes[node].clone()).collect());
                    }
                }
            }
        }
        None
    }
}

/// The combinational edges of a leaf's Verilog text.
fn text_edges(text: &str) -> Edges {
    let tokens = tokens(text);
    let mut edges = vec![];
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "wire" | "reg" | "assign" => {
                let end = statement_end(&tokens, at);
                let statement = &tokens[at + 1..end];
                if let Some(equals) = statement.iter().position(|token| token == "=") {
                    let target = name_before(statement, equals);
                    cross(&statement[equals + 1..], &[target], &mut edges);
                }
                at = end;
            }
            "always" => {
                let combinational = tokens[at + 1..]
                    .starts_with(&["@", "(", "*", ")"].map(String::from))
                    || tokens[at + 1..].starts_with(&["@", "*"].map(String::from));
                let begin = after_event(&tokens, at + 1);
                let end = statement_end(&tokens, begin);
                if combinational {
                    let body = &tokens[begin..end];
                    let targets: Vec<_> = (0..body.len())
                        .filter(|&i| body[i] == "=")
                        .map(|i| name_before(body, i))
                        .collect();
                    cross(body, &targets, &mut edges);
                }
                at = end;
            }
            "initial" => at = statement_end(&tokens, at + 1),
            _ => at += 1,
        }
    }
    edges
}

fn cross(reads: &[String], targets: &[String], edges: &mut Edges) {
    for to in targets {
        for from in reads
            .iter()
            .filter(|token| is_identifier(token) && *token != to)
        {
            let edge = (from.clone(), to.clone());
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
    }
}

/// Identifiers, numbers and symbols; comments, attributes and strings are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip_to = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '\'');
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            skip_to("\n")
        } else if rest.starts_with("/*") {
            skip_to("*/")
        } else if rest.starts_with("(*") && !rest.starts_with("(*)") {
            skip_to("*)")
        } else if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |at| at + 2)
        } else if word(first) {
            let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            let length = ["==", "!=", "<=", ">=", "&&", "||", "<<", ">>"]
                .iter()
                .find(|symbol| rest.starts_with(**symbol))
                .map_or(first.len_utf8(), |symbol| symbol.len());
            tokens.push(rest[..length].to_owned());
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The position after `@(..)` or `@*`.
fn after_event(tokens: &[String], at: usize) -> usize {
    if tokens.get(at).is_none_or(|token| token != "@") {
        return at;
    }
    match tokens.get(at + 1).map(String::as_str) {
        Some("(") => after_parentheses(tokens, at + 1),
        _ => at + 2,
    }
}

fn after_parentheses(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.as_str() {
            "(" => depth += 1,
            ")" if depth <= 1 => break,
            ")" => depth -= 1,
            _ => {}
        }
    }
    at
}

/// The position after the statement that starts at `at`.
fn statement_end(tokens: &[String], at: usize) -> usize {
    let matching = |open: &[&str], close: &str| {
        let mut depth = 0usize;
        for (position, token) in tokens.iter().enumerate().skip(at) {
            if open.contains(&token.as_str()) {
                depth += 1;
            } else if token == close {
                depth -= 1;
                if depth == 0 {
                    return position + 1;
                }
            }
        }
        tokens.len()
    };
    match tokens.get(at).map(String::as_str) {
        None => tokens.len(),
        Some("begin") => matching(&["begin"], "end"),
        Some("case" | "casez" | "casex") => matching(&["case", "casez", "casex"], "endcase"),
        Some("for") => statement_end(tokens, after_parentheses(tokens, at + 1)),
        Some("if") => {
            let then = statement_end(tokens, after_parentheses(tokens, at + 1));
            match tokens.get(then).map(String::as_str) {
                Some("else") => statement_end(tokens, then + 1),
                _ => then,
            }
        }
        Some(_) => tokens[at..]
            .iter()
            .position(|token| token == ";")
            .map_or(tokens.len(), |length| at + length + 1),
    }
}

/// The name assigned by the `=` at `equals`, with an index or slice stepped over.
fn name_before(tokens: &[String], equals: usize) -> String {
    let mut at = equals;
    let mut depth = 0usize;
    while at > 0 {
        at -= 1;
        match tokens[at].as_str() {
            "]" => depth += 1,
            "[" => depth = depth.saturating_sub(1),
            token if depth == 0 => return token.to_owned(),
            _ => {}
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn wires_and_combinational_blocks_give_edges() {
        let text = "(* keep *) wire signed [3:0] w = a + {b, 2'h0}; // c\n\
                    always @(*) begin y[1:0] = w; if (e <= f) z = 1'b0; else z = \"g\"; end";
        let edges = text_edges(text);
        for (from, to) in [("a", "w"), ("b", "w"), ("w", "y"), ("e", "z"), ("f", "z")] {
            assert!(edges.contains(&edge(from, to)), "{from} {to} {edges:?}");
        }
        assert!(edges.iter().all(|(from, _)| from != "c" && from != "g"));
    }

    #[test]
    fn clocked_and_initial_blocks_give_none() {
        let text = "reg [3:0] rows [0:7]; integer i;\n\
                    initial for (i = 0; i < 8; i = i + 1) rows[i] = 4'h0;\n\
                    always @(posedge clock) if (en) rows[a] <= d; else q <= rows[a];\n\
                    initial begin q = 4'h0; end\n\
                    always @(*) case (s) 1'd0: y = q; default: y = r; endcase";
        let edges = text_edges(text);
        assert!(edges.iter().all(|(_, to)| to == "y"), "{edges:?}");
        for from in ["s", "q", "r"] {
            assert!(edges.contains(&edge(from, "y")));
        }
    }
}
