-- title: Stale keys
-- question: Which access keys may go, and which are in use?
-- with: keys
-- params:
--   as_of: timestamp = now; the answer's "now": inventory, logs and ages as they were then; to counts from it
--   days: integer = 90; the window before to over which coverage and calls are counted; it changes no state
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; end of the window; as_of if not given. The last use counts until as_of
--   account: text = null; only this account
--   role: text = null; only keys that took this role: ARN, account/name, or name
--   access_key: text = null; only this key
--   threshold_days: integer = 45; a key that has been idle for more days than this is stale
--   grace_days: integer = 7; a key that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; an inventory older than this proves no idleness
-- columns:
--   account_id: account of the key's user
--   user_name: user that the key belongs to; <root_account> for root
--   slot: place of the key in the credential report, 1 or 2; null where no such report says
--   access_key_id: the key; null where the inventory is a credential report, which holds no ids, and for an account whose keys
--     are not known
--   state: USED; STALE (IAM saw it idle for longer than threshold_days); NEVER_USED; NEVER_USED_YOUNG (younger than grace_days);
--     INACTIVE; UNKNOWN (what is known is not enough, see reasons)
--   status: Active, Inactive or Expired, as the inventory says, or the logs where they are later
--   created: when the key was made; where only the credential report tells, when it was made or last changed
--   age_days: whole days since then
--   last_used: last use, by IAM or in the logs, whichever is later
--   last_used_by: who says so: iam or logs
--   known_until: until when IAM's silence counts: when it was asked about this key, less the four hours that it may lag; uses and
--     changes in the logs count until as_of
--   iam_last_used: last use as IAM knows it; null also for a key that IAM has not seen used since April 2015
--   iam_last_used_service: service of that use
--   iam_last_used_region: region of that use
--   ct_last_used: last record in the logs that was signed with the key or in a session that the key opened
--   days_idle: whole days from its last use, its making or its last activation, whichever is latest, to known_until; of one in use,
--     to as_of; null where IAM was not asked
--   days_over: days above the threshold; null where the key is not stale
--   user_has_console: whether the user has a password too; null where not known
--   used_by: itself, sessions (GetSessionToken, GetFederationToken), or both, in the logs; null where the logs show no use
--   calls: records in the window, as delivered
--   user_arn: ARN of the user
--   created_by: who made the key, where the logs show it
--   inventory_time: when IAM was read of the key's status: of several files the oldest
--   inventory_time_from: api, content, given or file, as in iam_parts
--   next_step: what to do next; null where nothing is to be done
--   confidence: high, medium or low: how sure the state is
--   reason_codes: what the state rests on, and what is not known; report --explain CODE
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   verified: days of these of which digest files say that every log file is as CloudTrail delivered it; null where none were checked
--   silent_regions: regions whose log files stopped coming
--   evidence_event_ids: event ids to look up: first and last use, last change of the key
-- findings: state in (STALE, NEVER_USED)
-- subject: user_arn
-- key: account_id, user_name, slot, access_key_id
-- watch: status, user_has_console
-- screen: account_id, user_name, access_key_id, state, days_idle, last_used, reasons
-- figures: days_since_use, knowledge_age_days, trails_word, blind_service
-- pitfall: A key that was never used is in no log, and one that only reads objects or calls functions is in none either, since
--   those are data events. So silence of the logs alone never makes a key stale: IAM's own last use must be known, and recent.

WITH key_roles AS (
    SELECT DISTINCT caller_access_key_id AS role_key_id
    FROM credential_events
    WHERE $role IS NOT NULL AND caller_access_key_id IS NOT NULL AND role_is(role_account_id, role_name, $role)
),
key_users AS (
    SELECT iam_users.account_id, user_name, min(console_password) AS user_has_console
    FROM iam_users
    JOIN inventory_then
        ON iam_users.snapshot_id = inventory_then.snapshot_id
        AND iam_users.account_id = inventory_then.account_id
        AND inventory_then.part = 'users'
    GROUP BY iam_users.account_id, user_name
)
SELECT
    keys.account_id,
    keys.user_name,
    slot,
    access_key_id,
    standing AS state,
    status,
    created,
    age_days,
    last_used,
    last_used_by,
    known_until,
    iam_last_used,
    iam_last_used_service,
    iam_last_used_region,
    ct_last_used,
    days_idle,
    CASE WHEN standing = 'STALE' THEN days_idle - $threshold_days END AS days_over,
    user_has_console,
    CASE
        WHEN last_used_itself IS NOT NULL AND last_used_by_sessions IS NOT NULL THEN 'both'
        WHEN last_used_itself IS NOT NULL THEN 'itself'
        WHEN last_used_by_sessions IS NOT NULL THEN 'sessions'
    END AS used_by,
    coalesce(calls, 0) AS calls,
    user_arn,
    created_by,
    inventory_time,
    inventory_time_from,
    key_codes AS reason_codes,
    coverage,
    verified,
    silent_regions,
    array_distinct(string_to_array(concat_ws(',', first_event_id, last_event_id, unmatched_event_id, change_event_id), ','))
        AS evidence_event_ids,
    days_since_use,
    knowledge_age_days,
    trails_word,
    blind_service
FROM keys
LEFT JOIN key_users ON keys.account_id = key_users.account_id AND keys.user_name = key_users.user_name
LEFT JOIN key_roles ON access_key_id = role_key_id
WHERE ($account IS NULL OR keys.account_id = $account)
    AND ($role IS NULL OR role_key_id IS NOT NULL)
    AND ($access_key IS NULL OR access_key_id = $access_key)
ORDER BY keys.account_id, keys.user_name, slot, access_key_id
