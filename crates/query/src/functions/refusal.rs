//! What the message of a refused call says of why: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
//!
//! `User: … is not authorized to perform: ACTION on resource: … with an explicit deny in a POLICY: ARN`, or
//! `because no POLICY allows the ACTION action`. Whose policy it is, and whether AWS will ever say more, is not known
//! here; a kind of policy that AWS adds later is told by AWS's own words.

const EXPLICIT: &str = "explicit deny in a";
const NONE_ALLOWS: &str = "because no ";
const ACTION: &str = "is not authorized to perform: ";

/// `explicit deny in a service control policy`, `no identity-based policy`, as the message has it.
pub(super) fn by(message: &str) -> Option<&str> {
    if let Some(start) = message.find(EXPLICIT) {
        let from = message.get(start..)?;
        let end = policy_end(from.get(EXPLICIT.len()..)?)?;
        return from.get(..EXPLICIT.len() + end);
    }
    let from = message.get(message.find(NONE_ALLOWS)? + "because ".len()..)?;
    let end = policy_end(from)?;
    from.get(end..)?.starts_with(" allows").then(|| from.get(..end))?
}

/// The action that was refused, which need not be the call: `sts:TagSession` of an `AssumeRole`.
pub(super) fn action(message: &str) -> Option<&str> {
    let from = message.get(message.find(ACTION)? + ACTION.len()..)?;
    let end = from.find(|c: char| c.is_whitespace() || c == ',' || c == '"').unwrap_or(from.len());
    from.get(..end).filter(|action| action.contains(':'))
}

/// The ARN of the policy that stood in the way, where AWS names it.
pub(super) fn policy(message: &str) -> Option<&str> {
    let start = message.find(EXPLICIT)?;
    let from = message.get(start + EXPLICIT.len()..)?;
    let arn = from.get(policy_end(from)?..)?.strip_prefix(": ")?;
    let end = arn.find(char::is_whitespace).unwrap_or(arn.len());
    arn.get(..end).map(|arn| arn.trim_end_matches('.')).filter(|arn| arn.starts_with("arn:"))
}

/// Where the name of a kind of policy ends: with `policy`, or `boundary`.
fn policy_end(text: &str) -> Option<usize> {
    let ends = ["policy", "boundary"].map(|word| text.find(word).map(|at| at + word.len()));
    ends.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole \
                        on resource: arn:aws:iam::444455556666:role/policy-admin";

    #[test]
    fn each_kind_of_policy_is_told() {
        for kind in [
            "a service control policy",
            "a resource control policy",
            "a VPC endpoint policy",
            "a permissions boundary",
            "a session policy",
            "an identity-based policy",
            "a resource-based policy",
            "a policy of a kind that is yet to come policy",
        ] {
            let message = format!("{USER} with an explicit deny in {kind}");
            let told = by(&message).unwrap();
            assert!(format!("explicit deny in {kind}").starts_with(told), "{told}");
            assert_eq!(policy(&message), None);
        }
        for kind in ["identity-based policy", "VPC endpoint policy", "permissions boundary"] {
            let message = format!("{USER} because no {kind} allows the sts:AssumeRole action");
            assert_eq!(by(&message), Some(format!("no {kind}").as_str()));
            assert_eq!(action(&message), Some("sts:AssumeRole"));
        }
    }

    #[test]
    fn a_policy_that_is_named_is_found() {
        let arn = "arn:aws:organizations::111122223333:policy/o-a/service_control_policy/p-b";
        let message = format!("{USER} with an explicit deny in a service control policy: {arn}");
        assert_eq!(by(&message), Some("explicit deny in a service control policy"));
        assert_eq!(policy(&message), Some(arn));
    }

    #[test]
    fn what_says_nothing_of_policies_is_left_alone() {
        for message in [
            USER,
            "",
            "Roles may not be assumed by root accounts.",
            "because no one allows it",
            "explicit deny in a",
            "is not authorized to perform: ",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ] {
            assert_eq!(by(message), None, "{message}");
            assert_eq!(policy(message), None, "{message}");
        }
        assert_eq!(action("is not authorized to perform: "), None);
        assert_eq!(action("nothing"), None);
    }
}
