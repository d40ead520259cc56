-- title: The accounts that any log file of the lake is of
-- comment: Also where CloudTrail did not deliver the file itself, so that it vouches for no day: what such a file shows is known all the
--   same.

logged_accounts AS (
    SELECT DISTINCT account_id AS logged_account_id
    FROM coverage
    WHERE account_id IS NOT NULL
)
