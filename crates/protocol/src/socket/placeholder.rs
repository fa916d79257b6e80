//! `{"_placeholder":true,"num":0}`: where in a payload an attachment belongs.

use serde_json::Value;

use super::DecodeError;

/// Checks that every placeholder of a payload names one of `attachments` attachments.
pub(super) fn check(json: &[u8], attachments: usize) -> Result<(), DecodeError> {
    let value = serde_json::from_slice(json).map_err(|_| DecodeError::InvalidPayload)?;
    check_value(&value, attachments)
}

fn check_value(value: &Value, attachments: usize) -> Result<(), DecodeError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, attachments)),
        Value::Object(map) if map.get("_placeholder") == Some(&Value::Bool(true)) => {
            let num = map.get("num").and_then(Value::as_u64);
            match num {
                Some(num) if num < attachments as u64 => Ok(()),
                _ => Err(DecodeError::IllegalPlaceholder),
            }
        }
        Value::Object(map) => map.values().try_for_each(|item| check_value(item, attachments)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_known_by_its_mark_wherever_it_stands() {
        let table = [
            (r#"["e",{"a":[{"num":0,"_placeholder":true}]}]"#, Ok(())),
            (
                r#"["e",{"a":[{"num":1,"_placeholder":true}]}]"#,
                Err(DecodeError::IllegalPlaceholder),
            ),
            (r#"["e",{"_placeholder":false,"num":9}]"#, Ok(())),
            (r#"["{\"_placeholder\":true,"]"#, Ok(())),
        ];
        for (json, verdict) in table {
            assert_eq!(check(json.as_bytes(), 1), verdict, "{json}");
        }
    }
}
