//! The steps of one commit.

use std::sync::Arc;

use crate::error::{Kind, LakeError, Result};
use crate::files::{EncodedFile, NewFile, encode};
use crate::log::{Draft, LogEntry, NamedFile};
use crate::rows::{FileStatus, TableRows};
use crate::schema::Table;
use crate::state::data_index;
use crate::step::Action;
use crate::store::{Attempt, TableStore};

use super::work::{Verdict, Work};
use super::{FileOutcome, Writer};

/// Each lost attempt means that another writer got something done, so this is only met where
/// something else is wrong.
const MAX_ATTEMPTS: usize = 1_000;

/// How often an attempt that failed for another reason than being late is repeated; the store
/// below repeats single requests by itself.
const MAX_FAILURES: usize = 3;

/// Parquet files that are written but not committed.
pub(super) struct Staged {
    /// For each file of the batch, whether its rows are in them.
    wanted: Vec<bool>,
    files: Vec<NewFile>,
}

impl Writer {
    /// Decides for each file what is to be done, from all that was read.
    pub(super) async fn judge(&mut self, work: &mut Work) -> Result<()> {
        let mut order: Vec<usize> = (0..work.files.len()).collect();
        // By partition, so that each is loaded at most once, and some together.
        order.sort_by_key(|&index| work.files[index].file.meta.delivered_date);
        let mut days: Vec<Option<i32>> =
            order.iter().map(|&index| work.files[index].file.meta.delivered_date).collect();
        days.dedup();
        for index in order {
            let file = &work.files[index];
            let (date, key, content) = (file.file.meta.delivered_date, file.key, file.file.content);
            if matches!(file.verdict, Verdict::Done(_)) {
                continue;
            }
            let ahead = &days[days.partition_point(|day| *day < date)..];
            let known = self.state.ledger.state(date, key, ahead).await?;
            let open_differs =
                self.state.data.iter().any(|log| {
                    log.open.get(&key).is_some_and(|open| open.content.differs(content))
                });
            let file = &mut work.files[index];
            let refused = matches!(file.verdict, Verdict::Refuse);
            file.verdict = match known {
                _ if open_differs && !refused => Verdict::Done(FileOutcome::Replaced),
                Some(known) if known.status == FileStatus::Complete => {
                    let replaced = known.content.differs(content);
                    Verdict::Done(if replaced { FileOutcome::Replaced } else { FileOutcome::Known })
                }
                Some(known) if known.status == FileStatus::Pending && !refused => {
                    if known.content.differs(content) {
                        Verdict::Done(FileOutcome::Replaced)
                    } else {
                        Verdict::Write { held_by: known.held_by }
                    }
                }
                Some(_) if refused => Verdict::Done(FileOutcome::KnownRefused),
                Some(_) | None => file.verdict,
            };
        }
        Ok(())
    }

    /// For each file of the batch, whether `table` is to get its rows now.
    fn wanted(&self, work: &mut Work, table: Table) -> Vec<bool> {
        let open = &self.state.data[data_index(table)].open;
        let mut wanted = Vec::with_capacity(work.files.len());
        for file in &mut work.files {
            let Verdict::Write { held_by } = file.verdict else {
                wanted.push(false);
                continue;
            };
            let held = open.get(&file.key);
            // Of two writers with other contents for one name, the first table tells who is first;
            // the other one leaves the file alone in all tables.
            if held.is_some_and(|held| held.content.differs(file.file.content)) {
                file.verdict = Verdict::Done(FileOutcome::Replaced);
            }
            wanted.push(held.is_none() && !held_by.contains(table));
        }
        wanted
    }

    /// Writes the Parquet files of all data tables side by side.
    pub(super) async fn stage_all(&self, work: &mut Work) -> Result<[Option<Staged>; 3]> {
        let mut stage = |table: Table| {
            let open = &self.state.data[data_index(table)].open;
            let wanted: Vec<bool> = work
                .files
                .iter()
                .map(|file| match file.verdict {
                    Verdict::Write { held_by } => {
                        !held_by.contains(table) && !open.contains_key(&file.key)
                    }
                    _ => false,
                })
                .collect();
            let encoded = work.take_encoded(table, &wanted);
            let rows = work.rows(table);
            async move {
                if wanted.contains(&true) {
                    self.stage(rows, encoded, wanted).await.map(Some)
                } else {
                    Ok(None)
                }
            }
        };
        let [first, second, third] = Table::DATA.map(&mut stage);
        let (first, second, third) = tokio::join!(first, second, third);
        match (first, second, third) {
            (Ok(first), Ok(second), Ok(third)) => Ok([first, second, third]),
            (first, second, third) => {
                let mut staged = [None, None, None];
                let mut failure = None;
                for (slot, result) in staged.iter_mut().zip([first, second, third]) {
                    match result {
                        Ok(done) => *slot = done,
                        Err(error) => failure = Some(error),
                    }
                }
                self.discard(staged).await;
                Err(failure.unwrap_or_else(|| LakeError::bug("write a batch", "no reason")))
            }
        }
    }

    /// Deletes files that were never put to a log, as far as that works.
    pub(super) async fn discard(&self, staged: [Option<Staged>; 3]) {
        for (table, staged) in Table::DATA.into_iter().zip(staged) {
            if let Some(staged) = staged {
                self.store(table).discard_files(&staged.files).await;
            }
        }
    }

    async fn stage(
        &self,
        rows: Arc<TableRows>,
        encoded: Option<Vec<EncodedFile>>,
        wanted: Vec<bool>,
    ) -> Result<Staged> {
        let table = rows.table;
        let store = &self.state.data[data_index(table)].cursor.store;
        self.hook.before(Action::Write, table);
        let (encoded, wanted) = match encoded {
            Some(encoded) => (encoded, wanted),
            None => blocking(table, move || Ok((encode(&rows.only(&wanted)?)?, wanted))).await?,
        };
        let files = store.put_files(encoded).await?;
        self.hook.after(Action::Write, table);
        Ok(Staged { wanted, files })
    }

    /// Makes a data table hold all files of the batch that it does not hold.
    pub(super) async fn commit_table(
        &mut self,
        work: &mut Work,
        table: Table,
        mut staged: Option<Staged>,
    ) -> Result<()> {
        let mut failures = 0;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(version) = self.state.read_on_data(table, &work.batch_id).await? {
                self.note(work, table, version, staged.as_ref());
                return Ok(());
            }
            let wanted = self.wanted(work, table);
            if let Some(stale) = staged.take_if(|staged| staged.wanted != wanted) {
                // Not committed, and never will be: the version it was put at, if any, is taken.
                self.store(table).discard_files(&stale.files).await;
            }
            if !wanted.contains(&true) {
                return Ok(());
            }
            let current = match staged.take() {
                Some(current) => current,
                None => self.stage(work.rows(table), None, wanted).await?,
            };
            let current = staged.insert(current);
            let files = files_of(work, current);
            match self.put(work, table, &files, current).await {
                Attempt::Committed => {
                    let entry = data_entry(work, files);
                    let version = self.state.committed_data(table, entry);
                    self.note(work, table, version, staged.as_ref());
                    self.hook.after(Action::Commit, table);
                    self.checkpoint(table, version).await;
                    return Ok(());
                }
                Attempt::VersionTaken => {}
                Attempt::Unknown(error) => {
                    failures += 1;
                    if let Err(error) = self.after_failure(work, table, failures, error).await {
                        // A full disk cannot have the commit after all; room is needed now.
                        if error.kind() == Kind::Full {
                            self.store(table).discard_files(&current.files).await;
                        }
                        return Err(error);
                    }
                }
            }
        }
        Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
    }

    async fn put(
        &self,
        work: &Work,
        table: Table,
        files: &[NamedFile],
        staged: &Staged,
    ) -> Attempt {
        let cursor = &self.state.data[data_index(table)].cursor;
        let draft = Draft {
            table,
            batch: &work.batch_id,
            files,
            adds: &staged.files,
            marks: &[],
            now_millis: work.now_millis,
        };
        self.hook.before(Action::Commit, table);
        cursor.store.write_commit(cursor.version + 1, draft.to_bytes()).await
    }

    /// After a failed attempt: fails too, unless the attempt may be repeated or was durable after
    /// all, which reading on will show.
    async fn after_failure(
        &self,
        work: &Work,
        table: Table,
        failures: usize,
        error: LakeError,
    ) -> Result<()> {
        tracing::warn!(%table, batch = work.batch_id, %error, "outcome of a commit is unknown");
        if failures < MAX_FAILURES && error.kind() != Kind::Full {
            return Ok(());
        }
        let mut cursor = match table {
            Table::LogFiles => self.state.ledger.cursor.clone(),
            data => self.state.data[data_index(data)].cursor.clone(),
        };
        while let Some(entry) = cursor.next().await? {
            if entry.batch.as_deref() == Some(work.batch_id.as_str()) {
                return Ok(());
            }
        }
        Err(error)
    }

    /// Writes all files of the batch to the ledger that it does not have, and moves the marks.
    pub(super) async fn commit_ledger(&mut self, work: &mut Work) -> Result<()> {
        let mut staged: Option<(Vec<NamedFile>, Vec<NewFile>)> = None;
        let mut failures = 0;
        let table = Table::LogFiles;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(version) = self.state.read_on_ledger(&work.batch_id).await? {
                self.note_ledger(work, version, staged.as_ref());
                return Ok(());
            }
            self.judge(work).await?;
            let files = work.ledger_files();
            if let Some((_, stale)) = staged.take_if(|(named, _)| *named != files) {
                self.store(table).discard_files(&stale).await;
            }
            if files.is_empty() {
                return Ok(());
            }
            let (files, adds) = match staged.take() {
                Some(current) => current,
                None => (files, self.stage_ledger(work).await?),
            };
            self.state.settle().await?;
            let marks = self.marks_with(work);
            let draft = Draft {
                table,
                batch: &work.batch_id,
                files: &files,
                adds: &adds,
                marks: &marks,
                now_millis: work.now_millis,
            };
            let cursor = &self.state.ledger.cursor;
            self.hook.before(Action::Commit, table);
            let attempt = cursor.store.write_commit(cursor.version + 1, draft.to_bytes()).await;
            let entry = LogEntry {
                batch: Some(work.batch_id.clone()),
                files: files.clone(),
                timestamp_millis: work.now_millis,
                marks: marks.to_vec(),
                adds: true,
                ..LogEntry::default()
            };
            let current = staged.insert((files, adds));
            match attempt {
                Attempt::Committed => {
                    let version = self.state.committed_ledger(&entry);
                    self.note_ledger(work, version, Some(current));
                    self.hook.after(Action::Commit, table);
                    self.forget(work);
                    self.checkpoint(table, version).await;
                    return Ok(());
                }
                Attempt::VersionTaken => {}
                Attempt::Unknown(error) => {
                    failures += 1;
                    self.after_failure(work, table, failures, error).await?;
                }
            }
        }
        Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
    }

    async fn stage_ledger(&self, work: &Work) -> Result<Vec<NewFile>> {
        let table = Table::LogFiles;
        let rows = work.ledger_rows(self.options.parser_version)?;
        self.hook.before(Action::Write, table);
        let encoded = blocking(table, move || encode(&rows)).await?;
        let files = self.store(table).put_files(encoded).await?;
        self.hook.after(Action::Write, table);
        Ok(files)
    }

    /// The marks that hold once the batch's files are in the ledger.
    fn marks_with(&self, work: &Work) -> [(Table, u64); 3] {
        let completing: std::collections::HashSet<_> = work
            .files
            .iter()
            .filter(|file| matches!(file.verdict, Verdict::Write { .. }))
            .map(|file| file.key)
            .collect();
        self.state.marks_after(|_, key| completing.contains(key))
    }

    /// The batch's files are complete, so nothing has to be remembered of them.
    fn forget(&mut self, work: &Work) {
        for file in &work.files {
            if matches!(file.verdict, Verdict::Done(FileOutcome::Committed)) {
                for log in &mut self.state.data {
                    log.open.remove(&file.key);
                }
            }
        }
    }

    fn note(&self, work: &mut Work, table: Table, version: u64, staged: Option<&Staged>) {
        let files = staged.map_or(&[][..], |staged| &staged.files);
        note_files(work, table, version, files);
    }

    fn note_ledger(
        &self,
        work: &mut Work,
        version: u64,
        staged: Option<&(Vec<NamedFile>, Vec<NewFile>)>,
    ) {
        let files = staged.map_or(&[][..], |(_, files)| files);
        note_files(work, Table::LogFiles, version, files);
        work.ledger_committed();
    }

    fn store(&self, table: Table) -> &TableStore {
        match table {
            Table::LogFiles => &self.state.ledger.cursor.store,
            data => &self.state.data[data_index(data)].cursor.store,
        }
    }

    /// Writes a checkpoint every so many versions. The commit is durable by now, so a failure only
    /// makes opening slower.
    async fn checkpoint(&self, table: Table, version: u64) {
        if !version.is_multiple_of(self.options.checkpoint_interval.max(1)) {
            return;
        }
        self.hook.before(Action::Checkpoint, table);
        match self.store(table).checkpoint().await {
            Ok(()) => self.hook.after(Action::Checkpoint, table),
            Err(error) => tracing::warn!(%table, version, %error, "left out a checkpoint"),
        }
    }
}

/// Encodes where that may take its time.
async fn blocking<T: Send + 'static>(
    table: Table,
    encode: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let encoded = tokio::task::spawn_blocking(encode).await;
    encoded.map_err(|error| LakeError::bug(format!("encode rows of {table}"), error))?
}

fn note_files(work: &mut Work, table: Table, version: u64, files: &[NewFile]) {
    work.report.batch_id.clone_from(&work.batch_id);
    work.report.versions.insert(table, version);
    let rows = files.iter().map(|file| file.rows).sum();
    work.report.rows.insert(table, rows);
    work.report.bytes_written += files.iter().map(|file| file.size).sum::<u64>();
}

fn files_of(work: &Work, staged: &Staged) -> Vec<NamedFile> {
    work.files
        .iter()
        .zip(&staged.wanted)
        .filter(|(_, wanted)| **wanted)
        .map(|(file, _)| file.named(FileStatus::Complete))
        .collect()
}

fn data_entry(work: &Work, files: Vec<NamedFile>) -> LogEntry {
    LogEntry {
        batch: Some(work.batch_id.clone()),
        files,
        timestamp_millis: work.now_millis,
        adds: true,
        ..LogEntry::default()
    }
}
