//! `cargo xtask demo`: the platform's main job, for real, and what each part knows of it
//! afterwards.

pub mod applications;
pub mod follow;
pub mod judges;
mod show;

use anyhow::{Context as _, Result, ensure};
use moka_proto::submission::v1::{Application, ApplicationState, SubmitApplicationRequest};
use tokio::time::Instant;

use crate::{
    cluster::{self, ClusterInfo, step},
    mesh::{self, Clients},
};

/// Sets up whatever is missing, runs one application that succeeds and one that fails on purpose,
/// and shows what the mesh knows of them. Stops the cluster at the end unless `keep`.
///
/// # Errors
/// When any step falls short of what it promises.
pub async fn run(keep: bool) -> Result<()> {
    let begun = Instant::now();
    // A demo that fell short wants to be looked into, so the cluster stays.
    Box::pin(play()).await.context(
        "the cluster is left running: look with `cargo xtask cluster status` and `logs`",
    )?;
    if keep {
        println!("\neverything is left running; `make down` stops it");
    } else {
        cluster::run(cluster::ClusterCommand::Down).await?;
    }
    println!("\nthe demo took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn play() -> Result<()> {
    let cluster = cluster::ensure_up().await?;
    let endpoints = mesh::install(&cluster).await?;
    let clients = Clients::new(&endpoints)?;
    let key = format!("demo-{}", now_seconds());

    show::title("two applications are submitted");
    let report = submit(&clients, applications::report(&cluster.spark_image, &key)).await?;
    let broken_key = format!("{key}-broken");
    let broken = submit(
        &clients,
        applications::broken_orders(&cluster.spark_image, &broken_key),
    )
    .await?;

    show::title("the report's driver, live");
    let (report, lines) = run_to_the_end(&clients, &report).await?;
    ensure!(
        report.state() == ApplicationState::Succeeded,
        "the report ended as {}, not SUCCEEDED",
        report.state().as_str_name()
    );
    ensure!(
        lines.iter().any(|line| line.starts_with("report done:")),
        "the report's last line was not followed"
    );

    show::title("the broken one");
    let broken = step(
        "waiting for its end",
        follow::to_the_end(&clients, &broken, |_| {}),
    )
    .await?;
    check_broken(&broken)?;
    for application in [&report, &broken] {
        show::states(&clients, application).await?;
    }
    show::last_lines(&clients, &broken.application_id, 5).await?;

    look_back(&cluster, &clients, &report).await?;
    show::next_commands(&cluster, &endpoints, &report.application_id);
    Ok(())
}

/// What the services and the judges know of the application that succeeded.
async fn look_back(cluster: &ClusterInfo, clients: &Clients, report: &Application) -> Result<()> {
    let spark_id = spark_application_id(report)?;
    show::title("what is known afterwards");
    let history = step(
        "history-index",
        judges::history_index(clients, &report.application_id),
    )
    .await?;
    println!(
        "  {} jobs, {} stages, {} tasks",
        history.jobs, history.stages, history.tasks
    );
    let verdict = step(
        "a real Spark History Server",
        Box::pin(judges::history_server(cluster, spark_id)),
    )
    .await?;
    println!(
        "  it lists {spark_id} as {}: {} jobs, {} stages, {} tasks",
        if verdict.completed {
            "completed"
        } else {
            "incomplete"
        },
        verdict.jobs,
        verdict.stages,
        verdict.tasks
    );
    ensure!(
        verdict.completed,
        "the History Server does not list the application as completed"
    );
    ensure!(
        verdict == history,
        "history-index says {history:?}, the History Server {verdict:?}"
    );
    let series = step("the TSDB", judges::tsdb(cluster, &report.application_id)).await?;
    println!(
        "  {} series; {} = {}",
        series.count, series.name, series.value
    );
    Ok(())
}

/// The broken application must end with its own reason, not with some other failure.
fn check_broken(broken: &Application) -> Result<()> {
    let attempt = broken
        .attempts
        .last()
        .context("the broken application has no attempt")?;
    let exit = attempt.exit.clone().unwrap_or_default();
    ensure!(
        broken.state() == ApplicationState::Failed
            && exit.exit_code == Some(1)
            && exit
                .message
                .contains("ValueError: order 42 has a negative amount: -7"),
        "the broken application ended as {} with exit {exit:?}",
        broken.state().as_str_name()
    );
    Ok(())
}

async fn submit(clients: &Clients, request: SubmitApplicationRequest) -> Result<String> {
    let name = request.display_name.clone();
    let id = follow::submit(clients, request).await?;
    println!("  {name}: accepted as {id}");
    Ok(id)
}

async fn run_to_the_end(
    clients: &Clients,
    application_id: &str,
) -> Result<(Application, Vec<String>)> {
    let states = follow::to_the_end(clients, application_id, |application| {
        println!("  [{}]", show::state_name(application.state()));
    });
    let lines = follow::driver_output(clients, application_id, |line| println!("  | {line}"));
    tokio::try_join!(states, lines)
}

/// Spark's own id of the last attempt.
///
/// # Errors
/// When it is not known.
pub fn spark_application_id(application: &Application) -> Result<&str> {
    let attempt = application
        .attempts
        .last()
        .context("the application has no attempt")?;
    let id = attempt.spark_application_id.as_str();
    ensure!(
        !id.is_empty(),
        "Spark's id of {} is not known",
        attempt.name
    );
    Ok(id)
}

/// Different for each run, so that a demo never finds the application of an earlier one.
#[expect(
    clippy::disallowed_methods,
    reason = "a command line tool reads the machine's clock"
)]
fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
