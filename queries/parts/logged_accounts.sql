-- title: The accounts that any log file of the lake is of
-- comment: Also where CloudTrail did not deliver the file itself, so that it vouches for no day: what such a file shows is known all the
--   same.
-- with: ledger_places

logged_accounts AS (
    SELECT account_id AS logged_account_id
    FROM ledger_places
    WHERE account_id IS NOT NULL
    UNION
    -- A file whose name and place tell of no account is of those that its records are.
    SELECT recipient_account_id
    FROM activity
    -- Asked of the ledger itself, whose statistics mostly show that there is none: then nothing is read of activity.
    LEFT SEMI JOIN (SELECT log_file FROM log_files WHERE account_id IS NULL) AS unnamed ON activity.log_file = unnamed.log_file
    WHERE recipient_account_id IS NOT NULL
)
