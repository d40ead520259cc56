-- title: The days of each account of which logs are held, as lists
-- comment: Days are numbers since the epoch. days_held: all that was delivered on the day is held. iam_days_held: held in the region
--   where IAM's changes are logged, so that a change on that day would have been seen. iam_held_now: what was delivered from there on
--   the day of as_of is held, with the last minutes of the day before. Of the account's trails every look and every logged change
--   counts: on a day on which one of them may have left out what IAM changes, the day is held only by a file that lies where another
--   delivers. An account of which no trail is known has what it has.
-- with: held, iam_regions

-- What each trail was known to write of IAM's changes, and from when; between a change and the next look nobody knows.
trail_words AS (
    SELECT
        trail_arn,
        CASE WHEN NOT coalesce(organization, false) THEN arn_account(trail_arn) END AS only_account_id,
        concat_ws('/', bucket, trail_prefix) AS place,
        snapshot_time AS said_at,
        coalesce(logging, true)
            AND (coalesce(multi_region, true) OR iam_region IS NOT NULL)
            AND NOT coalesce(array_has_any(not_recorded, make_array(
                'management events', 'write events', 'management events of iam.amazonaws.com', 'global services (IAM, STS)'
            )), false)
            AND NOT coalesce(array_to_string(not_recorded, chr(10)) LIKE '%what a filter on %', false) AS writes
    FROM trails
    LEFT JOIN iam_regions ON split_part(trail_arn, ':', 4) = iam_region
    WHERE snapshot_time <= $as_of
),
trail_changes AS (
    SELECT trail_words.trail_arn, min(only_account_id) AS only_account_id, min(place) AS place, event_time AS said_at, false AS writes
    FROM iam_changes
    JOIN trail_words
        ON target_arn = trail_words.trail_arn
        OR (recipient_account_id = arn_account(trail_words.trail_arn)
            AND target_name IN (trail_words.trail_arn, split_part(trail_words.trail_arn, '/', 2)))
    WHERE target_type = 'trail'
        AND outcome = 'success'
        AND event_name IN ('UpdateTrail', 'DeleteTrail', 'StopLogging', 'PutEventSelectors')
        AND event_time < $as_of
    GROUP BY trail_words.trail_arn, event_time
),
trail_spans AS (
    SELECT
        trail_arn,
        only_account_id,
        place,
        writes AND coalesce(next_writes OR next_is_change, true) AS writes,
        CASE WHEN is_first THEN 0 ELSE arrow_cast(said_at, 'Int64') / 86400000000 END AS from_day,
        coalesce(arrow_cast(next_at, 'Int64') / 86400000000, arrow_cast($as_of, 'Int64') / 86400000000) AS to_day
    FROM (
        SELECT
            *,
            row_number() OVER by_time = 1 AS is_first,
            lead(said_at) OVER by_time AS next_at,
            lead(writes) OVER by_time AS next_writes,
            lead(is_change) OVER by_time AS next_is_change
        FROM (
            SELECT *, false AS is_change FROM trail_words
            UNION ALL
            SELECT *, true AS is_change FROM trail_changes
        ) AS words
        WINDOW by_time AS (PARTITION BY trail_arn ORDER BY said_at, is_change)
    ) AS spans
),
iam_days AS MATERIALIZED (
    SELECT
        account_id,
        arrow_cast(arrow_cast(day, 'Int32'), 'Int64') AS day_number,
        bool_and(held) AS held,
        coalesce(bool_and(held) FILTER (WHERE iam_region IS NOT NULL), false) AS iam_held,
        concat(chr(10), array_to_string(flatten(array_agg(trails) FILTER (WHERE iam_region IS NOT NULL)), chr(10))) AS places
    FROM held_days
    LEFT JOIN iam_regions ON aws_region = iam_region
    GROUP BY account_id, day
),
-- Null where no trail is known.
iam_shown AS (
    SELECT
        account_id,
        day_number,
        bool_and(writes) OR bool_or(writes AND strpos(places, concat(chr(10), place)) > 0) AS shown
    FROM (
        SELECT account_id, day_number, trail_arn, min(places) AS places, min(place) AS place, bool_and(writes) AS writes
        FROM iam_days
        JOIN trail_spans
            ON (only_account_id IS NULL OR only_account_id = account_id) AND day_number BETWEEN from_day AND to_day
        WHERE iam_held
        GROUP BY account_id, day_number, trail_arn
    ) AS by_trail
    GROUP BY account_id, day_number
),
account_days AS (
    SELECT
        iam_days.account_id,
        array_agg(iam_days.day_number) FILTER (WHERE held) AS days_held,
        array_agg(iam_days.day_number) FILTER (WHERE iam_held AND coalesce(shown, true)) AS iam_days_held,
        bool_or(is_open) AS iam_held_now
    FROM iam_days
    LEFT JOIN (
        SELECT account_id AS open_account_id, bool_and(held) AS is_open
        FROM delivered_days
        JOIN iam_regions ON aws_region = iam_region
        WHERE day = arrow_cast($as_of, 'Date32')
        GROUP BY account_id
    ) AS open ON iam_days.account_id = open_account_id
    LEFT JOIN iam_shown ON iam_days.account_id = iam_shown.account_id AND iam_days.day_number = iam_shown.day_number
    GROUP BY iam_days.account_id
)
