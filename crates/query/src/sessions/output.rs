//! The rows of the view.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::Result;

use super::linking::{Owner, Subject};
use super::names::{Name, Names};
use super::rows::{Linked, Row};

/// The kinds of column that the view has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Time,
    Count,
    Flag,
    TextList,
}

impl Kind {
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Count => DataType::Int64,
            Self::Flag => DataType::Boolean,
            Self::TextList => DataType::new_list(DataType::Utf8, true),
        }
    }
}

use Kind::{Count, Flag, Text, TextList, Time};

/// The view's columns: name, kind, comment.
pub(super) const COLUMNS: [(&str, Kind, &str); 53] = [
    ("session_id", Text, "event id of the issue; unissued:… where the issue is not in the lake"),
    ("issued_event_id", Text, "event id of the issue, see assumptions and credential_events"),
    ("issued_event_ids", TextList, "event ids of all records of the issue"),
    (
        "issued_time",
        Time,
        "when the session was issued; unissued: when its records say it was made",
    ),
    ("expires", Time, "when the credentials expire"),
    ("issued_by", Text, "call that issued it, such as AssumeRole"),
    ("method", Text, "how the role was taken, as in assumptions; null for other sessions"),
    (
        "access_key_id",
        Text,
        "access key id that the issue handed out; unissued: the key seen in use",
    ),
    (
        "used_access_key_ids",
        TextList,
        "access key ids seen in use; the console and Identity Center use others than the issue shows",
    ),
    (
        "role",
        Text,
        "the role: its ARN, else account/name; null for sessions of users and of root. Where the issue \
         names no role (GetSigninToken, Cognito), this and the role's other columns are from its use",
    ),
    ("role_arn", Text, "ARN of the role"),
    ("role_account_id", Text, "account that owns the role; for AssumeRoot, the target account"),
    ("role_name", Text, "name of the role, without path"),
    ("role_id", Text, "unique id of the role (AROA…)"),
    ("session_name", Text, "name of the session, as its caller chose it"),
    ("session_arn", Text, "ARN of the role session"),
    ("principal_arn", Text, "ARN that records signed in the session carry"),
    ("caller", Text, "who took it, as in assumptions; null where the issue is not in the lake"),
    ("caller_resolved_by", Text, "how the caller is known, as in assumptions"),
    ("source_identity", Text, "source identity, which no later session in the chain can change"),
    ("parent_session_id", Text, "session that asked for this one"),
    (
        "parent_link",
        Text,
        "how that is known: key, sign_in (the call names the sign-in session), session (principal and creation \
         date; of a masked caller, principal and the one session of it that lived then), long_term_key, or none",
    ),
    ("parent_access_key_id", Text, "access key that signed the issuing call"),
    ("depth", Count, "sessions between the origin and this one; 0: taken by the origin itself"),
    ("origin", Text, "caller at the root of the chain; null where nothing says"),
    (
        "origin_kind",
        Text,
        "iam_user, root, service, saml, web_identity, identity_center, account (masked), \
         role_session (its own issue is not in the lake) or unknown",
    ),
    ("origin_access_key_id", Text, "long-term access key at the root of the chain"),
    ("chain", Text, "origin → role, or other principal, of each session down to this one"),
    (
        "chain_links",
        TextList,
        "parent_link of each session of the chain, from the origin down to this one",
    ),
    (
        "chain_access_key_ids",
        TextList,
        "access keys in the chain: the origin's, then the one that each session was issued",
    ),
    ("root_session_id", Text, "first session of the chain"),
    ("chain_started", Time, "when the first session of the chain was issued"),
    (
        "revisits_role",
        Flag,
        "whether the chain takes the same role twice, which outlives the limits on a session's life",
    ),
    (
        "link_method",
        Text,
        "how use is tied to the issue: key for at least one record, else sign_in (the record names the sign-in \
         session), else session, else forwarded, else none",
    ),
    (
        "unlinked_reason",
        Text,
        "why the issue, or the caller's own session, is not in the lake: before_window, other_account, \
         console, ambiguous, key_reused, not_found, other_partition (a token of another partition of AWS, whose \
         half is not held), made_by_aws (a role of AWS's own, aws:ec2-instance for one), cycle or too_long; null when the chain is whole",
    ),
    ("first_used", Time, "first record signed in the session"),
    ("last_used", Time, "last record signed in the session"),
    ("event_count", Count, "records signed in the session, as delivered"),
    ("error_count", Count, "those with an error"),
    ("uses_by_key", Count, "records tied to the session by its access key"),
    (
        "uses_by_sign_in",
        Count,
        "records that name the session as the sign-in session they were made in",
    ),
    ("uses_by_session", Count, "records tied to it by principal and creation date alone"),
    (
        "uses_of_several",
        Count,
        "those of them that another session of the same caller, name and moment may have signed: which cannot be told",
    ),
    (
        "forwarded_count",
        Count,
        "records that services made on the session's behalf, with keys of their own; not in event_count",
    ),
    ("forwarded_access_key_ids", TextList, "the services' keys"),
    ("services", TextList, "services called"),
    ("source_ips", TextList, "addresses it was used from"),
    ("user_agents", TextList, "user agents it was used with"),
    ("sample_event_id", Text, "event id of its first use"),
    (
        "session_kind",
        Text,
        "the way in: console, cli_login (aws login), agent (another program that was let in by OAuth), federation (SAML, \
         OIDC, Identity Center), workload (a service's role, a certificate, a pod), or key (a call signed with a \
         key, of a session too); null where nothing says",
    ),
    ("sign_in_session_arn", Text, "the sign-in session that it is, where a program was let in"),
    ("oauth_client_id", Text, "the program that was let in"),
    ("oauth_resource", Text, "what it was let in to, such as AWS's MCP server"),
];

/// The view's schema.
pub(super) fn schema() -> SchemaRef {
    let fields = COLUMNS.iter().map(|(name, kind, _)| Field::new(*name, kind.data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows that are made at a time: before they are columns they take several times the memory.
const BATCH_ROWS: usize = 8_192;

/// One row per issue, by time and event id; then the sessions without issue, by first use.
pub(super) fn build(linked: &Linked<'_>) -> Result<Vec<RecordBatch>> {
    let positions: Vec<_> = (0..linked.issues.list.len()).collect();
    let issued = positions
        .chunks(BATCH_ROWS)
        .map(|chunk| batch(&chunk.iter().map(|at| linked.issued_row(*at)).collect::<Vec<_>>()));
    let unissued = linked.unissued();
    let unissued = unissued.chunks(BATCH_ROWS).map(|chunk| {
        let rows = chunk.iter().map(|(id, session)| linked.unissued_row(id, session));
        batch(&rows.collect::<Vec<_>>())
    });
    issued.chain(unissued).collect()
}

/// The table that ties rows of activity to sessions; it is described nowhere, for people have `session_activity`.
pub(super) fn signers_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let time = |name| Field::new(name, Time.data_type(), true);
    Arc::new(Schema::new(vec![
        text("signed_session_id"),
        text("signed_link"),
        text("signed_key_id"),
        text("signed_principal_id"),
        text("signed_account_id"),
        text("signed_role_account_id"),
        text("signed_role_name"),
        text("signed_role_id"),
        text("signed_session_name"),
        time("signed_created"),
        time("signed_hour"),
        Field::new("signed_forwarded", DataType::Boolean, true),
        text("signed_sign_in"),
    ]))
}

/// One row per session and signer.
pub(super) fn build_signers(linked: &Linked<'_>) -> Result<Vec<RecordBatch>> {
    let issued = linked.used.issued.iter();
    let issued = issued
        .map(|(at, used)| (linked.names.text(linked.issues.list[*at].event_id), &used.signers));
    let unissued = linked.unissued();
    let unissued = unissued.iter().map(|(id, session)| (id.as_str(), &session.used.signers));
    let mut batches = Vec::new();
    let mut rows: Vec<(&str, &str, &Subject)> = Vec::new();
    for (id, signers) in issued.chain(unissued) {
        // The view looks at no owner: signers that differ in nothing else are one, or their records would count twice.
        let mut seen = HashSet::new();
        let ownerless = |subject: &Subject| Subject { owner: Owner::Unknown, ..*subject };
        let each = signers.iter().filter(|(subject, _)| seen.insert(ownerless(subject)));
        rows.extend(each.map(|(subject, link)| (id, *link, subject)));
        if rows.len() >= BATCH_ROWS {
            batches.push(signer_batch(&rows, linked.names)?);
            rows.clear();
        }
    }
    batches.push(signer_batch(&rows, linked.names)?);
    Ok(batches)
}

fn signer_batch(rows: &[(&str, &str, &Subject)], names: &Names) -> Result<RecordBatch> {
    let name = |of: fn(&Subject) -> Option<Name>| -> ArrayRef {
        Arc::new(rows.iter().map(|(.., subject)| names.get(of(subject))).collect::<StringArray>())
    };
    let time = |of: fn(&Subject) -> Option<i64>| -> ArrayRef {
        let times = rows.iter().map(|(.., subject)| of(subject));
        Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(id, ..)| Some(*id)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, link, _)| Some(*link)).collect::<StringArray>()),
        name(|subject| subject.key),
        name(|subject| subject.principal_id),
        name(|subject| subject.account),
        name(|subject| subject.role_account),
        name(|subject| subject.role_name),
        name(|subject| subject.role_id),
        name(|subject| subject.session_name),
        time(|subject| subject.created),
        time(|subject| subject.created.is_none().then_some(subject.at)),
        Arc::new(
            rows.iter().map(|(.., subject)| Some(subject.forwarded)).collect::<BooleanArray>(),
        ),
        name(|subject| subject.sign_in),
    ];
    Ok(RecordBatch::try_new(signers_schema(), columns)?)
}

fn batch(rows: &[Row<'_>]) -> Result<RecordBatch> {
    let columns = COLUMNS.iter().map(|(name, kind, _)| column(name, *kind, rows));
    Ok(RecordBatch::try_new(schema(), columns.collect())?)
}

fn column(name: &str, kind: Kind, rows: &[Row<'_>]) -> ArrayRef {
    match kind {
        Text => Arc::new(rows.iter().map(|row| row.text(name)).collect::<StringArray>()),
        Count => Arc::new(rows.iter().map(|row| row.number(name)).collect::<Int64Array>()),
        Flag => {
            let flags = rows.iter().map(|row| row.number(name).map(|flag| flag != 0));
            Arc::new(flags.collect::<BooleanArray>())
        }
        Time => {
            let times = rows.iter().map(|row| row.number(name));
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        TextList => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for row in rows {
                for text in row.list(name) {
                    builder.values().append_value(text);
                }
                builder.append(true);
            }
            Arc::new(builder.finish())
        }
    }
}
