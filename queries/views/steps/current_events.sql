-- title: Credential events, each once, as they stand after corrections
-- comment: A record that was delivered several times keeps its lowest (log_file, record_index); a record
--   that a later one corrects, under another id or its own, is gone. Anonymised logs use one event id, request id
--   and time for many events: deliveries of one event agree in all that they are grouped by, which is what
--   maintenance goes by too. event_date follows from the time, and is there so that filters on it reach the
--   files. position sorts as (log_file, record_index) do, and finds the row again. act_key is the same for the
--   copies of one act in two accounts, which share its request id.

-- Narrow columns are grouped and the rows found again, since a window over the wide rows pays for each event by itself.
WITH placed AS (
    SELECT *, concat(log_file, chr(1), lpad(arrow_cast(record_index, 'Utf8'), 10, '0')) AS position
    FROM credential_events
),
first_deliveries AS (
    SELECT event_date, min(position) AS position
    FROM placed
    GROUP BY
        event_id, recipient_account_id, event_name, event_time, event_source, request_id,
        supersedes_event_id, outcome, caller_arn, caller_principal_id, source_ip,
        role_arn, session_name, issued_access_key_id, event_date
),
corrected AS (
    SELECT DISTINCT supersedes_event_id
    FROM credential_events
    WHERE supersedes_event_id IS NOT NULL
)
SELECT
    placed.*,
    CASE
        WHEN shared_event_id IS NOT NULL THEN concat_ws('/', shared_event_id, request_id)
        ELSE concat_ws(
            '/', event_id, arrow_cast(event_time, 'Int64'), request_id, role_arn, session_name, issued_access_key_id
        )
    END AS act_key
FROM placed
LEFT SEMI JOIN first_deliveries
    ON placed.position = first_deliveries.position AND placed.event_date = first_deliveries.event_date
LEFT ANTI JOIN corrected
    ON placed.event_id = corrected.supersedes_event_id
    AND placed.supersedes_event_id IS DISTINCT FROM corrected.supersedes_event_id
