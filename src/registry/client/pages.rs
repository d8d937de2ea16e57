//! All versions that a registry holds, page by page.

use super::{Client, ClientError, Page, SchemaVersion};
use std::collections::HashSet;

/// Versions asked for at once.
const PAGE: usize = 200;

/// Goes through `/schemas` once. What a page does not hold any more is not kept, only which versions were seen.
pub struct Pages<'a> {
    client: &'a Client,
    prefix: &'a str,
    offset: usize,
    limit: usize,
    seen: HashSet<(String, u32)>,
}

impl<'a> Pages<'a> {
    /// Of the subjects whose names begin with `prefix` (`:*:`: of all contexts), soft-deleted versions too.
    #[must_use]
    pub fn new(client: &'a Client, prefix: &'a str) -> Self {
        Self {
            client,
            prefix,
            offset: 0,
            limit: PAGE,
            seen: HashSet::new(),
        }
    }

    /// The next versions; none when there are no more.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`] when the registry was changed in between so that a version came twice.
    pub async fn next(&mut self) -> Result<Vec<SchemaVersion>, ClientError> {
        loop {
            let page = Page {
                offset: self.offset,
                limit: self.limit,
            };
            let found = match self.client.schemas(self.prefix, true, page).await {
                // A few schemas of megabytes fill an answer.
                Err(ClientError::TooLarge { .. }) if self.limit > 1 => {
                    self.limit = self.limit.div_ceil(4);
                    continue;
                }
                other => other?,
            };
            self.offset += found.len();
            for version in &found {
                if !self.seen.insert((version.subject.clone(), version.version)) {
                    return Err(ClientError::Unreadable {
                        url: self.client.name().to_owned(),
                        why: format!(
                            "{} version {} came twice: somebody changes the registry meanwhile, try again",
                            version.subject, version.version
                        ),
                    });
                }
            }
            return Ok(found);
        }
    }
}
