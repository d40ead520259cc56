//! Policy documents, in the three forms in which they come, and what a trust policy says.
//!
//! The API gives a percent-encoded string (RFC 3986: a plus is a plus), some tools a plain JSON string,
//! the AWS CLI an object.

use percent_encoding::percent_decode_str;
use rolecall_lake::inventory::{RoleRow, TrustStatementRow};
use serde_json::{Map, Value};

/// The document as a value; none where it is no JSON.
pub(crate) fn decode(document: &Value) -> Option<Value> {
    let Value::String(text) = document else {
        return document.is_object().then(|| document.clone());
    };
    let text = text.trim();
    if text.starts_with('%') {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        return serde_json::from_str(&text).ok();
    }
    serde_json::from_str(text).ok()
}

/// The document as JSON text; as it was given where it is no JSON.
pub(crate) fn text(document: &Value) -> String {
    match (decode(document), document) {
        (Some(value), _) => value.to_string(),
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}

/// Text, or a list of texts.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => {
            list.iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

/// What a trust policy says, one row per statement and principal; none where it is no policy.
pub(crate) fn trust_statements(role: &RoleRow, document: &Value) -> Option<Vec<TrustStatementRow>> {
    let document = decode(document)?;
    let statements = match document.get("Statement")? {
        Value::Array(list) => list.iter().filter_map(Value::as_object).collect(),
        Value::Object(one) => vec![one],
        _ => return None,
    };
    let mut rows = Vec::new();
    for (number, statement) in (0..).zip(statements) {
        let text = |name: &str| statement.get(name)?.as_str().map(str::to_owned);
        let mut actions = texts(statement.get("Action"));
        let but = texts(statement.get("NotAction")).into_iter();
        actions.extend(but.map(|action| format!("!{action}")));
        for (principal_type, principal, negated) in principals(statement) {
            rows.push(TrustStatementRow {
                role_arn: role.role_arn.clone(),
                role_name: role.role_name.clone(),
                role_id: role.role_id.clone(),
                statement: number,
                sid: text("Sid").filter(|sid| !sid.is_empty()),
                effect: text("Effect").unwrap_or_default(),
                principal_type,
                principal,
                negated,
                actions: actions.clone(),
                condition: conditions(statement),
            });
        }
    }
    Some(rows)
}

/// Its conditions; an empty object is none.
fn conditions(statement: &Map<String, Value>) -> Option<String> {
    let condition = statement.get("Condition").filter(|condition| !condition.is_null())?;
    let is_empty = condition.as_object().is_some_and(Map::is_empty);
    (!is_empty).then(|| condition.to_string())
}

/// Type, name, and whether everybody but that one is meant.
fn principals(statement: &Map<String, Value>) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for (name, negated) in [("Principal", false), ("NotPrincipal", true)] {
        match statement.get(name) {
            Some(Value::String(everybody)) => {
                found.push(("*".to_owned(), everybody.clone(), negated));
            }
            Some(Value::Object(by_type)) => {
                for (kind, names) in by_type {
                    let names = texts(Some(names)).into_iter();
                    found.extend(names.map(|name| (kind.clone(), name, negated)));
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role() -> RoleRow {
        RoleRow {
            role_name: "ci".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/ci".to_owned(),
            ..RoleRow::default()
        }
    }

    #[test]
    fn the_three_forms_are_one_document() {
        let object = json!({"Statement": {"Effect": "Allow", "Sid": "a+b c"}});
        let plain = Value::String(object.to_string());
        let encoded =
            "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Sid%22%3A%22a+b%20c%22%7D%7D";
        for form in [object.clone(), plain, Value::String(encoded.to_owned())] {
            assert_eq!(decode(&form), Some(object.clone()), "{form}");
        }
        assert_eq!(decode(&json!("{\"Statement\":")), None);
        assert_eq!(decode(&json!(7)), None);
        assert_eq!(text(&json!("no policy")), "no policy");
    }

    #[test]
    fn a_trust_policy_has_a_row_per_statement_and_principal() {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "", "Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"AWS": ["arn:aws:iam::444455556666:root", "AIDAGONE"],
                           "Service": "ec2.amazonaws.com"}},
            {"Effect": "Allow", "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
             "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/x"},
             "Condition": {"StringEquals": {"x:aud": "sts.amazonaws.com"}}},
            {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"},
             "NotAction": "sts:TagSession"},
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
        ]});
        let rows = trust_statements(&role(), &policy).unwrap();
        let short: Vec<String> = rows
            .iter()
            .map(|row| {
                let but = if row.negated { "!" } else { "" };
                let actions = row.actions.join("+");
                format!(
                    "{} {} {but}{} {} {actions}",
                    row.statement, row.effect, row.principal_type, row.principal
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                "0 Allow AWS arn:aws:iam::444455556666:root sts:AssumeRole",
                "0 Allow AWS AIDAGONE sts:AssumeRole",
                "0 Allow Service ec2.amazonaws.com sts:AssumeRole",
                "1 Allow Federated arn:aws:iam::111122223333:oidc-provider/x \
                 sts:AssumeRoleWithWebIdentity+sts:TagSession",
                "2 Deny !AWS arn:aws:iam::111122223333:root !sts:TagSession",
                "3 Allow * * sts:AssumeRole",
            ]
        );
        let condition = rows[3].condition.as_deref();
        assert_eq!(condition, Some(r#"{"StringEquals":{"x:aud":"sts.amazonaws.com"}}"#));
        assert_eq!(rows[0].sid, None);
        let none = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Condition": {}}});
        assert_eq!(trust_statements(&role(), &none).unwrap()[0].condition, None);
        let one = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}}});
        assert_eq!(trust_statements(&role(), &one).unwrap()[0].principal_type, "AWS");
        assert_eq!(trust_statements(&role(), &json!({})), None);
    }
}
