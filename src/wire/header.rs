//! Request headers (v1, v2) and response headers (v0, v1).

use super::api::ApiKey;
use super::reader::WireError;

/// The first eight bytes of every request: enough to route it without reading on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHead {
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
}

/// A request header, read whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader<'a> {
    pub head: RequestHead,
    pub client_id: Option<&'a str>,
}

/// Reads the header at the start of `request` (a frame without its length) and returns it with the body.
pub fn read_request_header(_request: &[u8]) -> Result<(RequestHeader<'_>, &[u8]), WireError> {
    todo!()
}

/// Whether the response to this request has header v1 (a tagged-field section after the correlation id).
/// False for every version of ApiVersions.
#[must_use]
pub fn response_header_is_flexible(_api_key: ApiKey, _api_version: i16) -> bool {
    todo!()
}
