//! Submits a small Python application and waits for its end:
//!
//! ```console
//! cargo run --package moka-client --example submit_and_wait -- http://SUBMISSION:7401 root.demo nightly-1
//! ```
//!
//! The last argument is the idempotency key: run it again with the same one, and it tells the same
//! application.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use anyhow::{Context as _, bail};
use moka_client::{
    Client, Options,
    v1::{
        ApplicationSpec, ApplicationState, ApplicationType, DriverSpec, ExecutorSpec,
        SubmitApplicationRequest,
    },
};

const MIB: i64 = 1024 * 1024;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |name| arguments.next().with_context(|| format!("no {name} given"));
    let (url, queue, key) = (argument("URL")?, argument("queue")?, argument("key")?);
    let options = Options {
        user_agent: "submit-and-wait".to_owned(),
        ..Options::default()
    };
    let client = Client::connect(&url, options)?;

    let accepted = client.submit(request(queue, key)).await?;
    let application = accepted
        .application
        .context("an answer without an application")?;
    println!("{} accepted", application.application_id);

    let ended = client.wait_until_final(&application.application_id).await?;
    println!("{} {}", ended.application_id, ended.state().as_str_name());
    if ended.state() != ApplicationState::Succeeded {
        let explanation = client.explain(&ended.application_id).await?;
        bail!(explanation.summary);
    }
    Ok(())
}

fn request(queue: String, idempotency_key: String) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "examples".to_owned(),
        idempotency_key,
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "localhost/moka-spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/moka/examples/report.py".to_owned(),
            spark_version: "4.0.1".to_owned(),
            driver: Some(DriverSpec {
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 1,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue,
            ..ApplicationSpec::default()
        }),
        ..SubmitApplicationRequest::default()
    }
}
