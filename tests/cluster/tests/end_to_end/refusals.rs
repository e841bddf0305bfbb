//! Requests that cannot run are refused with the field named, and leave nothing behind.

use moka_proto::submission::v1::{
    ApplicationSpec, ListApplicationsRequest, SubmitApplicationRequest,
};
use moka_xtask::demo::applications;
use tonic::Code;

use crate::{Mesh, fresh_key};

/// One way to be wrong: what is done to a good request, and the field that the answer must name.
type Fault = (&'static str, fn(&mut SubmitApplicationRequest));

const FAULTS: [Fault; 5] = [
    ("spec.image", |request| spec(request).image.clear()),
    ("spec.driver.memory_bytes", |request| {
        spec(request).driver.get_or_insert_default().memory_bytes = -1;
    }),
    ("project", |request| request.project = "p".repeat(64)),
    ("spec.queue", |request| {
        spec(request).queue = String::from("root.nowhere");
    }),
    ("spec.spark_conf", |request| {
        let value = "x".repeat(2 * 1024 * 1024);
        spec(request)
            .spark_conf
            .insert("spark.big".to_owned(), value);
    }),
];

fn spec(request: &mut SubmitApplicationRequest) -> &mut ApplicationSpec {
    request.spec.get_or_insert_default()
}

#[tokio::test]
async fn invalid_requests_name_the_field_and_leave_no_row() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    for (field, break_it) in FAULTS {
        let key = fresh_key("refused");
        let mut request = applications::report(&mesh.cluster.spark_image, &key);
        request.project = "refusals".to_owned();
        break_it(&mut request);
        let status = clients
            .submission
            .clone()
            .submit_application(request)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status:?}");
        let details = String::from_utf8_lossy(status.details()).into_owned();
        assert!(details.contains(field), "{field}: {details}");
    }
    let request = ListApplicationsRequest {
        projects: vec!["refusals".to_owned(), "p".repeat(63)],
        ..ListApplicationsRequest::default()
    };
    let rows = clients
        .submission
        .clone()
        .list_applications(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(rows.applications, []);
}
