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
        let (min, max) = (min.max(api.version_min), max.min(api.version_max));
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
