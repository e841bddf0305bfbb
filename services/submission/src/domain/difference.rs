//! Where two requests differ.

use serde_json::Value;

/// Path of the first field, in the order of names, in which two documents differ; `None` when they
/// are equal. A list counts as one field.
pub fn first_difference(left: &Value, right: &Value) -> Option<String> {
    walk(left, right, "")
}

fn walk(left: &Value, right: &Value, path: &str) -> Option<String> {
    if left == right {
        return None;
    }
    let (Value::Object(left_fields), Value::Object(right_fields)) = (left, right) else {
        return Some(path.to_owned());
    };
    let mut names: Vec<_> = left_fields.keys().chain(right_fields.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().find_map(|name| {
        let missing = Value::Null;
        let path = if path.is_empty() {
            name.clone()
        } else if path.ends_with("_conf") || path.ends_with("environment") {
            format!("{path}[\"{name}\"]")
        } else {
            format!("{path}.{name}")
        };
        walk(
            left_fields.get(name).unwrap_or(&missing),
            right_fields.get(name).unwrap_or(&missing),
            &path,
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_differing_field_is_named_by_its_path() {
        let base = json!({"display_name": "a", "spec": {"arguments": ["1"], "spark_conf": {"a.b": "1"}, "driver": {"cores": 1}}});
        let check = |change: fn(&mut Value), expected: Option<&str>| {
            let mut other = base.clone();
            change(&mut other);
            assert_eq!(first_difference(&base, &other).as_deref(), expected);
        };
        check(|_| {}, None);
        check(
            |other| other["display_name"] = json!("b"),
            Some("display_name"),
        );
        check(
            |other| other["spec"]["arguments"] = json!([]),
            Some("spec.arguments"),
        );
        check(
            |other| other["spec"]["driver"]["cores"] = json!(2),
            Some("spec.driver.cores"),
        );
        check(
            |other| other["spec"]["spark_conf"]["c.d"] = json!(""),
            Some("spec.spark_conf[\"c.d\"]"),
        );
    }
}
