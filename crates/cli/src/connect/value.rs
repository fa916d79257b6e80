//! Arguments of events, as they are typed and shown: JSON, in which `{"$bin":"AQID"}` is bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use sockeye_client::Raw;

/// The only key of an object that stands for bytes; its value is their base64.
const BYTES: &str = "$bin";

/// An argument that was typed. It serialises as what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument(pub(super) Value);

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Typed(&self.0).serialize(serializer)
    }
}

struct Typed<'a>(&'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Typed)),
            Value::Object(entries) => match bytes(self.0) {
                Some(bytes) => serializer.serialize_bytes(&bytes),
                None => {
                    serializer.collect_map(entries.iter().map(|(key, value)| (key, Typed(value))))
                }
            },
            other => other.serialize(serializer),
        }
    }
}

/// The bytes that a value stands for, if it does.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    STANDARD.decode(entries.get(BYTES)?.as_str()?).ok()
}

/// Received arguments as JSON, with bytes where the attachments belong.
pub(super) fn shown(args: &[Raw]) -> Vec<Box<RawValue>> {
    args.iter().map(show).collect()
}

fn show(arg: &Raw) -> Box<RawValue> {
    let value = if arg.attachments().is_empty() {
        // As the server wrote it: the keys of objects stay in their order.
        RawValue::from_string(arg.as_json().to_owned())
    } else {
        serde_json::from_str(arg.as_json()).and_then(|mut value| {
            fill_in(&mut value, arg);
            to_raw_value(&value)
        })
    };
    value.expect("an argument is JSON")
}

/// Puts the attachments in where their placeholders are.
fn fill_in(value: &mut Value, arg: &Raw) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, arg)),
        Value::Object(entries) => {
            let is_placeholder = entries.get("_placeholder") == Some(&Value::Bool(true));
            let num = entries.get("num").and_then(Value::as_u64).filter(|_| is_placeholder);
            let num = num.and_then(|num| usize::try_from(num).ok());
            match num.and_then(|num| arg.attachments().get(num)) {
                Some(bytes) => *value = json!({ BYTES: STANDARD.encode(bytes) }),
                None => entries.values_mut().for_each(|entry| fill_in(entry, arg)),
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_out_as_attachments_and_come_in_as_base64() {
        let typed = json!(["a", { "deep": [{ "$bin": "AQID" }], "not": { "$bin": 1 } }]);
        let raw = Raw::encode(&Argument(typed.clone())).unwrap();
        assert_eq!(raw.attachments(), [&[1, 2, 3][..]]);
        assert_eq!(serde_json::from_str::<Value>(show(&raw).get()).unwrap(), typed);
    }
}
