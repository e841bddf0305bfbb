//! What a service's wiring function is given.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use moka_core::clock::{Clock, SystemClock};
use prometheus_client::{metrics::info::Info, registry::Registry};
use tokio_util::sync::CancellationToken;

use crate::{ListenPolicy, Readiness, Tasks, pages::Pages};

/// What a binary says about itself. All of it is known at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceInfo {
    /// Name without prefix, such as `log-broker`.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// One line for `--help`.
    pub description: &'static str,
    /// Where the admin port is unless an option says otherwise, such as `127.0.0.1:7501`.
    pub default_admin_listen: &'static str,
}

/// The process as a service sees it. Clones are cheap and share everything.
#[derive(Clone)]
pub struct ProcessContext {
    /// The service itself.
    pub service: ServiceInfo,
    /// Where everything is spawned.
    pub tasks: Tasks,
    /// What `/readyz` answers.
    pub readiness: Readiness,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the process is to stop. Cancelling it stops the process.
    pub stop: CancellationToken,
    /// Which addresses the service may bind.
    pub listen: ListenPolicy,
    registry: Arc<Mutex<Registry>>,
    pages: Pages,
}

impl ProcessContext {
    /// A context on its own, with the machine's clock and loopback only; tests replace public
    /// fields.
    pub fn new(service: ServiceInfo) -> Self {
        let tasks = Tasks::default();
        Self {
            service,
            stop: tasks.stop().clone(),
            tasks,
            readiness: Readiness::default(),
            clock: Arc::new(SystemClock),
            listen: ListenPolicy::LoopbackOnly,
            registry: Arc::new(Mutex::new(root_registry(service))),
            pages: Pages::default(),
        }
    }

    /// Adds a page of JSON to the admin port: `page` is called for each GET of `path`, on the
    /// runtime's threads, and must not block. The same path again replaces the page; the admin
    /// port's own paths cannot be replaced.
    pub fn admin_page(
        &self,
        path: &'static str,
        page: impl Fn() -> String + Send + Sync + 'static,
    ) {
        self.pages.add(path, page);
    }

    /// The service's own page at `path`, as it is now.
    pub(crate) fn page(&self, path: &str) -> Option<String> {
        self.pages.render(path)
    }

    /// Registers metrics: `register` gets a registry whose metrics are named `moka_<service>_…`.
    pub fn metrics<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix(self.service.name.replace('-', "_")))
    }

    /// All metrics in `OpenMetrics` text form.
    ///
    /// # Errors
    ///
    /// When a registered collector cannot write its metrics.
    pub fn metrics_text(&self) -> Result<String, fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl fmt::Debug for ProcessContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessContext")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

fn root_registry(service: ServiceInfo) -> Registry {
    let mut registry = Registry::with_prefix("moka");
    let build = Info::new([("service", service.name), ("version", service.version)]);
    registry.register("build", "Name and version of the running binary", build);
    registry
}
