//! From MessagePack to packets: values become JSON text as they are met, binary data is put aside.

use bytes::Bytes;
use rmp::{
    Marker,
    decode::{RmpRead, read_marker},
};

use crate::socket::{Ack, DecodeError, Event, Packet, Payload};

/// How many pieces of binary data a packet may have. They cost more here than on the wire.
const MAX_BINARIES: usize = 10_000;

/// Below how many bytes binary data is copied out of the message, so that it does not keep a large
/// buffer alive.
const SMALL: usize = 4096;

const INVALID: DecodeError = DecodeError::InvalidPayload;

pub(super) fn packet(message: &Bytes, max_depth: usize) -> Result<Packet, DecodeError> {
    let mut reader = Reader { message, rest: message, max_depth };
    let Head { kind, namespace, id, data } = reader.head()?;
    if !reader.rest.is_empty() {
        return Err(INVALID);
    }
    let namespace = namespace.ok_or(INVALID)?.into();
    let json = &*data.json;
    // Some clients write null where JavaScript has nothing.
    let is_nothing = json.is_empty() || json == "null";
    match kind.ok_or(INVALID)? {
        0 if is_nothing => Ok(Packet::Connect { namespace, payload: None }),
        0 if json.starts_with('{') => {
            Ok(Packet::Connect { namespace, payload: Some(data.json.into()) })
        }
        1 if is_nothing => Ok(Packet::Disconnect { namespace }),
        2 if json.starts_with('[') => {
            let payload = data.into_payload()?;
            let name = event_name(&payload)?.into();
            Ok(Packet::Event(Event { namespace, id, name, payload }))
        }
        3 if json.starts_with('[') => {
            Ok(Packet::Ack(Ack { namespace, id, payload: data.into_payload()? }))
        }
        4 if json.starts_with(['{', '"']) => {
            Ok(Packet::ConnectError { namespace, payload: data.json.into() })
        }
        _ => Err(INVALID),
    }
}

/// A number counts as its text.
fn event_name(payload: &Payload) -> Result<String, DecodeError> {
    let name = payload.elements().next().ok_or(INVALID)?;
    let name = &payload.json()[name];
    match name.as_bytes()[0] {
        b'"' => serde_json::from_str(name).map_err(|_| INVALID),
        b'-' | b'0'..=b'9' => Ok(name.to_owned()),
        _ => Err(INVALID),
    }
}

/// The keys of a packet, those of them that were there.
#[derive(Default)]
struct Head {
    kind: Option<u64>,
    namespace: Option<String>,
    id: Option<u64>,
    data: Data,
}

/// A value as JSON, and what its placeholders stand for. Empty: there was none, or `undefined`.
#[derive(Default)]
struct Data {
    json: String,
    attachments: Vec<Bytes>,
    /// Whether some of the data only looks like a placeholder.
    has_lookalike: bool,
}

impl Data {
    fn into_payload(self) -> Result<Payload, DecodeError> {
        if self.has_lookalike && !self.attachments.is_empty() {
            return Err(DecodeError::IllegalPlaceholder);
        }
        Ok(Payload::new(self.json, self.attachments))
    }

    fn push_display(&mut self, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        write!(self.json, "{value}").expect("writing to a String does not fail");
    }

    fn push_str(&mut self, text: &str) {
        self.json.push_str(&serde_json::to_string(text).expect("a string is JSON"));
    }

    fn push_float(&mut self, value: f64) {
        /// Up to here all integers are numbers of their own.
        const MAX_SAFE: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && value.abs() < MAX_SAFE {
            // An integer, which whoever asks for one will take.
            return self.push_display(value as i64);
        }
        // What JSON has no number for becomes `null`, as in JavaScript.
        self.json.push_str(&serde_json::to_string(&value).expect("a number is JSON"));
    }
}

struct Reader<'a> {
    message: &'a Bytes,
    rest: &'a [u8],
    max_depth: usize,
}

impl<'a> Reader<'a> {
    fn head(&mut self) -> Result<Head, DecodeError> {
        let mut head = Head::default();
        let marker = self.marker()?;
        for _ in 0..self.map_length(marker)?.ok_or(INVALID)? {
            let marker = self.marker()?;
            let key = self.string(marker)?.ok_or(INVALID)?;
            match key {
                "type" => head.kind = Some(self.number()?.ok_or(INVALID)?),
                "nsp" => {
                    let marker = self.marker()?;
                    head.namespace = Some(self.string(marker)?.ok_or(INVALID)?.to_owned());
                }
                "id" => head.id = self.number()?,
                "data" => head.data = self.data()?,
                _ => drop(self.data()?),
            }
        }
        Ok(head)
    }

    fn data(&mut self) -> Result<Data, DecodeError> {
        let mut data = Data::default();
        // A key whose value is undefined is as good as none.
        if self.rest.starts_with(&UNDEFINED) {
            self.take(UNDEFINED.len())?;
            return Ok(data);
        }
        self.value(&mut data, 0)?;
        Ok(data)
    }

    /// A number that is not negative; none if it is `undefined`.
    fn number(&mut self) -> Result<Option<u64>, DecodeError> {
        let data = self.data()?;
        if data.json.is_empty() {
            return Ok(None);
        }
        data.json.parse().map(Some).map_err(|_| INVALID)
    }

    fn value(&mut self, data: &mut Data, depth: usize) -> Result<(), DecodeError> {
        let marker = self.marker()?;
        if let Some(text) = self.string(marker)? {
            data.push_str(text);
            return Ok(());
        }
        if let Some(length) = self.map_length(marker)? {
            return self.map(data, length, depth);
        }
        match marker {
            Marker::Null => data.json.push_str("null"),
            Marker::True => data.json.push_str("true"),
            Marker::False => data.json.push_str("false"),
            Marker::FixPos(value) => data.push_display(value),
            Marker::FixNeg(value) => data.push_display(value),
            Marker::U8 => data.push_display(self.rest.read_data_u8().map_err(|_| INVALID)?),
            Marker::U16 => data.push_display(self.rest.read_data_u16().map_err(|_| INVALID)?),
            Marker::U32 => data.push_display(self.rest.read_data_u32().map_err(|_| INVALID)?),
            Marker::U64 => data.push_display(self.rest.read_data_u64().map_err(|_| INVALID)?),
            Marker::I8 => data.push_display(self.rest.read_data_i8().map_err(|_| INVALID)?),
            Marker::I16 => data.push_display(self.rest.read_data_i16().map_err(|_| INVALID)?),
            Marker::I32 => data.push_display(self.rest.read_data_i32().map_err(|_| INVALID)?),
            Marker::I64 => data.push_display(self.rest.read_data_i64().map_err(|_| INVALID)?),
            Marker::F32 => {
                data.push_float(self.rest.read_data_f32().map_err(|_| INVALID)?.into());
            }
            Marker::F64 => data.push_float(self.rest.read_data_f64().map_err(|_| INVALID)?),
            Marker::FixArray(length) => return self.array(data, length.into(), depth),
            Marker::Array16 | Marker::Array32 => {
                let length = self.length(marker == Marker::Array32)?;
                return self.array(data, length, depth);
            }
            Marker::Bin8 => {
                let length = self.rest.read_data_u8().map_err(|_| INVALID)?;
                return self.binary(data, length.into());
            }
            Marker::Bin16 | Marker::Bin32 => {
                let length = self.length(marker == Marker::Bin32)?;
                return self.binary(data, length);
            }
            Marker::FixExt1 | Marker::FixExt4 | Marker::FixExt8 | Marker::Ext8 => {
                self.extension(data, marker)?;
            }
            _ => return Err(INVALID),
        }
        Ok(())
    }

    /// `undefined`, or a date: JavaScript's, or MessagePack's own in one of its three forms.
    fn extension(&mut self, data: &mut Data, marker: Marker) -> Result<(), DecodeError> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            _ => self.rest.read_data_u8().map_err(|_| INVALID)?,
        };
        let kind = self.rest.read_data_i8().map_err(|_| INVALID)?;
        let bytes = self.take(length.into())?;
        let (seconds, nanos) = match (kind, length) {
            (0, 1) if bytes == [0] => {
                data.json.push_str("null");
                return Ok(());
            }
            (0, 8) => {
                data.push_str(&iso_date(i64::from_be_bytes(array(bytes))));
                return Ok(());
            }
            (-1, 4) => (u32::from_be_bytes(array(bytes)).into(), 0),
            (-1, 8) => {
                let both = u64::from_be_bytes(array(bytes));
                ((both & ((1 << 34) - 1)).try_into().expect("34 bits"), (both >> 34) as u32)
            }
            (-1, 12) => {
                let (nanos, seconds) = bytes.split_at(4);
                (i64::from_be_bytes(array(seconds)), u32::from_be_bytes(array(nanos)))
            }
            _ => return Err(INVALID),
        };
        let millis = seconds.checked_mul(1000);
        let millis = millis.and_then(|millis| millis.checked_add((nanos / 1_000_000).into()));
        data.push_str(&iso_date(millis.ok_or(INVALID)?));
        Ok(())
    }

    fn array(&mut self, data: &mut Data, length: usize, depth: usize) -> Result<(), DecodeError> {
        self.check(depth)?;
        data.json.push('[');
        for index in 0..length {
            if index > 0 {
                data.json.push(',');
            }
            self.value(data, depth + 1)?;
        }
        data.json.push(']');
        Ok(())
    }

    fn map(&mut self, data: &mut Data, length: usize, depth: usize) -> Result<(), DecodeError> {
        self.check(depth)?;
        data.json.push('{');
        for index in 0..length {
            if index > 0 {
                data.json.push(',');
            }
            let marker = self.marker()?;
            match (marker, self.string(marker)?) {
                (_, Some(key)) => {
                    data.push_str(key);
                    data.has_lookalike |= key == "_placeholder";
                }
                // JavaScript's keys are strings; others may have numbers.
                (Marker::FixPos(key), None) => data.push_display(format_args!("\"{key}\"")),
                _ => return Err(INVALID),
            }
            data.json.push(':');
            self.value(data, depth + 1)?;
        }
        data.json.push('}');
        Ok(())
    }

    fn binary(&mut self, data: &mut Data, length: usize) -> Result<(), DecodeError> {
        let bytes = self.take(length)?;
        if data.attachments.len() >= MAX_BINARIES {
            return Err(DecodeError::TooManyAttachments);
        }
        data.push_display(format_args!(
            r#"{{"_placeholder":true,"num":{}}}"#,
            data.attachments.len()
        ));
        data.attachments.push(match length {
            ..SMALL => Bytes::copy_from_slice(bytes),
            _ => self.message.slice_ref(bytes),
        });
        Ok(())
    }

    fn check(&self, depth: usize) -> Result<(), DecodeError> {
        if depth < self.max_depth { Ok(()) } else { Err(DecodeError::TooDeep) }
    }

    fn marker(&mut self) -> Result<Marker, DecodeError> {
        read_marker(&mut self.rest).map_err(|_| INVALID)
    }

    /// The text behind a marker, if it is one of a string.
    fn string(&mut self, marker: Marker) -> Result<Option<&'a str>, DecodeError> {
        let length = match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 => self.rest.read_data_u8().map_err(|_| INVALID)?.into(),
            Marker::Str16 | Marker::Str32 => self.length(marker == Marker::Str32)?,
            _ => return Ok(None),
        };
        std::str::from_utf8(self.take(length)?).map(Some).map_err(|_| INVALID)
    }

    /// How many entries follow a marker, if it is one of a map.
    fn map_length(&mut self, marker: Marker) -> Result<Option<usize>, DecodeError> {
        match marker {
            Marker::FixMap(length) => Ok(Some(length.into())),
            Marker::Map16 | Marker::Map32 => self.length(marker == Marker::Map32).map(Some),
            _ => Ok(None),
        }
    }

    fn length(&mut self, is_wide: bool) -> Result<usize, DecodeError> {
        let length = match is_wide {
            true => self.rest.read_data_u32(),
            false => self.rest.read_data_u16().map(u32::from),
        };
        Ok(length.map_err(|_| INVALID)? as usize)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(INVALID)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The same bytes, whose number has been checked.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("as many as the marker said")
}

/// How JavaScript's `undefined` is written.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

/// Milliseconds since 1970 as JavaScript's `toISOString` writes them.
fn iso_date(millis: i64) -> String {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let (days, in_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    // Days to a date of the Gregorian calendar, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
