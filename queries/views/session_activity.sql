-- title: session_activity
-- comment: What was done in each session, one row per session and row of activity: what it signed, and by principal and moment only
--   what was signed without a key, by a service on its behalf, or in a session that uses other keys than its issue shows
-- columns:
--   session_id: the session, as in sessions
--   link: how the records are tied to it: key, sign_in (the records name its sign-in session), session (principal and creation date), one_of_several (the same, and another session
--     of the same caller, name and moment would do as well), forwarded (a service acted on for it, with a key of its own), or none (its
--     issue is not in the lake)
--   hour: start of the hour that the records lie in
--   event_date: day of hour in UTC
--   access_key_id: access key that signed
--   principal_type: kind of the calling identity
--   principal_id: unique id of the caller
--   principal_arn: ARN of the caller
--   account_id: account of the caller
--   role_arn: ARN of the role behind the session, with its path
--   session_name: name of the session
--   source_identity: source identity of the session
--   invoked_by: AWS service that made the calls for the caller
--   in_scope_of: resource that the session's credentials were issued to
--   event_source: service called
--   event_name: call that was made
--   event_category: Management, Data, …
--   aws_region: region that the calls were made to
--   recipient_account_id: account whose trail recorded them
--   error_code: error that the service answered; null for success
--   source_ip: address that the calls came from, where it is an address
--   source_service: AWS service that the calls came from, where it is no address
--   user_agent: user agent of the calls
--   event_count: records in this row, as delivered
--   first_time: earliest of them
--   last_time: latest of them
--   sample_event_id: event id of the first

SELECT
    signed_session_id AS session_id,
    signed_link AS link,
    hour,
    event_date,
    access_key_id,
    principal_type,
    principal_id,
    principal_arn,
    account_id,
    role_arn,
    session_name,
    source_identity,
    invoked_by,
    in_scope_of,
    event_source,
    event_name,
    event_category,
    aws_region,
    recipient_account_id,
    error_code,
    source_ip,
    source_service,
    user_agent,
    event_count,
    first_time,
    last_time,
    sample_event_id
FROM signed
JOIN session_signers
    ON (access_key_id IS NOT DISTINCT FROM signed_key_id)
    AND (principal_id IS NOT DISTINCT FROM signed_principal_id)
    AND (account_id IS NOT DISTINCT FROM signed_account_id)
    AND (role_account_id IS NOT DISTINCT FROM signed_role_account_id)
    AND (role_name IS NOT DISTINCT FROM signed_role_name)
    AND (role_id IS NOT DISTINCT FROM signed_role_id)
    AND (session_name IS NOT DISTINCT FROM signed_session_name)
    AND (session_created IS NOT DISTINCT FROM signed_created)
    AND (unsure_hour IS NOT DISTINCT FROM signed_hour)
    AND (forwarded IS NOT DISTINCT FROM signed_forwarded)
    AND (signed_in IS NOT DISTINCT FROM signed_sign_in)
