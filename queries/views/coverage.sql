-- title: coverage
-- comment: What the lake holds: one row per account, region and day of delivery. Log files whose name carries no account
--   or time are counted by what their records say
-- columns:
--   account_id: account that the log files are of; null where nothing says
--   aws_region: region that the log files are of
--   day: day of delivery (UTC); for a file whose name carries none, day of its first event
--   files: log files read
--   refused_files: log files that could not be read at all
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
--   expired: whether rows of that day may be gone because they were not to be kept longer (maintain --keep-days): the
--     log files are known, what they held is not
--   held: whether every log file of that day was read to its end and its rows are kept

WITH told AS (
    SELECT
        log_file,
        min(recipient_account_id) AS account_id,
        CASE WHEN count(DISTINCT aws_region) = 1 THEN min(aws_region) END AS aws_region
    FROM activity
    LEFT SEMI JOIN (SELECT log_file FROM log_files WHERE account_id IS NULL) AS unnamed
        ON activity.log_file = unnamed.log_file
    GROUP BY log_file
),
files AS (
    SELECT
        coalesce(log_files.account_id, told.account_id) AS account_id,
        coalesce(log_files.aws_region, told.aws_region) AS aws_region,
        coalesce(delivered_date, arrow_cast(first_event_time, 'Date32')) AS day,
        log_files.* EXCEPT (account_id, aws_region)
    FROM log_files
    LEFT JOIN told ON log_files.log_file = told.log_file
)
SELECT
    account_id,
    aws_region,
    day,
    sum(CASE WHEN status = 'complete' THEN 1 ELSE 0 END) AS files,
    sum(CASE WHEN status = 'refused' THEN 1 ELSE 0 END) AS refused_files,
    sum(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending_files,
    coalesce(sum(records), 0) AS records,
    coalesce(sum(credential_events), 0) AS credential_events,
    coalesce(sum(rejected), 0) AS rejected,
    min(first_event_time) AS first_event_time,
    max(last_event_time) AS last_event_time,
    sum(CASE WHEN delivered_at > first_event_time + INTERVAL '3 hours' THEN 1 ELSE 0 END) AS late_files,
    max(to_unixtime(delivered_at) - to_unixtime(first_event_time)) AS max_delivery_lag_seconds,
    array_sort(array_agg(DISTINCT coalesce(trail_prefix, ''))) AS trail_prefixes,
    count(DISTINCT concat_ws('/', bucket, trail_prefix)) > 1 AS several_trails,
    coalesce(day < (SELECT expired_before FROM retention), false) AS expired,
    count(*) = sum(CASE WHEN status = 'complete' THEN 1 ELSE 0 END)
        AND NOT coalesce(day < (SELECT expired_before FROM retention), false) AS held
FROM files
GROUP BY account_id, aws_region, day
