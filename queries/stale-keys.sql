-- title: Stale keys
-- question: Which access keys may go, and which are in use?
-- with: keys
-- params:
--   as_of: timestamp = now; the answer's "now": inventory, logs and ages as they were then; to counts from it
--   days: integer = 90; the window before to over which coverage and calls are counted; older uses count as uses too
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; end of the window; as_of if not given. The last use counts until as_of
--   account: text = null; only this account
--   role: text = null; only keys that took this role: ARN, account/name, or name
--   threshold_days: integer = 45; a key that has been idle for more days than this is stale
--   grace_days: integer = 7; a key that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; an inventory older than this proves no idleness
-- columns:
--   account_id: account of the key's user
--   user_name: user that the key belongs to; <root_account> for root
--   slot: place of the key in the credential report, 1 or 2; null where no such report says
--   access_key_id: the key; null where the inventory is a credential report, which holds no ids, and for an account whose keys
--     are not known
--   state: USED; STALE (idle for longer than threshold_days); NEVER_USED; NEVER_USED_YOUNG (younger than grace_days); INACTIVE;
--     UNKNOWN (what is known is not enough, see reasons)
--   status: Active, Inactive or Expired, as the inventory says, or the logs where they are later
--   created: when the key was made; where only the credential report tells, when it was made or last changed
--   age_days: whole days since then
--   last_used: last use, by IAM or in the logs, whichever is later
--   iam_last_used: last use as IAM knows it; null also for a key that IAM has not seen used since April 2015
--   iam_last_used_service: service of that use
--   iam_last_used_region: region of that use
--   ct_last_used: last record in the logs that was signed with the key or in a session that the key opened
--   days_idle: whole days since the later of created and last_used
--   days_over: days above the threshold; null where the key is not stale
--   user_has_console: whether the user has a password too; null where not known
--   used_by: itself, sessions (GetSessionToken, GetFederationToken), or both, in the logs; null where the logs show no use
--   calls: records in the window, as delivered
--   user_arn: ARN of the user
--   created_by: who made the key, where the logs show it
--   inventory_time: when the inventory of the account's keys was taken
--   confidence: high, medium or low
--   reason_codes: what the state rests on, and what is not known
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids to look up: first and last use, last change of the key
-- findings: state in (STALE, NEVER_USED)
-- subject: user_arn
-- key: account_id, user_name, slot, access_key_id
-- watch: status, user_has_console
-- screen: account_id, user_name, access_key_id, state, days_idle, last_used, reasons
-- pitfall: A key that was never used is in no log, and one that only reads objects or calls functions is in none either, since
--   those are data events. So silence of the logs alone never makes a key stale: IAM's own last use must be known, and recent.

WITH key_roles AS (
    SELECT DISTINCT caller_access_key_id AS access_key_id
    FROM credential_events
    WHERE $role IS NOT NULL AND caller_access_key_id IS NOT NULL AND role_is(role_account_id, role_name, $role)
),
key_users AS (
    SELECT iam_users.account_id, user_name, min(console_password) AS console_password
    FROM iam_users
    JOIN inventory_then
        ON iam_users.snapshot_id = inventory_then.snapshot_id
        AND iam_users.account_id = inventory_then.account_id
        AND inventory_then.part = 'users'
    GROUP BY iam_users.account_id, user_name
),
judged AS (
    SELECT
        keys.*,
        key_users.console_password AS user_has_console,
        snapshot_time IS NOT NULL AND knowledge_age_days > $max_inventory_days AS inventory_is_old,
        CASE
            WHEN NOT has_key THEN 'UNKNOWN'
            WHEN NOT in_inventory AND status = 'Inactive' THEN 'INACTIVE'
            WHEN last_used IS NOT NULL
                AND days_idle <= $threshold_days
                AND coalesce(status, 'Active') NOT IN ('Inactive', 'Expired') THEN 'USED'
            WHEN NOT in_inventory THEN 'UNKNOWN'
            WHEN inventory_age_days > $max_inventory_days THEN 'UNKNOWN'
            WHEN status IN ('Inactive', 'Expired') THEN 'INACTIVE'
            WHEN NOT iam_last_used_known OR knowledge_age_days > $max_inventory_days THEN 'UNKNOWN'
            WHEN last_used IS NOT NULL AND days_idle_vouched <= $threshold_days THEN 'UNKNOWN'
            WHEN last_used IS NOT NULL THEN 'STALE'
            WHEN created IS NULL THEN 'UNKNOWN'
            WHEN age_days < $grace_days THEN 'NEVER_USED_YOUNG'
            WHEN days_idle_vouched < $grace_days THEN 'UNKNOWN'
            ELSE 'NEVER_USED'
        END AS state
    FROM keys
    LEFT JOIN key_users ON keys.account_id = key_users.account_id AND keys.user_name = key_users.user_name
    WHERE ($account IS NULL OR keys.account_id = $account)
),
explained AS (
    SELECT
        *,
        concat_ws(
            ',',
            CASE state
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'STALE' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED' THEN 'NEVER_USED'
                WHEN 'NEVER_USED_YOUNG' THEN 'YOUNG'
                WHEN 'INACTIVE' THEN 'INACTIVE'
            END,
            CASE WHEN is_root THEN 'ROOT_KEY' END,
            CASE WHEN used_while_inactive THEN 'ACTIVE_AGAIN' END,
            inventory_gap,
            CASE WHEN matched_by = 'ambiguous' THEN 'SLOT_AMBIGUOUS' END,
            CASE WHEN inventory_is_old THEN 'STALE_INVENTORY' END,
            CASE WHEN in_inventory AND NOT iam_last_used_known THEN 'NO_IAM_LAST_USED' END,
            CASE
                WHEN state = 'UNKNOWN' AND in_inventory AND iam_last_used_known AND NOT inventory_is_old
                    AND days_idle_vouched <= $threshold_days THEN 'ASKED_TOO_EARLY'
            END,
            CASE WHEN used_by_unknown_key THEN 'USED_BY_UNKNOWN_KEY' END,
            CASE
                WHEN iam_is_later AND ct_last_used IS NULL AND coverage > 0 THEN 'IAM_ONLY'
                WHEN iam_is_later AND coverage > 0 THEN 'IAM_LATER_THAN_CLOUDTRAIL'
                WHEN cloudtrail_is_later THEN 'CLOUDTRAIL_LATER_THAN_IAM'
            END,
            CASE
                WHEN data_events_recorded THEN NULL
                WHEN iam_is_later AND iam_service_is_data THEN 'BLIND_DATA_EVENTS'
                WHEN in_inventory AND NOT iam_last_used_known AND ct_last_used IS NULL THEN 'BLIND_DATA_EVENTS'
            END,
            CASE
                WHEN coverage = 0 THEN 'NO_LOGS'
                WHEN coverage < 0.9 THEN 'PARTIAL_LOGS'
            END
        ) AS codes
    FROM judged
)
SELECT
    account_id,
    user_name,
    slot,
    access_key_id,
    state,
    status,
    created,
    age_days,
    last_used,
    iam_last_used,
    iam_last_used_service,
    iam_last_used_region,
    ct_last_used,
    days_idle,
    CASE WHEN state = 'STALE' THEN days_idle - $threshold_days END AS days_over,
    user_has_console,
    CASE
        WHEN last_used_itself IS NOT NULL AND last_used_by_sessions IS NOT NULL THEN 'both'
        WHEN last_used_itself IS NOT NULL THEN 'itself'
        WHEN last_used_by_sessions IS NOT NULL THEN 'sessions'
    END AS used_by,
    coalesce(calls, 0) AS calls,
    user_arn,
    created_by,
    snapshot_time AS inventory_time,
    CASE
        WHEN state = 'UNKNOWN' THEN 'low'
        WHEN state = 'USED' AND ct_last_used IS NOT NULL THEN 'high'
        WHEN codes LIKE '%BLIND%' OR codes LIKE '%NO_LOGS%' OR codes LIKE '%PARTIAL_LOGS%' OR codes LIKE '%LATER%'
            OR codes LIKE '%AMBIGUOUS%' OR codes LIKE '%NO_IAM%' OR codes LIKE '%IAM_ONLY%' OR codes LIKE '%INVENTORY%'
            OR codes LIKE '%KEY_ID_UNKNOWN%'
            THEN 'medium'
        ELSE 'high'
    END AS confidence,
    string_to_array(codes, ',') AS reason_codes,
    concat_ws(
        '; ',
        CASE state
            WHEN 'USED' THEN concat('last used ', counted(days_idle, 'day'), ' ago')
            WHEN 'STALE' THEN concat('not used for ', counted(days_idle, 'day'), ', ', days_idle - $threshold_days, ' above the threshold')
            WHEN 'NEVER_USED' THEN concat('never used, neither by IAM nor in the logs, in the ', counted(age_days, 'day'), ' since it was made')
            WHEN 'NEVER_USED_YOUNG' THEN concat('never used, but made only ', counted(age_days, 'day'), ' ago')
            WHEN 'INACTIVE' THEN concat('it is ', lower(status), ' and opens nothing; delete it once nobody misses it')
            ELSE CASE WHEN has_key THEN 'what is known does not say whether it may go' ELSE 'no key of this account is known' END
        END,
        CASE WHEN codes LIKE '%ROOT_KEY%' THEN 'it is a key of root, which should have none' END,
        CASE WHEN used_while_inactive THEN 'it was inactive, and has signed calls since: it is active again' END,
        CASE
            WHEN codes LIKE '%INVENTORY_LATER_THAN_AS_OF%' THEN 'the inventory was taken later than as_of'
            WHEN codes LIKE '%NO_INVENTORY%' THEN 'there is no inventory of the keys of this account: run rolecall inventory'
            WHEN codes LIKE '%NOT_IN_INVENTORY%' THEN 'it is in the logs and not in the inventory: deleted, or made since'
            WHEN codes LIKE '%KEY_ID_UNKNOWN%'
                THEN 'a credential report holds no key ids, so that logs and slots cannot be matched: give list-access-keys'
        END,
        CASE WHEN codes LIKE '%SLOT_AMBIGUOUS%' THEN 'both keys were made at once: which slot is which is not known' END,
        CASE WHEN inventory_is_old THEN concat('the inventory, or its word on last uses, is ', counted(knowledge_age_days, 'day'), ' old') END,
        CASE WHEN codes LIKE '%NO_IAM_LAST_USED%' THEN 'IAM''s last use was not read, and silence of the logs alone proves nothing' END,
        CASE WHEN codes LIKE '%ASKED_TOO_EARLY%' THEN 'no logs cover the days since IAM was asked about its last use' END,
        CASE WHEN used_by_unknown_key THEN 'a key of this user whose slot is not known was used later than IAM says of any' END,
        CASE
            WHEN codes LIKE '%IAM_ONLY%' THEN concat('IAM saw it used (', iam_last_used_service, ') where the logs show nothing')
            WHEN codes LIKE '%IAM_LATER_THAN_CLOUDTRAIL%'
                THEN concat('IAM saw a later use (', iam_last_used_service, ') than the logs')
            WHEN codes LIKE '%CLOUDTRAIL_LATER_THAN_IAM%' THEN 'the logs show a later use than IAM'
        END,
        CASE WHEN codes LIKE '%BLIND_DATA_EVENTS%'
            THEN concat(
                CASE WHEN trail_is_known THEN 'the trails record no' ELSE 'no trail is known that records' END,
                ' data events of ', CASE WHEN iam_service_is_data THEN iam_last_used_service ELSE 's3' END,
                ': such use is not in the logs'
            ) END,
        CASE
            WHEN coverage = 0 THEN 'the window has no logs of this account'
            WHEN coverage < 0.9 THEN concat('the logs cover ', round(coverage * 1000) / 10, ' % of the window')
        END
    ) AS reasons,
    coverage,
    array_distinct(string_to_array(concat_ws(',', first_event_id, last_event_id, unmatched_event_id, change_event_id), ','))
        AS evidence_event_ids
FROM explained
LEFT JOIN (SELECT access_key_id AS role_key_id FROM key_roles) AS takers ON access_key_id = role_key_id
WHERE $role IS NULL OR role_key_id IS NOT NULL
ORDER BY account_id, user_name, slot, access_key_id
