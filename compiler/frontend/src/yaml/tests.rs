//! Places of values, and what is refused.

use super::*;

fn refused(text: &str) -> (String, &str) {
    let error = mapping(text).expect_err(text);
    (error.reason, &text[error.span])
}

/// Every key and value with the text it came from.
fn places(text: &str) -> Vec<(String, &str)> {
    fn values<'a>(text: &'a str, key: &str, node: &Node, found: &mut Vec<(String, &'a str)>) {
        found.push((key.to_owned(), &text[node.span.clone()]));
        match &node.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => {
                for (n, item) in items.iter().enumerate() {
                    values(text, &format!("{key}[{n}]"), item, found);
                }
            }
            Value::Mapping(entries) => {
                for (inner, node) in entries {
                    let key = format!("{key}.{}", &text[inner.span.clone()]);
                    values(text, &key, node, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    for (key, node) in mapping(text).unwrap() {
        values(text, &text[key.span.clone()], &node, &mut found);
    }
    found
}

fn pairs<'a>(found: &'a [(String, &'a str)]) -> Vec<(&'a str, &'a str)> {
    found
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect()
}

#[test]
fn keys_and_values_have_their_places_in_block_style() {
    let text = "# bits: 4\nmodel: ä.nir # bits: 5\nbits:  8  # wide\ncalibration:\n  bits: 3\n  \
                data: x\n\n# end\nlist:\n- a\n- {b: c}\nnone:\nlanes: 2\n";
    assert_eq!(
        pairs(&places(text)),
        [
            ("model", "ä.nir"),
            ("bits", "8"),
            ("calibration", "bits: 3\n  data: x"),
            ("calibration.bits", "3"),
            ("calibration.data", "x"),
            // One that is not indented begins with its first value.
            ("list", "a\n- {b: c}"),
            ("list[0]", "a"),
            ("list[1]", "{b: c}"),
            ("list[1].b", "c"),
            ("none", ""),
            ("lanes", "2"),
        ]
    );
}

#[test]
fn keys_and_values_have_their_places_in_flow_style() {
    let text = "{model: a.nir, 'bits': 8, output: \"b, c\", shape: [2, [3, 4 ] ]}";
    assert_eq!(
        pairs(&places(text)),
        [
            ("model", "a.nir"),
            ("'bits'", "8"),
            ("output", "\"b, c\""),
            ("shape", "[2, [3, 4 ] ]"),
            ("shape[0]", "2"),
            ("shape[1]", "[3, 4 ]"),
            ("shape[1][0]", "3"),
            ("shape[1][1]", "4"),
        ]
    );
}

#[test]
fn an_alias_is_what_it_names() {
    let text = "a: &n {x: 1}\nb: *n\n";
    let entries = mapping(text).unwrap();
    assert_eq!(entries[0].1.value, entries[1].1.value);
    assert_eq!(&text[entries[1].1.span.clone()], "*n");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in ["a", "b", "c", "d", "e", "f", "g", "h"]
        .iter()
        .zip(["b", "c", "d", "e", "f", "g", "h", "i"])
    {
        let list = vec![format!("*{name}"); 10].join(", ");
        text.push_str(&format!("{of}: &{of} [{list}]\n"));
    }
    let (reason, at) = refused(&text);
    assert_eq!(
        (reason.as_str(), at),
        (
            "it comes to more than 200000 values",
            "&e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]"
        )
    );
}

#[test]
fn a_long_text_repeated_by_aliases_is_refused() {
    let mut text = format!("a: &a {}\nb:\n", "x".repeat(60_000));
    text.push_str(&"- *a\n".repeat(10_000));
    assert_eq!(refused(&text).1, "*a");
}

#[test]
fn an_alias_inside_of_what_it_names_is_refused() {
    let (reason, at) = refused("a: &a [*a]\n");
    assert_eq!(
        (reason.as_str(), at),
        ("an alias stands inside of what it names", "*a")
    );
}

#[test]
fn a_repeated_key_is_refused_at_its_place() {
    let text = "bits: 8\nmodel: a\nbits: 4\n";
    let error = mapping(text).expect_err("bits is there twice");
    assert_eq!(error.reason, "the key `bits` is there twice");
    assert_eq!(error.span, 17..21);
}

#[test]
fn tags_several_documents_and_keys_that_are_no_words_are_refused() {
    assert_eq!(
        refused("a: !!binary aGk=\n").0,
        "a tag such as `!name` has no meaning here"
    );
    assert_eq!(
        refused("a: 1\n---\nb: 2\n").0,
        "a second document begins here"
    );
    assert_eq!(
        refused("{[1, 2]: 3}").0,
        "a key is a list of 2 values, not a word"
    );
    assert_eq!(
        refused("- a\n").0,
        "it is a list of 1 values, not a list of `key: value` lines"
    );
}

#[test]
fn quoted_texts_are_read_back() {
    let texts = [
        "a",
        "model.nir",
        "1",
        "1e3",
        "inf",
        "No",
        "~",
        "",
        " a",
        "a b",
        "a: b",
        "ä",
        "#",
        "- a",
        "\"\\",
        "tab\tnew\nline\r",
        "\u{85}\u{2028}\u{feff}\u{0}",
        "👾",
        "null",
        "a/b.c-d",
        "-",
    ];
    for text in texts {
        let line = format!("{}: [{}]\n", quoted(text), quoted(text));
        let entries = mapping(&line).unwrap();
        let Value::Sequence(items) = &entries[0].1.value else {
            panic!("a list");
        };
        assert_eq!(
            (entries[0].0.text.as_str(), items[0].text()),
            (text, Some(text).filter(|t| !t.is_empty())),
            "{line}"
        );
    }
    assert_eq!(quoted("fc1.weight"), "fc1.weight");
}

#[test]
fn deep_nesting_and_long_texts_are_refused() {
    for n in [100, 1_000, 30_000] {
        let flow = format!("a: {}{}\n", "[".repeat(n), "]".repeat(n));
        assert!(mapping(&flow).is_err());
        assert!(mapping(&format!("a:\n{}", "- ".repeat(n))).is_err());
    }
    let block: String = (0..1_000)
        .map(|n| format!("{}k:\n", " ".repeat(n)))
        .collect();
    assert!(mapping(&block).is_err());
    assert!(mapping(&format!("a: {}", "x".repeat(70_000))).is_err());
    assert!(mapping(&"# comment\n".repeat(200_000)).is_err());
}
