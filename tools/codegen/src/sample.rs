//! Random messages as bytes, written straight from the schema. They do not pass through generated
//! code, so what that code makes of them proves something.

use crate::model::{Field, Schema, Type};

/// A small generator whose whole state is its seed (splitmix64), so that a failing case comes back.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % bound).unwrap_or(0)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A message of this version.
pub fn message(schema: &Schema, version: i16, random: &mut Random) -> Vec<u8> {
    let mut sampler = Sampler { schema, version, random };
    let mut out = Vec::new();
    sampler.fields(&schema.fields, &mut out);
    out
}

struct Sampler<'schema, 'random> {
    schema: &'schema Schema,
    version: i16,
    random: &'random mut Random,
}

impl Sampler<'_, '_> {
    fn fields(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        for field in fields {
            if field.versions.contains(self.version) && !field.tagged.contains(self.version) {
                self.field(field, out);
            }
        }
        if self.schema.flexible.contains(self.version) {
            self.tags(fields, out);
        }
    }

    /// Known tags whose value is not the default, and among them some that nobody knows.
    fn tags(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        let mut tagged = Vec::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.tagged.contains(version)) {
            if let Some(tag) = field.tag.filter(|_| self.random.chance(70)) {
                tagged.push((tag, self.not_default(field)));
            }
        }
        let is_known = |tag: u32| fields.iter().any(|field| field.tag == Some(tag));
        for tag in [0, 1, 2, 3, 5, 9, 127, 128, 70_000] {
            if self.random.chance(4) && !is_known(tag) {
                let mut value = Vec::new();
                self.random_bytes(6, &mut value);
                tagged.push((tag, value));
            }
        }
        tagged.sort();
        put_varint(tagged.len(), out);
        for (tag, value) in tagged {
            put_varint(usize::try_from(tag).unwrap_or(0), out);
            put_varint(value.len(), out);
            out.extend(value);
        }
    }

    fn not_default(&mut self, field: &Field) -> Vec<u8> {
        let mut default = Vec::new();
        self.default_of(field, &mut default);
        loop {
            let mut value = Vec::new();
            self.field(field, &mut value);
            if value != default {
                return value;
            }
        }
    }

    fn is_flexible(&self, field: &Field) -> bool {
        field.flexible.unwrap_or(self.schema.flexible).contains(self.version)
    }

    fn field(&mut self, field: &Field, out: &mut Vec<u8>) {
        let is_nullable = field.nullable.contains(self.version);
        if is_nullable && self.random.chance(25) {
            self.null(field, out);
            return;
        }
        if is_nullable && matches!(field.of, Type::Struct(_)) {
            out.push(1);
        }
        self.value(field, &field.of, out);
    }

    fn null(&self, field: &Field, out: &mut Vec<u8>) {
        match field.of {
            Type::Struct(_) if field.tagged.contains(self.version) => out.push(0),
            Type::Struct(_) => out.push(0xff),
            _ if self.is_flexible(field) => out.push(0),
            Type::String => out.extend([0xff; 2]),
            Type::Bytes | Type::Records | Type::Array(_) => out.extend([0xff; 4]),
            Type::Bool
            | Type::Int8
            | Type::Int16
            | Type::Uint16
            | Type::Int32
            | Type::Uint32
            | Type::Int64
            | Type::Float64
            | Type::Uuid => {}
        }
    }

    fn value(&mut self, field: &Field, of: &Type, out: &mut Vec<u8>) {
        match of {
            Type::Bool => out.push(u8::from(self.random.chance(50))),
            Type::Int8 => self.integer(1, out),
            Type::Int16 | Type::Uint16 => self.integer(2, out),
            Type::Int32 | Type::Uint32 => self.integer(4, out),
            Type::Int64 => self.integer(8, out),
            Type::Float64 => {
                let number = u32::try_from(self.random.number() >> 40).unwrap_or(0);
                out.extend((f64::from(number) / 8.0).to_be_bytes());
            }
            Type::Uuid => out.extend((0..16).map(|_| self.random_byte())),
            Type::String => {
                let letters = ['a', 'Z', '0', '-', 'é', '統', '🦀'];
                let length = self.random.below(9);
                let chosen = (0..length).map(|_| self.random.below(letters.len()));
                let text = chosen.filter_map(|at| letters.get(at)).collect::<String>();
                self.length(text.len(), 2, field, out);
                out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let mut bytes = Vec::new();
                let length_max = if self.random.chance(5) { 3000 } else { 40 };
                self.random_bytes(length_max, &mut bytes);
                self.length(bytes.len(), 4, field, out);
                out.extend(bytes);
            }
            Type::Struct(name) => self.fields(fields_of(self.schema, field, name), out),
            Type::Array(element) => {
                let count = self.random.below(4);
                self.length(count, 4, field, out);
                for _ in 0..count {
                    self.value(field, element, out);
                }
            }
        }
    }

    fn integer(&mut self, bytes: usize, out: &mut Vec<u8>) {
        let small = self.random.chance(50);
        let number = if small { self.random.number() % 100 } else { self.random.number() };
        out.extend(number.to_be_bytes().iter().skip(8 - bytes));
    }

    fn random_byte(&mut self) -> u8 {
        let [byte, ..] = self.random.number().to_le_bytes();
        byte
    }

    fn random_bytes(&mut self, length_max: usize, out: &mut Vec<u8>) {
        let length = self.random.below(length_max + 1);
        out.extend((0..length).map(|_| self.random_byte()));
    }

    fn length(&self, length: usize, width: usize, field: &Field, out: &mut Vec<u8>) {
        if self.is_flexible(field) {
            put_varint(length + 1, out);
        } else {
            out.extend(length.to_be_bytes().iter().skip(8 - width));
        }
    }
}

impl Sampler<'_, '_> {
    /// The default as it would stand among the tagged fields.
    fn default_of(&self, field: &Field, out: &mut Vec<u8>) {
        let given = field.default.as_deref();
        if given == Some("null") {
            self.null(field, out);
            return;
        }
        let number = given.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0).to_be_bytes();
        match &field.of {
            Type::Bool => out.push(u8::from(given == Some("true"))),
            Type::Int8 => out.extend(number.iter().skip(7)),
            Type::Int16 | Type::Uint16 => out.extend(number.iter().skip(6)),
            Type::Int32 | Type::Uint32 => out.extend(number.iter().skip(4)),
            Type::Int64 | Type::Float64 => out.extend(number),
            Type::Uuid => out.extend([0; 16]),
            Type::String => {
                let text = given.unwrap_or_default();
                self.length(text.len(), 2, field, out);
                out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records | Type::Array(_) => self.length(0, 4, field, out),
            Type::Struct(name) => {
                if field.nullable.contains(self.version) {
                    out.push(1);
                }
                for inner in fields_of(self.schema, field, name) {
                    let is_plain = !inner.tagged.contains(self.version);
                    if is_plain && inner.versions.contains(self.version) {
                        self.default_of(inner, out);
                    }
                }
                out.push(0);
            }
        }
    }
}

fn fields_of<'schema>(
    schema: &'schema Schema,
    field: &'schema Field,
    name: &str,
) -> &'schema [Field] {
    let shared = schema.structs.iter().find(|shared| shared.name == name);
    shared.map_or(&field.fields, |shared| &shared.fields)
}

fn put_varint(mut number: usize, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}
