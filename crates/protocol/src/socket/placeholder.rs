//! `{"_placeholder":true,"num":0}`: where in a payload an attachment belongs.

use serde_json::Value;

use super::{DecodeError, json};

/// Checks that every placeholder of a payload names one of `attachments` attachments.
pub(super) fn check(json: &str, attachments: usize) -> Result<(), DecodeError> {
    let mut found = 0;
    if !json::placeholders(json).inspect(|_| found += 1).all(|(_, num)| num < attachments) {
        return Err(DecodeError::IllegalPlaceholder);
    }
    // As long as each mark belongs to an object of the usual form, there is no need to build the
    // values to see what it marks. An escape might spell it in another way.
    if !json.contains('\\') && found == json.matches(r#""_placeholder""#).count() {
        return Ok(());
    }
    let value = serde_json::from_str(json).map_err(|_| DecodeError::InvalidPayload)?;
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
            (r#"["e",{"\u005fplaceholder":true,"num":1}]"#, Err(DecodeError::IllegalPlaceholder)),
            (
                r#"["e",{"_placeholder":true,"num":1,"more":0}]"#,
                Err(DecodeError::IllegalPlaceholder),
            ),
            (r#"["_placeholder",{"_placeholder":true,"num":0}]"#, Ok(())),
        ];
        for (json, verdict) in table {
            assert_eq!(check(json, 1), verdict, "{json}");
        }
    }
}
