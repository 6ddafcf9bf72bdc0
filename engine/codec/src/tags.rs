//! Tagged fields: the optional end of a struct, which later versions extend without asking. What we
//! do not know we keep, and write back at its place, or a broker in the middle would lose it.

use bytes::Bytes;

use crate::{EncodeError, Writer};

/// Tagged fields that this schema does not know, by growing tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownTags(pub Vec<(u32, Bytes)>);

/// Gathers the tagged fields of one struct, since their number stands before them.
#[derive(Debug)]
pub struct TagWriter<'unknown> {
    unknown: &'unknown [(u32, Bytes)],
    fields: Writer,
    count: usize,
    previous: Option<u32>,
}

impl<'unknown> TagWriter<'unknown> {
    pub fn new(unknown: &'unknown UnknownTags) -> Self {
        Self { unknown: &unknown.0, fields: Writer::new(), count: 0, previous: None }
    }

    /// Adds a known field; callers come with growing tags.
    pub fn field(
        &mut self,
        tag: u32,
        write: &mut dyn FnMut(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.unknown_below(Some(tag))?;
        let mut value = Writer::new();
        write(&mut value)?;
        self.begin(tag, value.len())?;
        self.fields.append(value);
        Ok(())
    }

    pub fn finish(mut self, writer: &mut Writer) -> Result<(), EncodeError> {
        self.unknown_below(None)?;
        writer.count_of_tags(self.count)?;
        writer.append(self.fields);
        Ok(())
    }

    fn unknown_below(&mut self, bound: Option<u32>) -> Result<(), EncodeError> {
        while let Some(((tag, value), rest)) = self.unknown.split_first()
            && bound.is_none_or(|bound| *tag < bound)
        {
            self.unknown = rest;
            self.begin(*tag, value.len())?;
            self.fields.raw(value);
        }
        Ok(())
    }

    fn begin(&mut self, tag: u32, length: usize) -> Result<(), EncodeError> {
        if let Some(previous) = self.previous.filter(|previous| tag <= *previous) {
            return Err(EncodeError::TagOrder { tag, previous });
        }
        self.previous = Some(tag);
        self.count = self.count.strict_add(1);
        self.fields.unsigned_varint(tag);
        self.fields.length_of_tag(length)
    }
}
