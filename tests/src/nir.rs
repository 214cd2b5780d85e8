//! NIR files out of short descriptions.

use hdf5_pure::{FileBuilder, FinishedGroup};
use serde_yaml::{Mapping, Value};

/// A NIR file. `graph` has `nodes` and `edges` as NIR names them, and may have a `version`, and
/// `many: {times: 9, node: …}` for as many nodes that no edge leads to.
///
/// Fields are written like this: a text as a string; a whole number or a list of them as int64;
/// other numbers as float32; nested lists with their shape; `{f64: …}` in double precision;
/// `{i64: …}`, for edges that are numbers;
/// `{fill: 1.0, shape: [2, 3]}` with one value; a mapping without those keys as a group.
pub fn nir_file(graph: &Mapping) -> Vec<u8> {
    let mut builder = FileBuilder::new();
    if let Some(version) = graph.get("version") {
        builder
            .create_dataset("version")
            .with_vlen_strings(&[version.as_str().unwrap()])
            .with_shape(&[]);
    }
    if let Some(other) = graph.get("instead_of_node") {
        builder
            .create_dataset(other.as_str().unwrap())
            .with_f32_data(&[1.0]);
    } else {
        let mut node = builder.create_group("node");
        if let Some(name) = graph.get("type") {
            node.create_dataset("type")
                .with_vlen_strings(&[name.as_str().unwrap()])
                .with_shape(&[]);
        } else {
            node.create_dataset("type")
                .with_vlen_strings(&["NIRGraph"])
                .with_shape(&[]);
        }
        if let Some(edges) = graph.get("edges") {
            write_edges(&mut node, edges);
        }
        if let Some(nodes) = graph.get("nodes") {
            let mut group = node.create_group("nodes");
            for (name, fields) in nodes.as_mapping().unwrap() {
                let child = write_group(group.create_group(&key(name)), fields);
                group.add_group(child);
            }
            if let Some(many) = graph.get("many") {
                for n in 0..many["times"].as_u64().unwrap() {
                    let child = write_group(group.create_group(&format!("many{n}")), &many["node"]);
                    group.add_group(child);
                }
            }
            let group = group.finish();
            node.add_group(group);
        }
        let node = node.finish();
        builder.add_group(node);
    }
    builder.finish().unwrap()
}

fn key(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other:?} is no name"),
    }
}

fn write_group(mut group: hdf5_pure::GroupBuilder, fields: &Value) -> FinishedGroup {
    for (name, value) in fields.as_mapping().unwrap() {
        let name = key(name);
        match value {
            _ if name == "edges" => write_edges(&mut group, value),
            Value::Mapping(inner) if !inner.contains_key("fill") && !inner.contains_key("f64") => {
                let child = write_group(group.create_group(&name), value);
                group.add_group(child);
            }
            _ => write_array(&mut group, &name, value),
        }
    }
    group.finish()
}

fn write_edges(group: &mut hdf5_pure::GroupBuilder, edges: &Value) {
    let Some(edges) = edges.as_sequence() else {
        write_array(group, "edges", edges);
        return;
    };
    if edges.is_empty() {
        group
            .create_dataset("edges")
            .with_f64_data(&[])
            .with_shape(&[0]);
        return;
    }
    let names: Vec<String> = edges
        .iter()
        .flat_map(|pair| pair.as_sequence().unwrap().iter().map(key))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let n = u64::try_from(edges.len()).unwrap();
    group
        .create_dataset("edges")
        .with_vlen_strings(&names)
        .with_shape(&[n, 2]);
}

fn write_array(group: &mut hdf5_pure::GroupBuilder, name: &str, value: &Value) {
    let dataset = group.create_dataset(name);
    if let Some(text) = value.as_str() {
        dataset.with_vlen_strings(&[text]).with_shape(&[]);
        return;
    }
    let (numbers, shape, double) = match value {
        Value::Mapping(fields) if fields.contains_key("fill") => {
            let (_, shape) = flatten(&fields["shape"]);
            assert_eq!(shape.len(), 1);
            let shape: Vec<u64> = fields["shape"]
                .as_sequence()
                .unwrap()
                .iter()
                .map(|length| length.as_u64().unwrap())
                .collect();
            let n = shape.iter().try_fold(1_u64, |n, &k| n.checked_mul(k));
            let n = usize::try_from(n.unwrap()).unwrap();
            assert!(n <= 1 << 24, "{n} values are no small file");
            (vec![fields["fill"].clone(); n], shape, false)
        }
        Value::Mapping(fields) if fields.contains_key("i64") => {
            let (numbers, shape) = flatten(&fields["i64"]);
            (numbers, shape, false)
        }
        Value::Mapping(fields) => {
            let (numbers, shape) = flatten(&fields["f64"]);
            (numbers, shape, true)
        }
        other => {
            let (numbers, shape) = flatten(other);
            (numbers, shape, false)
        }
    };
    if double {
        let values: Vec<f64> = numbers.iter().map(|x| x.as_f64().unwrap()).collect();
        dataset.with_f64_data(&values).with_shape(&shape);
    } else if numbers.iter().all(Value::is_i64) {
        let values: Vec<i64> = numbers.iter().map(|x| x.as_i64().unwrap()).collect();
        dataset.with_i64_data(&values).with_shape(&shape);
    } else {
        let values: Vec<f32> = numbers.iter().map(|x| x.as_f64().unwrap() as f32).collect();
        dataset.with_f32_data(&values).with_shape(&shape);
    }
}

/// The numbers of nested lists, and the lengths of the lists.
fn flatten(value: &Value) -> (Vec<Value>, Vec<u64>) {
    let Some(items) = value.as_sequence() else {
        return (vec![value.clone()], Vec::new());
    };
    let mut shape = vec![u64::try_from(items.len()).unwrap()];
    let mut numbers = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let (inner, inner_shape) = flatten(item);
        numbers.extend(inner);
        if at == 0 {
            shape.extend(inner_shape);
        }
    }
    (numbers, shape)
}
