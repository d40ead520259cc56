-- title: Which accounts and days the ledger's log files are of
-- comment: One row per account, and one for the files whose name and place tell of none. The ledger is read once for all that ask.

ledger_places AS MATERIALIZED (
    SELECT account_id, min(delivered_date) AS first_date
    FROM log_files
    GROUP BY account_id
)
