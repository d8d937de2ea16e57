//! Request headers (v1, v2) and response headers (v0, v1). `RequestHeader.json`, `ResponseHeader.json`, KIP-482.

use super::api::{ApiKey, client_api};
use super::reader::{Reader, WireError};

/// The first eight bytes of every request: enough to route it without reading on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHead {
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
}

impl RequestHead {
    /// The same in every version of the header, so it is readable whatever follows.
    #[inline]
    pub fn read(request: &[u8]) -> Result<Self, WireError> {
        read_head(&mut Reader::new(request))
    }
}

/// A request header, read whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader<'a> {
    pub head: RequestHead,
    pub client_id: Option<&'a str>,
}

/// Reads the header at the start of `request` (a frame without its length) and returns it with the body.
///
/// A key that [`client_api`] does not know is read as header v1: what follows the client id is then
/// no body to rely on, and the request is not one to forward.
pub fn read_request_header(request: &[u8]) -> Result<(RequestHeader<'_>, &[u8]), WireError> {
    let mut reader = Reader::new(request);
    let head = read_head(&mut reader)?;
    // Old-style length even in v2: a broker must be able to read it whatever the version of ApiVersions.
    let client_id = reader.nullable_string(false)?;
    if request_header_is_flexible(head.api_key, head.api_version) {
        reader.skip_tagged_fields()?;
    }
    Ok((RequestHeader { head, client_id }, reader.rest()))
}

/// Whether the request has header v2 (a tagged-field section after the client id).
#[must_use]
#[inline]
pub fn request_header_is_flexible(api_key: ApiKey, api_version: i16) -> bool {
    client_api(api_key).is_some_and(|api| api.is_flexible(api_version))
}

/// Whether the response to this request has header v1 (a tagged-field section after the correlation id).
/// False for every version of ApiVersions.
#[must_use]
#[inline]
pub fn response_header_is_flexible(api_key: ApiKey, api_version: i16) -> bool {
    // A client that asks with a version unknown to the broker could not read a flexible header (KIP-511).
    api_key != ApiKey::API_VERSIONS && request_header_is_flexible(api_key, api_version)
}

fn read_head(reader: &mut Reader<'_>) -> Result<RequestHead, WireError> {
    Ok(RequestHead {
        api_key: ApiKey(reader.i16()?),
        api_version: reader.i16()?,
        correlation_id: reader.i32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flexible_request_keeps_the_old_client_id_and_has_tagged_fields() {
        let request = b"\x00\x00\x00\x09\xff\xff\xff\xfe\x00\x02me\x01\x07\x01Xbody";
        let (header, body) = read_request_header(request).unwrap();
        let head = RequestHead {
            api_key: ApiKey::PRODUCE,
            api_version: 9,
            correlation_id: -2,
        };
        assert_eq!(
            header,
            RequestHeader {
                head,
                client_id: Some("me")
            }
        );
        assert_eq!(body, b"body");
    }

    #[test]
    fn an_older_request_has_no_tagged_fields_and_may_have_no_client_id() {
        let (header, body) = read_request_header(b"\x00\x00\x00\x08\x00\x00\x00\x01\xff\xffbody").unwrap();
        assert_eq!((header.client_id, body), (None, &b"body"[..]));
    }

    #[test]
    fn api_versions_is_asked_in_a_flexible_header_and_answered_in_the_old_one() {
        assert!(request_header_is_flexible(ApiKey::API_VERSIONS, 3));
        assert!(
            request_header_is_flexible(ApiKey::API_VERSIONS, 5),
            "an unknown version too"
        );
        assert!(!response_header_is_flexible(ApiKey::API_VERSIONS, 3));
        assert!(response_header_is_flexible(ApiKey::METADATA, 9));
        assert!(!response_header_is_flexible(ApiKey::METADATA, 8));
        assert!(!response_header_is_flexible(ApiKey::SASL_HANDSHAKE, 1));
    }

    #[test]
    fn a_header_cut_anywhere_is_refused() {
        let request = b"\x00\x00\x00\x09\x00\x00\x00\x01\x00\x02me\x01\x07\x01X";
        for cut in 0..request.len() {
            assert!(read_request_header(&request[..cut]).is_err(), "cut at {cut}");
        }
    }
}
