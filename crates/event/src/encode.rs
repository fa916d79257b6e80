//! Values to arguments: `("a", 1, json!({"x": 1}))` becomes `"a",1,{"x":1}`.

use std::io;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeSeq, SerializeTuple};
use serde_json::ser::Formatter;

use crate::{
    EncodeError, scan,
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
    let mut name = std::any::type_name::<T>();
    while let Some(rest) = name.strip_prefix('&') {
        name = rest.strip_prefix("mut ").unwrap_or(rest);
    }
    // A reference to several traits reads `&(dyn A + B)`.
    name.starts_with('(') && !name.starts_with("(dyn ")
}

/// Whether `T`, or what it refers to, is `()`. Asking serde would take `Value::Null` for it.
pub(crate) fn is_unit<T: ?Sized>() -> bool {
    is_tuple::<T>() && std::any::type_name::<T>().ends_with("()") && {
        let name = std::any::type_name::<T>();
        name.trim_start_matches("&mut ").trim_start_matches('&') == "()"
    }
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
        let nums = scan::placeholders(&self.json[before.0..]).map(|(_, num)| num);
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
