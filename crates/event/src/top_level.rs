//! A serializer that looks only at the outermost call.
//!
//! Whether a value is several arguments, or a `Result`, shows in the first thing that its
//! `Serialize` says. Anything else is stopped right there, before any field is visited, and its
//! caller goes on to serialise it as one value.

use std::fmt::{self, Display};

use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeTuple};

/// The outermost calls that somebody may want to see. By default nobody does.
pub(crate) trait TopLevel: Sized {
    type Elements: SerializeTuple<Ok = (), Error = Stop> + SerializeSeq<Ok = (), Error = Stop>;

    fn elements(self) -> Result<Self::Elements, Stop> {
        Err(Stop::Unclaimed)
    }

    fn newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _value: &T,
    ) -> Result<(), Stop> {
        Err(Stop::Unclaimed)
    }

    fn newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Stop> {
        Err(Stop::Unclaimed)
    }
}

/// Why a [`TopLevel`] serializer went no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The value is none of those that were looked for.
    Unclaimed,
    /// It is, and it does not serialise.
    Failed(String),
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclaimed => f.write_str("not looked for"),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: Display>(message: T) -> Self {
        Self::Failed(message.to_string())
    }
}

pub(crate) struct Serializer<V>(pub(crate) V);

macro_rules! unclaimed {
    ($($method:ident($($argument:ty),*) -> $output:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$output, Stop> {
            Err(Stop::Unclaimed)
        })*
    };
}

impl<V: TopLevel> ser::Serializer for Serializer<V> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = V::Elements;
    type SerializeTuple = V::Elements;
    type SerializeTupleStruct = Impossible<(), Stop>;
    type SerializeTupleVariant = Impossible<(), Stop>;
    type SerializeMap = Impossible<(), Stop>;
    type SerializeStruct = Impossible<(), Stop>;
    type SerializeStructVariant = Impossible<(), Stop>;

    fn serialize_seq(self, _len: Option<usize>) -> Result<V::Elements, Stop> {
        self.0.elements()
    }

    fn serialize_tuple(self, _len: usize) -> Result<V::Elements, Stop> {
        self.0.elements()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        self.0.newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        self.0.newtype_variant(name, variant, value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Stop> {
        Err(Stop::Unclaimed)
    }

    // The default would format the value before it asks.
    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Stop> {
        Err(Stop::Unclaimed)
    }

    unclaimed! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_i128(i128) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_u128(u128) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeStructVariant;
    }
}
