//! The log: `RUST_LOG` says what, `--log-format` how. It goes to standard error; standard output is for answers.

use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

/// Installs the process's subscriber, at level `info` unless `RUST_LOG` says otherwise; idempotent.
pub fn install(format: LogFormat) {
    let (filter, broken) = match EnvFilter::try_from_default_env() {
        Ok(filter) => (filter, None),
        Err(error) => {
            let said = std::env::var("RUST_LOG").is_ok_and(|text| !text.is_empty());
            (EnvFilter::new("info"), said.then_some(error))
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    let installed = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let (Ok(()), Some(error)) = (installed, broken) {
        tracing::warn!(%error, "RUST_LOG is not a filter; logging at info");
    }
}
