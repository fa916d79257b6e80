//! Values to arguments: `("a", 1, json!({"x": 1}))` becomes `"a",1,{"x":1}`.

use std::io;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeSeq, SerializeTuple};
use serde_json::ser::Formatter;
use sockeye_protocol::socket::json;

use crate::{
    EncodeError,
    top_level::{Serializer, Stop, TopLevel},
};

/// The name under which [`Rest`](crate::Rest) serialises, for nobody but us to see.
pub(crate) const REST: &str = "$sockeye::Rest";

/// Arguments as they go into a packet: `"a",{"_placeholder":true,"num":0}` and one attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedArgs {
    /// The arguments, separated by commas, without the brackets around them.
    pub json: Vec<u8>,
    /// What the placeholders' `num` is an index of.
    pub attachments: Vec<Bytes>,
}

impl EncodedArgs {
    /// Encodes as [`encode_args`] does, into fresh buffers.
    ///
    /// # Errors
    /// Those of [`encode_args`].
    pub fn new<T: Serialize + ?Sized>(args: &T) -> Result<Self, EncodeError> {
        let mut encoded = Self::default();
        encode_args(args, &mut encoded.json, &mut encoded.attachments)?;
        Ok(encoded)
    }
}

/// Appends `args` to `json`, separated by commas and without brackets, and what they hold of serde's
/// bytes to `attachments`; answers how many arguments that were.
///
/// A tuple is several arguments, `()` is none, [`Rest`](crate::Rest) is as many as it holds, and
/// anything else is one: an array and a `Vec` too. A reference counts as what it refers to. Bytes
/// at any depth become `{"_placeholder":true,"num":0}`, where the number goes on from what
/// `attachments` holds already. As in JavaScript, NaN and the infinities become `null`.
///
/// # Examples
/// ```
/// # use sockeye_event::encode_args;
/// let (mut json, mut attachments) = (Vec::new(), Vec::new());
/// let photo = bytes::Bytes::from_static(b"\xff\xd8");
/// let count = encode_args(&("photo.jpg", photo), &mut json, &mut attachments)?;
/// assert_eq!(count, 2);
/// assert_eq!(json, br#""photo.jpg",{"_placeholder":true,"num":0}"#);
/// assert_eq!(attachments, [&b"\xff\xd8"[..]]);
/// # Ok::<(), sockeye_event::EncodeError>(())
/// ```
///
/// # Errors
/// A value does not serialise, or looks like a placeholder without being one. Then both buffers are
/// as they were.
pub fn encode_args<T: Serialize + ?Sized>(
    args: &T,
    json: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
) -> Result<usize, EncodeError> {
    let before = (json.len(), attachments.len());
    let mut encoder = Encoder { json, attachments, count: 0 };
    let result = encoder.append(args).and_then(|()| encoder.check_placeholders(before));
    let count = encoder.count;
    if let Err(error) = result {
        json.truncate(before.0);
        attachments.truncate(before.1);
        return Err(error);
    }
    Ok(count)
}

/// Whether `T`, or what it refers to, is a tuple; `()` is one too.
///
/// Serde tells arrays from tuples only by the calls they make when they serialise, and these are
/// the same. `T` need not be `'static`, so `TypeId` is no help either; what is left is the name.
/// The standard library does not promise its form. The test of this function pins it, and if it
/// ever changed, tuples would arrive as one array, which every test of emitting would notice.
pub(crate) fn is_tuple<T: ?Sized>() -> bool {
    let name = referent_name::<T>();
    // A reference to several traits reads `&(dyn A + B)`.
    name.starts_with('(') && !name.starts_with("(dyn ")
}

/// Whether `T`, or what it refers to, is `()`. Serde would also take `Value::Null` for it.
pub(crate) fn is_unit<T: ?Sized>() -> bool {
    referent_name::<T>() == "()"
}

fn referent_name<T: ?Sized>() -> &'static str {
    let mut name = std::any::type_name::<T>();
    while let Some(rest) = name.strip_prefix('&') {
        name = rest.strip_prefix("mut ").unwrap_or(rest);
    }
    name
}

struct Encoder<'a> {
    json: &'a mut Vec<u8>,
    attachments: &'a mut Vec<Bytes>,
    /// How many arguments have been written.
    count: usize,
}

impl Encoder<'_> {
    fn append<T: Serialize + ?Sized>(&mut self, args: &T) -> Result<(), EncodeError> {
        if is_unit::<T>() {
            return Ok(());
        }
        let spread = Spread { encoder: self, tuple: is_tuple::<T>() };
        match args.serialize(Serializer(spread)) {
            Ok(()) => Ok(()),
            Err(Stop::Failed(message)) => {
                Err(EncodeError::Serialize { index: self.count, message })
            }
            Err(Stop::Unclaimed) => self.argument(args).map_err(|error| EncodeError::Serialize {
                index: self.count,
                message: error.to_string(),
            }),
        }
    }

    fn argument<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        if self.count > 0 {
            self.json.push(b',');
        }
        let formatter = CollectBytes { attachments: self.attachments };
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut *self.json, formatter))?;
        self.count += 1;
        Ok(())
    }

    /// Placeholders that are really data of ours can do harm only beside attachments.
    fn check_placeholders(&self, before: (usize, usize)) -> Result<(), EncodeError> {
        if self.attachments.is_empty() {
            return Ok(());
        }
        let json = std::str::from_utf8(&self.json[before.0..]).expect("serde_json writes UTF-8");
        let nums = json::placeholders(json).map(|(_, num)| num);
        if nums.eq(before.1..self.attachments.len()) {
            Ok(())
        } else {
            Err(EncodeError::ForgedPlaceholder)
        }
    }
}

/// Claims what is several arguments.
struct Spread<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    /// Whether a sequence that comes next is to be taken apart.
    tuple: bool,
}

impl TopLevel for Spread<'_, '_> {
    type Elements = Self;

    fn elements(self) -> Result<Self, Stop> {
        if self.tuple { Ok(self) } else { Err(Stop::Unclaimed) }
    }

    fn newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        if name == REST {
            value.serialize(Serializer(Spread { tuple: true, ..self }))
        } else {
            Err(Stop::Unclaimed)
        }
    }
}

impl SerializeTuple for Spread<'_, '_> {
    type Ok = ();
    type Error = Stop;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.encoder.argument(value).map_err(|error| Stop::Failed(error.to_string()))
    }

    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl SerializeSeq for Spread<'_, '_> {
    type Ok = ();
    type Error = Stop;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        SerializeTuple::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

/// Compact JSON, with serde's bytes put aside.
struct CollectBytes<'a> {
    attachments: &'a mut Vec<Bytes>,
}

impl Formatter for CollectBytes<'_> {
    fn write_byte_array<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
    ) -> io::Result<()> {
        let num = self.attachments.len();
        self.attachments.push(Bytes::copy_from_slice(bytes));
        write!(writer, r#"{{"_placeholder":true,"num":{num}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::{Raw, Rest};

    #[derive(serde::Serialize)]
    struct Upload {
        name: &'static str,
        data: Bytes,
    }

    #[derive(serde::Serialize)]
    struct Pair(u8, u8);

    #[derive(serde::Serialize)]
    struct Unit;

    #[derive(serde::Serialize)]
    enum Kind {
        Empty,
        Data(Bytes),
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[track_caller]
    fn check<T: Serialize + ?Sized>(args: &T, count: usize, json: &str, attachments: &[&str]) {
        let (mut text, mut collected) = (Vec::new(), Vec::new());
        assert_eq!(encode_args(args, &mut text, &mut collected), Ok(count));
        assert_eq!(std::str::from_utf8(&text).unwrap(), json);
        assert_eq!(collected, attachments);
    }

    #[test]
    fn vectors() {
        check(&("a", 1, json!({"x": 1})), 3, r#""a",1,{"x":1}"#, &[]);
        check(&(), 0, "", &[]);
        check(&&(), 0, "", &[]);
        check(&((),), 1, "null", &[]);
        check(&Value::Null, 1, "null", &[]);
        check(&None::<u8>, 1, "null", &[]);
        check(&Unit, 1, "null", &[]);
        check("text", 1, r#""text""#, &[]);
        check(&&&mut (1, 2), 2, "1,2", &[]);
        check(&(1,), 1, "1", &[]);
        check(&(1, (2, 3)), 2, "1,[2,3]", &[]);
        check(&[1, 2, 3], 1, "[1,2,3]", &[]);
        check(&[(1, 2)], 1, "[[1,2]]", &[]);
        check(&[1, 2, 3][..], 1, "[1,2,3]", &[]);
        check(&vec![1, 2, 3], 1, "[1,2,3]", &[]);
        check(&Box::new((1, 2)), 1, "[1,2]", &[]);
        check(&Pair(1, 2), 1, "[1,2]", &[]);
        check(&Some((1, 2)), 1, "[1,2]", &[]);
        check(&Ok::<_, ()>(1), 1, r#"{"Ok":1}"#, &[]);
        check(&[f64::NAN, f64::INFINITY, 1.5, 1.0], 1, "[null,null,1.5,1.0]", &[]);
        check(
            &json!({"b": 1, "a": "\u{2028}\"\n/"}),
            1,
            "{\"a\":\"\u{2028}\\\"\\n/\",\"b\":1}",
            &[],
        );
        check(&Rest(vec![1, 2]), 2, "1,2", &[]);
        check(&Rest(Vec::<u8>::new()), 0, "", &[]);
        check(&("a", Rest(vec![1, 2])), 2, r#""a",[1,2]"#, &[]);
    }

    #[test]
    fn vectors_with_attachments() {
        let zero = r#"{"_placeholder":true,"num":0}"#;
        let one = r#"{"_placeholder":true,"num":1}"#;
        check(&bytes("x"), 1, zero, &["x"]);
        check(&(1, bytes("x"), bytes("")), 3, &format!("1,{zero},{one}"), &["x", ""]);
        check(&vec![bytes("x"), bytes("y")], 1, &format!("[{zero},{one}]"), &["x", "y"]);
        let upload = Upload { name: "f", data: bytes("x") };
        check(&(upload, 2), 2, &format!(r#"{{"name":"f","data":{zero}}},2"#), &["x"]);
        check(&Some(Kind::Data(bytes("x"))), 1, &format!(r#"{{"Data":{zero}}}"#), &["x"]);
        check(&Kind::Empty, 1, r#""Empty""#, &[]);
        check(&Rest(vec![bytes("x")]), 1, zero, &["x"]);
    }

    #[test]
    fn arguments_are_appended_and_placeholders_counted_on() {
        let mut json = b"[\"up\",".to_vec();
        let mut attachments = vec![bytes("before")];
        assert_eq!(encode_args(&bytes("x"), &mut json, &mut attachments), Ok(1));
        assert_eq!(json, br#"["up",{"_placeholder":true,"num":1}"#);
        assert_eq!(attachments, ["before", "x"]);
    }

    #[test]
    fn an_error_leaves_the_buffers_as_they_were() {
        let unfit = BTreeMap::from([((1, 2), 3)]);
        let forged = json!({"num": 0, "_placeholder": true});
        let mut json = b"[".to_vec();
        let mut attachments = vec![];
        let error = |result: Result<usize, EncodeError>| result.unwrap_err().to_string();
        let args = (bytes("x"), 1, unfit);
        let unfit = error(encode_args(&args, &mut json, &mut attachments));
        assert_eq!(unfit, "argument 3 does not serialise: key must be a string");
        let forged = error(encode_args(&(bytes("x"), forged), &mut json, &mut attachments));
        assert_eq!(
            forged,
            "an object in the arguments looks like the placeholder of an attachment"
        );
        assert_eq!((json.as_slice(), attachments.len()), (&b"["[..], 0));
    }

    #[test]
    fn what_looks_like_a_placeholder_is_data_beside_no_attachment() {
        let value = json!({"_placeholder": true, "num": 0});
        check(&value, 1, r#"{"_placeholder":true,"num":0}"#, &[]);
        check(&Raw::encode(&value).unwrap(), 1, r#"{"_placeholder":true,"num":0}"#, &[]);
    }

    #[test]
    fn tuples_are_told_from_arrays_by_the_name_of_their_type() {
        fn of<T>(_: &T) -> (bool, bool) {
            (is_tuple::<T>(), is_unit::<T>())
        }
        let text: &(dyn std::fmt::Debug + Sync) = &1;
        assert_eq!(of(&()), (true, true));
        assert_eq!(of(&&&()), (true, true));
        assert_eq!(of(&&mut &()), (true, true));
        assert_eq!(of(&(1,)), (true, false));
        assert_eq!(of(&((), ())), (true, false));
        assert_eq!(of(&&mut ("a", [1])), (true, false));
        assert_eq!(of(&(text, text)), (true, false));
        assert_eq!(of(&text), (false, false));
        assert_eq!(of(&[1, 2]), (false, false));
        assert_eq!(of(&[()]), (false, false));
        assert_eq!(of(&vec![(1, 2)]), (false, false));
        assert_eq!(of(&Some(())), (false, false));
        assert_eq!(of(&Pair(1, 2)), (false, false));
        assert_eq!(of(&String::new()), (false, false));
        assert_eq!(of(&(|| ())), (false, false));
        assert!(!is_tuple::<[(u8, u8)]>() && !is_tuple::<str>());
    }
}
