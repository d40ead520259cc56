-- title: Key migration
-- question: Per access key: can it be retired, and what replaces it?
-- with: keys, account_days, key_candidates
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
--   tz: text = UTC; zone in which nights and weekends are counted; --tz, where that is given
--   max_inventory_days: integer = 7; an inventory older than this proves nothing
-- columns:
--   account_id: account of the key's user
--   user_name: user that the key belongs to; <root_account> for root
--   access_key_id: the key; null where only a credential report tells of it
--   slot: place of the key in the credential report
--   verdict: RETIRE_NOW (delete it: inactive for soak_days, as IAM said since and no day of logs is missing that could say
--     otherwise, and by IAM and by the logs not in use for threshold_days before that); RETIRE_AFTER_SOAK (deactivate it, or leave
--     it inactive, wait, then delete); MIGRATE (in use: move its callers to roles first); BLOCKED (in use from where no role can replace
--     it, as far as is known); UNKNOWN
--   status: Active, Inactive or Expired
--   replacement: role that the callers could take, by what they do already: the first of candidate_roles in the order of how
--     likely it took over from the key (see there), then fit; create where none is seen
--   replacement_kinds: kinds of role that fit the callers; hints, since user agents are the callers' choice
--   candidate_roles: roles that the same callers use. One counts only if it was used without any key on two days at least: by the
--     same program in the same place, where it made half of the caller's own kinds of call; or by the same program elsewhere,
--     where it came later, made four in five of them and hardly others, and the calls with the key stopped. A role that only
--     services take is not named for browser, console or aws-cli. Each with its days of the last soak_days and what it is: took
--     over (it came later, and the calls with the key stopped), grew as the key fell silent, came beside the key, taken with the
--     key (no proof of doing without), there all along (perhaps another job's in the same place), or since when it does the
--     same elsewhere; by the user's own name where somebody so called takes it
--   fit: share of the caller's kinds of call with the key that it was seen making in the replacement, 0 to 1, calls to STS and
--     refused ones apart; 1 for one that only takes this role; an estimate: the role's policies are not read
--   callers: callers of the key in the window: programs in a place, as in key-footprint's caller
--   callers_ready: callers with a role that took over, grew, or came beside the key
--   callers_left: callers that still used the key in the last soak_days, by name, the first twenty
--   callers_moved: callers that no longer did, and use a role instead, the first twenty
--   live_children: sessions that the key opened, and roles that it or they took, that have not expired, with their end
--   live_until: when the last of them ends; deactivating the key does not end them
--   last_used: last use, by IAM or in the logs
--   last_used_by: who says so: iam or logs
--   known_until: until when IAM's silence counts: when it was asked about this key, less the four hours that it may lag
--   iam_last_used: last use as IAM knows it
--   iam_last_used_service: service of that use
--   ct_last_used: last record in the logs, those of sessions that it opened included
--   days_idle: whole days from its last use, its making or its last activation, whichever is latest, to known_until; of one in use,
--     to as_of; null where IAM was not asked
--   deactivated: when it was made inactive, where the logs tell; nothing else does
--   next_step: what to do next
--   next_command: the command for it; what changes something names the account whose credentials it needs
--   undo: how to take that back; null where nothing is changed
--   inventory_time: when IAM was read of the key's status: of several files the oldest
--   confidence: high, medium or low: how sure it is what is said of the key's use, as in stale-keys
--   reason_codes: what the verdict rests on, and what is not known; report --explain CODE
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   verified: days of these of which digest files say that every log file is as CloudTrail delivered it; null where none were checked
--   silent_regions: regions whose log files stopped coming
--   evidence_event_ids: event ids to look up
-- findings: verdict in (RETIRE_NOW, RETIRE_AFTER_SOAK)
-- subject: user_name
-- key: account_id, user_name, slot, access_key_id
-- watch: status, replacement
-- screen: user_name, access_key_id, verdict, next_step, account_id, reasons
-- figures: days_since_use, knowledge_age_days, trails_word, blind_service, age_days, days_over, days_off, soak_days, threshold_days,
--   callers_unclassified, callers_left_count, key_flags, in_account
-- pitfall: The accident to avoid is deleting a key because its role exists. Here a key in use is never for retiring, whatever role
--   stands ready; nor is one of which only the logs are silent. And what happens after a key was made inactive proves nothing: its
--   calls fail before CloudTrail sees them.

WITH RECURSIVE facts AS (
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
        coalesce(callers.standing, CASE WHEN NOT works AND taken_role IS NOT NULL THEN 4 END) AS role_standing,
        callers.best_fit,
        callers.callers_left,
        callers.callers_moved,
        coalesce(callers.callers_left_count, 0) AS callers_left_count,
        live.live_children,
        live.live_until,
        days_between(deactivated, $as_of) AS days_off,
        known_until >= deactivated AND inventory_time >= deactivated AS asked_since_off,
        coalesce(array_length(array_except(
            range(
                arrow_cast(deactivated, 'Int64') / 86400000000 - $threshold_days,
                arrow_cast(deactivated, 'Int64') / 86400000000
            ),
            coalesce(days_held, make_array(-1))
        )), 0) = 0 AS held_before_off,
        -- Between the deactivation and the reading it was not on again where the report says that this was its last change;
        -- elsewhere the logs have to. What the last minutes of a day brought is delivered on the next, unless IAM was read then.
        coalesce(array_length(array_except(
            range(
                arrow_cast(least(known_until, inventory_time, coalesce(rotated_read_at, deactivated)), 'Int64') / 86400000000,
                arrow_cast($as_of, 'Int64') / 86400000000
            ),
            coalesce(iam_days_held, make_array(-1))
        )), 0) = 0
            AND (
                coalesce(iam_held_now, false)
                OR coalesce(inventory_time >= arrow_cast(arrow_cast($as_of, 'Date32'), 'Timestamp(Microsecond, Some("UTC"))'), false)
            ) AS held_since_read
    FROM keys
    LEFT JOIN callers ON keys.access_key_id = callers.access_key_id
    LEFT JOIN taken_lists ON keys.access_key_id = taken_lists.access_key_id
    LEFT JOIN live ON keys.access_key_id = live.access_key_id
    LEFT JOIN account_days ON keys.account_id = account_days.account_id
    WHERE ($account IS NULL OR keys.account_id = $account)
        AND ($access_key IS NULL OR keys.access_key_id = $access_key)
),
-- The first rule that holds decides.
judged AS (
    SELECT
        *,
        CASE
            WHEN NOT has_key OR NOT in_inventory OR inventory_is_old THEN 'UNKNOWN'
            WHEN NOT iam_last_used_known AND NOT in_use THEN 'UNKNOWN'
            WHEN is_off
                AND asked_since_off
                AND held_since_read
                AND held_before_off
                AND days_off >= $soak_days
                AND days_between(created, known_until) >= $grace_days
                AND coalesce(days_between(last_used, deactivated) > $threshold_days, true) THEN 'RETIRE_NOW'
            -- In use when IAM had been asked already, and switched off since: what else it did then is in no word of IAM's.
            WHEN is_off AND coalesce(ct_last_used > known_until, false) THEN 'UNKNOWN'
            WHEN is_off THEN 'RETIRE_AFTER_SOAK'
            WHEN in_use
                AND (iam_is_later OR (iam_service_is_data AND NOT data_events_recorded) OR coverage = 0 OR callers = 0) THEN 'UNKNOWN'
            WHEN in_use AND (is_root OR user_only OR callers_unclassified > 0) THEN 'BLOCKED'
            WHEN in_use THEN 'MIGRATE'
            WHEN standing IN ('STALE', 'NEVER_USED') THEN 'RETIRE_AFTER_SOAK'
            ELSE 'UNKNOWN'
        END AS verdict
    FROM facts
)
SELECT
    judged.account_id,
    user_name,
    judged.access_key_id,
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
    last_used_by,
    known_until,
    iam_last_used,
    iam_last_used_service,
    ct_last_used,
    days_idle,
    deactivated,
    inventory_time,
    array_concat(
        codes('INACTIVE_AND_UNUSED_BEFORE', verdict = 'RETIRE_NOW'),
        key_codes,
        codes(
            'SOAKING', verdict = 'RETIRE_AFTER_SOAK' AND is_off,
            CASE
                WHEN verdict <> 'RETIRE_AFTER_SOAK' OR NOT is_off THEN NULL
                WHEN deactivated IS NULL THEN 'DEACTIVATION_TIME_UNKNOWN'
                WHEN days_between(last_used, deactivated) <= $threshold_days THEN 'USED_BEFORE_DEACTIVATION'
                WHEN NOT asked_since_off THEN 'ASKED_BEFORE_DEACTIVATION'
                WHEN NOT held_before_off THEN 'NO_LOGS_BEFORE_DEACTIVATION'
                WHEN NOT held_since_read THEN 'REACTIVATION_UNSEEN'
            END, true,
            'ASKED_BEFORE_DEACTIVATION', verdict = 'UNKNOWN' AND standing = 'INACTIVE' AND coalesce(ct_last_used > known_until, false),
            'NO_CALLER_IN_LOGS', in_inventory AND in_use AND callers = 0,
            'USER_ONLY_CALL', verdict = 'BLOCKED' AND user_only,
            'UNCLASSIFIED_CALLER', verdict = 'BLOCKED' AND callers_unclassified > 0,
            CASE
                WHEN verdict <> 'MIGRATE' THEN NULL
                WHEN callers_left_count > 0 AND callers_ready > 0 THEN 'HALF_MIGRATED'
                WHEN callers_left_count > 0 THEN 'NOT_PROVEN'
                WHEN callers_ready > 0 THEN 'CALLERS_MOVED'
                ELSE 'CALLERS_SILENT'
            END, true,
            CASE
                WHEN verdict <> 'MIGRATE' THEN NULL
                WHEN best_role IS NULL THEN 'NO_ROLE_SEEN'
                WHEN role_standing = 4 THEN 'ROLE_TAKEN_WITH_KEY'
                WHEN role_standing = 5 THEN 'ROLE_THERE_BEFORE'
                ELSE 'ROLE_IN_USE'
            END, true,
            'LIVE_SESSIONS', live_until IS NOT NULL
        )
    ) AS reason_codes,
    coverage,
    verified,
    silent_regions,
    array_distinct(string_to_array(concat_ws(',', first_event_id, last_event_id, unmatched_event_id, change_event_id), ','))
        AS evidence_event_ids,
    days_since_use,
    knowledge_age_days,
    trails_word,
    blind_service,
    age_days,
    days_idle - $threshold_days AS days_over,
    days_off,
    $soak_days AS soak_days,
    $threshold_days AS threshold_days,
    callers_unclassified,
    callers_left_count,
    -- Null, and with it every command, where the key's id is not known.
    CASE WHEN is_root THEN '' ELSE concat('--user-name ', user_name, ' ') END || '--access-key-id ' || judged.access_key_id AS key_flags,
    concat(CASE WHEN is_root THEN '  # as root of account ' ELSE '  # in account ' END, judged.account_id) AS in_account
FROM judged
WHERE $role IS NULL OR role_is(arn_account(best_role), arn_name(best_role), $role)
ORDER BY judged.account_id, user_name, slot, judged.access_key_id
