-- title: Credential events, each once, as they stand after corrections
-- comment: A record that was delivered several times keeps its lowest (log_file, record_index); a record
--   that a later one corrects, under another id or its own, is gone. Anonymised logs use one event id, request id
--   and time for many events: deliveries of one event agree in all that the partition names, which is what
--   maintenance goes by too. event_date follows from the time, and is there so that filters on it reach the
--   files. act_key is the same for the copies of one act in two accounts, which share its request id.

WITH numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY
                event_id, recipient_account_id, event_name, event_time, event_source, request_id,
                supersedes_event_id, outcome, caller_arn, caller_principal_id, source_ip,
                role_arn, session_name, issued_access_key_id, event_date
            ORDER BY log_file, record_index
        ) AS delivery
    FROM credential_events
),
corrected AS (
    SELECT DISTINCT supersedes_event_id
    FROM credential_events
    WHERE supersedes_event_id IS NOT NULL
)
SELECT
    numbered.* EXCEPT (delivery),
    CASE
        WHEN shared_event_id IS NOT NULL THEN concat_ws('/', shared_event_id, request_id)
        ELSE concat_ws(
            '/', event_id, arrow_cast(event_time, 'Int64'), request_id, role_arn, session_name, issued_access_key_id
        )
    END AS act_key
FROM numbered
LEFT ANTI JOIN corrected
    ON numbered.event_id = corrected.supersedes_event_id
    AND numbered.supersedes_event_id IS DISTINCT FROM corrected.supersedes_event_id
WHERE delivery = 1
