-- title: The log files of which nothing, or not all, was taken in, as the ledger has them now
-- comment: A file that was refused and taken in later counts as taken in. There are few of them, so that they are kept apart from the
--   others: every reader of the ledger would look through all of it twice more.

SELECT few.*
FROM (SELECT * FROM log_files WHERE status <> 'complete') AS few
LEFT ANTI JOIN (SELECT log_file FROM log_files WHERE status = 'complete') AS complete ON few.log_file = complete.log_file
