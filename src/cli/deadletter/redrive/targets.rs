//! The topics that dead letters go back to.

use super::super::Stop;
use super::persistently;
use crate::deadletter::redrive::original::{Original, forbidden};
use crate::deadletter::redrive::refusal::Stays;
use crate::kafka::Client;
use kafka_protocol::ResponseError as E;
use std::collections::HashMap;
use std::sync::Arc;

/// What stands in a topic's headers can be any number of names.
const KNOWN_MAX: usize = 10_000;
const NO_TOPIC: &str = "UnknownTopicOrPartition";

pub struct Targets {
    dead_letters: String,
    /// How many partitions each has, or why nothing goes there.
    known: HashMap<String, Result<i32, Stays>>,
}

impl Targets {
    pub fn new(dead_letters: &str) -> Self {
        Self {
            dead_letters: dead_letters.to_owned(),
            known: HashMap::new(),
        }
    }

    /// Where a letter goes, or why it stays.
    pub async fn place(
        &mut self,
        client: &mut Client,
        original: &Original,
    ) -> Result<Result<(Arc<str>, i32), Stays>, Stop> {
        let topic = &original.topic;
        let known = if let Some(known) = self.known.get(topic) {
            known
        } else {
            let found = self.look(client, topic).await?;
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            self.known.entry(topic.clone()).or_insert(found)
        };
        Ok(known.clone().map(|partitions| original.place(partitions)))
    }

    /// Nothing more goes there.
    pub fn close(&mut self, topic: &str, why: Stays) {
        self.known.insert(topic.to_owned(), Err(why));
    }

    async fn look(&self, client: &mut Client, topic: &str) -> Result<Result<i32, Stays>, Stop> {
        if let Some(why) = forbidden(topic, &self.dead_letters) {
            let why = format!("nothing is redriven to {topic}: {why}");
            return Ok(Err(Stays::new("forbidden", why)));
        }
        let found = persistently(async || client.topics(&[topic]).await.map(|mut found| found.remove(topic)));
        match found.await? {
            Some(Ok(view)) => Ok(Ok(i32::try_from(view.partitions.len()).unwrap_or(i32::MAX))),
            None => Ok(Err(Stays::new(NO_TOPIC, format!("there is no topic {topic}")))),
            Some(Err(error)) => match error.code() {
                Some(code @ (E::TopicAuthorizationFailed | E::InvalidTopicException)) => {
                    Ok(Err(Stays::new(&format!("{code:?}"), error.to_string())))
                }
                _ => Err(error.into()),
            },
        }
    }
}
