//! ApiVersions: what the broker offers, cut down to what the gateway also knows; and the answer to a version of
//! ApiVersions that nobody here knows.

use super::api::{ApiKey, client_api};
use super::error_code::ErrorCode;
use super::reader::{Reader, Result};
use super::writer::Writer;

/// Appends `body` (a broker's answer to ApiVersions of `version`) to `out` with every API clipped to the versions
/// that [`client_api`] has, and those it does not have left out. Feature levels and other tagged fields are kept.
pub fn clip(version: i16, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut reader = Reader::new(body);
    let error_code = reader.i16()?;
    // A broker that does not know the version answers in version 0 (ApiVersionsResponse, KIP-511).
    let version = if error_code == ErrorCode::UNSUPPORTED_VERSION.0 {
        0
    } else {
        version
    };
    let flexible = version >= 3;
    let mut kept = Vec::new();
    let mut kept_count = 0;
    for _ in 0..reader.array_length(flexible, 6)?.unwrap_or(0) {
        let key = ApiKey(reader.i16()?);
        let (min, max) = (reader.i16()?, reader.i16()?);
        if flexible {
            reader.skip_tagged_fields()?;
        }
        let Some(api) = client_api(key) else { continue };
        // Kafka 4 offers Produce from version 0 on and serves it from 3 on: librdkafka before 2.8 takes version 0
        // as the sign that a broker can compress (KAFKA-18659).
        let min = if key == ApiKey::PRODUCE {
            min
        } else {
            min.max(api.version_min)
        };
        let max = max.min(api.version_max);
        if min > max {
            continue;
        }
        kept_count += 1;
        let mut writer = Writer::new(&mut kept);
        writer.i16(key.0);
        writer.i16(min);
        writer.i16(max);
        writer.no_tagged_fields(flexible);
    }
    let mut writer = Writer::new(out);
    writer.i16(error_code);
    writer.array_length(flexible, Some(kept_count));
    writer.raw(&kept);
    writer.raw(reader.rest());
    Ok(())
}

/// Appends the whole response frame to an ApiVersions request of a version that is not known: body version 0,
/// UNSUPPORTED_VERSION, and the range of ApiVersions itself, so that the client can ask again.
pub fn write_unsupported(correlation_id: i32, out: &mut Vec<u8>) {
    let (min, max) =
        client_api(ApiKey::API_VERSIONS).map_or((0, 0), |api| (api.version_min, api.version_max));
    Writer::frame(out, |writer| {
        writer.i32(correlation_id);
        writer.i16(ErrorCode::UNSUPPORTED_VERSION.0);
        writer.array_length(false, Some(1));
        writer.i16(ApiKey::API_VERSIONS.0);
        writer.i16(min);
        writer.i16(max);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (key, min, max) rows of a version 0 body.
    fn body(rows: &[(i16, i16, i16)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.i16(0);
        writer.array_length(false, Some(rows.len()));
        for (key, min, max) in rows {
            writer.i16(*key);
            writer.i16(*min);
            writer.i16(*max);
        }
        out
    }

    #[test]
    fn what_only_one_side_knows_is_not_offered() {
        let mut out = Vec::new();
        let broker = body(&[
            (0, 0, 99),
            (1, 4, 6),
            (3, 50, 60),
            (4, 0, 7),
            (55, 0, 2),
            (999, 0, 1),
        ]);
        clip(0, &broker, &mut out).unwrap();
        assert_eq!(out, body(&[(0, 0, 13), (1, 4, 6), (55, 0, 1)]));
    }

    #[test]
    fn a_refusal_is_read_in_version_0_and_feature_levels_are_kept() {
        let mut refusal = body(&[(18, 0, 3)]);
        refusal.splice(0..2, 35i16.to_be_bytes());
        let mut out = Vec::new();
        clip(4, &refusal, &mut out).unwrap();
        assert_eq!(out, refusal);
        let mut flexible = vec![0, 0, 2, 0, 18, 0, 0, 0, 3, 0];
        flexible.extend_from_slice(&[0, 0, 0, 9, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5]);
        let mut out = Vec::new();
        clip(3, &flexible, &mut out).unwrap();
        assert_eq!(out, flexible);
    }
}
