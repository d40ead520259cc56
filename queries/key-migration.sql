-- title: Key migration
-- question: Per access key: can it be retired, and what replaces it?
-- with: keys, key_candidates
-- params:
--   as_of: timestamp = now; the answer's "now": inventory, logs and ages as they were then; to counts from it
--   days: integer = 90; the window before to over which callers and coverage are counted
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; end of the window; as_of if not given. The last use counts until as_of
--   account: text = null; only this account
--   role: text = null; only keys with this candidate role: ARN, account/name, or name
--   access_key: text = null; only this key
--   threshold_days: integer = 45; a key that has been idle for more days than this is not in use
--   grace_days: integer = 7; a key that was never used and is younger than this is not yet judged
--   soak_days: integer = 14; days that a key stays inactive before it is deleted, and over which callers are watched taking roles
--   max_inventory_days: integer = 7; an inventory older than this proves nothing
-- columns:
--   account_id: account of the key's user
--   user_name: user that the key belongs to; <root_account> for root
--   access_key_id: the key; null where only a credential report tells of it
--   slot: place of the key in the credential report
--   verdict: RETIRE_NOW (delete it: inactive for soak_days, by IAM and by the logs of the time before not in use then);
--     RETIRE_AFTER_SOAK (deactivate it, or leave it inactive, wait, then delete; also where there are no logs from before the
--     deactivation); MIGRATE (in use: move its callers to roles first); BLOCKED (in use from where no role can replace
--     it, as far as is known); UNKNOWN
--   status: Active, Inactive or Expired
--   replacement: role that the callers could take, by what they do already: the first of candidate_roles in the order of how
--     likely it took over from the key (see there), then fit; create where none is seen
--   replacement_kinds: kinds of role that fit the callers; hints, since user agents are the callers' choice
--   candidate_roles: roles that the same callers (same program, same address) use. One counts only if it was used so without any
--     key on two days at least, and made half of the caller's own kinds of call there; a role that only services take is not
--     named for browser, console or aws-cli. Each with its days of the last soak_days and what it is, most likely first: took over
--     (it came later, and the calls with the key stopped), grew as the key fell silent, came beside the key, taken with
--     the key (no proof of doing without), there all along (perhaps another job's at the same address)
--   fit: share of the caller's kinds of call with the key that it was seen making in the replacement, 0 to 1, calls to STS and
--     refused ones apart; 1 for one that only takes this role; an estimate: the role's policies are not read
--   callers: callers of the key in the window: programs at an address, as in key-footprint's caller
--   callers_ready: callers with a role that took over, grew, or came beside the key
--   callers_left: callers that still used the key in the last soak_days, by name
--   callers_moved: callers that no longer did, and use a role instead
--   live_children: sessions that the key opened, and roles that it or they took, that have not expired, with their end
--   live_until: when the last of them ends; deactivating the key does not end them
--   last_used: last use, by IAM or in the logs
--   iam_last_used: last use as IAM knows it
--   iam_last_used_service: service of that use
--   ct_last_used: last record in the logs, those of sessions that it opened included
--   days_idle: whole days since the later of created and last_used
--   deactivated: when it was made inactive, where the logs tell; nothing else does
--   next_step: what to do next
--   next_command: the command for it; what changes something names the account whose credentials it needs
--   undo: how to take that back
--   inventory_time: when the inventory of the account's keys was taken
--   confidence: high, medium or low
--   reason_codes: what the verdict rests on, and what is not known
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids to look up
-- findings: verdict in (RETIRE_NOW, RETIRE_AFTER_SOAK)
-- subject: user_name
-- key: account_id, user_name, slot, access_key_id
-- watch: status, replacement
-- screen: user_name, access_key_id, verdict, next_step, account_id, reasons
-- pitfall: The accident to avoid is deleting a key because its role exists. Here a key in use is never for retiring, whatever role
--   stands ready; nor is one of which only the logs are silent. And what happens after a key was made inactive proves nothing: its
--   calls fail before CloudTrail sees them.

WITH RECURSIVE first_held AS (
    -- The first day of which logs are held, in the window or before it: older uses count as uses too.
    SELECT account_id, min(day) AS first_day
    FROM coverage
    WHERE held AND account_id IS NOT NULL
    GROUP BY account_id
),
facts AS (
    SELECT
        keys.*,
        coalesce(callers.callers, 0) AS callers,
        coalesce(callers.callers_ready, 0) AS callers_ready,
        coalesce(callers.callers_unclassified, 0) AS callers_unclassified,
        coalesce(callers.user_only, false) AS user_only,
        callers.kinds,
        -- Of a key that only takes roles, whether or not the logs show what is done in them.
        coalesce(callers.candidates, CASE WHEN NOT works THEN taken_roles END) AS candidates,
        coalesce(callers.best_role, CASE WHEN NOT works THEN taken_role END) AS best_role,
        coalesce(callers.standing, CASE WHEN NOT works AND taken_role IS NOT NULL THEN 4 END) AS standing,
        callers.best_fit,
        callers.callers_left,
        callers.callers_moved,
        live.live_children,
        live.live_until,
        knowledge_age_days > $max_inventory_days AS inventory_is_old,
        last_used IS NOT NULL AND days_between(last_used, $as_of) <= $threshold_days AS in_use,
        coalesce(first_day < arrow_cast(deactivated, 'Date32'), false) AS logs_before_deactivation
    FROM keys
    LEFT JOIN callers ON keys.access_key_id = callers.access_key_id
    LEFT JOIN taken_lists ON keys.access_key_id = taken_lists.access_key_id
    LEFT JOIN live ON keys.access_key_id = live.access_key_id
    LEFT JOIN first_held ON keys.account_id = first_held.account_id
    WHERE ($account IS NULL OR keys.account_id = $account)
        AND ($access_key IS NULL OR keys.access_key_id = $access_key)
),
-- The first rule that holds decides.
judged AS (
    SELECT
        *,
        CASE
            WHEN NOT has_key OR NOT in_inventory THEN 'UNKNOWN'
            WHEN inventory_is_old THEN 'UNKNOWN'
            WHEN NOT iam_last_used_known AND NOT in_use THEN 'UNKNOWN'
            WHEN status IN ('Inactive', 'Expired')
                AND deactivated IS NOT NULL
                AND iam_last_used_known
                AND days_between(deactivated, $as_of) >= $soak_days
                AND logs_before_deactivation
                AND (last_used IS NULL OR days_between(last_used, deactivated) > $threshold_days) THEN 'RETIRE_NOW'
            WHEN status IN ('Inactive', 'Expired') THEN 'RETIRE_AFTER_SOAK'
            WHEN last_used IS NULL AND (created IS NULL OR age_days < $grace_days) THEN 'UNKNOWN'
            WHEN NOT in_use AND days_idle_vouched <= CASE WHEN last_used IS NULL THEN $grace_days - 1 ELSE $threshold_days END THEN 'UNKNOWN'
            WHEN NOT in_use THEN 'RETIRE_AFTER_SOAK'
            WHEN iam_is_later OR (iam_service_is_data AND NOT data_events_recorded) OR coverage = 0 OR callers = 0 THEN 'UNKNOWN'
            WHEN is_root OR user_only OR callers_unclassified > 0 THEN 'BLOCKED'
            ELSE 'MIGRATE'
        END AS verdict
    FROM facts
),
explained AS (
    SELECT
        *,
        concat_ws(
            ',',
            CASE
                WHEN NOT has_key OR NOT in_inventory THEN NULL
                WHEN verdict = 'RETIRE_NOW' THEN 'INACTIVE_AND_UNUSED_BEFORE'
                WHEN status IN ('Inactive', 'Expired') AND verdict = 'RETIRE_AFTER_SOAK' THEN 'INACTIVE'
                WHEN last_used IS NULL AND iam_last_used_known AND age_days >= $grace_days THEN 'NEVER_USED'
                WHEN last_used IS NULL AND iam_last_used_known THEN 'YOUNG'
                WHEN in_use THEN 'IN_USE'
                WHEN verdict = 'RETIRE_AFTER_SOAK' THEN 'IDLE_TOO_LONG'
            END,
            CASE WHEN is_root THEN 'ROOT_KEY' END,
            CASE WHEN used_while_inactive THEN 'ACTIVE_AGAIN' END,
            CASE
                WHEN status NOT IN ('Inactive', 'Expired') OR verdict <> 'RETIRE_AFTER_SOAK' THEN NULL
                WHEN deactivated IS NULL THEN 'DEACTIVATION_TIME_UNKNOWN'
                WHEN days_between(last_used, deactivated) <= $threshold_days THEN 'USED_BEFORE_DEACTIVATION'
                WHEN NOT logs_before_deactivation THEN 'NO_LOGS_BEFORE_DEACTIVATION'
            END,
            inventory_gap,
            CASE WHEN matched_by = 'ambiguous' THEN 'SLOT_AMBIGUOUS' END,
            CASE WHEN inventory_is_old THEN 'STALE_INVENTORY' END,
            CASE WHEN in_inventory AND NOT iam_last_used_known THEN 'NO_IAM_LAST_USED' END,
            CASE
                WHEN verdict = 'UNKNOWN' AND in_inventory AND iam_last_used_known AND NOT inventory_is_old
                    AND NOT in_use AND age_days >= $grace_days THEN 'ASKED_TOO_EARLY'
            END,
            CASE
                WHEN in_inventory AND in_use AND iam_is_later AND ct_last_used IS NULL THEN 'IAM_ONLY'
                WHEN in_inventory AND in_use AND iam_is_later THEN 'IAM_LATER_THAN_CLOUDTRAIL'
            END,
            CASE WHEN in_inventory AND in_use AND iam_service_is_data AND NOT data_events_recorded THEN 'BLIND_DATA_EVENTS' END,
            CASE WHEN in_inventory AND in_use AND status = 'Active' AND callers = 0 THEN 'NO_CALLER_IN_LOGS' END,
            CASE WHEN verdict = 'BLOCKED' AND user_only THEN 'USER_ONLY_CALL' END,
            CASE WHEN verdict = 'BLOCKED' AND callers_unclassified > 0 THEN 'UNCLASSIFIED_CALLER' END,
            CASE
                WHEN verdict <> 'MIGRATE' THEN NULL
                WHEN array_length(callers_left) > 0 AND callers_ready > 0 THEN 'HALF_MIGRATED'
                WHEN array_length(callers_left) > 0 THEN 'NOT_PROVEN'
                WHEN callers_ready > 0 THEN 'CALLERS_MOVED'
                ELSE 'CALLERS_SILENT'
            END,
            CASE
                WHEN verdict <> 'MIGRATE' THEN NULL
                WHEN best_role IS NULL THEN 'NO_ROLE_SEEN'
                WHEN standing = 4 THEN 'ROLE_TAKEN_WITH_KEY'
                WHEN standing = 5 THEN 'ROLE_THERE_BEFORE'
            END,
            CASE WHEN live_until IS NOT NULL THEN 'LIVE_SESSIONS' END,
            CASE
                WHEN coverage = 0 THEN 'NO_LOGS'
                WHEN coverage < 0.9 THEN 'PARTIAL_LOGS'
            END
        ) AS codes
    FROM judged
),
commands AS (
    SELECT
        *,
        concat_ws(
            ' ',
            CASE WHEN NOT is_root THEN concat('--user-name ', user_name) END,
            concat('--access-key-id ', coalesce(access_key_id, 'KEY'))
        ) AS flags,
        concat(CASE WHEN is_root THEN '  # as root of account ' ELSE '  # in account ' END, account_id) AS in_account
    FROM explained
)
SELECT
    commands.account_id,
    user_name,
    commands.access_key_id,
    slot,
    verdict,
    status,
    CASE WHEN verdict = 'MIGRATE' THEN coalesce(best_role, 'create') END AS replacement,
    kinds AS replacement_kinds,
    candidates AS candidate_roles,
    CASE WHEN verdict = 'MIGRATE' THEN round(best_fit, 2) END AS fit,
    callers,
    callers_ready,
    callers_left,
    callers_moved,
    live_children,
    live_until,
    last_used,
    iam_last_used,
    iam_last_used_service,
    ct_last_used,
    days_idle,
    deactivated,
    CASE
        WHEN verdict = 'RETIRE_NOW' THEN 'delete the key'
        WHEN verdict = 'RETIRE_AFTER_SOAK' AND status IN ('Inactive', 'Expired')
            THEN concat('leave it inactive for ', $soak_days, ' days in all, ask its owner, then delete it')
        WHEN verdict = 'RETIRE_AFTER_SOAK' THEN concat('deactivate the key, wait ', $soak_days, ' days, then delete it')
        WHEN verdict = 'MIGRATE' AND (codes LIKE '%CALLERS_MOVED%' OR codes LIKE '%CALLERS_SILENT%')
            THEN 'nobody has used it lately: keep it until it has been idle for long enough, then deactivate it'
        WHEN codes LIKE '%ROLE_TAKEN_WITH_KEY%' THEN 'give its callers another way into the role, and see them use it'
        WHEN codes LIKE '%ROLE_THERE_BEFORE%' THEN 'ask whether the role is the one for its callers, and see them use it'
        WHEN verdict = 'MIGRATE' AND best_role IS NOT NULL THEN 'move the callers that are left to the role, and see them use it'
        WHEN verdict = 'MIGRATE' THEN 'create a role for its callers, and see them use it'
        WHEN verdict = 'BLOCKED' THEN 'ask its owner what the callers are'
        WHEN codes LIKE '%INVENTORY%' OR codes LIKE '%NO_IAM_LAST_USED%' OR codes LIKE '%KEY_ID_UNKNOWN%' OR codes LIKE '%ASKED_TOO_EARLY%'
            THEN 'take an inventory of the account, with keys and their last use'
        WHEN codes LIKE '%BLIND_DATA_EVENTS%'
            THEN concat('record data events of ', iam_last_used_service, ' for ', $soak_days, ' days')
        WHEN codes LIKE '%NO_LOGS%' OR codes LIKE '%IAM_%' THEN 'find out which logs are missing'
        ELSE 'wait, and ask again'
    END AS next_step,
    CASE
        WHEN verdict = 'RETIRE_NOW' THEN concat('aws iam delete-access-key ', flags, in_account)
        WHEN verdict = 'RETIRE_AFTER_SOAK' AND status IN ('Inactive', 'Expired')
            THEN concat('aws iam delete-access-key ', flags, in_account, ', not before the wait is over')
        WHEN verdict = 'RETIRE_AFTER_SOAK' THEN concat('aws iam update-access-key ', flags, ' --status Inactive', in_account)
        WHEN codes LIKE '%INVENTORY%' OR codes LIKE '%NO_IAM_LAST_USED%' OR codes LIKE '%KEY_ID_UNKNOWN%' OR codes LIKE '%ASKED_TOO_EARLY%'
            THEN 'rolecall inventory'
        WHEN codes LIKE '%NO_LOGS%' OR codes LIKE '%IAM_%' OR codes LIKE '%BLIND_DATA_EVENTS%'
            THEN concat('rolecall report coverage --account ', commands.account_id)
        ELSE concat('rolecall report key-footprint --access-key ', commands.access_key_id)
    END AS next_command,
    CASE
        WHEN verdict = 'RETIRE_NOW' THEN 'none: a deleted key does not come back'
        WHEN verdict = 'RETIRE_AFTER_SOAK' THEN concat(
            'aws iam update-access-key ', flags, ' --status Active', in_account,
            CASE WHEN status IN ('Inactive', 'Expired') THEN ', until it is deleted' ELSE '' END
        )
        ELSE 'nothing to take back: nothing is changed'
    END AS undo,
    snapshot_time AS inventory_time,
    CASE
        WHEN verdict = 'UNKNOWN' THEN 'low'
        WHEN verdict IN ('MIGRATE', 'BLOCKED') THEN 'medium'
        WHEN codes LIKE '%LOGS%' OR codes LIKE '%AMBIGUOUS%' OR codes LIKE '%DEACTIVATION%' OR codes LIKE '%KEY_ID_UNKNOWN%' THEN 'medium'
        ELSE 'high'
    END AS confidence,
    string_to_array(codes, ',') AS reason_codes,
    concat_ws(
        '; ',
        CASE
            WHEN NOT has_key THEN 'no key of this account is known'
            WHEN NOT in_inventory AND last_used IS NOT NULL THEN concat('the logs show a use ', counted(days_between(last_used, $as_of), 'day'), ' ago')
            WHEN verdict = 'RETIRE_NOW'
                THEN concat('inactive for ', days_between(deactivated, $as_of), ' days, and not used in the ', $threshold_days, ' days before that')
            WHEN codes LIKE 'INACTIVE%' THEN 'it is inactive; that no call was seen since proves nothing'
            WHEN codes LIKE 'NEVER_USED%' THEN concat('never used, neither by IAM nor in the logs, in ', counted(age_days, 'day'))
            WHEN codes LIKE 'YOUNG%' THEN concat('never used, but made only ', counted(age_days, 'day'), ' ago')
            WHEN in_use THEN concat(
                'used ', counted(days_between(last_used, $as_of), 'day'), ' ago by ', callers,
                CASE WHEN callers = 1 THEN ' caller' ELSE ' callers' END, ' in the window'
            )
            WHEN last_used IS NOT NULL THEN concat('not used for ', counted(days_between(last_used, $as_of), 'day'))
        END,
        CASE WHEN codes LIKE '%ROOT_KEY%' THEN 'it is a key of root, which no role replaces: stop using it' END,
        CASE WHEN used_while_inactive THEN 'it was inactive, and has signed calls since: it is active again' END,
        CASE WHEN codes LIKE '%USED_BEFORE_DEACTIVATION%' THEN 'it was in use when it was deactivated: somebody may miss it' END,
        CASE WHEN codes LIKE '%NO_LOGS_BEFORE_DEACTIVATION%'
            THEN 'no logs are held from before it was deactivated' END,
        CASE WHEN codes LIKE '%DEACTIVATION_TIME_UNKNOWN%' THEN 'since when it is inactive is not known' END,
        CASE
            WHEN codes LIKE '%INVENTORY_LATER_THAN_AS_OF%' THEN 'the inventory was taken later than as_of'
            WHEN codes LIKE '%NO_INVENTORY%' THEN 'there is no inventory of the keys of this account'
            WHEN codes LIKE '%NOT_IN_INVENTORY%' THEN 'it is in the logs and not in the inventory: deleted, or made since'
            WHEN codes LIKE '%KEY_ID_UNKNOWN%' THEN 'a credential report holds no key ids, so that logs and slots cannot be matched'
        END,
        CASE WHEN inventory_is_old THEN concat('the inventory, or its word on last uses, is ', counted(knowledge_age_days, 'day'), ' old') END,
        CASE WHEN codes LIKE '%NO_IAM_LAST_USED%' THEN 'IAM''s last use was not read, and silence of the logs alone proves nothing' END,
        CASE WHEN codes LIKE '%ASKED_TOO_EARLY%' THEN 'no logs cover the days since IAM was asked about its last use' END,
        CASE WHEN codes LIKE '%IAM_ONLY%' OR codes LIKE '%IAM_LATER_THAN_CLOUDTRAIL%'
            THEN concat('IAM saw a later use (', iam_last_used_service, ') than the logs, so that not all callers are known') END,
        CASE WHEN codes LIKE '%BLIND_DATA_EVENTS%'
            THEN concat(
                CASE WHEN trail_is_known THEN 'the trails record no' ELSE 'no trail is known that records' END,
                ' data events of ', iam_last_used_service, ': who calls it is not in the logs'
            ) END,
        CASE WHEN codes LIKE '%USER_ONLY_CALL%' THEN 'it asks for tokens that roles are not given (GetSessionToken, GetFederationToken)' END,
        CASE WHEN codes LIKE '%UNCLASSIFIED_CALLER%' THEN concat(
            callers_unclassified,
            CASE WHEN callers_unclassified = 1 THEN ' caller is' ELSE ' callers are' END,
            ' of no kind that a role is known to replace'
        ) END,
        CASE
            WHEN codes LIKE '%HALF_MIGRATED%' THEN concat(
                callers_ready, ' of ', callers, CASE WHEN callers = 1 THEN ' caller uses' ELSE ' callers use' END,
                ' a role already, and ', array_length(callers_left),
                ' still used the key in the last ', $soak_days, ' days: ', array_to_string(callers_left, ', ')
            )
            WHEN codes LIKE '%NOT_PROVEN%' THEN concat('none of its callers was seen using a role instead: ', array_to_string(callers_left, ', '))
            WHEN codes LIKE '%CALLERS_MOVED%' THEN concat('no caller used it in the last ', $soak_days, ' days')
            WHEN codes LIKE '%CALLERS_SILENT%'
                THEN concat('no caller used it in the last ', $soak_days, ' days, nor was one seen using a role instead')
        END,
        CASE
            WHEN codes LIKE '%ROLE_TAKEN_WITH_KEY%' THEN 'the role is taken with the key: its callers need another way into it'
            WHEN codes LIKE '%ROLE_THERE_BEFORE%' THEN 'the role was in use from there all along, perhaps by another job: ask'
        END,
        CASE WHEN live_until IS NOT NULL THEN concat('sessions that go back to it live until ', to_char(live_until, '%Y-%m-%dT%H:%M:%SZ'), ', even if it is deactivated') END,
        CASE
            WHEN coverage = 0 THEN 'the window has no logs of this account'
            WHEN coverage < 0.9 THEN concat('the logs cover ', round(coverage * 1000) / 10, ' % of the window')
        END
    ) AS reasons,
    coverage,
    array_distinct(string_to_array(concat_ws(',', first_event_id, last_event_id, unmatched_event_id, change_event_id), ','))
        AS evidence_event_ids
FROM commands
WHERE $role IS NULL OR role_is(arn_account(best_role), arn_name(best_role), $role)
ORDER BY account_id, user_name, slot, access_key_id
