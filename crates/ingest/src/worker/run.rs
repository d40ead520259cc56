//! The worker's loop: one task that holds all state, and waits for whatever happens next.
//!
//! Everything that takes time (receives, fetches, commits, calls to the queue) runs beside it, so that no
//! message's visibility is forgotten over another's commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rolecall_lake::{Lake, Writer, WriterOptions};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::WorkerSettings;
use super::acks::Acks;
use super::breaker::{Breaker, Probe};
use super::commit::{self, Committer, Slot};
use super::desk::Desk;
use super::events::{Event, Reporter};
use crate::disposition::{self, Refuser};
use crate::objects::{Object, Objects};
use crate::pipeline::{Members, Pipeline, Stages, Trouble, Watch};
use crate::queue::{Message, Queue, QueueError};
use crate::source::{Candidate, Place};
use crate::{IngestError, Metrics};

/// Days of the ledger that are loaded at the start: the longest that a queue keeps a message.
const LEDGER_DAYS: i64 = 14;
const DAY_MICROS: i64 = 86_400 * 1_000_000;
/// How often the loop looks at the clock, at least.
const SLOWEST_TICK: Duration = Duration::from_secs(1);
const FASTEST_TICK: Duration = Duration::from_millis(10);
/// Events that are taken in before anything else is done.
const EVENTS_AT_ONCE: usize = 512;

type Receiving = BoxFuture<'static, Result<Vec<Message>, QueueError>>;

/// The worker at work.
pub(super) struct Running {
    pub(super) settings: WorkerSettings,
    pub(super) metrics: Metrics,
    pub(super) queue: Arc<dyn Queue>,
    objects: Arc<dyn Objects>,
    lake: Lake,
    writer: Slot,
    pub(super) desk: Desk,
    pub(super) acks: Acks,
    pub(super) breaker: Breaker,
    /// Files that wait to be handed to the stages.
    pub(super) backlog: VecDeque<Candidate>,
    pub(super) feed: Option<mpsc::Sender<Candidate>>,
    pipeline: Pipeline,
    /// The committer and the probes.
    tasks: JoinSet<Result<(), IngestError>>,
    events: mpsc::UnboundedReceiver<Event>,
    reporter: Reporter,
    flush: Arc<Notify>,
    pub(super) flushing: bool,
    pub(super) receive: Option<Receiving>,
    pub(super) receive_after: Duration,
    pub(super) receive_failures: u32,
    pub(super) has_received: bool,
    pub(super) empty_receives: u32,
    /// How many there were when the queue was last asked whether it is empty.
    pub(super) asked_after: u32,
    /// When it was told to stop.
    pub(super) stopping: Option<Duration>,
    /// A failure that only a person can mend.
    pub(super) fatal: Option<IngestError>,
}

/// What the loop waited for.
enum Next {
    Stop,
    Events(Vec<Event>),
    Received(Result<Vec<Message>, QueueError>),
    Fed,
    Told(super::acks::Told),
    StagesEnded(Result<(), IngestError>),
    TaskEnded(Result<(), IngestError>),
    Tick,
}

impl Running {
    pub(super) async fn start(
        lake: &Lake,
        queue: Arc<dyn Queue>,
        objects: Arc<dyn Objects>,
        settings: &WorkerSettings,
        metrics: &Metrics,
    ) -> Result<Self, IngestError> {
        let options = writer_options(settings, (settings.now)());
        let writer = Arc::new(Mutex::new(Some(first_writer(lake, &options, settings).await?)));
        let (sender, events) = mpsc::unbounded_channel();
        let reporter = Reporter { events: sender, metrics: metrics.clone() };
        let watch: Arc<dyn Watch> = Arc::new(reporter.clone());
        let (feed, candidates) = mpsc::channel(2 * settings.fetches.max(1));
        let stages = Stages {
            readers: settings.readers,
            fetches: settings.fetches,
            batch_bytes: settings.batch_bytes,
            batch_rows: settings.batch_rows,
            limits: settings.limits,
            now: Arc::clone(&settings.now),
            trouble: Trouble::EndsTheFile,
        };
        let members = Members::Shared(Arc::clone(&writer));
        let from = Some(Arc::clone(&objects));
        let mut pipeline = Pipeline::start(&stages, members, from, &watch, candidates);
        let flush = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let committer = Committer {
            lake: lake.clone(),
            options: WriterOptions { preload: None, ..options },
            writer: Arc::clone(&writer),
            open: Arc::clone(&pipeline.open),
            full: pipeline.take_full(),
            flush: Arc::clone(&flush),
            reporter: reporter.clone(),
            now: Arc::clone(&settings.now),
            elapsed: Arc::clone(&settings.elapsed),
        };
        tasks.spawn(committer.run());
        metrics.receiving(true);
        Ok(Self {
            acks: Acks::new(Arc::clone(&queue), metrics.clone()),
            breaker: Breaker::new(settings.breaker_base, settings.breaker_cap),
            desk: Desk::new(settings.visibility_timeout),
            settings: settings.clone(),
            metrics: metrics.clone(),
            queue,
            objects,
            lake: lake.clone(),
            writer,
            backlog: VecDeque::new(),
            feed: Some(feed),
            pipeline,
            tasks,
            events,
            reporter,
            flush,
            flushing: false,
            receive: None,
            receive_after: Duration::ZERO,
            receive_failures: 0,
            has_received: false,
            empty_receives: 0,
            asked_after: 0,
            stopping: None,
            fatal: None,
        })
    }

    pub(super) async fn until(&mut self, stop: &CancellationToken) -> Result<(), IngestError> {
        let mut tick = tokio::time::interval(self.tick());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let now = self.now();
            if let Some(error) = self.fatal.take() {
                self.give_up(now).await;
                return Err(error);
            }
            if self.has_stopped(now) || self.is_drained().await {
                return self.finish().await;
            }
            self.start_receive(now);
            self.flush_if_due(now);
            self.acks.start(now);
            let next = self.next(stop, &mut tick).await;
            if let Err(error) = self.take_in(next) {
                self.fatal = Some(error);
            }
        }
    }

    fn take_in(&mut self, next: Next) -> Result<(), IngestError> {
        let now = self.now();
        match next {
            Next::Stop => self.begin_stop(now),
            Next::Events(events) => events.into_iter().for_each(|event| self.event(event, now)),
            Next::Received(result) => self.received(result, now)?,
            Next::Fed => {}
            Next::Told(told) => {
                for failed in self.acks.ended(told, now) {
                    self.desk.not_extended(failed.message, failed.again, now);
                }
            }
            Next::StagesEnded(result) => {
                result?;
                if self.stopping.is_none() {
                    return Err(IngestError::stopped("the stages ended"));
                }
            }
            Next::TaskEnded(result) => result?,
            Next::Tick => self.ticked(now),
        }
        self.metrics.in_flight(self.desk.messages());
        Ok(())
    }

    async fn next(&mut self, stop: &CancellationToken, tick: &mut tokio::time::Interval) -> Next {
        let mut events = Vec::new();
        let stages_run = !self.pipeline.has_ended();
        tokio::select! {
            () = stop.cancelled(), if self.stopping.is_none() => Next::Stop,
            _ = self.events.recv_many(&mut events, EVENTS_AT_ONCE) => Next::Events(events),
            result = or_never(&mut self.receive) => Next::Received(result),
            () = feed_one(&self.feed, &mut self.backlog, &mut self.desk) => Next::Fed,
            told = self.acks.next() => Next::Told(told),
            result = self.pipeline.join(), if stages_run => Next::StagesEnded(result),
            Some(ended) = self.tasks.join_next() => {
                Next::TaskEnded(ended.unwrap_or_else(|error| Err(IngestError::stopped(error))))
            }
            _ = tick.tick() => Next::Tick,
        }
    }

    fn ticked(&mut self, now: Duration) {
        for extension in self.desk.due(now) {
            self.acks.extend(extension);
        }
        self.metrics.batch_age(self.desk.oldest_wait(now).unwrap_or_default());
        self.metrics.breaker(self.breaker.why());
        if self.stopping.is_some() {
            return;
        }
        let Some(probe) = self.breaker.probe(now) else { return };
        let reporter = self.reporter.clone();
        match probe {
            Probe::Lake => {
                let (lake, slot) = (self.lake.clone(), Arc::clone(&self.writer));
                let options = WriterOptions { preload: None, ..writer_options(&self.settings, 0) };
                self.tasks.spawn(async move {
                    let answer = commit::probe(&lake, options, &slot).await;
                    reporter.send(Event::Probed(Refuser::Lake, answer.map_err(Into::into)));
                    Ok(())
                });
            }
            Probe::Object(object) => {
                let objects = Arc::clone(&self.objects);
                let cap = u64::try_from(self.settings.limits.max_inflated_bytes);
                let cap = cap.unwrap_or(u64::MAX);
                self.tasks.spawn(async move {
                    let answer = ask(objects.as_ref(), &object, cap).await;
                    reporter.send(Event::Probed(Refuser::Source, answer));
                    Ok(())
                });
            }
        }
    }

    /// Asks for a commit on age or number, and when nothing more can come: a batch that waits for messages
    /// which may not be taken waits for ever.
    pub(super) fn flush_if_due(&mut self, now: Duration) {
        let waiting = self.desk.waiting();
        if waiting == 0 || self.flushing {
            return;
        }
        let old = self.desk.oldest_wait(now).is_some_and(|age| age >= self.settings.batch_age);
        let many = waiting >= (self.settings.max_messages / 2).max(1);
        let at_rest = self.desk.in_progress() == 0;
        let nothing_more = at_rest && (self.may_receive() == 0 || self.is_idle_drain());
        if old || many || nothing_more || self.must_flush_to_stop(now) {
            self.flush_now();
        }
    }

    pub(super) fn flush_now(&mut self) {
        self.flushing = true;
        self.flush.notify_one();
    }

    fn is_idle_drain(&self) -> bool {
        self.settings.drain && self.empty_receives > 0
    }

    pub(super) fn now(&self) -> Duration {
        (self.settings.elapsed)()
    }

    /// Often enough for the shortest of the times that matter.
    fn tick(&self) -> Duration {
        let settings = &self.settings;
        let shortest = settings.visibility_timeout.min(settings.breaker_base);
        let shortest = shortest.min(settings.batch_age).min(settings.stop_within);
        (shortest / 20).clamp(FASTEST_TICK, SLOWEST_TICK)
    }
}

/// Opens the lake, and tries again for as long as that may help.
async fn first_writer(
    lake: &Lake,
    options: &WriterOptions,
    settings: &WorkerSettings,
) -> Result<Writer, IngestError> {
    let mut attempt = 0_u32;
    loop {
        let error = match lake.writer(options.clone()).await {
            Ok(writer) => return Ok(writer),
            Err(error) => IngestError::from(error),
        };
        if disposition::judge(&error, 1).fatal {
            return Err(error);
        }
        attempt = attempt.saturating_add(1);
        let pause = super::pause::growing(settings.retry_base, settings.breaker_cap, attempt);
        let pause_seconds = pause.as_secs_f64();
        tracing::warn!(%error, pause_seconds, "cannot open the lake; it is tried again");
        tokio::time::sleep(pause).await;
    }
}

fn writer_options(settings: &WorkerSettings, now: i64) -> WriterOptions {
    let today = now.div_euclid(DAY_MICROS);
    let day = |offset: i64| i32::try_from(today + offset).unwrap_or(0);
    WriterOptions {
        preload: Some(day(-LEDGER_DAYS)..=day(1)),
        max_ledger_files: settings.max_ledger_files,
        ..WriterOptions::default()
    }
}

/// Whether the object's place answers: also with an error, if it is about the object.
async fn ask(objects: &dyn Objects, object: &Object, cap: u64) -> Result<(), IngestError> {
    match objects.get(object, cap).await {
        Err(error) if disposition::judge(&error, 1).refuser.is_some() => Err(error),
        _ => Ok(()),
    }
}

async fn or_never<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Hands the next file to the stages, when they have room for it.
async fn feed_one(
    feed: &Option<mpsc::Sender<Candidate>>,
    backlog: &mut VecDeque<Candidate>,
    desk: &mut Desk,
) {
    let (Some(feed), false) = (feed, backlog.is_empty()) else {
        return std::future::pending().await;
    };
    let Ok(room) = feed.reserve().await else { return std::future::pending().await };
    while let Some(candidate) = backlog.pop_front() {
        debug_assert!(matches!(candidate.place, Place::Object(_)), "messages name objects");
        // A message that was released meanwhile is somebody else's.
        if desk.started(candidate.ticket) {
            room.send(candidate);
            return;
        }
    }
}
