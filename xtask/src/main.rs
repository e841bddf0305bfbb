//! `cargo xtask …`: the chores of this repository.
#![expect(clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Generate the bindings in libs/proto from proto/, without protoc.
    Gen {
        /// Change nothing; fail when the committed bindings are not what would be generated.
        #[arg(long)]
        check: bool,
    },
    /// The local cluster: Kubernetes, YuniKorn and the Spark Operator on this machine.
    #[command(subcommand)]
    Cluster(moka_xtask::cluster::ClusterCommand),
    /// Run the main job for real, and show what each part of the mesh knows of it.
    Demo {
        /// Leave the cluster running afterwards.
        #[arg(long)]
        keep: bool,
    },
    /// Measure an area beside a peer, one JSON object a line; `--help` as the area lists them.
    Bench {
        /// Such as `history`.
        #[arg(allow_hyphen_values = true)]
        area: String,
    },
    /// Break a service at random for as long as is told, and see that its promises hold.
    #[command(subcommand)]
    Soak(moka_xtask::soak::Soak),
    /// Feed every fuzz target with inputs at random for a while.
    Fuzz(moka_xtask::fuzz::Options),
    /// Lint the contracts with buf and compare them with main.
    Contracts,
    /// The services: in the local cluster as images, or on this machine as processes.
    #[command(subcommand)]
    Mesh(moka_xtask::mesh::MeshCommand),
    /// Check this repository's own rules: sizes, boundaries, dependencies, documents, manifests.
    Tidy,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().chore).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(chore: Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Gen { check } => moka_xtask::bindings::run(check),
        Chore::Cluster(command) => moka_xtask::cluster::run(command).await,
        Chore::Contracts => moka_xtask::contracts::run().await,
        Chore::Mesh(command) => moka_xtask::mesh::run(command).await,
        Chore::Fuzz(options) => moka_xtask::fuzz::run(options).await,
        Chore::Demo { keep } => moka_xtask::demo::run(keep).await,
        Chore::Bench { area } => moka_xtask::bench::run(&area).await,
        Chore::Soak(soak) => moka_xtask::soak::run(soak).await,
        Chore::Tidy => moka_xtask::tidy::run(),
    }
}
