//! Payloads to arguments and replies, and back.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use sockeye_event::{Args, ArgumentError, EncodedArgs, FromReply, Raw, Rest, decode_reply};
use sockeye_protocol::socket::Payload;

const ZERO: &str = r#"{"_placeholder":true,"num":0}"#;
const ONE: &str = r#"{"_placeholder":true,"num":1}"#;

fn payload(json: &str, attachments: &[&'static str]) -> Payload {
    let attachments = attachments.iter().map(|text| Bytes::from_static(text.as_bytes()));
    Payload::new(json, attachments.collect())
}

/// The one argument `json`, beside two attachments.
fn binary<T: DeserializeOwned>(json: &str) -> Result<T, ArgumentError> {
    Args::new(&payload(&format!("[{json}]"), &["zero", "one"]), 0).next()
}

#[track_caller]
fn refused<T: DeserializeOwned>(json: &str, message: &str) {
    let Err(error) = binary::<T>(json) else { panic!("{json} was accepted") };
    assert_eq!(error.to_string(), message);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Upload {
    name: String,
    data: Bytes,
    parts: Vec<Bytes>,
    note: Option<Bytes>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Message {
    Close,
    Data(Bytes),
    Pair(Bytes, u8),
    Named { data: Bytes },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Binary(Bytes),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Up { data: Bytes },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Either>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Bytes);

#[test]
fn arguments_come_one_by_one() {
    let payload = payload(r#"["chat", "a", 1 ,{"x":1,"y":2},[true]]"#, &[]);
    let mut args = Args::new(&payload, 1);
    assert_eq!(args.next::<String>().unwrap(), "a");
    assert_eq!(args.next::<u8>().unwrap(), 1);
    assert_eq!(args.next::<Point>().unwrap(), Point { x: 1, y: 2 });
    assert!(!args.is_empty());
    assert_eq!(args.next::<Value>().unwrap(), json!([true]));
    assert!(args.is_empty());
    assert_eq!(args.next::<Option<u8>>().unwrap(), None);
    assert_eq!(args.next::<Value>().unwrap(), Value::Null);
    args.next::<()>().unwrap();
    assert_eq!(args.next::<Raw>().unwrap().as_json(), "null");
    assert_eq!(args.next::<u8>().unwrap_err().to_string(), "argument 9 is missing: expected u8");
}

#[test]
fn no_payload_has_no_arguments() {
    assert!(Args::none().is_empty());
    assert!(Args::new(&Payload::default(), 1).is_empty());
    assert!(Args::new(&payload("[]", &[]), 1).is_empty());
}

#[test]
fn errors_say_which_argument_and_why() {
    fn first<T: DeserializeOwned>(json: &str) -> String {
        let Err(error) = Args::new(&payload(json, &[]), 0).next::<T>() else { panic!("{json}") };
        error.to_string()
    }
    assert_eq!(first::<i64>(r#"["x"]"#), r#"argument 1: invalid type: string "x", expected i64"#);
    assert_eq!(first::<u8>("[300]"), "argument 1: invalid value: integer `300`, expected u8");
    assert_eq!(first::<Point>(r#"[{"x":1}]"#), "argument 1: missing field `y`");
    assert_eq!(
        first::<Message>(r#"["Open"]"#),
        "argument 1: unknown variant `Open`, expected one of `Close`, `Data`, `Pair`, `Named`"
    );
    assert_eq!(first::<String>("[]"), "argument 1 is missing: expected a string");
    assert_eq!(first::<Point>("[]"), "argument 1 is missing: expected struct Point");
    assert_eq!(first::<bool>("[]"), "argument 1 is missing: expected a boolean");
    assert_eq!(first::<Vec<u8>>("[]"), "argument 1 is missing: expected a sequence");
}

#[test]
fn attachments_are_found_at_any_depth() {
    assert_eq!(binary::<Bytes>(ZERO).unwrap(), "zero");
    assert_eq!(binary::<Bytes>(r#"{ "num": 1, "_placeholder": true }"#).unwrap(), "one");
    assert_eq!(binary::<Wrapped>(ZERO).unwrap(), Wrapped("zero".into()));
    assert_eq!(binary::<Option<Bytes>>(ONE).unwrap(), Some("one".into()));
    assert_eq!(binary::<(u8, Bytes)>(&format!("[1,{ONE}]")).unwrap(), (1, "one".into()));
    assert_eq!(binary::<Vec<Bytes>>(&format!("[{ONE},{ZERO}]")).unwrap(), ["one", "zero"]);
    let upload = format!(
        r#"{{"name":"f","data":{ZERO},"parts":[{ONE},{ZERO},[104,105],"hi"],"more":{ONE}}}"#
    );
    assert_eq!(
        binary::<Upload>(&upload).unwrap(),
        Upload {
            name: "f".into(),
            data: "zero".into(),
            parts: vec!["one".into(), "zero".into(), "hi".into(), "hi".into()],
            note: None,
        }
    );
    let map = format!(r#"{{"a":{ZERO},"b":{ONE}}}"#);
    let expected =
        BTreeMap::from([("a".to_owned(), "zero".into()), ("b".to_owned(), "one".into())]);
    assert_eq!(binary::<BTreeMap<String, Bytes>>(&map).unwrap(), expected);
}

#[test]
fn attachments_are_found_in_every_kind_of_enum() {
    let data = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(
        binary::<Vec<Message>>(&format!(
            r#"["Close",{{"Data":{ZERO}}},{{"Pair":[{ONE},1]}},{{"Named":{{"data":{ZERO}}}}}]"#
        ))
        .unwrap(),
        [
            Message::Close,
            Message::Data(data("zero")),
            Message::Pair(data("one"), 1),
            Message::Named { data: data("zero") },
        ]
    );
    assert_eq!(binary::<Either>(ONE).unwrap(), Either::Binary(data("one")));
    let tagged = format!(r#"{{"type":"Up","data":{ZERO}}}"#);
    assert_eq!(binary::<Tagged>(&tagged).unwrap(), Tagged::Up { data: data("zero") });
    let flat = format!(r#"{{"id":1,"x":{ZERO}}}"#);
    let rest = BTreeMap::from([("x".to_owned(), Either::Binary(data("zero")))]);
    assert_eq!(binary::<Flat>(&flat).unwrap(), Flat { id: 1, rest });
}

#[test]
fn bytes_need_not_be_attachments() {
    let decode = |json: &str| Args::new(&payload(json, &[]), 0).next::<Bytes>().unwrap();
    assert_eq!(decode("[[104,105]]"), "hi");
    assert_eq!(decode(r#"["hi"]"#), "hi");
    assert_eq!(binary::<Bytes>("[104,105]").unwrap(), "hi");
    let beside = binary::<(Bytes, Bytes)>(&format!(r#"["hi",{ZERO}]"#)).unwrap();
    assert_eq!(beside, ("hi".into(), "zero".into()));
}

#[test]
fn maps_beside_attachments_keep_the_keys_they_have() {
    let numbers = binary::<(HashMap<u8, i8>, Bytes)>(&format!(r#"[{{"1":-1}},{ZERO}]"#)).unwrap();
    assert_eq!(numbers.0, HashMap::from([(1, -1)]));
    let flags = binary::<(HashMap<bool, ()>, Bytes)>(&format!(r#"[{{"true":null}},{ZERO}]"#));
    assert_eq!(flags.unwrap().0, HashMap::from([(true, ())]));
    let values = binary::<(Value, Bytes)>(&format!(r#"[{{"a\n":{{}},"b":[1.5]}},{ZERO}]"#));
    assert_eq!(values.unwrap().0, json!({"a\n": {}, "b": [1.5]}));
    let enums = binary::<(HashMap<Option<Key>, u8>, Bytes)>(&format!(r#"[{{"A":1}},{ZERO}]"#));
    assert_eq!(enums.unwrap().0, HashMap::from([(Some(Key::A), 1)]));

    #[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
    enum Key {
        A,
    }
}

#[test]
fn what_looks_like_a_placeholder_is_data_without_attachments() {
    let payload = payload(&format!("[{ZERO}]"), &[]);
    let value: Value = Args::new(&payload, 0).next().unwrap();
    assert_eq!(value, json!({"_placeholder": true, "num": 0}));
}

#[test]
fn attachments_that_do_not_fit_are_refused() {
    let fits = "(it fits `Bytes`, a type with `Bytes` inside, or `Raw`)";
    let value = "argument 1: `Value` cannot hold attachments: \
                 take `Bytes`, a type with `Bytes` inside, or `Raw`";
    refused::<Value>(ZERO, value);
    refused::<Value>(&format!(r#"[1,{{"a":{ONE}}}]"#), value);
    refused::<HashMap<String, Value>>(&format!(r#"{{"a":{ONE}}}"#), value);
    refused::<Box<RawValue>>(
        &format!("[{ZERO}]"),
        "argument 1: `RawValue` cannot hold attachments: \
         take `Bytes`, a type with `Bytes` inside, or `Raw`",
    );
    let refused_as =
        |expected| format!("argument 1: invalid type: attachment, expected {expected} {fits}");
    refused::<Point>(ZERO, &refused_as("struct Point"));
    refused::<Vec<u8>>(ZERO, &refused_as("a sequence"));
    refused::<HashMap<String, u8>>(ZERO, &refused_as("a map"));
    refused::<()>(ZERO, &refused_as("unit"));
    refused::<bool>(ZERO, "argument 1: invalid type: map, expected a boolean");
    // Serde's strings would take bytes that are UTF-8, but an attachment is never meant as one.
    refused::<String>(ZERO, "argument 1: invalid type: map, expected a string");
    refused::<i64>(ZERO, "argument 1: invalid type: map, expected i64");
    refused::<Bytes>(
        r#"{"_placeholder":true,"num":2}"#,
        "argument 1: there is no attachment 2 in this packet",
    );
}

#[test]
fn raw_arguments_are_passed_on_as_they_came() {
    let payload = payload(
        &format!(r#"["e",[1.50, 1e400 ,"\u0041"],{{"b":1e2,"a":[{ONE}]}},{ONE},{ZERO}]"#),
        &["zero", "one"],
    );
    let mut args = Args::new(&payload, 1);
    let [plain, deep, whole, last] = [(); 4].map(|()| args.next::<Raw>().unwrap());
    assert_eq!(plain.as_json(), r#"[1.50, 1e400 ,"\u0041"]"#);
    assert!(plain.attachments().is_empty() && plain.as_bytes().is_none());
    assert_eq!(deep.as_json(), format!(r#"{{"b":1e2,"a":[{ZERO}]}}"#));
    assert_eq!(deep.attachments(), ["one"]);
    assert!(deep.as_bytes().is_none());
    assert_eq!(whole.as_bytes().unwrap(), "one");
    assert_eq!(whole.as_bytes().unwrap().as_ptr(), payload.attachments[1].as_ptr());
    assert_eq!(whole.decode::<Bytes>().unwrap(), "one");
    assert_eq!(
        last.decode::<u8>().unwrap_err().to_string(),
        "argument 4: invalid type: map, expected u8"
    );

    let encoded = EncodedArgs::new(&(&whole, &plain, &deep)).unwrap();
    let json = format!(r#"{ZERO},[1.50, 1e400 ,"\u0041"],{{"b":1e2,"a":[{ONE}]}}"#);
    assert_eq!(String::from_utf8(encoded.json).unwrap(), json);
    assert_eq!(encoded.attachments, ["one", "one"]);

    let rest: Rest<Raw> = decode_reply(&payload).unwrap();
    let encoded = EncodedArgs::new(&rest).unwrap();
    assert_eq!(encoded.attachments, ["one", "one", "zero"]);
}

#[test]
fn a_raw_argument_has_its_own_attachments_only() {
    let both = format!(r#"[[{ONE}, {ZERO},{ONE}],7,{ONE}]"#);
    let Rest(raw) = decode_reply::<Rest<Raw>>(&payload(&both, &["zero", "one"])).unwrap();
    let attachments: Vec<_> = raw.iter().map(|raw| raw.attachments().to_vec()).collect();
    assert_eq!(attachments, [vec!["one", "zero", "one"], vec![], vec!["one"]]);
    assert_eq!(raw[0].decode::<Vec<Bytes>>().unwrap(), ["one", "zero", "one"]);

    let unknown = format!("[[{ZERO},{ONE}]]");
    let raw = decode_reply::<Raw>(&payload(&unknown, &["zero"])).unwrap();
    assert!(raw.decode::<Vec<Bytes>>().is_err(), "it is no other one's");
}

#[test]
fn raw_values_can_be_made() {
    let raw = Raw::encode(&(1, Bytes::from_static(b"x"))).unwrap();
    assert_eq!(raw.as_json(), format!("[1,{ZERO}]"));
    assert_eq!(raw.attachments(), ["x"]);
    assert_eq!(raw.decode::<(u8, Bytes)>().unwrap(), (1, "x".into()));
    assert_eq!(Raw::default().as_json(), "null");
}

#[test]
fn raw_values_nested_too_deeply_do_not_serialise() {
    let nested = |depth| format!("[{}{ZERO}{}]", "[".repeat(depth), "]".repeat(depth));
    let encode = |depth| {
        let raw: Raw = Args::new(&payload(&nested(depth), &["zero"]), 0).next().unwrap();
        EncodedArgs::new(&raw).map_err(|error| error.to_string())
    };
    assert_eq!(encode(100).unwrap().attachments, ["zero"]);
    let error = "argument 1 does not serialise: the value is nested too deeply";
    assert_eq!(encode(200).unwrap_err(), error);
    assert_eq!(encode(100_000).unwrap_err(), error);
}

#[test]
fn replies_are_read_by_shape() {
    fn reply<T: FromReply>(json: &str) -> T {
        decode_reply(&payload(json, &["zero"])).unwrap()
    }
    assert_eq!(reply::<String>(r#"["a",1]"#), "a");
    assert_eq!(reply::<(String, u8)>(r#"["a",1,2]"#), ("a".into(), 1));
    assert_eq!(reply::<(String, Option<u8>)>(r#"["a"]"#), ("a".into(), None));
    assert_eq!(reply::<(u8,)>("[1]"), (1,));
    assert_eq!(reply::<(u8, (u8, u8))>("[1,[2,3]]"), (1, (2, 3)));
    assert_eq!(reply::<[u8; 2]>("[[1,2]]"), [1, 2]);
    assert_eq!(reply::<Vec<u8>>("[[1,2]]"), [1, 2]);
    reply::<()>("[]");
    reply::<()>("[1,2]");
    assert_eq!(reply::<Option<u8>>("[]"), None);
    assert_eq!(reply::<Value>("[]"), Value::Null);
    assert_eq!(reply::<Bytes>(&format!("[{ZERO}]")), "zero");
    assert_eq!(reply::<(u8, Option<Bytes>)>(&format!("[1, {ZERO}]")), (1, Some("zero".into())));
    assert_eq!(reply::<Raw>("[ [1] ,2]").as_json(), "[1]");
    assert_eq!(reply::<Rest<u8>>("[1,2]"), Rest(vec![1, 2]));
    assert_eq!(reply::<Rest<Raw>>(&format!("[1,{ZERO}]")).0[1].as_bytes().unwrap(), "zero");
}

#[test]
fn replies_that_do_not_fit_say_where() {
    fn error<T: FromReply>(json: &str) -> String {
        decode_reply::<T>(&payload(json, &["zero"])).map(drop).unwrap_err().to_string()
    }
    assert_eq!(error::<u8>("[]"), "argument 1 is missing: expected u8");
    assert_eq!(error::<(u8, u8)>("[1]"), "argument 2 is missing: expected u8");
    assert_eq!(
        error::<(u8, u8)>(r#"[1,"x"]"#),
        r#"argument 2: invalid type: string "x", expected u8"#
    );
    assert_eq!(
        error::<Rest<u8>>("[1,true]"),
        "argument 2: invalid type: boolean `true`, expected u8"
    );
    assert_eq!(
        error::<(u8, u8)>(&format!("[1,{ZERO}]")),
        "argument 2: invalid type: map, expected u8"
    );
}

/// JSON with binary leaves, which is all that JavaScript can send.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Binary(Bytes),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Serialize for Tree {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Integer(value) => value.serialize(serializer),
            Self::Float(value) => value.serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
            Self::Binary(value) => value.serialize(serializer),
            Self::List(values) => values.serialize(serializer),
            Self::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Tree;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a tree")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Integer(value.try_into().expect("only i64 was sent")))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Tree, E> {
                Ok(Tree::Binary(value.into()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut access: A,
            ) -> Result<Tree, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = access.next_element()? {
                    values.push(value);
                }
                Ok(Tree::List(values))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut access: A,
            ) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Map(entries))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Integer),
        // Exactly representable, since serde_json reads the others only almost exactly.
        any::<i32>().prop_map(|number| Tree::Float(f64::from(number) / 64.0)),
        any::<String>().prop_map(Tree::Text),
        any::<Vec<u8>>().prop_map(|bytes| Tree::Binary(bytes.into())),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(Tree::Map),
        ]
    })
}

fn packed(args: EncodedArgs) -> Payload {
    let json = String::from_utf8([b"[".as_slice(), &args.json, b"]"].concat()).unwrap();
    Payload::new(json, args.attachments)
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(trees in prop::collection::vec(tree(), 0..4)) {
        let payload = packed(EncodedArgs::new(&Rest(trees.clone())).unwrap());
        let Rest(decoded) = decode_reply::<Rest<Tree>>(&payload).unwrap();
        prop_assert_eq!(&decoded, &trees);
        // And through a relay that decodes nothing.
        let raw = decode_reply::<Rest<Raw>>(&payload).unwrap();
        let relayed = packed(EncodedArgs::new(&raw).unwrap());
        prop_assert_eq!(relayed, payload);
    }

    #[test]
    fn no_payload_panics(json in "[\\[\\]{}\",:\\\\ a0é]{0,40}") {
        let payload = payload(&json, &["zero"]);
        let _ = decode_reply::<Rest<Tree>>(&payload);
        let _ = decode_reply::<(Tree, Option<Tree>)>(&payload);
        let raw = decode_reply::<Rest<Raw>>(&payload);
        let _ = raw.map(|raw| EncodedArgs::new(&raw));
    }
}
