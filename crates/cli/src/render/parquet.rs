//! A Parquet file: every type as it is, times in UTC. The same rows make the same bytes.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{Heading, Options, Sink, Summary};
use crate::exit::Usage;

pub(super) struct Parquet<W: Write + Send> {
    /// Taken when the file is closed.
    writer: Option<ArrowWriter<W>>,
}

impl<W: Write + Send> Parquet<W> {
    /// Refuses a terminal: what would be printed acts on it and can be read by nobody.
    pub(super) fn new(
        options: &Options,
        heading: &Heading,
        schema: &SchemaRef,
        out: W,
    ) -> anyhow::Result<Self> {
        if options.screen.terminal {
            let message =
                "--format parquet is not for a terminal: redirect standard output to a file";
            return Err(Usage::new(message).into());
        }
        let facts =
            heading.facts.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_key_value_metadata(Some(facts.collect()))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties))
            .context("failed to write the rows as Parquet")?;
        Ok(Self { writer: Some(writer) })
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.write(batch).context("failed to write the rows as Parquet")?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &Summary, _: &[String]) -> anyhow::Result<()> {
        if let Some(mut writer) = self.writer.take() {
            writer.finish().context("failed to write the rows as Parquet")?;
        }
        Ok(())
    }
}
