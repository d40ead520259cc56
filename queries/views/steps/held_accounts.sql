-- title: Accounts whose trails are in the lake, and since when
-- comment: Tells "issued before the logs begin" from "issued in an account that is not here".

SELECT recipient_account_id, min(first_time) AS held_since
FROM activity
WHERE recipient_account_id IS NOT NULL
GROUP BY recipient_account_id
