-- title: Credential events, each once, as they stand after corrections
-- comment: A record that was delivered several times keeps its lowest (log_file, record_index); a record
--   that a later one corrects is gone. event_name and event_date are in the partition only so that
--   filters on them reach the files; copies of one event agree in both.

WITH numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY event_id, recipient_account_id, event_name, event_date
            ORDER BY log_file, record_index
        ) AS delivery
    FROM credential_events
),
corrected AS (
    SELECT DISTINCT supersedes_event_id
    FROM credential_events
    WHERE supersedes_event_id IS NOT NULL AND supersedes_event_id <> event_id
)
SELECT
    numbered.* EXCEPT (delivery),
    coalesce(shared_event_id, event_id) AS act_key
FROM numbered
LEFT ANTI JOIN corrected ON numbered.event_id = corrected.supersedes_event_id
WHERE delivery = 1
