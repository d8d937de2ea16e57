//! From the broker to the client.

use super::pending::{Forwarded, Handling, Pending};
use super::produce;
use super::settle::Frame;
use super::world::World;
use super::{CloseReason, Position, Session};
use crate::wire::addresses;
use crate::wire::api::ApiKey;
use crate::wire::api_versions;
use crate::wire::header::{RequestHead, response_header_is_flexible};
use crate::wire::produce_response::ProduceResponse;
use crate::wire::reader::{Reader, WireError};

impl Session {
    /// Takes what has arrived from the broker as far as it goes, and sends our own answers when it is their turn;
    /// whether anything moved.
    pub(super) fn advance_responses<W: World>(&mut self, world: &mut W) -> Result<bool, CloseReason> {
        match self.response {
            Position::Streaming(left) => {
                let count = left.min(self.down.unparsed().len());
                self.down.forward(count);
                self.response = if count == left {
                    Position::Boundary
                } else {
                    Position::Streaming(left - count)
                };
                Ok(count > 0)
            }
            Position::Holding(total) => {
                if self.down.unparsed().len() < total {
                    return Ok(false);
                }
                self.response = Position::Boundary;
                self.take_held_response(world, total)?;
                Ok(true)
            }
            Position::Waiting(_) | Position::Boundary if self.settling.is_some() => Ok(self.send_settled()),
            Position::Waiting(_) | Position::Boundary => match self.pending.front() {
                Some(Pending::Local(answer)) => {
                    self.down.insert(answer);
                    self.pending.pop_front();
                    Ok(true)
                }
                Some(Pending::Settled(..)) => {
                    self.settle_own(world);
                    Ok(true)
                }
                _ => self.begin_response(),
            },
        }
    }

    fn begin_response(&mut self) -> Result<bool, CloseReason> {
        let mut reader = Reader::new(self.down.unparsed());
        let Ok(length) = reader.i32() else {
            return Ok(false);
        };
        let front = match self.pending.front() {
            Some(Pending::Forwarded(forwarded)) => Some(forwarded),
            _ => None,
        };
        let raw_token = front.is_some_and(|front| matches!(front.handling, Handling::SaslToken));
        if !raw_token {
            let Ok(actual) = reader.i32() else {
                return Ok(false);
            };
            let expected = front.map(|front| front.correlation_id);
            if expected != Some(actual) {
                return Err(CloseReason::OutOfStep { expected, actual });
            }
        }
        let Some(front) = front else { return Ok(false) };
        let min = if raw_token { 0 } else { 4 };
        let relayed = matches!(front.handling, Handling::Relay | Handling::SaslToken);
        let max = if relayed {
            i32::MAX as usize
        } else {
            self.limits.frame_bytes_max
        };
        let total = usize::try_from(length)
            .ok()
            .filter(|length| (min..=max).contains(length))
            .ok_or(CloseReason::Response(WireError::BadLength {
                at: 0,
                length: i64::from(length),
            }))?
            + 4;
        self.response = if relayed {
            self.pending.pop_front();
            if raw_token {
                self.sasl = self.sasl.exchanged(0);
            }
            Position::Streaming(total)
        } else {
            Position::Holding(total)
        };
        Ok(true)
    }

    fn take_held_response<W: World>(&mut self, world: &mut W, total: usize) -> Result<(), CloseReason> {
        let Some(Pending::Forwarded(Forwarded {
            correlation_id,
            api_key,
            version,
            handling,
        })) = self.pending.pop_front()
        else {
            return Ok(());
        };
        let mut reader = Reader::new(self.down.unparsed().get(..total).unwrap_or_default());
        let mut skip_header = || {
            reader.take(8)?;
            if response_header_is_flexible(api_key, version) {
                reader.skip_tagged_fields()?;
            }
            Ok(())
        };
        skip_header().map_err(CloseReason::Response)?;
        let header_bytes = reader.position();
        if let Handling::Settle(settlement) = handling {
            let head = RequestHead {
                api_key,
                api_version: version,
                correlation_id,
            };
            let frame = Frame::InPlace { header_bytes, total };
            return self
                .settle(world, head, frame, settlement)
                .map_err(CloseReason::Response);
        }
        self.change_response(world, (api_key, version), handling, header_bytes, total)
            .map_err(CloseReason::Response)
    }

    fn change_response<W: World>(
        &mut self,
        world: &mut W,
        (api_key, version): (ApiKey, i16),
        handling: Handling,
        header_bytes: usize,
        mut total: usize,
    ) -> Result<(), WireError> {
        let body = self.down.unparsed().get(header_bytes..total).unwrap_or_default();
        self.scratch.clear();
        let edit = match handling {
            Handling::Relay | Handling::SaslToken | Handling::Settle(_) => None,
            Handling::RewriteAddresses => {
                if api_key == ApiKey::PRODUCE {
                    self.produce_requests += 1;
                }
                addresses::rewrite(api_key, version, body, world.addresses())?
                    .map(|edit| (edit.range, edit.with))
            }
            Handling::ClipVersions => {
                let mut with = std::mem::take(&mut self.scratch);
                api_versions::clip(version, body, &mut with)?;
                Some((0..body.len(), with))
            }
            Handling::Merge(answers) => {
                self.produce_requests += 1;
                let mut with = std::mem::take(&mut self.scratch);
                let mut response = produce_response(world, body, version)?;
                produce::merge(&mut response, answers);
                response.write(version, &mut with);
                Some((0..body.len(), with))
            }
            Handling::SaslHandshake => {
                let error_code = Reader::new(body).i16()?;
                self.sasl = self.sasl.answered(error_code);
                if error_code == 0 {
                    world.saw_sasl();
                }
                None
            }
            Handling::SaslAuthenticate => {
                self.sasl = self.sasl.exchanged(Reader::new(body).i16()?);
                None
            }
        };
        if let Some((range, with)) = edit {
            total = total - range.len() + with.len();
            self.down
                .replace(header_bytes + range.start..header_bytes + range.end, &with);
            let length = (total - 4) as u32;
            self.down.replace(0..4, &length.to_be_bytes());
        }
        self.down.forward(total);
        Ok(())
    }
}

/// The broker's response, with the gateway's addresses in it.
pub(super) fn produce_response<W: World>(
    world: &mut W,
    body: &[u8],
    version: i16,
) -> Result<ProduceResponse, WireError> {
    let mut response = ProduceResponse::read(body, version)?;
    response.node_endpoints.retain_mut(|node| {
        let advertised = world.addresses().advertise(node.node_id, &node.host, node.port);
        let reachable = advertised.is_some();
        if let Some((host, port)) = advertised {
            (node.host, node.port) = (host, i32::from(port));
        }
        reachable
    });
    Ok(response)
}
