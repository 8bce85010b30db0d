//! The JSON Schema of claim files for editors, from the types that read them.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::check::own::KINDS;
use super::claim::Expect;
use super::claim_file::Heading;

/// The JSON Schema (draft 7) of a claim file of a user's.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut root = generator.root_schema_for::<Heading>().to_value();
    let protocol = generator.subschema_for::<Protocol>();
    let expect = generator.subschema_for::<Expect>();
    root["title"] = json!("Claim");
    root["description"] =
        json!("A claim of your own for `elbow eval --claims DIR`: a statement, a check, an expectation.");
    root["properties"]["protocol"] = protocol.to_value();
    root["properties"]["expect"] = expect.to_value();
    if let Some(required) = root["required"].as_array_mut() {
        required.extend([json!("protocol"), json!("expect")]);
    }
    root["definitions"] = Value::Object(generator.take_definitions(true));
    root
}

/// The table `[protocol]`: `check` names the kind, and the other keys are its parameters.
struct Protocol;

impl JsonSchema for Protocol {
    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = KINDS.iter().map(|kind| {
            let mut schema = (kind.schema)(generator).to_value();
            schema["properties"]["check"] = json!({ "description": "The kind of check.", "const": kind.name });
            match schema["required"].as_array_mut() {
                Some(required) => required.insert(0, json!("check")),
                None => schema["required"] = json!(["check"]),
            }
            schema
        });
        let kinds: Vec<Value> = kinds.collect();
        let mut schema = Schema::default();
        schema.insert("description".into(), json!("The check with its parameters."));
        schema.insert("oneOf".into(), Value::Array(kinds));
        schema
    }
}
