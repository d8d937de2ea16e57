//! Waiting for a signal, in commands that have something to put in order before they end.

use tokio::signal::unix::{SignalKind, signal};

/// Until SIGINT or SIGTERM. From the first poll on these end nothing by themselves.
pub async fn interrupted() {
    let signals = signal(SignalKind::interrupt()).and_then(|interrupt| {
        let terminate = signal(SignalKind::terminate())?;
        Ok((interrupt, terminate))
    });
    match signals {
        Ok((mut interrupt, mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Then a signal ends the process as ever.
        Err(_) => std::future::pending().await,
    }
}
