//! moka-objects on a real S3 server.

use moka_xtask::s3_server::TemporaryS3;

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_does_what_an_object_store_must() {
    let server = TemporaryS3::start().await.unwrap();
    let store = server.bucket("conformance").await.unwrap();
    moka_objects::conformance::run(&store).await.unwrap();
}
