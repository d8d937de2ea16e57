//! The Produce request, versions 3 to 13, as a view over its bytes. `ProduceRequest.json`; topic ids by KIP-516.

use super::reader::{Reader, WireError};
use super::writer::Writer;

pub const VERSION_MIN: i16 = 3;
pub const VERSION_MAX: i16 = 13;
const FLEXIBLE_FROM: i16 = 9;
const TOPIC_ID_FROM: i16 = 13;

/// How a topic is named: by name up to version 12, by id from version 13 on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopicRef<'a> {
    Name(&'a str),
    Id([u8; 16]),
}

/// One partition of a request, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionData<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    pub records: Option<&'a [u8]>,
}

/// What becomes of one partition of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionEdit<'r> {
    Kept,
    LeftOut,
    /// Other records in the place of the client's.
    Replaced(&'r [u8]),
}

/// A request's body (what follows the header), walked once, so that every later walk cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRequest<'a> {
    pub version: i16,
    pub transactional_id: Option<&'a str>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub partition_count: usize,
    topic_count: usize,
    body: &'a [u8],
    /// Where in `body` the first topic begins.
    topics_at: usize,
}

impl<'a> ProduceRequest<'a> {
    pub fn read(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        if !(VERSION_MIN..=VERSION_MAX).contains(&version) {
            return Err(WireError::UnsupportedVersion {
                what: "Produce",
                version,
            });
        }
        let form = Form::of(version);
        let mut reader = Reader::new(body);
        let transactional_id = reader.nullable_string(form.flexible)?;
        let acks = reader.i16()?;
        let timeout_ms = reader.i32()?;
        let topic_count = form.topic_count(&mut reader)?;
        let topics_at = reader.position();
        let mut partition_count = 0;
        for _ in 0..topic_count {
            form.topic(&mut reader)?;
            let partitions = form.partition_count(&mut reader)?;
            for _ in 0..partitions {
                form.partition(&mut reader)?;
            }
            form.tagged_fields(&mut reader)?;
            partition_count += partitions;
        }
        form.tagged_fields(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            version,
            transactional_id,
            acks,
            timeout_ms,
            partition_count,
            topic_count,
            body,
            topics_at,
        })
    }

    /// The partitions in the request's order.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionData<'a>> + use<'a> {
        Walk {
            form: Form::of(self.version),
            reader: self.topics(),
            topic: TopicRef::Name(""),
            topics_left: self.topic_count,
            partitions_left: 0,
            in_topic: false,
        }
    }

    /// Appends the body again with what `edit` says of each partition (by index in [`Self::partitions`]); topics left
    /// without a partition are left out; unknown tagged fields are kept.
    pub fn write_edited<'r>(&self, edit: impl Fn(usize) -> PartitionEdit<'r>, out: &mut Vec<u8>) {
        // `read` has walked all of it with the same steps, so no step can fail here.
        let _ = self.try_write_edited(edit, out);
    }

    fn try_write_edited<'r>(
        &self,
        edit: impl Fn(usize) -> PartitionEdit<'r>,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let form = Form::of(self.version);
        let kept_in = |first: usize, count: usize| {
            (first..first + count)
                .filter(|index| edit(*index) != PartitionEdit::LeftOut)
                .count()
        };

        let mut topics_kept = 0;
        let mut reader = self.topics();
        let mut index = 0;
        for _ in 0..self.topic_count {
            form.topic(&mut reader)?;
            let count = form.partition_count(&mut reader)?;
            for _ in 0..count {
                form.partition(&mut reader)?;
            }
            form.tagged_fields(&mut reader)?;
            topics_kept += usize::from(kept_in(index, count) > 0);
            index += count;
        }

        let mut writer = Writer::new(out);
        writer.nullable_string(form.flexible, self.transactional_id);
        writer.i16(self.acks);
        writer.i32(self.timeout_ms);
        writer.array_length(form.flexible, Some(topics_kept));
        let mut reader = self.topics();
        let mut index = 0;
        for _ in 0..self.topic_count {
            let name = form.raw(&mut reader, |form, reader| form.topic(reader).map(|_| ()))?;
            let count = form.partition_count(&mut reader)?;
            let kept = kept_in(index, count);
            if kept > 0 {
                writer.raw(name);
                writer.array_length(form.flexible, Some(kept));
            }
            for partition in index..index + count {
                match edit(partition) {
                    PartitionEdit::Replaced(records) => {
                        writer.i32(reader.i32()?);
                        let _records = reader.nullable_bytes_of(form.flexible)?;
                        writer.nullable_bytes(form.flexible, Some(records));
                        writer.raw(form.raw(&mut reader, |form, reader| form.tagged_fields(reader))?);
                    }
                    edit => {
                        let raw = form.raw(&mut reader, |form, reader| form.partition(reader).map(|_| ()))?;
                        if edit == PartitionEdit::Kept {
                            writer.raw(raw);
                        }
                    }
                }
            }
            let tagged_fields = form.raw(&mut reader, |form, reader| form.tagged_fields(reader))?;
            if kept > 0 {
                writer.raw(tagged_fields);
            }
            index += count;
        }
        writer.raw(reader.rest());
        Ok(())
    }

    fn topics(&self) -> Reader<'a> {
        Reader::new(self.body.get(self.topics_at..).unwrap_or_default())
    }
}

/// What a version's bytes look like: the steps that every walk over the request shares.
#[derive(Clone, Copy, Debug)]
struct Form {
    flexible: bool,
    topic_ids: bool,
}

impl Form {
    fn of(version: i16) -> Self {
        Self {
            flexible: version >= FLEXIBLE_FROM,
            topic_ids: version >= TOPIC_ID_FROM,
        }
    }

    /// The sizes are the least that an element takes.
    fn topic_count(self, reader: &mut Reader<'_>) -> Result<usize, WireError> {
        let size_min = match (self.flexible, self.topic_ids) {
            (_, true) => 18,
            (true, false) => 3,
            (false, false) => 6,
        };
        reader.array_length_not_null(self.flexible, size_min, "topic_data")
    }

    #[inline]
    fn partition_count(self, reader: &mut Reader<'_>) -> Result<usize, WireError> {
        let size_min = if self.flexible { 6 } else { 8 };
        reader.array_length_not_null(self.flexible, size_min, "partition_data")
    }

    #[inline]
    fn topic<'a>(self, reader: &mut Reader<'a>) -> Result<TopicRef<'a>, WireError> {
        if self.topic_ids {
            reader.uuid().map(TopicRef::Id)
        } else {
            reader.string(self.flexible).map(TopicRef::Name)
        }
    }

    #[inline]
    fn partition<'a>(self, reader: &mut Reader<'a>) -> Result<(i32, Option<&'a [u8]>), WireError> {
        let partition = reader.i32()?;
        let records = reader.nullable_bytes_of(self.flexible)?;
        self.tagged_fields(reader)?;
        Ok((partition, records))
    }

    #[inline]
    fn tagged_fields(self, reader: &mut Reader<'_>) -> Result<(), WireError> {
        if self.flexible {
            reader.skip_tagged_fields()
        } else {
            Ok(())
        }
    }

    /// The bytes that `step` reads.
    fn raw<'a>(
        self,
        reader: &mut Reader<'a>,
        step: impl FnOnce(Self, &mut Reader<'a>) -> Result<(), WireError>,
    ) -> Result<&'a [u8], WireError> {
        let mut ahead = reader.clone();
        step(self, &mut ahead)?;
        reader.take(ahead.position() - reader.position())
    }
}

struct Walk<'a> {
    form: Form,
    reader: Reader<'a>,
    topic: TopicRef<'a>,
    topics_left: usize,
    partitions_left: usize,
    /// A topic has been opened, and its tagged fields are still to come.
    in_topic: bool,
}

impl<'a> Walk<'a> {
    fn try_next(&mut self) -> Result<Option<PartitionData<'a>>, WireError> {
        while self.partitions_left == 0 {
            if self.in_topic {
                self.form.tagged_fields(&mut self.reader)?;
                self.in_topic = false;
            }
            if self.topics_left == 0 {
                return Ok(None);
            }
            self.topics_left -= 1;
            self.topic = self.form.topic(&mut self.reader)?;
            self.partitions_left = self.form.partition_count(&mut self.reader)?;
            self.in_topic = true;
        }
        self.partitions_left -= 1;
        let (partition, records) = self.form.partition(&mut self.reader)?;
        Ok(Some(PartitionData {
            topic: self.topic,
            partition,
            records,
        }))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = PartitionData<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.try_next().ok().flatten()
    }
}

#[cfg(test)]
mod tests;
