//! `rolecall worker`: wires queue, buckets and lake together, serves health and metrics, keeps the lake
//! maintained where asked to, and stops in order.
//!
//! The work itself is `rolecall_ingest::worker`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rolecall_ingest::queue::Sqs;
use rolecall_ingest::worker::{WorkerSettings, work};
use rolecall_ingest::{Metrics, S3, S3Options};
use rolecall_lake::{Kind, Lake, LakeError, MaintainOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::clock::Stopwatch;
use crate::exit::{self, Exit, Usage};
use crate::http::Server;
use crate::{args, clock};

/// Together a quarter of a minute.
const OPEN_ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Runs the command, until it is told to stop.
pub(crate) async fn run(context: &Context, args: &args::Worker) -> anyhow::Result<Exit> {
    let settings = &context.settings.worker;
    let queue_url = context.queue_url()?;
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let metrics = Metrics::new();
    // Before anything that takes long, so that whoever watches sees it start.
    let server = match settings.listen {
        Some(address) => Some(Server::listen(address).await?),
        None => None,
    };
    let serving = server.map(|server| {
        tracing::info!(address = %server.address, "listening");
        tokio::spawn(server.serve(metrics.clone(), stop.child_token()))
    });

    let lake = open_lake(context).await?;
    let queue = Sqs::connect(queue_url).await?;
    let objects = S3::connect(&context.s3_options()).await;
    tracing::info!(
        queue = queue_url,
        lake = context.settings.lake,
        version = env!("CARGO_PKG_VERSION"),
        "worker started"
    );
    let maintaining = settings.maintain_every.map(|every| {
        let options = context.maintain_options(None, settings.keep_days);
        tokio::spawn(maintain(lake.clone(), every, options, stop.clone()))
    });
    let worker_settings = worker_settings(context, args.drain);
    let work =
        work(&lake, Arc::new(queue), Arc::new(objects), &worker_settings, &metrics, stop.clone());
    let worked = work.await;
    stop.cancel();
    // Killing maintenance at any instant is safe, and its rest is done next time.
    if let Some(task) = maintaining {
        task.abort();
    }
    if let Some(task) = serving {
        task.await?.context("serve health and metrics")?;
    }
    worked?;
    tracing::info!("worker stopped");
    Ok(Exit::Done)
}

/// A moment's fault is no reason to end and be started again; a lake that cannot be opened is.
async fn open_lake(context: &Context) -> anyhow::Result<Lake> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..OPEN_ATTEMPTS {
        match context.create_or_open_lake().await {
            Ok(lake) => return Ok(lake),
            Err(error) => {
                let kind = error.downcast_ref::<LakeError>().map(LakeError::kind);
                if kind != Some(Kind::Retry) {
                    return Err(error);
                }
                tracing::warn!(error = exit::message(&error), "the lake cannot be opened yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    context.create_or_open_lake().await
}

fn worker_settings(context: &Context, drain: bool) -> WorkerSettings {
    let settings = &context.settings.worker;
    let ingest = context.ingest_settings();
    let watch = Stopwatch::start();
    WorkerSettings {
        readers: ingest.readers,
        fetches: ingest.fetches,
        limits: ingest.limits,
        batch_bytes: ingest.batch_bytes,
        batch_age: settings.batch_age,
        max_messages: settings.max_messages,
        visibility_timeout: settings.visibility_timeout,
        drain,
        ..WorkerSettings::new(Arc::new(clock::now_micros), Arc::new(move || watch.elapsed()))
    }
}

/// ECS sends SIGTERM and kills 30 seconds later; a person at a terminal sends SIGINT.
fn stop_on_signals(stop: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut received = signal(kind).context("watch for signals")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            if received.recv().await.is_some() {
                tracing::info!("asked to stop: committing what was read, releasing the rest");
                stop.cancel();
            }
            // A second one is from somebody who will not wait. What is held comes back by itself.
            if received.recv().await.is_some() {
                tracing::warn!("asked to stop again: leaving at once");
                std::process::exit(i32::from(Exit::Failed.code()));
            }
        });
    }
    Ok(())
}

/// Maintains the lake on a timer. Its failure is no reason to stop the worker.
async fn maintain(lake: Lake, every: Duration, options: MaintainOptions, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let watch = Stopwatch::start();
        let options = MaintainOptions { now: clock::now_micros(), ..options.clone() };
        match lake.maintain(options).await {
            Ok(report) => {
                let compacted: u64 =
                    report.tables.values().map(|table| table.partitions_compacted).sum();
                let seconds = watch.elapsed().as_secs_f64();
                tracing::info!(partitions_compacted = compacted, seconds, "lake maintained");
            }
            Err(error) => tracing::error!(%error, "maintenance failed; it is tried again later"),
        }
    }
}

impl Context {
    /// The queue's URL, where it must be given.
    pub(crate) fn queue_url(&self) -> anyhow::Result<&str> {
        self.settings.worker.queue_url.as_deref().ok_or_else(|| {
            Usage::new(
                "which queue? Give its URL by --queue-url, ROLECALL_QUEUE_URL or worker.queue_url in \
                 rolecall.toml",
            )
            .into()
        })
    }

    /// As whom buckets are read.
    pub(crate) fn s3_options(&self) -> S3Options {
        let source = &self.settings.source;
        S3Options { role_arn: source.role_arn.clone(), external_id: source.external_id.clone() }
    }
}
