//! SparkApplications, kept as plain documents: the operator's type has hundreds of fields, of which
//! we read four.

use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Map, Value};

/// The Spark Operator's API group.
pub const GROUP: &str = "sparkoperator.k8s.io";
/// Its version.
pub const VERSION: &str = "v1beta2";
/// The kind.
pub const KIND: &str = "SparkApplication";
/// The kind in URLs.
pub const PLURAL: &str = "sparkapplications";

/// The kind, as dynamic calls need it.
pub fn api_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, KIND), PLURAL)
}

/// The SparkApplications of a namespace.
pub fn applications(client: Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, &api_resource())
}

/// A SparkApplication to create; labels, annotations and finalizers go into its `metadata`.
pub fn new_application(name: &str, spec: Value) -> DynamicObject {
    let document = Map::from_iter([("spec".to_owned(), spec)]);
    DynamicObject::new(name, &api_resource()).data(Value::Object(document))
}

/// `status.applicationState.state`; `None` before the operator has looked at the object.
pub fn state(application: &DynamicObject) -> Option<&str> {
    text(application, "/status/applicationState/state").filter(|state| !state.is_empty())
}

/// `status.applicationState.errorMessage`.
pub fn error_message(application: &DynamicObject) -> Option<&str> {
    text(application, "/status/applicationState/errorMessage").filter(|text| !text.is_empty())
}

/// `status.driverInfo.podName`.
pub fn driver_pod_name(application: &DynamicObject) -> Option<&str> {
    text(application, "/status/driverInfo/podName").filter(|name| !name.is_empty())
}

/// `status.sparkApplicationId`: Spark's own id, which exists once the driver does.
pub fn spark_application_id(application: &DynamicObject) -> Option<&str> {
    text(application, "/status/sparkApplicationId").filter(|id| !id.is_empty())
}

/// `spec.suspend`.
pub fn is_suspended(application: &DynamicObject) -> bool {
    application
        .data
        .pointer("/spec/suspend")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

/// Whether the server was asked to delete the object, and finalizers still hold it.
pub fn is_deleting(application: &DynamicObject) -> bool {
    application.metadata.deletion_timestamp.is_some()
}

fn text<'a>(application: &'a DynamicObject, pointer: &str) -> Option<&'a str> {
    application.data.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn status_is_read_where_the_operator_writes_it() {
        let mut application = new_application("m01-1", json!({ "suspend": true }));
        assert!(is_suspended(&application));
        assert_eq!(state(&application), None);
        application.data["status"] = json!({
            "applicationState": { "state": "FAILED", "errorMessage": "driver OOM" },
            "driverInfo": { "podName": "m01-1-driver" },
            "sparkApplicationId": "spark-1",
        });
        assert_eq!(state(&application), Some("FAILED"));
        assert_eq!(error_message(&application), Some("driver OOM"));
        assert_eq!(driver_pod_name(&application), Some("m01-1-driver"));
        assert_eq!(spark_application_id(&application), Some("spark-1"));
    }

    #[test]
    fn a_new_application_is_a_whole_document() {
        let application = new_application("m01-1", json!({ "type": "Scala" }));
        let document = serde_json::to_value(&application).unwrap();
        assert_eq!(document["apiVersion"], "sparkoperator.k8s.io/v1beta2");
        assert_eq!(document["kind"], "SparkApplication");
        assert_eq!(document["metadata"]["name"], "m01-1");
        assert_eq!(document["spec"]["type"], "Scala");
    }
}
