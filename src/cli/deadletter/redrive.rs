//! `portcullis deadletter redrive`.

mod gateway;
mod progress;
mod report;
mod rounds;
mod source;
mod targets;

use super::letter::Filter;
use super::{Stop, reading, upstream};
use crate::cli::interrupted::interrupted;
use crate::cli::{Format, exit};
use crate::config;
use crate::deadletter::redrive::CLIENT_ID;
use crate::deadletter::redrive::progress::CHUNK_LENGTH;
use crate::kafka::client::Partition;
use crate::kafka::{Client, ClientError};
use clap::Args;
use progress::Progress;
use report::Report;
use rounds::Rounds;
use source::{Source, Waiting};
use std::path::PathBuf;
use std::time::Duration;
use targets::Targets;
use tokio::time::Instant;

const EXAMPLES: &str = "\
Examples:
  portcullis deadletter redrive --topic orders.dlq --via localhost:9192 --dry-run
  portcullis deadletter redrive --topic orders.dlq --via localhost:9192 --code PC-103 --since 2d
  portcullis deadletter redrive --topic orders.dlq --via gateway:9292 --config redrive.yaml --output json

Each dead letter goes back to the topic and partition that it was sent to, as it was sent, through the gateway, which
validates it again by its policies of now. One that is still bad stays where it is, with its new line printed. What is
redriven is noted in the same transaction: run it again, interrupt it, run it with other filters: no letter goes twice.
--dry-run writes nothing, so it cannot say which would be refused.
Exit codes: 0 also when there is none, 64 command line, 65 some letters stay, 66 no such topic, 69 gateway or brokers not
available, 75 interrupted or overtaken by another redrive, 77 not permitted, 78 configuration.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RedriveArgs {
    /// The dead-letter topic.
    #[arg(long, value_name = "NAME")]
    topic: String,
    /// The gateway that validates them again; all requests go through it.
    #[arg(long, value_name = "HOST:PORT,...", value_parser = config::upstream_text)]
    via: String,
    /// A configuration whose `upstream` has the TLS and SASL to use towards the gateway; its servers are not used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Says what would be redriven, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// How long brokers and gateway may take, retries and all.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(200);

pub async fn redrive(args: RedriveArgs) -> Result<(), Stop> {
    let upstream = upstream(Some(&args.via), args.config.as_deref())?;
    let mut client = Client::introduced_as(CLIENT_ID, &upstream)
        .map_err(|error| Stop::new(exit::CONFIG, error.to_string()))?;
    gateway::is_one(&mut client, &args.via).await?;
    let partitions = reading::partitions(&mut client, &args.topic).await?;
    let rounds = if args.dry_run {
        None
    } else {
        Some(Rounds::begin(&client, &args.topic).await?)
    };
    let mut work = Work {
        args: &args,
        client,
        targets: Targets::new(&args.topic),
        rounds,
        report: Report::new(args.output, args.dry_run),
    };
    let done = tokio::select! {
        done = work.all(&partitions) => done,
        () = interrupted() => Err(Stop::new(exit::TRY_AGAIN, "interrupted; the same command goes on")),
    };
    if let Some(rounds) = work.rounds {
        rounds.end().await;
    }
    work.report.summary();
    done?;
    match work.report.stay() {
        0 => Ok(()),
        stay => Err(Stop::new(
            exit::DATA,
            format!("{stay} dead letters stay in {}", args.topic),
        )),
    }
}

struct Work<'a> {
    args: &'a RedriveArgs,
    client: Client,
    targets: Targets,
    /// None: a dry run.
    rounds: Option<Rounds>,
    report: Report,
}

impl Work<'_> {
    async fn all(&mut self, partitions: &[i32]) -> Result<(), Stop> {
        for index in partitions {
            let partition = Partition {
                topic: &self.args.topic,
                index: *index,
            };
            self.partition(partition).await?;
        }
        Ok(())
    }

    async fn partition(&mut self, partition: Partition<'_>) -> Result<(), Stop> {
        let mut source = Source::open(&mut self.client, partition).await?;
        let mut progress = Progress::new(partition, source.next(), source.end());
        loop {
            let letters = source
                .read(&mut self.client, &self.args.filter, &mut self.report)
                .await?;
            if letters.is_empty() {
                // All chunks of the partition.
                let behind = source.end().saturating_add(CHUNK_LENGTH);
                return self.renew(&mut progress, behind).await;
            }
            let mut open = Vec::new();
            for letter in letters {
                if progress.is_redriven(&mut self.client, letter.offset).await? {
                    self.report.redriven_before();
                } else {
                    open.push(letter);
                }
            }
            self.letters(partition, &mut progress, open).await?;
            self.renew(&mut progress, source.next()).await?;
        }
    }

    /// Commits anew what is redriven of the chunks before that of `offset`.
    async fn renew(&mut self, progress: &mut Progress<'_>, offset: i64) -> Result<(), Stop> {
        let Some(rounds) = &mut self.rounds else {
            progress.forget_before(offset);
            return Ok(());
        };
        let mut more = true;
        while more {
            more = progress
                .look_before(&mut self.client, offset, rounds::CHUNKS_MAX)
                .await?;
            rounds.renew(progress).await?;
        }
        Ok(())
    }

    async fn letters(
        &mut self,
        partition: Partition<'_>,
        progress: &mut Progress<'_>,
        letters: Vec<Waiting>,
    ) -> Result<(), Stop> {
        let mut ready = Vec::new();
        for letter in letters {
            match self.targets.place(&mut self.client, &letter.original).await? {
                Ok(place) => ready.push((letter, place)),
                Err(why) => self.report.stays(partition.index, &letter, &why),
            }
        }
        let Some(rounds) = &mut self.rounds else {
            for (letter, _) in &ready {
                if !self.report.would_redrive(partition.index, letter) {
                    return Err(Stop::new(exit::DATA, "nobody reads what is printed"));
                }
            }
            return Ok(());
        };
        rounds
            .redrive(progress, &mut self.targets, &mut self.report, ready)
            .await
    }
}

/// Asks until there is an answer, or for as long as a step may take.
async fn persistently<T>(mut ask: impl AsyncFnMut() -> Result<T, ClientError>) -> Result<T, ClientError> {
    let until = soon();
    loop {
        match ask().await {
            Err(error) if error.is_retriable() && Instant::now() + RETRY < until => {
                tokio::time::sleep(RETRY).await;
            }
            answered => return answered,
        }
    }
}

fn soon() -> Instant {
    Instant::now() + STEP_TIME_MAX
}
