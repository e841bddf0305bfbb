//! An API server without nodes, for tests of API semantics. Many may run side by side.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{
    cache::Cache,
    children::TiedChild,
    command,
    components::{ApiServer, api_server_arguments, etcd_arguments},
    kubeconfig,
    kubectl::Kubectl,
    pki::{ADMINISTRATOR, Pki},
    platform,
    probe::Probe,
    tools,
};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Garbage beside what is alive, in percent, before it is collected: memory for processor time, of
/// which there is less here than where an API server has a machine of its own.
const GARBAGE_PERCENT: u32 = 400;

/// Ports are chosen before they are used, so another process may take one in between.
const TRIES: usize = 3;

/// etcd and kube-apiserver in a temporary folder, with the custom resources of the Spark Operator
/// and the namespace `spark-jobs`. Both end when this is dropped or this process ends.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: processes first, then their files.
    api_server: TiedChild,
    _etcd: TiedChild,
    folder: TempDir,
    pki: Pki,
    server: String,
}

impl ControlPlane {
    /// Starts one and waits until it serves.
    ///
    /// # Errors
    /// When the binaries cannot be built or the processes do not get ready.
    pub async fn start() -> Result<Self> {
        Self::start_with_garbage(GARBAGE_PERCENT).await
    }

    /// The same, with another share of garbage beside what is alive before it is collected.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn start_with_garbage(percent: u32) -> Result<Self> {
        let cache = Cache::locate()?;
        tools::ensure(&cache, &["etcd", "kube-apiserver"]).await?;
        let definitions = tools::operator_definitions(&cache).await?;
        let program = tools::kubectl(&cache).await?;
        let mut failure = None;
        for _ in 0..TRIES {
            match Self::try_start(&cache, percent).await {
                Ok(this) => {
                    let kubectl = Kubectl {
                        program,
                        kubeconfig: this.kubeconfig_path(),
                    };
                    platform::install_definitions(&kubectl, &definitions).await?;
                    kubectl.run(["create", "namespace", "spark-jobs"]).await?;
                    return Ok(this);
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("no try was made")?).context("starting a control plane")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.path().join("admin.conf")
    }

    /// `https://127.0.0.1:<port>`.
    pub fn server_url(&self) -> &str {
        &self.server
    }

    /// The certificate authority of the server.
    pub fn ca_certificate_path(&self) -> PathBuf {
        self.pki.certificate("ca")
    }

    /// The administrator's certificate.
    pub fn client_certificate_path(&self) -> PathBuf {
        self.pki.certificate(ADMINISTRATOR.file)
    }

    /// The administrator's private key.
    pub fn client_key_path(&self) -> PathBuf {
        self.pki.key(ADMINISTRATOR.file)
    }

    async fn try_start(cache: &Cache, garbage_percent: u32) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-control-plane-")?;
        let names = [
            "localhost",
            "127.0.0.1",
            "10.96.0.1",
            "kubernetes.default.svc",
        ];
        let pki = Pki::ensure(&folder.path().join("pki"), &names, None, &[ADMINISTRATOR])?;
        let [client, peer, port] = free_ports()?;
        let etcd_url = format!("http://127.0.0.1:{client}");
        let server = format!("https://127.0.0.1:{port}");
        kubeconfig::write(
            &folder.path().join("admin.conf"),
            &server,
            &pki,
            ADMINISTRATOR.file,
        )?;

        let peer = format!("http://127.0.0.1:{peer}");
        let arguments = etcd_arguments(&folder.path().join("etcd"), &etcd_url, &peer);
        let process = Process {
            folder: folder.path(),
            garbage_percent,
        };
        let etcd = process.start(&tools::binary(cache, "etcd")?, "etcd", &arguments)?;

        let options = ApiServer {
            etcd: &etcd_url,
            port,
            advertised: "127.0.0.1",
        };
        let mut arguments = api_server_arguments(&pki, &options);
        arguments.extend([
            "--bind-address=127.0.0.1".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            // Nothing here makes a default service account for each namespace.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            // Loopback is no address that a service may have as its endpoint.
            "--endpoint-reconciler-type=none".to_owned(),
        ]);
        let program = tools::binary(cache, "kube-apiserver")?;
        let api_server = process.start(&program, "kube-apiserver", &arguments)?;
        let kubectl = Kubectl {
            program: tools::kubectl(cache).await?,
            kubeconfig: folder.path().join("admin.conf"),
        };
        let mut this = Self {
            api_server,
            _etcd: etcd,
            folder,
            pki,
            server,
        };
        this.wait(&kubectl.probe(&["get", "--raw", "/readyz"]))
            .await?;
        Ok(this)
    }

    async fn wait(&mut self, ready: &Probe) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !ready.passes().await {
            let log = self.folder.path().join("kube-apiserver.log");
            if self.api_server.ended() {
                bail!("kube-apiserver ended; {}", command::tail(&log));
            }
            if Instant::now() > deadline {
                bail!("kube-apiserver is not ready; {}", command::tail(&log));
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// How processes of a control plane are started.
struct Process<'a> {
    folder: &'a Path,
    garbage_percent: u32,
}

impl Process<'_> {
    fn start(&self, program: &Path, name: &str, arguments: &[String]) -> Result<TiedChild> {
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let errors = log.try_clone()?;
        TiedChild::start("KILL", |command| {
            command
                .arg(program)
                .args(arguments)
                .current_dir(self.folder);
            command.env("GOGC", self.garbage_percent.to_string());
            command
                .stdin(std::process::Stdio::null())
                .stdout(log)
                .stderr(errors);
        })
    }
}

/// Ports of the loopback interface that nobody used a moment ago.
fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut listeners = Vec::new();
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("finding a free port")?;
        *port = listener.local_addr()?.port();
        // Held until all are found, so that they differ.
        listeners.push(listener);
    }
    Ok(ports)
}
