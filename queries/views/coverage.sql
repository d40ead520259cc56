-- title: coverage
-- comment: What the lake holds: one row per account, region and day of delivery. Log files that CloudTrail did not deliver are
--   counted by what their names and records say, and vouch for nothing
-- columns:
--   account_id: account that the log files are of; null where nothing says
--   aws_region: region that the log files are of
--   day: day of delivery (UTC); for a file whose name carries none, day of its first event
--   files: log files read
--   undelivered_files: those of them, and of the refused ones, that do not have the name that CloudTrail gives: dumps of chosen
--     events, filtered downloads, renamed copies. What they do not hold is not known
--   aggregated_files: those that hold five-minute summaries of data events (CloudTrail-Aggregated) instead of records
--   refused_files: log files that were met and could not be read
--   pending_files: log files that were not read to the end
--   records: records in the files, as delivered
--   credential_events: those that hand out or take up credentials
--   rejected: records that were rejected
--   first_event_time: earliest event in the files
--   last_event_time: latest event in the files
--   late_files: log files with an event more than three hours older than the delivery
--   max_delivery_lag_seconds: longest time from a file's earliest event to its delivery; null where the files do not
--     say when they were delivered
--   trail_prefixes: what stands before the account in the files' keys, AWSLogs and the organisation included, one
--     per trail; "" where a file lay in no such folder
--   several_trails: whether more than one trail delivered this account, region and day: counts of records are
--     then of deliveries, not of events
--   refusals: why log files were refused, each reason once, three of them at most
--   expired: whether rows of that day may be gone because they were not to be kept longer (maintain --keep-days): the
--     log files are known, what they held is not
--   delivered: whether CloudTrail delivered a log file of that day; where it did not, nothing vouches for the day
--   held: whether CloudTrail delivered a log file of that day, and all of them were read to the end and their rows are kept; single
--     records may have been rejected

WITH others AS (
    SELECT *
    FROM known_files
    WHERE NOT delivered
),
told AS (
    SELECT
        log_file,
        min(recipient_account_id) AS account_id,
        CASE WHEN count(DISTINCT aws_region) = 1 THEN min(aws_region) END AS aws_region
    FROM activity
    -- Of the ledger itself, whose statistics mostly show that there is none: then nothing is read of activity.
    LEFT SEMI JOIN (SELECT log_file FROM log_files WHERE account_id IS NULL) AS unnamed
        ON activity.log_file = unnamed.log_file
    GROUP BY log_file
),
other_days AS (
    SELECT
        coalesce(others.account_id, told.account_id) AS account_id,
        coalesce(others.aws_region, told.aws_region) AS aws_region,
        coalesce(delivered_date, arrow_cast(first_event_time, 'Date32')) AS day,
        sum(CASE WHEN status = 'complete' THEN 1 ELSE 0 END) AS files,
        sum(CASE WHEN aggregated THEN 0 ELSE 1 END) AS undelivered_files,
        sum(CASE WHEN aggregated THEN 1 ELSE 0 END) AS aggregated_files,
        sum(CASE WHEN status = 'refused' THEN 1 ELSE 0 END) AS refused_files,
        sum(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending_files,
        coalesce(sum(records), 0) AS records,
        coalesce(sum(credential_events), 0) AS credential_events,
        coalesce(sum(rejected), 0) AS rejected,
        min(first_event_time) AS first_event_time,
        max(last_event_time) AS last_event_time,
        array_agg(DISTINCT coalesce(trail_prefix, '')) AS trail_prefixes,
        array_agg(DISTINCT concat_ws('/', bucket, trail_prefix)) AS trails,
        array_agg(DISTINCT refusal) FILTER (WHERE refusal IS NOT NULL) AS refusals,
        coalesce(
            coalesce(delivered_date, arrow_cast(first_event_time, 'Date32')) < (SELECT expired_before FROM retention),
            false
        ) AS expired
    FROM others
    LEFT JOIN told ON others.log_file = told.log_file
    GROUP BY 1, 2, 3
)
SELECT
    coalesce(delivered.account_id, other_days.account_id) AS account_id,
    coalesce(delivered.aws_region, other_days.aws_region) AS aws_region,
    coalesce(delivered.day, other_days.day) AS day,
    coalesce(delivered.files, 0) + coalesce(other_days.files, 0) AS files,
    coalesce(undelivered_files, 0) AS undelivered_files,
    coalesce(aggregated_files, 0) AS aggregated_files,
    coalesce(delivered.refused_files, 0) + coalesce(other_days.refused_files, 0) AS refused_files,
    coalesce(delivered.pending_files, 0) + coalesce(other_days.pending_files, 0) AS pending_files,
    coalesce(delivered.records, 0) + coalesce(other_days.records, 0) AS records,
    coalesce(delivered.credential_events, 0) + coalesce(other_days.credential_events, 0) AS credential_events,
    coalesce(delivered.rejected, 0) + coalesce(other_days.rejected, 0) AS rejected,
    least(delivered.first_event_time, other_days.first_event_time) AS first_event_time,
    greatest(delivered.last_event_time, other_days.last_event_time) AS last_event_time,
    coalesce(late_files, 0) AS late_files,
    max_delivery_lag_seconds,
    array_sort(array_distinct(array_concat(delivered.trail_prefixes, other_days.trail_prefixes))) AS trail_prefixes,
    array_length(array_distinct(array_concat(delivered.trails, other_days.trails))) > 1 AS several_trails,
    array_slice(array_sort(array_distinct(array_concat(delivered.refusals, other_days.refusals))), 1, 3) AS refusals,
    coalesce(delivered.expired, other_days.expired) AS expired,
    delivered.account_id IS NOT NULL AS delivered,
    coalesce(delivered.held, false) AS held
FROM delivered_days AS delivered
FULL JOIN other_days
    ON delivered.account_id = other_days.account_id
    AND delivered.aws_region = other_days.aws_region
    AND delivered.day = other_days.day
