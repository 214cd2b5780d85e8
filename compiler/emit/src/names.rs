//! Names that are legal in Verilog and in the languages its tools turn it into.

use std::collections::BTreeSet;

use crate::design::{Design, Role};
use crate::error::Error;

/// Verilog-2005, IEEE 1364-2005 annex B.
const VERILOG: &[&str] = &[
    "always",
    "and",
    "assign",
    "automatic",
    "begin",
    "buf",
    "bufif0",
    "bufif1",
    "case",
    "casex",
    "casez",
    "cell",
    "cmos",
    "config",
    "deassign",
    "default",
    "defparam",
    "design",
    "disable",
    "edge",
    "else",
    "end",
    "endcase",
    "endconfig",
    "endfunction",
    "endgenerate",
    "endmodule",
    "endprimitive",
    "endspecify",
    "endtable",
    "endtask",
    "event",
    "for",
    "force",
    "forever",
    "fork",
    "function",
    "generate",
    "genvar",
    "highz0",
    "highz1",
    "if",
    "ifnone",
    "incdir",
    "include",
    "initial",
    "inout",
    "input",
    "instance",
    "integer",
    "join",
    "large",
    "liblist",
    "library",
    "localparam",
    "macromodule",
    "medium",
    "module",
    "nand",
    "negedge",
    "nmos",
    "nor",
    "noshowcancelled",
    "not",
    "notif0",
    "notif1",
    "or",
    "output",
    "parameter",
    "pmos",
    "posedge",
    "primitive",
    "pull0",
    "pull1",
    "pulldown",
    "pullup",
    "pulsestyle_ondetect",
    "pulsestyle_onevent",
    "rcmos",
    "real",
    "realtime",
    "reg",
    "release",
    "repeat",
    "rnmos",
    "rpmos",
    "rtran",
    "rtranif0",
    "rtranif1",
    "scalared",
    "showcancelled",
    "signed",
    "small",
    "specify",
    "specparam",
    "strong0",
    "strong1",
    "supply0",
    "supply1",
    "table",
    "task",
    "time",
    "tran",
    "tranif0",
    "tranif1",
    "tri",
    "tri0",
    "tri1",
    "triand",
    "trior",
    "trireg",
    "unsigned",
    "use",
    "uwire",
    "vectored",
    "wait",
    "wand",
    "weak0",
    "weak1",
    "while",
    "wire",
    "wor",
    "xnor",
    "xor",
];

/// What SystemVerilog adds (IEEE 1800-2017 annex B): Verilator reads `.v` files as that.
const SYSTEM_VERILOG: &[&str] = &[
    "accept_on",
    "alias",
    "always_comb",
    "always_ff",
    "always_latch",
    "assert",
    "assume",
    "before",
    "bind",
    "bins",
    "binsof",
    "bit",
    "break",
    "byte",
    "chandle",
    "checker",
    "class",
    "clocking",
    "const",
    "constraint",
    "context",
    "continue",
    "cover",
    "covergroup",
    "coverpoint",
    "cross",
    "dist",
    "do",
    "endchecker",
    "endclass",
    "endclocking",
    "endgroup",
    "endinterface",
    "endpackage",
    "endprogram",
    "endproperty",
    "endsequence",
    "enum",
    "eventually",
    "expect",
    "export",
    "extends",
    "extern",
    "final",
    "first_match",
    "foreach",
    "forkjoin",
    "global",
    "iff",
    "ignore_bins",
    "illegal_bins",
    "implements",
    "implies",
    "import",
    "inside",
    "int",
    "interconnect",
    "interface",
    "intersect",
    "join_any",
    "join_none",
    "let",
    "local",
    "logic",
    "longint",
    "matches",
    "modport",
    "nettype",
    "new",
    "nexttime",
    "null",
    "package",
    "packed",
    "priority",
    "program",
    "property",
    "protected",
    "pure",
    "rand",
    "randc",
    "randcase",
    "randsequence",
    "ref",
    "reject_on",
    "restrict",
    "return",
    "s_always",
    "s_eventually",
    "s_nexttime",
    "s_until",
    "s_until_with",
    "sequence",
    "shortint",
    "shortreal",
    "soft",
    "solve",
    "static",
    "string",
    "strong",
    "struct",
    "super",
    "sync_accept_on",
    "sync_reject_on",
    "tagged",
    "this",
    "throughout",
    "timeprecision",
    "timeunit",
    "type",
    "typedef",
    "union",
    "unique",
    "unique0",
    "until",
    "until_with",
    "untyped",
    "var",
    "virtual",
    "void",
    "wait_order",
    "weak",
    "wildcard",
    "with",
    "within",
];

/// Reserved words of C++ that are left: Verilator warns about them and mangles them.
const C_PLUS_PLUS: &[&str] = &[
    "alignas",
    "alignof",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "decltype",
    "delete",
    "double",
    "dynamic_cast",
    "explicit",
    "false",
    "float",
    "friend",
    "goto",
    "inline",
    "long",
    "mutable",
    "namespace",
    "noexcept",
    "not_eq",
    "nullptr",
    "operator",
    "or_eq",
    "private",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "short",
    "sizeof",
    "static_assert",
    "static_cast",
    "switch",
    "template",
    "thread_local",
    "throw",
    "true",
    "try",
    "typeid",
    "typename",
    "using",
    "volatile",
    "wchar_t",
    "xor_eq",
];

/// Whether a name is an identifier of Verilog. `$` is legal in it, but not first.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'))
}

/// The language that reserves a name, if any.
pub(crate) fn reserved_by(name: &str) -> Option<&'static str> {
    [
        ("Verilog", VERILOG),
        ("SystemVerilog", SYSTEM_VERILOG),
        ("C++", C_PLUS_PLUS),
    ]
    .into_iter()
    .find(|(_, words)| words.contains(&name))
    .map(|(language, _)| language)
}

/// The name a port of the top has outside: Verilator would mangle the `$` of a `Vec` port.
pub(crate) fn plain(name: &str) -> String {
    name.replace('$', "_")
}

fn check_name(at: &str, name: &str) -> Option<Error> {
    let (at, name) = (at.to_owned(), name.to_owned());
    match reserved_by(&name) {
        Some(language) => Some(Error::Keyword { at, name, language }),
        None if !is_identifier(&name) => Some(Error::BadName { at, name }),
        None => None,
    }
}

pub(crate) fn check(design: &Design) -> Vec<Error> {
    let mut errors = vec![];
    let mut module_names = BTreeSet::new();
    for (position, module) in design.modules.iter().enumerate() {
        errors.extend(check_name(&module.path, &module.instance));
        // rust-hdl names a module by its path with `$`, which two different paths can share.
        if !module_names.insert(module.path.replace('.', "$")) {
            let at = module.path.clone();
            errors.push(Error::NameClash {
                at,
                name: module.path.replace('.', "$"),
            });
        }
        let mut seen = BTreeSet::new();
        let instances = module
            .children
            .iter()
            .map(|&child| &design.modules[child].instance);
        let labels = module.enums.iter().flat_map(|e| &e.labels);
        let signals = module.signals.iter().map(|signal| &signal.name);
        for name in signals.chain(instances).chain(labels) {
            if !seen.insert(name.clone()) {
                let (at, name) = (module.path.clone(), name.clone());
                errors.push(Error::NameClash { at, name });
            }
        }
        for signal in module.own() {
            errors.extend(check_name(&module.path, &signal.name));
            if position == 0 && matches!(signal.role, Role::Input | Role::Output) {
                let outside = plain(&signal.name);
                if outside != signal.name && !seen.insert(outside.clone()) {
                    errors.push(Error::NameClash {
                        at: module.path.clone(),
                        name: outside,
                    });
                }
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_listed_twice() {
        let all: Vec<_> = [VERILOG, SYSTEM_VERILOG, C_PLUS_PLUS].concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
