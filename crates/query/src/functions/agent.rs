//! `agent_family(user_agent)`: which program made a call, as far as its user agent says.
//!
//! Versions, platforms and build numbers are left out, so that one program's releases are one. User agents are
//! chosen by the caller: a family is a hint, not proof.

/// Programs that name themselves somewhere inside a longer user agent: what to look for, and the family.
const INSIDE: [(&str, &str); 8] = [
    ("terraform/", "terraform"),
    ("opentofu/", "opentofu"),
    ("pulumi", "pulumi"),
    ("configure-aws-credentials", "configure-aws-credentials"),
    ("console.amazonaws.com", "console"),
    ("s3console/", "console"),
    ("aws-cdk", "aws-cdk"),
    ("ansible", "ansible"),
];

/// Programs by the start of the user agent.
const AT_START: [(&str, &str); 7] = [
    ("aws-cli/", "aws-cli"),
    ("boto3/", "boto3"),
    ("botocore/", "boto3"),
    ("mozilla/", "browser"),
    ("aws internal", "aws-internal"),
    ("aws-internal/", "aws-internal"),
    ("signin.amazonaws.com", "console"),
];

/// The first word of `user_agent` up to its version, for well-known programs their name.
pub(crate) fn family(user_agent: &str) -> Option<&str> {
    let text = user_agent.trim_start_matches(|c: char| c == '[' || c == '"' || c.is_whitespace());
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let contains = |inside: &str| {
        let (text, inside) = (text.as_bytes(), inside.as_bytes());
        text.windows(inside.len()).any(|part| part.eq_ignore_ascii_case(inside))
    };
    if let Some((_, family)) = INSIDE.iter().find(|(inside, _)| contains(inside)) {
        return Some(family);
    }
    if let Some((_, family)) = AT_START.iter().find(|(start, _)| starts(start)) {
        return Some(family);
    }
    let end = text.find(|c: char| c == '/' || c == ']' || c == ',' || c.is_whitespace());
    let word = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    Some(word).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn versions_are_left_out_and_well_known_programs_named() {
        for (agent, expected) in [
            ("aws-cli/2.15.30 Python/3.11.8 Linux/5.10 exe/x86_64", Some("aws-cli")),
            ("[aws-cli/1.16.301 Python/2.7.18]", Some("aws-cli")),
            ("Boto3/1.28 md/Botocore#1.31 exec-env/AWS_Lambda_python3.11", Some("boto3")),
            (
                "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io)",
                Some("terraform"),
            ),
            ("aws-sdk-go-v2/1.24.1 os/linux", Some("aws-sdk-go-v2")),
            ("aws-sdk-java/2.20 Linux", Some("aws-sdk-java")),
            ("Mozilla/5.0 (Macintosh)", Some("browser")),
            ("[S3Console/0.4, aws-internal/3]", Some("console")),
            ("AWS Internal", Some("aws-internal")),
            ("lambda.amazonaws.com", Some("lambda.amazonaws.com")),
            ("configure-aws-credentials-for-github-actions", Some("configure-aws-credentials")),
            ("/", None),
            ("", None),
            ("ünïcode 1", Some("ünïcode")),
        ] {
            assert_eq!(family(agent), expected, "{agent}");
        }
    }
}
