//! moka-objects on a real S3 server.

use moka_objects::{S3Credentials, S3Options, S3Store};
use moka_xtask::s3_server::TemporaryS3;

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_does_what_an_object_store_must() {
    let server = TemporaryS3::start().await.unwrap();
    let options = S3Options {
        endpoint: Some(server.endpoint()),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: TemporaryS3::ACCESS_KEY_ID.to_owned(),
            secret_access_key: TemporaryS3::SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        }),
        ..S3Options::new("conformance")
    };
    let store = S3Store::open(options).await;
    store.create_bucket().await.unwrap();
    moka_objects::conformance::run(&store).await.unwrap();
}
