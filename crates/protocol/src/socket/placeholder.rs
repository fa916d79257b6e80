//! `{"_placeholder":true,"num":0}`: where in a payload an attachment belongs.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::DecodeError;

/// Checks that every placeholder of a payload names one of `attachments` attachments.
///
/// Some encoders write the two keys in the other order. Such a payload is returned rewritten, so
/// that whoever decodes it meets one form only.
pub(super) fn check(json: &Bytes, attachments: usize) -> Result<Option<Bytes>, DecodeError> {
    const CANONICAL: &[u8] = br#"{"_placeholder":true,"num":"#;
    let mut value: Value = serde_json::from_slice(json).map_err(|_| DecodeError::InvalidPayload)?;
    let mut placeholders = 0;
    normalize(&mut value, attachments, &mut placeholders)?;
    // Inside a string the quotes would be escaped, so every match is a placeholder.
    let canonical = json.windows(CANONICAL.len()).filter(|window| *window == CANONICAL).count();
    Ok((canonical != placeholders).then(|| Bytes::from(value.to_string())))
}

fn normalize(value: &mut Value, attachments: usize, found: &mut usize) -> Result<(), DecodeError> {
    match value {
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| normalize(item, attachments, found))
        }
        Value::Object(map) if map.get("_placeholder") == Some(&Value::Bool(true)) => {
            let num = map.get("num").and_then(Value::as_u64);
            let num = num.filter(|&num| num < attachments as u64);
            let num = num.ok_or(DecodeError::IllegalPlaceholder)?;
            *map = Map::from_iter([
                ("_placeholder".to_owned(), Value::Bool(true)),
                ("num".to_owned(), Value::from(num)),
            ]);
            *found += 1;
            Ok(())
        }
        Value::Object(map) => {
            map.values_mut().try_for_each(|item| normalize(item, attachments, found))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_another_order_are_put_right() {
        let canonical = Bytes::from(r#"["e",{"a":[{"_placeholder":true,"num":0}]}]"#);
        assert_eq!(check(&canonical, 1), Ok(None));
        let odd = Bytes::from(r#"["e",{"a":[{ "num" : 0, "_placeholder" : true }]}]"#);
        assert_eq!(check(&odd, 1), Ok(Some(canonical)));
    }

    #[test]
    fn what_only_looks_like_a_placeholder_is_left_alone() {
        for json in [r#"["e",{"_placeholder":false,"num":9}]"#, r#"["{\"_placeholder\":true,"]"#] {
            assert_eq!(check(&Bytes::from(json), 1), Ok(None), "{json}");
        }
    }
}
