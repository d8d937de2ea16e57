//! What is read from files and read again while it is used: when a file changes, and when the operator says so.

use crate::telemetry::metrics;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A part of the registry that comes from files.
pub trait Reload: Send + Sync {
    /// For log lines: "the TLS certificate".
    fn what(&self) -> &'static str;

    fn files(&self) -> Vec<PathBuf>;

    /// Reads the files and uses them from now on. May block.
    ///
    /// # Errors
    /// Why what was read before stays.
    fn reload(&self) -> Result<(), String>;
}

/// Everything that is reloaded; ends watching when it is dropped.
pub struct Reloads {
    parts: Vec<Arc<dyn Reload>>,
    watching: Vec<JoinHandle<()>>,
}

impl Reloads {
    /// Watches the files of all parts.
    #[must_use]
    pub fn start(parts: Vec<Arc<dyn Reload>>) -> Self {
        let watching = parts
            .iter()
            .map(|part| tokio::spawn(watch(part.clone(), LOOK)))
            .collect();
        Self { parts, watching }
    }

    /// Reads all files again, changed or not; false when a part stays as it was before.
    pub async fn now(&self) -> bool {
        if self.parts.is_empty() {
            metrics::config_reload("failure").increment(1);
            tracing::warn!(
                "the registry has nothing to reload: no certificate, key or users' file is configured"
            );
            return false;
        }
        let mut all = true;
        for part in &self.parts {
            all &= reload(part).await;
        }
        all
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        self.watching.iter().for_each(JoinHandle::abort);
    }
}

/// A changed file counts when it looks the same twice: certificate and key are seldom replaced in one step.
async fn watch(part: Arc<dyn Reload>, look: Duration) {
    let files = part.files();
    let mut used = stamps(&files).await;
    let mut seen = used.clone();
    loop {
        tokio::time::sleep(look).await;
        let now = stamps(&files).await;
        if now == seen && now != used {
            reload(&part).await;
            used.clone_from(&now);
        }
        seen = now;
    }
}

async fn reload(part: &Arc<dyn Reload>) -> bool {
    let reading = part.clone();
    let read = tokio::task::spawn_blocking(move || reading.reload()).await;
    match read.unwrap_or_else(|_| Err("reading it failed".to_owned())) {
        Ok(()) => {
            metrics::config_reload("success").increment(1);
            tracing::info!("the registry uses {} anew", part.what());
            true
        }
        Err(why) => {
            metrics::config_reload("failure").increment(1);
            tracing::warn!(%why, "the registry keeps {} as it was", part.what());
            false
        }
    }
}

/// Changes whenever a file does, also when a link to it is set anew; nothing for a file that is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

async fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let files = files.to_vec();
    let looking = tokio::task::spawn_blocking(move || files.iter().map(|file| stamp(file)).collect());
    looking.await.unwrap_or_default()
}

fn stamp(file: &Path) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    Some((
        meta.dev(),
        meta.ino(),
        meta.size(),
        meta.mtime(),
        meta.mtime_nsec(),
    ))
}
