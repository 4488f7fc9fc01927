//! CBOR to JSON and back, for services that speak [RPC v2 CBOR](https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html):
//! the services here think in JSON.
//!
//! What JSON has no word for does not occur in what is played: bytes are refused, and a tag (a time) is left out around its value.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Value};

/// How deep a document may be nested.
const DEEPEST: u32 = 64;

/// The JSON of a CBOR document; `None` when it is none, or holds what JSON cannot.
#[must_use]
pub fn to_json(bytes: &[u8]) -> Option<Value> {
    read(&mut Decoder::new(bytes), DEEPEST)
}

/// The CBOR of a JSON document. A number with a fraction part, also one of zero, is a double, any other an integer.
#[must_use]
pub fn from_json(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to a vector cannot fail.
    let _ = write(&mut encoder, value);
    encoder.into_writer()
}

fn read(decoder: &mut Decoder<'_>, depth: u32) -> Option<Value> {
    let below = depth.checked_sub(1)?;
    Some(match decoder.datatype().ok()? {
        Type::Bool => decoder.bool().ok()?.into(),
        Type::Null | Type::Undefined => {
            decoder.skip().ok()?;
            Value::Null
        }
        Type::F16 | Type::F32 | Type::F64 => decoder.f64().ok()?.into(),
        Type::String | Type::StringIndef => {
            let parts = decoder.str_iter().ok()?.collect::<Result<Vec<_>, _>>().ok()?;
            parts.concat().into()
        }
        Type::Tag => {
            decoder.tag().ok()?;
            read(decoder, below)?
        }
        Type::Array | Type::ArrayIndef => list(decoder, below)?.into(),
        Type::Map | Type::MapIndef => map(decoder, below)?.into(),
        _ => decoder.i64().ok()?.into(),
    })
}

fn list(decoder: &mut Decoder<'_>, depth: u32) -> Option<Vec<Value>> {
    let length = decoder.array().ok()?;
    let mut items = Vec::new();
    while more(decoder, length, items.len())? {
        items.push(read(decoder, depth)?);
    }
    Some(items)
}

fn map(decoder: &mut Decoder<'_>, depth: u32) -> Option<Map<String, Value>> {
    let length = decoder.map().ok()?;
    let mut members = Map::new();
    let mut count = 0;
    while more(decoder, length, count)? {
        let Value::String(key) = read(decoder, depth)? else { return None };
        members.insert(key, read(decoder, depth)?);
        count += 1;
    }
    Some(members)
}

/// Whether another item comes: by the length that stands in front, or up to the break at the end.
fn more(decoder: &mut Decoder<'_>, length: Option<u64>, read: usize) -> Option<bool> {
    match length {
        Some(length) => Some((read as u64) < length),
        None if decoder.datatype().ok()? == Type::Break => decoder.skip().ok().map(|()| false),
        None => Some(true),
    }
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::Null => encoder.null().map(drop),
        Value::Bool(flag) => encoder.bool(*flag).map(drop),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => encoder.i64(whole).map(drop),
            None => encoder.f64(number.as_f64().unwrap_or_default()).map(drop),
        },
        Value::String(text) => encoder.str(text).map(drop),
        Value::Array(items) => {
            encoder.array(items.len() as u64)?;
            items.iter().try_for_each(|item| write(encoder, item))
        }
        Value::Object(members) => {
            encoder.map(members.len() as u64)?;
            members.iter().try_for_each(|(key, value)| {
                encoder.str(key)?;
                write(encoder, value)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_comes_back_as_it_went() {
        let document = json!({"a": [1, -2, 0.5, 80.0, true, null], "b": {"c": "Straße", "": {}}, "d": []});
        assert_eq!(to_json(&from_json(&document)), Some(document));
    }

    #[test]
    fn lengths_may_stand_in_front_or_an_end_behind() {
        // {_ "a": [_ 1, 2], "b": (_ "x", "y")}
        let endless = [0xbf, 0x61, 0x61, 0x9f, 1, 2, 0xff, 0x61, 0x62, 0x7f, 0x61, 0x78, 0x61, 0x79, 0xff, 0xff];
        assert_eq!(to_json(&endless), Some(json!({"a": [1, 2], "b": "xy"})));
        // A half-precision 1.5, and a time: 1(0).
        assert_eq!(to_json(&[0xf9, 0x3e, 0x00]), Some(json!(1.5)));
        assert_eq!(to_json(&[0xc1, 0x00]), Some(json!(0)));
    }

    #[test]
    fn what_is_cut_off_or_too_deep_is_nothing() {
        assert_eq!(to_json(&[0xa1, 0x61]), None);
        assert_eq!(to_json(&[0x81; 200]), None);
        assert_eq!(to_json(&[0x42, 1, 2]), None, "bytes");
    }
}
