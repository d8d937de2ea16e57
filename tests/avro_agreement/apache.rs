//! apache-avro's opinion, in process.

use apache_avro::Schema;
use std::io::{Error, ErrorKind, Read};

/// It takes the end of the payload for a null in places; an error of another kind stops it there.
struct Ends<'a>(&'a [u8]);

impl Read for Ends<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() && !into.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "the payload ends here"));
        }
        self.0.read(into)
    }
}

pub fn schema(text: &str) -> Result<Schema, String> {
    // It panics over some attributes of another kind than they should have.
    let parsed = std::panic::catch_unwind(|| Schema::parse_str(text));
    let schema = parsed
        .map_err(|_| "panics".to_owned())?
        .map_err(|error| error.to_string())?;
    // Names are looked up when a reader is made.
    reader(&schema).map(drop)?;
    Ok(schema)
}

fn reader(schema: &Schema) -> Result<apache_avro::reader::datum::GenericDatumReader<'_>, String> {
    apache_avro::reader::datum::GenericDatumReader::builder(schema)
        .build()
        .map_err(|error| error.to_string())
}

pub fn payload(schema: &Schema, payload: &[u8]) -> Result<(), String> {
    let mut rest = Ends(payload);
    reader(schema)?
        .read_value(&mut rest)
        .map_err(|error| error.to_string())?;
    if rest.0.is_empty() {
        Ok(())
    } else {
        Err("bytes left over".to_owned())
    }
}
