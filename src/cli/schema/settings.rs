//! The configurations and modes of a registry. No resource lists them: each scope that may have one is asked.

use super::transfer::{Config, Mode};
use crate::registry::client::{Client, ClientError};
use crate::registry::state::qualified::GLOBAL_SUBJECT;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Requests under way at the same time.
pub const AT_ONCE: usize = 8;

/// Every scope of these subjects: all contexts together, each context, each subject. `None` is the default context.
pub fn scopes(contexts: &[String], subjects: &BTreeSet<String>) -> Vec<Option<String>> {
    let mut scopes = vec![None, Some(GLOBAL_SUBJECT.to_owned())];
    let named = contexts.iter().filter(|context| context.as_str() != ".");
    scopes.extend(named.map(|context| Some(format!(":{context}:"))));
    scopes.extend(subjects.iter().cloned().map(Some));
    scopes
}

/// What is set in each scope.
pub async fn read(
    client: &Arc<Client>,
    scopes: Vec<Option<String>>,
) -> Result<(Vec<Config>, Vec<Mode>), ClientError> {
    let (mut configs, mut modes) = (Vec::new(), Vec::new());
    for chunk in scopes.chunks(AT_ONCE) {
        let mut asked = JoinSet::new();
        for (position, scope) in chunk.iter().cloned().enumerate() {
            let client = client.clone();
            asked.spawn(async move {
                let config = client.config(scope.as_deref()).await?;
                let mode = client.mode(scope.as_deref()).await?;
                Ok::<_, ClientError>((position, scope, config, mode))
            });
        }
        let mut answers = Vec::with_capacity(chunk.len());
        while let Some(answer) = asked.join_next().await {
            let answer = answer.map_err(|error| ClientError::Setup(error.to_string()))?;
            answers.push(answer?);
        }
        answers.sort_by_key(|(position, ..)| *position);
        for (_, scope, config, mode) in answers {
            if let Some(settings) = config {
                configs.push(Config {
                    scope: scope.clone(),
                    settings,
                });
            }
            modes.extend(mode.map(|mode| Mode { scope, mode }));
        }
    }
    Ok((configs, modes))
}
