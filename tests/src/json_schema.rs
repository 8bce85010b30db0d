//! A checker of JSON Schema, of as much of draft 7 as elbow's schemas use. A keyword beyond that is a panic: it must not be
//! passed over.

use serde_json::Value;

/// Keywords that say nothing of a value.
const WORDS: [&str; 6] = ["$schema", "title", "description", "default", "definitions", "format"];

/// Why a value does not fit a schema; none where it does. References are looked up in `root`.
pub fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(fits) = schema.as_bool() {
        return (!fits).then(|| format!("{value} is not wanted"));
    }
    let schema = schema.as_object().expect("a schema is an object");
    schema.iter().filter(|(keyword, _)| !WORDS.contains(&keyword.as_str())).find_map(|(keyword, rule)| {
        let list = || rule.as_array().expect("a list");
        let no = |why: String| Some(format!("{value}: {why}"));
        match keyword.as_str() {
            "$ref" => {
                let place = rule.as_str().and_then(|place| place.strip_prefix('#')).expect("a reference in the file");
                misfit(root, root.pointer(place).expect("a definition"), value)
            }
            "type" => {
                let kinds: Vec<&str> =
                    rule.as_str().map_or_else(|| list().iter().filter_map(Value::as_str).collect(), |one| vec![one]);
                if kinds.iter().any(|kind| is(kind, value)) { None } else { no(format!("is no {kinds:?}")) }
            }
            "const" => {
                if value == rule {
                    None
                } else {
                    no(format!("is not {rule}"))
                }
            }
            "enum" => {
                if list().contains(value) {
                    None
                } else {
                    no(format!("is none of {rule}"))
                }
            }
            "minimum" => {
                if value.as_f64().is_none_or(|v| v >= rule.as_f64().expect("a number")) {
                    None
                } else {
                    no(format!("is below {rule}"))
                }
            }
            "maximum" => {
                if value.as_f64().is_none_or(|v| v <= rule.as_f64().expect("a number")) {
                    None
                } else {
                    no(format!("is above {rule}"))
                }
            }
            "allOf" => list().iter().find_map(|schema| misfit(root, schema, value)),
            "anyOf" | "oneOf" => {
                let misfits: Vec<Option<String>> = list().iter().map(|schema| misfit(root, schema, value)).collect();
                match misfits.iter().filter(|misfit| misfit.is_none()).count() {
                    1 => None,
                    0 => Some(misfits.into_iter().flatten().collect::<Vec<_>>().join("; ")),
                    _ if keyword == "anyOf" => None,
                    n => no(format!("fits {n} schemas, not one")),
                }
            }
            "required" => {
                let missing =
                    list().iter().filter_map(Value::as_str).find(|key| value.is_object() && value.get(key).is_none());
                missing.and_then(|key| no(format!("has no {key}")))
            }
            "properties" => {
                let rules = rule.as_object().expect("properties");
                rules.iter().find_map(|(key, schema)| misfit(root, schema, value.get(key)?))
            }
            "additionalProperties" => {
                assert_eq!(rule, &Value::Bool(false), "additionalProperties");
                let known = schema.get("properties").and_then(Value::as_object);
                let unknown = value.as_object()?.keys().find(|key| known.is_none_or(|known| !known.contains_key(*key)));
                unknown.and_then(|key| no(format!("has an unknown {key}")))
            }
            other => panic!("the keyword {other} is not checked"),
        }
    })
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the type {other} is not checked"),
    }
}
