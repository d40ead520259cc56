-- title: What CloudTrail delivered: one row per account, region and day
-- comment: Apart from the view coverage, which tells of other files too and reads activity for them: reports ask this one for
--   every account and day.

SELECT
    account_id,
    aws_region,
    delivered_date AS day,
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
    array_agg(DISTINCT coalesce(trail_prefix, '')) AS trail_prefixes,
    array_agg(DISTINCT concat_ws('/', bucket, trail_prefix)) AS trails,
    array_agg(DISTINCT refusal) FILTER (WHERE refusal IS NOT NULL) AS refusals,
    coalesce(delivered_date < (SELECT expired_before FROM retention), false) AS expired,
    count(*) = sum(CASE WHEN status = 'complete' THEN 1 ELSE 0 END)
        AND NOT coalesce(delivered_date < (SELECT expired_before FROM retention), false) AS held
FROM known_files
WHERE delivered
GROUP BY account_id, aws_region, delivered_date
