//! The arguments of an event, decoded one by one as they are asked for.

use std::{fmt, ops::Range};

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    de::{self, DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use sockeye_protocol::socket::{Payload, json::Elements};

use crate::{
    ArgumentError, Raw,
    decode::{Marked, message},
    encode::REST,
};

/// A cursor over the arguments in a payload.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    payload: &'a Payload,
    elements: Elements<'a>,
    /// Of the argument that comes next.
    index: usize,
}

impl<'a> Args<'a> {
    /// The arguments in `payload` after the first `skip` elements: 1 for an event, whose first
    /// element is its name, 0 for an acknowledgement.
    pub fn new(payload: &'a Payload, skip: usize) -> Self {
        let mut elements = payload.elements();
        for _ in 0..skip {
            elements.next();
        }
        Self { payload, elements, index: 0 }
    }

    /// No arguments at all.
    pub fn none() -> Args<'static> {
        static NO_PAYLOAD: Payload = Payload::EMPTY;
        Args::new(&NO_PAYLOAD, 0)
    }

    /// Decodes the next argument. One that is missing reads as `null`, so `Option` and `()` take
    /// it.
    ///
    /// # Errors
    /// The argument does not fit `T`, or is missing and `T` does not take `null`. The cursor has
    /// moved on all the same.
    #[expect(clippy::should_implement_trait, reason = "each argument has a type of its own")]
    pub fn next<T: FromArg>(&mut self) -> Result<T, ArgumentError> {
        T::from_arg(self.next_arg())
    }

    /// Whether every argument that the peer sent has been taken.
    pub fn is_empty(&self) -> bool {
        self.elements.clone().next().is_none()
    }

    fn next_arg(&mut self) -> Arg<'a> {
        let arg = Arg { payload: self.payload, range: self.elements.next(), index: self.index };
        self.index += 1;
        arg
    }
}

/// One argument, undecoded, and maybe missing.
#[derive(Clone, Debug)]
pub struct Arg<'a> {
    payload: &'a Payload,
    range: Option<Range<usize>>,
    index: usize,
}

impl Arg<'_> {
    /// Which argument it is, counted from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether the peer sent fewer arguments.
    pub fn is_missing(&self) -> bool {
        self.range.is_none()
    }

    /// The argument as a `T`; one that is missing reads as `null`.
    ///
    /// # Errors
    /// It does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        let Some(range) = &self.range else {
            return decode_missing(self.index);
        };
        decode(&self.payload.json()[range.clone()], &self.payload.attachments, self.index)
    }

    fn to_raw(&self) -> Raw {
        match &self.range {
            None => Raw::default(),
            Some(range) => Raw::from_payload(self.payload, range.clone(), self.index),
        }
    }
}

pub(crate) fn decode<T: DeserializeOwned>(
    text: &str,
    attachments: &[Bytes],
    index: usize,
) -> Result<T, ArgumentError> {
    let marked = Marked::new(text, attachments);
    marked
        .decode(&marked.text, std::marker::PhantomData::<T>)
        .map_err(|error| ArgumentError::new(index, message(&error)))
}

fn decode_missing<'de, T: de::Deserialize<'de>>(index: usize) -> Result<T, ArgumentError> {
    seed_missing(std::marker::PhantomData::<T>, index)
}

fn seed_missing<'de, S: DeserializeSeed<'de>>(
    seed: S,
    index: usize,
) -> Result<S::Value, ArgumentError> {
    seed.deserialize(&mut serde_json::Deserializer::from_str("null")).map_err(|error| {
        let message = message(&error);
        let expected = message.strip_prefix("invalid type: null, ").unwrap_or(&message);
        ArgumentError::missing(index, expected.to_owned())
    })
}

/// What a single argument can become: any `T: DeserializeOwned`, and [`Raw`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an argument",
    note = "an argument becomes any type that implements `serde::Deserialize` and borrows nothing, or `Raw`"
)]
pub trait FromArg: Sized {
    /// Reads `arg`.
    ///
    /// # Errors
    /// It does not fit.
    fn from_arg(arg: Arg<'_>) -> Result<Self, ArgumentError>;
}

impl<T: DeserializeOwned> FromArg for T {
    fn from_arg(arg: Arg<'_>) -> Result<Self, ArgumentError> {
        arg.decode()
    }
}

impl FromArg for Raw {
    fn from_arg(arg: Arg<'_>) -> Result<Self, ArgumentError> {
        Ok(arg.to_raw())
    }
}

/// All arguments that are left, of one type: `Rest<String>`, or `Rest<Raw>` to pass them on.
///
/// It also emits as several arguments where it is all that is emitted. Inside another value it is an
/// array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest<T>(pub Vec<T>);

impl<T: FromArg> Rest<T> {
    pub(crate) fn from_args(args: &mut Args<'_>) -> Result<Self, ArgumentError> {
        let mut rest = Vec::new();
        loop {
            let arg = args.next_arg();
            if arg.is_missing() {
                return Ok(Self(rest));
            }
            rest.push(T::from_arg(arg)?);
        }
    }
}

impl<T: Serialize> Serialize for Rest<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(REST, &self.0)
    }
}

/// Reads a tuple from all arguments of a payload, or `()` from whatever they are.
pub(crate) fn decode_all<T: DeserializeOwned>(payload: &Payload) -> Result<T, ArgumentError> {
    let marked = Marked::new(payload.json(), &payload.attachments);
    let elements = Elements::new(&marked.text);
    T::deserialize(Tuple { marked: &marked, elements, index: 0 }).map_err(|error| error.0)
}

/// The arguments as serde sees them when they are to become a tuple.
struct Tuple<'de> {
    marked: &'de Marked<'de>,
    elements: Elements<'de>,
    index: usize,
}

impl<'de> Deserializer<'de> for Tuple<'de> {
    type Error = TupleError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TupleError> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TupleError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Tuple<'de> {
    type Error = TupleError;

    /// Never the end: a tuple stops by itself, and what is missing reads as `null`.
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, TupleError> {
        let index = self.index;
        self.index += 1;
        let value = match self.elements.next() {
            None => seed_missing(seed, index),
            Some(range) => self
                .marked
                .decode(&self.marked.text[range], seed)
                .map_err(|error| ArgumentError::new(index, message(&error))),
        };
        value.map(Some).map_err(TupleError)
    }
}

#[derive(Debug)]
struct TupleError(ArgumentError);

impl fmt::Display for TupleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TupleError {}

impl de::Error for TupleError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(ArgumentError::new(0, message.to_string()))
    }
}
