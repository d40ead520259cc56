-- title: Denied
-- question: Who failed to take which role, and why?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only the last so many days before to
--   from: timestamp = null; only acts at or after this time
--   to: timestamp = null; only acts before this time; as_of if not given
--   account: text = null; only roles or callers of this account
--   role: text = null; only this role: ARN, account/name, or name
-- columns:
--   caller: who asked, without session
--   role: role that was asked for; null where the record does not say
--   error_code: error that the service answered
--   reason: what stood in the way, as far as the message says
--   action: action that was refused, as sts:TagSession; null where the message names none
--   policy_arn: policy that refused it, where the message names one
--   attempts: failed acts
--   first_seen: first attempt
--   last_seen: last attempt
--   days_active: days with an attempt
--   distinct_sources: distinct addresses
--   roles_tried: distinct roles that this caller failed to take: many roles look like a search, one like a mistake
--   evidence_event_ids: event ids of the first and the last attempt
-- findings: all
-- subject: caller
-- key: caller, role, error_code, reason, action, policy_arn
-- screen: caller, role, reason, attempts, last_seen
-- pitfall: These are the callers' records only. AWS does not record a denied call in the role owner's account, so that an
--   attempt from an account whose logs are not here leaves no trace: an empty answer proves nothing about outsiders.

WITH failures AS (
    SELECT
        *,
        -- The resource of taking a role is the role: its policy is the trust policy.
        CASE
            WHEN refused = 'explicit deny in a resource-based policy' THEN 'denied by the trust policy'
            WHEN refused = 'no resource-based policy' THEN 'the trust policy does not allow it'
            WHEN refused LIKE 'explicit deny in %'
                THEN replace(replace(refused, 'explicit deny in', 'denied by'), 'identity-based', 'identity')
            WHEN refused IS NOT NULL THEN concat(replace(refused, 'identity-based', 'identity'), ' allows it')
            WHEN error_message LIKE '%explicit deny%' THEN 'denied explicitly'
            WHEN error_message LIKE 'Roles may not be assumed by root%' THEN 'root may not take roles'
            WHEN error_message LIKE 'MultiFactorAuthentication failed%' THEN 'wrong or missing MFA code'
            WHEN error_message LIKE '%DurationSeconds exceeds%' THEN 'asked for longer than allowed'
            WHEN error_code LIKE 'RegionDisabled%' THEN 'STS is not active in the region'
            WHEN error_code LIKE 'AccessDenied%' THEN 'not authorized'
            WHEN error_code LIKE 'Expired%' THEN 'expired credentials'
            WHEN error_code LIKE 'InvalidIdentityToken%' OR error_code LIKE 'IDP%' THEN 'token refused'
            ELSE 'other'
        END AS reason
    FROM (
        SELECT *, refused_by(error_message) AS refused, refused_action(error_message) AS action, refused_policy(error_message) AS policy_arn
        FROM assumptions
        WHERE outcome = 'failure'
            AND event_time >= $from
            AND event_time < $to
    ) AS failed
),
roles_by_caller AS (
    SELECT caller AS by_caller, count(DISTINCT role) AS roles_tried
    FROM failures
    GROUP BY caller
)
SELECT
    caller,
    role,
    error_code,
    reason,
    action,
    policy_arn,
    count(*) AS attempts,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen,
    count(DISTINCT event_date) AS days_active,
    count(DISTINCT source_ip) AS distinct_sources,
    max(roles_tried) AS roles_tried,
    array_distinct(make_array(
        first_value(event_id ORDER BY event_time, event_id),
        last_value(event_id ORDER BY event_time, event_id)
    )) AS evidence_event_ids
FROM failures
JOIN roles_by_caller ON caller = by_caller
WHERE ($account IS NULL OR role_account_id = $account OR caller_account_id = $account)
    AND role_is(role_account_id, role_name, $role)
GROUP BY caller, role, error_code, reason, action, policy_arn
ORDER BY attempts DESC, caller, role, error_code, reason, action, policy_arn
