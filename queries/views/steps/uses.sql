-- title: What was done in sessions, by session, service, address and user agent
-- comment: What is put together here is what sessions say of their use; session_activity has the rows one by one.

SELECT
    access_key_id,
    principal_type,
    principal_id,
    principal_arn,
    account_id,
    role_arn,
    role_id,
    role_account_id,
    role_name,
    session_name,
    session_created,
    unsure_hour,
    forwarded,
    signed_in,
    event_source,
    source_ip,
    user_agent,
    min(source_identity) AS source_identity,
    min(first_time) AS first_used,
    max(last_time) AS last_used,
    sum(event_count) AS event_count,
    sum(CASE WHEN error_code IS NOT NULL THEN event_count ELSE 0 END) AS error_count,
    first_value(sample_event_id ORDER BY first_time, sample_event_id) AS sample_event_id
FROM signed
GROUP BY
    access_key_id, principal_type, principal_id, principal_arn, account_id, role_arn, role_id, role_account_id, role_name,
    session_name, session_created, unsure_hour, forwarded, signed_in, event_source, source_ip, user_agent
