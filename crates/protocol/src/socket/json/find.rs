//! Where things are in text that is known to be valid.

use std::ops::Range;

use super::{plain_end, skip_whitespace};

/// The elements of the array that a text is, each without the white space around it.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a [u8],
    /// Where the first elements end, as far as that is known; 0 where it is not.
    ends: &'a [u32],
    /// Where the next element, or the end of the array, is to be found.
    at: usize,
}

impl<'a> Elements<'a> {
    /// The elements of `text`; none if it is no array.
    pub fn new(text: &'a str) -> Self {
        Self::with_ends(text, &[])
    }

    /// The same, where it is known already where the first elements end.
    pub(in crate::socket) fn with_ends(text: &'a str, ends: &'a [u32]) -> Self {
        let text = text.as_bytes();
        let open = skip_whitespace(text, 0);
        let at = if text.get(open) == Some(&b'[') { open + 1 } else { text.len() };
        Self { text, ends, at }
    }

    fn known_end(&mut self) -> Option<usize> {
        let (&end, rest) = self.ends.split_first()?;
        self.ends = rest;
        (end > 0).then_some(end as usize)
    }
}

impl Iterator for Elements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = skip_whitespace(self.text, self.at);
        let Some(end) = self.known_end().or_else(|| value_end(self.text, start)) else {
            self.at = self.text.len();
            return None;
        };
        self.at = past_comma(self.text, end);
        Some(start..end)
    }
}

/// The entries of the object that a text is: where a key stands, quotes included, and its value.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    /// The entries of `text`; none if it is no object.
    pub fn new(text: &'a str) -> Self {
        let text = text.as_bytes();
        let open = skip_whitespace(text, 0);
        let at = if text.get(open) == Some(&b'{') { open + 1 } else { text.len() };
        Self { text, at }
    }
}

impl Iterator for Entries<'_> {
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let key_start = skip_whitespace(self.text, self.at);
        let key_end = string_end(self.text, key_start)?;
        let colon = skip_whitespace(self.text, key_end);
        if self.text.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_whitespace(self.text, colon + 1);
        let end = value_end(self.text, start)?;
        self.at = past_comma(self.text, end);
        Some((key_start..key_end, start..end))
    }
}

/// The placeholders in `text`, in order: where each stands, and its `num`.
///
/// A placeholder is an object of exactly two entries, `"_placeholder":true` and `"num":` a whole
/// number. JavaScript writes them in this order; peers that keep objects in hash maps, as the Swift
/// and Java clients do, write them in either.
pub fn placeholders(text: &str) -> impl Iterator<Item = (Range<usize>, usize)> {
    let text = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            match text[at] {
                b'"' => at = string_end(text, at).unwrap_or(text.len()),
                b'{' => {
                    if let Some((end, num)) = placeholder(text, at) {
                        let range = at..end;
                        at = end;
                        return Some((range, num));
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// Where the placeholder that opens at `at` ends, and its `num`, if it is one.
fn placeholder(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let token = |from: usize, expected: &[u8]| {
        let start = skip_whitespace(text, from);
        text.get(start..)?.starts_with(expected).then_some(start + expected.len())
    };
    let marked = |from| token(token(token(from, b"\"_placeholder\"")?, b":")?, b"true");
    let number = |from| {
        let start = skip_whitespace(text, token(token(from, b"\"num\"")?, b":")?);
        // Digits only. To look for the end of whatever stands there would pass over a deeply nested
        // value once for each level.
        let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = start + digits;
        let num = std::str::from_utf8(&text[start..end]).ok()?.parse::<usize>().ok()?;
        Some((end, num))
    };

    let body = at + 1;
    let (end, num) = match marked(body) {
        Some(end) => number(token(end, b",")?)?,
        None => {
            let (end, num) = number(body)?;
            (marked(token(end, b",")?)?, num)
        }
    };
    Some((token(end, b"}")?, num))
}

/// Past the comma after a value, or where the closing bracket is.
fn past_comma(text: &[u8], end: usize) -> usize {
    let at = skip_whitespace(text, end);
    if text.get(at) == Some(&b',') { at + 1 } else { at }
}

/// Where the value that starts at `at` ends; `None` if no value starts there or it has no end.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = at;
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = string_end(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => (),
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        b'}' | b']' | b',' | b':' => None,
        _ => {
            let ends = |byte: &u8| {
                matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
            };
            let length = text[at..].iter().position(ends);
            Some(length.map_or(text.len(), |length| at + length))
        }
    }
}

/// Where the string that opens at `at` ends, its closing quote included.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at = plain_end(text, at);
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn elements(text: &str) -> Vec<&str> {
        Elements::new(text).map(|range| &text[range]).collect()
    }

    #[test]
    fn arrays_are_split() {
        assert_eq!(elements("[]"), [""; 0]);
        assert_eq!(elements(" [ \n] "), [""; 0]);
        assert_eq!(elements("[1]"), ["1"]);
        assert_eq!(elements(" [ 1 , \"a,]\\\"\" ] "), ["1", "\"a,]\\\"\""]);
        assert_eq!(
            elements(r#"[[],{},[{"a":[1,"}"]}],null,-1e5,"\\"]"#),
            ["[]", "{}", r#"[{"a":[1,"}"]}]"#, "null", "-1e5", r#""\\""#]
        );
    }

    #[test]
    fn what_is_no_array_has_no_elements() {
        for text in ["", " ", "{}", "1", "\"[1]\"", "[", "[,", "[\"", "[\"\\", "[[1]", "[{]"] {
            assert_eq!(elements(text).iter().filter(|element| element.len() > 3).count(), 0);
        }
    }

    #[test]
    fn placeholders_are_found_in_any_order_and_only_as_objects_of_two() {
        let found = |text: &str| placeholders(text).collect::<Vec<_>>();
        assert_eq!(found(r#"{"_placeholder":true,"num":3}"#), [(0..29, 3)]);
        assert_eq!(found(r#"{"num":3,"_placeholder":true}"#), [(0..29, 3)]);
        assert_eq!(found(r#" { "num" : 12 , "_placeholder" : true } "#), [(1..39, 12)]);
        let two = r#"[{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#;
        assert_eq!(found(two), [(6..35, 0), (37..66, 1)]);
        for data in [
            r#""{\"_placeholder\":true,\"num\":0}""#,
            r#"{"_placeholder":false,"num":0}"#,
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true,"num":0.5}"#,
            r#"{"num":1e0,"_placeholder":true}"#,
            r#"{"num":[1],"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":99999999999999999999}"#,
            r#"{"_placeholder":true,"num":0,"x":1}"#,
            r#"{"x":1,"_placeholder":true,"num":0}"#,
            r#"{"num":0}"#,
            r#"{"_placeholder":true,"num":"#,
        ] {
            assert_eq!(found(data), [], "{data}");
        }
    }

    /// JSON text with white space and escapes in all the places where they may be.
    fn json_text() -> impl Strategy<Value = String> {
        let space = "[ \t\n\r]{0,2}";
        let string = "\"([ a-z,:{}\\[\\]é]|\\\\\"|\\\\\\\\|\\\\u00e9){0,6}\"";
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?(e[+-]?[0-9])?",
            string,
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            let padded =
                (space, inner, space).prop_map(|(left, value, right)| left + &value + &right);
            let entry = (space, string, space, padded.clone())
                .prop_map(|(left, key, right, value)| left + &key + &right + ":" + &value);
            prop_oneof![
                (space, prop::collection::vec(padded, 0..5)).prop_map(|(space, items)| {
                    if items.is_empty() {
                        format!("[{space}]")
                    } else {
                        format!("[{}]", items.join(","))
                    }
                }),
                (space, prop::collection::vec(entry, 0..5)).prop_map(|(space, items)| {
                    if items.is_empty() {
                        format!("{{{space}}}")
                    } else {
                        format!("{{{}}}", items.join(","))
                    }
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn arrays_are_split_as_serde_json_does(items in prop::collection::vec(json_text(), 0..5)) {
            let text = format!(" [{} ]", items.join(" ,\n"));
            let expected: Vec<Box<RawValue>> = serde_json::from_str(&text).unwrap();
            let expected: Vec<&str> = expected.iter().map(|raw| raw.get()).collect();
            prop_assert_eq!(elements(&text), expected);
        }

        #[test]
        fn objects_are_split(keys in prop::collection::vec("[a-z\\\\]{0,3}", 0..5), value in json_text()) {
            let entries: Vec<_> = keys.iter().map(|key| format!("{key:?} : {value}")).collect();
            let text = format!("{{ {} }}", entries.join(" , "));
            let found: Vec<_> = Entries::new(&text)
                .map(|(key, value)| format!("{} : {}", &text[key], &text[value]))
                .collect();
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn no_input_panics(text in "[\\[\\]{}\",:\\\\ a0]{0,40}") {
            Elements::new(&text).count();
            Entries::new(&text).count();
            placeholders(&text).count();
        }
    }
}
