//! What the log says, kept in a file, so that a start reads only what is new. Losing one costs time, never truth.

use super::Shard;
use crate::deadletter::decisions::Fold;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};
use uuid::Uuid;

const INTERVAL: Duration = Duration::from_mins(1);
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Snapshot<F> {
    version: u32,
    /// Another one when the topic was deleted and made anew: its offsets mean something else then.
    topic_id: Option<String>,
    fold: F,
}

/// The partition as it was last kept; empty when there is nothing, or nothing that fits.
pub fn read(data: Option<&Path>, topic: &str, topic_id: Option<Uuid>, partition: i32) -> Fold {
    let Some(path) = data.map(|data| path(data, topic, partition)) else {
        return Fold::default();
    };
    let read = || -> io::Result<Fold> {
        let bytes = fs::read(&path)?;
        let snapshot: Snapshot<Fold> = serde_json::from_slice(&bytes)?;
        if snapshot.version != VERSION || snapshot.topic_id != text_of(topic_id) || topic_id.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is of another topic or version",
            ));
        }
        Ok(snapshot.fold)
    };
    match read() {
        Ok(fold) => {
            info!(
                topic,
                partition,
                offset = fold.next_offset(),
                "going on from a snapshot"
            );
            fold
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                warn!(path = %path.display(), %error, "a snapshot is not used: the log is read from its beginning");
            }
            Fold::default()
        }
    }
}

/// Writes them.
pub struct Snapshots {
    data: PathBuf,
    topic: String,
    topic_id: Option<Uuid>,
    shards: Arc<[Shard]>,
    /// The offset that each one on disk goes up to.
    kept: Vec<i64>,
}

impl Snapshots {
    #[must_use]
    pub fn new(data: PathBuf, topic: String, topic_id: Option<Uuid>, shards: Arc<[Shard]>) -> Self {
        let kept = vec![-1; shards.len()];
        Self {
            data,
            topic,
            topic_id,
            shards,
            kept,
        }
    }

    /// Writes what has changed again and again, and a last time when it is `stopped`.
    pub async fn keep(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let last = timeout(INTERVAL, &mut stopped).await.is_ok();
            let Ok(this) = tokio::task::spawn_blocking(move || {
                self.write_changed();
                self
            })
            .await
            else {
                return;
            };
            self = this;
            if last {
                return;
            }
        }
    }

    fn write_changed(&mut self) {
        for ((partition, shard), kept) in (0..).zip(self.shards.iter()).zip(&mut self.kept) {
            let (offset, text) = {
                let known = shard.known();
                let offset = known.fold.next_offset();
                if offset == *kept {
                    continue;
                }
                let snapshot = Snapshot {
                    version: VERSION,
                    topic_id: text_of(self.topic_id),
                    fold: &known.fold,
                };
                (offset, serde_json::to_vec(&snapshot))
            };
            let path = path(&self.data, &self.topic, partition);
            let written = text
                .map_err(io::Error::other)
                .and_then(|text| replace(&path, &text));
            match written {
                Ok(()) => *kept = offset,
                Err(error) => warn!(path = %path.display(), %error, "a snapshot is not written"),
            }
        }
    }
}

fn text_of(topic_id: Option<Uuid>) -> Option<String> {
    topic_id.map(|id| id.to_string())
}

fn path(data: &Path, topic: &str, partition: i32) -> PathBuf {
    data.join(format!("{topic}-{partition}.json"))
}

/// The old file or the new one, never a part.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("json.new");
    let file = fs::File::create(&new)?;
    io::Write::write_all(&mut &file, bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
