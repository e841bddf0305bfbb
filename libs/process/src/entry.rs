//! From the command line to the exit code.

use std::{
    ffi::OsString,
    future::Future,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, anyhow};
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokio::net::TcpListener;

use crate::{
    Exit, ProcessContext, ProcessOptions, ServiceInfo, admin,
    signals::Signals,
    telemetry::{self, Telemetry},
};

/// How long the runtime may take to end after everything was drained or dropped.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Parser)]
struct CommandLine<Options: Args> {
    #[command(flatten)]
    service: Options,
    #[command(flatten)]
    process: ProcessOptions,
}

/// Runs a service: parses the options, installs telemetry, opens the admin port and runs `start`.
///
/// `start` opens what the service needs, spawns on [`ProcessContext::tasks`] and returns. Until it
/// has returned the process is not ready (condition `started`). The process then lives until the
/// first SIGTERM or SIGINT, a failed task, or until [`ProcessContext::stop`] is cancelled; it
/// drains for the grace period and ends. A second signal ends it at once.
pub fn main<Options, Start, Started>(service: ServiceInfo, start: Start) -> ExitCode
where
    Options: Args,
    Start: FnOnce(ProcessContext, Options) -> Started,
    Started: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let command_line = match parse::<Options>(service, std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Nothing can be told when the terminal itself does not take the text.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Clean.into()
            };
        }
    };
    match run(service, command_line, start) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "moka-{} cannot start: {error:#}",
                service.name
            );
            Exit::of(&error).into()
        }
    }
}

/// The whole command line of a service, for tests of its help text.
pub fn command<Options: Args>(service: ServiceInfo) -> clap::Command {
    let binary = format!("moka-{}", service.name);
    CommandLine::<Options>::command()
        .display_name(binary.clone())
        .bin_name(binary)
        .version(service.version)
        .about(service.description)
        .mut_arg("admin_listen", |arg| {
            arg.required(false)
                .default_value(service.default_admin_listen)
        })
}

fn parse<Options: Args>(
    service: ServiceInfo,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<CommandLine<Options>, clap::Error> {
    let matches = command::<Options>(service).try_get_matches_from(arguments)?;
    CommandLine::from_arg_matches(&matches)
}

fn run<Options, Start, Started>(
    service: ServiceInfo,
    command_line: CommandLine<Options>,
    start: Start,
) -> anyhow::Result<Exit>
where
    Options: Args,
    Start: FnOnce(ProcessContext, Options) -> Started,
    Started: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let CommandLine {
        service: service_options,
        process: options,
    } = command_line;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_installed| anyhow!("a TLS provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let telemetry = {
        let _inside = runtime.enter();
        telemetry::install(service, &options).context(Exit::Configuration)?
    };
    let mut context = ProcessContext::new(service);
    context.listen = options.listen_policy();
    let started = start(context.clone(), service_options);
    let result = runtime.block_on(live(context, &options, &telemetry, started));
    let exit = match &result {
        Ok(exit) => *exit,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "service ended with an error");
            Exit::of(error)
        }
    };
    telemetry.flush();
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    Ok(exit)
}

/// From the start to the end of draining.
async fn live(
    context: ProcessContext,
    options: &ProcessOptions,
    telemetry: &Telemetry,
    start: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<Exit> {
    let ServiceInfo { name, version, .. } = context.service;
    tracing::info!(
        service.name = name,
        service.version = version,
        "service starts"
    );
    if options.insecure_listen {
        tracing::warn!("listening without TLS and authentication is allowed on every address");
    }
    let mut signals = Signals::listen().context("listening to signals")?;
    let address = context
        .listen
        .check(options.admin_listen)
        .context(Exit::Configuration)?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("binding the admin port {address}"))
        .context(Exit::Configuration)?;
    let bound = listener
        .local_addr()
        .context("reading the admin port's address")?;
    tracing::info!(address = %bound, "admin port is open");

    let condition = context.readiness.condition("started");
    context.tasks.spawn("start", async move {
        start.await?;
        condition.ready();
        anyhow::Ok(())
    });
    // The admin port is no task: it answers until everything else has stopped.
    let admin = axum::serve(
        listener,
        admin::router(context.clone(), telemetry.log_filter.clone()),
    );
    tokio::select! {
        exit = until_drained(&context, options.shutdown_grace(), &mut signals) => exit,
        result = admin.into_future() => {
            result.context("serving the admin port")?;
            Err(anyhow!("the admin port closed by itself"))
        }
    }
}

async fn until_drained(
    context: &ProcessContext,
    grace: Duration,
    signals: &mut Signals,
) -> anyhow::Result<Exit> {
    tokio::select! {
        _ = signals.next() => tracing::info!("asked to stop, draining"),
        () = context.stop.cancelled() => tracing::info!("stopping, draining"),
    }
    context.readiness.condition("not stopping").not_ready();
    tokio::select! {
        drained = context.tasks.drain(grace) => drained.map(|()| Exit::Clean),
        forced = signals.next() => {
            context.tasks.abort();
            tracing::warn!("asked a second time, stopping at once");
            Ok(forced)
        }
    }
}
