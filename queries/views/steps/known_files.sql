-- title: The ledger, each log file as it stands now, and whether CloudTrail delivered it
-- comment: A file that was refused and taken in later counts as taken in. CloudTrail's own name alone shows that it delivered the
--   file, and says of which account, region and day: a dump of chosen events, a filtered download or a renamed copy holds records,
--   but vouches for nothing. The ledger keeps an unpacked copy under the name that it was delivered by. Summaries of data events
--   (aggregated) are CloudTrail's too, and vouch for no single call.

WITH files AS (
    SELECT * FROM log_files WHERE status = 'complete'
    UNION ALL
    SELECT * FROM few_files
)
SELECT
    *,
    account_id IS NOT NULL
        AND aws_region IS NOT NULL
        AND delivered_date IS NOT NULL
        AND log_file ~ '^[0-9]{12}_CloudTrail_[a-z0-9-]+_[0-9]{8}T[0-9]{4}Z_[0-9A-Za-z]+[.]json[.]gz$' AS delivered,
    log_file LIKE '____________\_CloudTrail-Aggregated\_%' AS aggregated
FROM files
