//! JSON text to values, with attachments wherever serde's bytes are asked for.
//!
//! Text without placeholders goes straight through serde_json. In text that has some, each is
//! rewritten to `{"$sockeye::attachment":0}`, an object whose first key tells what it is, and a
//! deserializer around serde_json's looks at the first key of every object.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
};

use bytes::Bytes;
use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, Deserializer, EnumAccess, Expected, IgnoredAny, IntoDeserializer,
        MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use sockeye_protocol::socket::json;

const ATTACHMENT: &str = "$sockeye::attachment";

/// What can take an attachment, for error messages.
const WHAT_FITS: &str = "`Bytes`, a type with `Bytes` inside, or `Raw`";

/// The name by which serde_json recognises its `RawValue`.
pub(crate) const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// JSON text whose placeholders, if it has any, are ready to be resolved.
pub(crate) struct Marked<'a> {
    pub(crate) text: Cow<'a, str>,
    attachments: &'a [Bytes],
}

impl<'a> Marked<'a> {
    pub(crate) fn new(text: &'a str, attachments: &'a [Bytes]) -> Self {
        let plain = Self { text: Cow::Borrowed(text), attachments: &[] };
        if attachments.is_empty() {
            // Whatever looks like a placeholder in a packet without attachments is data.
            return plain;
        }
        let mut marked = String::new();
        let mut copied = 0;
        for (range, num) in json::placeholders(text) {
            marked.push_str(&text[copied..range.start]);
            write!(marked, r#"{{"{ATTACHMENT}":{num}}}"#).expect("writing to a String cannot fail");
            copied = range.end;
        }
        if copied == 0 {
            return plain;
        }
        marked.push_str(&text[copied..]);
        Self { text: Cow::Owned(marked), attachments }
    }

    /// Decodes `text`, which is all of `self.text` or a value inside.
    pub(crate) fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        text: &'de str,
        seed: S,
    ) -> serde_json::Result<S::Value> {
        let mut json = serde_json::Deserializer::from_str(text);
        let value = if self.attachments.is_empty() {
            seed.deserialize(&mut json)?
        } else {
            seed.deserialize(Resolve { inner: &mut json, attachments: self.attachments })?
        };
        json.end()?;
        Ok(value)
    }
}

/// What serde_json has to say, without the position: the text it counts in is ours, not the peer's.
pub(crate) fn message(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    if message.ends_with(&position) {
        message.truncate(message.len() - position.len());
    }
    message
}

/// One part of serde's machinery, wrapped so that it resolves attachments and wraps the next part.
struct Resolve<'a, T> {
    inner: T,
    attachments: &'a [Bytes],
}

impl<'a, T> Resolve<'a, T> {
    fn wrap<U>(&self, inner: U) -> Resolve<'a, U> {
        Resolve { inner, attachments: self.attachments }
    }
}

/// Hands the same hint on.
macro_rules! forward_deserialize {
    ($($method:ident($($name:ident: $argument:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $($name: $argument,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let visitor = self.wrap(visitor);
            self.inner.$method($($name,)* visitor)
        })*
    };
}

/// Sees what is there, whatever was asked for: serde_json refuses at once to read an object as bytes,
/// and what it says of a placeholder where a list was expected would mislead.
macro_rules! deserialize_as_any {
    ($($method:ident($($argument:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $(_: $argument,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.deserialize_any(visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Resolve<'_, D> {
    type Error = D::Error;

    forward_deserialize! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_option()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    deserialize_as_any! {
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_unit()
        deserialize_unit_struct(&'static str)
        deserialize_seq()
        deserialize_tuple(usize)
        deserialize_tuple_struct(&'static str, usize)
        deserialize_map()
        deserialize_struct(&'static str, &'static [&'static str])
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == RAW_VALUE {
            return Err(de::Error::custom(format_args!(
                "`RawValue` cannot hold attachments: take {WHAT_FITS}"
            )));
        }
        let visitor = self.wrap(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_visit {
    ($($method:ident($argument:ty))*) => {
        $(fn $method<E: de::Error>(self, value: $argument) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Resolve<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visit! {
        visit_bool(bool)
        visit_i64(i64)
        visit_i128(i128)
        visit_u64(u64)
        visit_u128(u128)
        visit_f64(f64)
        visit_str(&str)
        visit_borrowed_str(&'de str)
        visit_string(String)
        visit_bytes(&[u8])
        visit_borrowed_bytes(&'de [u8])
        visit_byte_buf(Vec<u8>)
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.wrap(value);
        self.inner.visit_some(value)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.wrap(value);
        self.inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<V::Value, A::Error> {
        let first = access.next_key::<Key<'de>>()?;
        if first.as_ref().is_some_and(|key| key.0 == ATTACHMENT) {
            let num = access.next_value::<usize>()?;
            while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            let attachment = self.attachments.get(num).ok_or_else(|| {
                de::Error::custom(format_args!("there is no attachment {num} in this packet"))
            })?;
            let visited = self.inner.visit_byte_buf::<AttachmentError>(attachment.to_vec());
            return visited.map_err(|error| de::Error::custom(error.0));
        }
        let access = self.wrap(FirstKeyRead { first, access });
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Resolve<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Resolve<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Resolve<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        // Keys are strings, and need no resolving.
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Resolve<'a, A> {
    type Error = A::Error;
    type Variant = Resolve<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let attachments = self.attachments;
        let (variant, content) = self.inner.variant_seed(seed)?;
        Ok((variant, Resolve { inner: content, attachments }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Resolve<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.wrap(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.wrap(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

/// What a visitor says of an attachment that it did not expect.
#[derive(Debug)]
struct AttachmentError(String);

impl Display for AttachmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AttachmentError {}

impl de::Error for AttachmentError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        if !matches!(unexpected, Unexpected::Bytes(_)) {
            return Self(format!("invalid type: {unexpected}, expected {expected}"));
        }
        // So serde_json's `Value` describes itself.
        if expected == "any valid JSON value" {
            return Self(format!("`Value` cannot hold attachments: take {WHAT_FITS}"));
        }
        Self(format!("invalid type: attachment, expected {expected} (it fits {WHAT_FITS})"))
    }
}

/// A map of which the first key has been looked at.
struct FirstKeyRead<'de, A> {
    first: Option<Key<'de>>,
    access: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FirstKeyRead<'de, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key).map(Some).map_err(de::Error::custom),
            None => self.access.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.access.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.access.size_hint().map(|rest| rest + usize::from(self.first.is_some()))
    }
}

/// A key of a JSON object. Like serde_json's own, it also reads as the number or the truth value
/// that it spells, for maps whose keys are such.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

macro_rules! deserialize_spelled {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
            let mut json = serde_json::Deserializer::from_reader(self.0.as_bytes());
            let value = json.$method(visitor)?;
            json.end()?;
            Ok(value)
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = serde_json::Error;

    deserialize_spelled! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        match self.0 {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        IntoDeserializer::<serde_json::Error>::into_deserializer(self.0)
            .deserialize_enum(name, variants, visitor)
    }
}
