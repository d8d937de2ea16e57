//! From the client to the broker.

use super::deciding::Deciding;
use super::pending::{Forwarded, Handling, Pending};
use super::produce::{self, LocalAnswer};
use super::sasl::{self, Sasl, UNAUTHENTICATED_FRAME_BYTES_MAX};
use super::world::World;
use super::{CloseReason, FRAME_HEAD_BYTES, PENDING_MAX, Phase, Position, Session};
use crate::wire::addresses::carries_addresses;
use crate::wire::api::{ApiKey, client_api};
use crate::wire::api_versions;
use crate::wire::header::{RequestHead, read_request_header, request_header_is_flexible};
use crate::wire::produce_request::ProduceRequest;
use crate::wire::produce_response::ProduceResponse;
use crate::wire::reader::Reader;

impl Session {
    /// Takes what has arrived from the client as far as it goes; whether anything moved.
    pub(super) fn advance_requests<W: World>(&mut self, world: &mut W) -> Result<bool, CloseReason> {
        match self.request {
            Position::Streaming(left) => {
                let count = left.min(self.up.unparsed().len());
                self.up.forward(count);
                self.request = if count == left {
                    Position::Boundary
                } else {
                    Position::Streaming(left - count)
                };
                Ok(count > 0)
            }
            Position::Holding(total) => {
                if self.up.unparsed().len() < total {
                    return Ok(false);
                }
                self.request = Position::Boundary;
                self.take_held(world, total)?;
                Ok(true)
            }
            Position::Waiting(total) => {
                if self.is_deciding() {
                    return Ok(false);
                }
                self.request = Position::Boundary;
                self.take_decided(world, total)?;
                Ok(true)
            }
            Position::Boundary => self.begin_request(world),
        }
    }

    fn begin_request<W: World>(&mut self, world: &mut W) -> Result<bool, CloseReason> {
        if self.phase == Phase::Draining || self.pending.len() >= PENDING_MAX || self.sasl.awaits_handshake()
        {
            return Ok(false);
        }
        let Some((length, head)) = self.read_head(world)? else {
            return Ok(false);
        };
        let total = length + 4;
        if self.sasl.expects_raw_token() {
            self.forwarded(head, Handling::SaslToken);
            self.request = Position::Streaming(total);
            return Ok(true);
        }
        let RequestHead {
            api_key,
            api_version: version,
            ..
        } = head;
        let offered =
            client_api(api_key).is_some_and(|api| (api.version_min..=api.version_max).contains(&version));
        if api_key == ApiKey::API_VERSIONS && !offered && version >= 0 {
            self.request = Position::Holding(total);
            return Ok(true);
        }
        if !offered {
            return Err(CloseReason::UnsupportedApi {
                api_key: api_key.0,
                version,
            });
        }
        self.request = match api_key {
            ApiKey::PRODUCE | ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE => Position::Holding(total),
            _ => {
                let handling = match api_key {
                    ApiKey::API_VERSIONS => Handling::ClipVersions,
                    _ if carries_addresses(api_key, version) => Handling::RewriteAddresses,
                    _ => Handling::Relay,
                };
                self.forwarded(head, handling);
                Position::Streaming(total)
            }
        };
        Ok(true)
    }

    /// The next frame's length and head, once they are there.
    fn read_head<W: World>(&self, world: &W) -> Result<Option<(usize, RequestHead)>, CloseReason> {
        let mut reader = Reader::new(self.up.unparsed());
        let Ok(length) = reader.i32() else { return Ok(None) };
        if let Some(protocol) = looks_like(length) {
            return Err(CloseReason::NotKafka(protocol));
        }
        let raw_token = self.sasl.expects_raw_token();
        let authenticated = !world.asks_for_sasl() || self.sasl == Sasl::Authenticated;
        let max = if authenticated {
            self.limits.frame_bytes_max
        } else {
            self.limits.frame_bytes_max.min(UNAUTHENTICATED_FRAME_BYTES_MAX)
        };
        let min = if raw_token { 0 } else { FRAME_HEAD_BYTES - 4 };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| (min..=max).contains(length))
            .ok_or(CloseReason::FrameLength { length, max })?;
        if raw_token {
            let head = RequestHead {
                api_key: ApiKey::SASL_AUTHENTICATE,
                api_version: 0,
                correlation_id: 0,
            };
            return Ok(Some((length, head)));
        }
        Ok(RequestHead::read(reader.rest()).ok().map(|head| (length, head)))
    }

    fn forwarded(&mut self, head: RequestHead, handling: Handling) {
        self.pending.push_back(Pending::Forwarded(Forwarded {
            correlation_id: head.correlation_id,
            api_key: head.api_key,
            version: head.api_version,
            handling,
        }));
    }

    /// A frame that was waited for is whole.
    fn take_held<W: World>(&mut self, world: &mut W, total: usize) -> Result<(), CloseReason> {
        let frame = self.up.unparsed().get(..total).unwrap_or_default();
        let request = frame.get(4..).unwrap_or_default();
        let head = RequestHead::read(request).map_err(CloseReason::Request)?;
        match head.api_key {
            ApiKey::API_VERSIONS => {
                let mut answer = Vec::new();
                api_versions::write_unsupported(head.correlation_id, &mut answer);
                self.pending.push_back(Pending::Local(answer));
                self.up.discard(total);
                Ok(())
            }
            ApiKey::SASL_HANDSHAKE => {
                let (header, body) = read_request_header(request).map_err(CloseReason::Request)?;
                let asked = Sasl::asked(header.head.api_version, body).map_err(CloseReason::Request)?;
                let asked = asked.ok_or(CloseReason::SaslVersion("GSSAPI"))?;
                if self.sasl != Sasl::Authenticated {
                    self.sasl = asked;
                }
                self.forwarded(head, Handling::SaslHandshake);
                self.up.forward(total);
                Ok(())
            }
            ApiKey::SASL_AUTHENTICATE => {
                let (header, body) = read_request_header(request).map_err(CloseReason::Request)?;
                let flexible = request_header_is_flexible(head.api_key, header.head.api_version);
                let token = Reader::new(body)
                    .nullable_bytes_of(flexible)
                    .map_err(CloseReason::Request)?;
                // The last token of SCRAM names nobody.
                if let Some(principal) = sasl::principal(token.unwrap_or_default()) {
                    self.principal = Some(principal);
                }
                self.forwarded(head, Handling::SaslAuthenticate);
                self.up.forward(total);
                Ok(())
            }
            _ => self.take_produce(world, total),
        }
    }

    fn take_produce<W: World>(&mut self, world: &mut W, total: usize) -> Result<(), CloseReason> {
        self.produce_requests += 1;
        let request = self.up.unparsed().get(4..total).unwrap_or_default();
        let (header, body) = read_request_header(request).map_err(CloseReason::Request)?;
        let head = header.head;
        let produce = ProduceRequest::read(body, head.api_version).map_err(CloseReason::Request)?;
        if header.client_id != self.client_id.as_deref() {
            self.client_id = header.client_id.map(Into::into);
        }
        let room = self.limits.frame_bytes_max.saturating_sub(request.len());
        let judgement = produce::judge(world, &produce, header.client_id, &self.in_flight, room);
        let has_answer = produce.acks != 0;
        if !judgement.works.is_empty() {
            self.deciding = Some(Deciding {
                head,
                has_answer,
                transactional_id: produce.transactional_id.map(Into::into),
                answers: judgement.answers,
                replaced: judgement.replaced,
                works: judgement.works,
            });
            self.request = Position::Waiting(total);
            self.go_on_deciding(world);
            return Ok(());
        }
        let untouched = judgement.answers.is_empty() && judgement.replaced.is_empty();
        let all_refused = !untouched && judgement.answers.len() == produce.partition_count;
        if untouched {
            self.up.forward(total);
        } else {
            self.scratch.clear();
            if !all_refused {
                let edit = |index| judgement.edit(index);
                produce::write_request(request, &produce, body.len(), edit, &mut self.scratch);
            }
            self.up.replace(0..total, &self.scratch);
            self.up.forward(self.scratch.len());
        }
        let answers = judgement.answers;
        if answers.is_empty() {
            if has_answer {
                self.forwarded(head, produce_handling(head.api_version));
            }
            return Ok(());
        }
        if !has_answer {
            return Err(CloseReason::RefusedWithoutAnswer);
        }
        self.pending.push_back(if all_refused {
            Pending::Local(local_response(head, answers))
        } else {
            Pending::Forwarded(Forwarded {
                correlation_id: head.correlation_id,
                api_key: head.api_key,
                version: head.api_version,
                handling: Handling::Merge(answers),
            })
        });
        Ok(())
    }
}

/// The length of the frame that waits, itself included.
pub(super) fn waiting_bytes(position: Position) -> usize {
    match position {
        Position::Waiting(total) => total,
        Position::Boundary | Position::Streaming(_) | Position::Holding(_) => 0,
    }
}

fn produce_handling(version: i16) -> Handling {
    if carries_addresses(ApiKey::PRODUCE, version) {
        Handling::RewriteAddresses
    } else {
        Handling::Relay
    }
}

fn local_response(head: RequestHead, answers: Vec<LocalAnswer>) -> Vec<u8> {
    let mut response = ProduceResponse::default();
    produce::merge(&mut response, answers);
    let mut frame = Vec::new();
    produce::write_response(head, &response, &mut frame);
    frame
}

/// What a first length that is none gives away.
fn looks_like(length: i32) -> Option<&'static str> {
    match length.to_be_bytes() {
        [0x16, 0x03, ..] => Some("TLS (is this a plaintext port?)"),
        [b'G', b'E', b'T', b' ']
        | [b'P', b'O', b'S', b'T']
        | [b'P', b'U', b'T', b' ']
        | [b'H', b'E', b'A', b'D']
        | [b'H', b'T', b'T', b'P'] => Some("HTTP"),
        _ => None,
    }
}
