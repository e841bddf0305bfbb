//! The host processes of the cluster, in the order in which they start.

use std::path::Path;

use anyhow::Result;

use super::{
    NODE_ADDRESS, NODE_NAME, SERVICE_ADDRESSES,
    cache::{Cache, RUN, State},
    command,
    daemon::Daemon,
    kubectl::Kubectl,
    pki::Pki,
    probe::Probe,
    pyspark, tools,
};

/// Names, for `status`, `logs` and `down`, in the order of start.
pub(crate) const NAMES: [&str; 10] = [
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "victoria-metrics",
    "spark-operator",
];

const ETCD: &str = "http://127.0.0.1:2379";

/// How each component is started.
pub(crate) struct Components<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) state: &'a State,
    pub(crate) pki: &'a Pki,
}

/// What an API server is told, beyond what every one here is told.
pub(crate) struct ApiServer<'a> {
    pub(crate) etcd: &'a str,
    pub(crate) port: u16,
    pub(crate) advertised: &'a str,
}

impl Components<'_> {
    /// The container runtime.
    pub(crate) fn containerd(&self) -> Result<Daemon> {
        let settings = self.state.settings("containerd.toml");
        Ok(Daemon {
            arguments: vec!["--config".to_owned(), shown(&settings)],
            settings: vec![settings, self.state.settings("cni/10-moka.conflist")],
            ..self.daemon("containerd")?
        })
    }

    /// The database of the control plane.
    pub(crate) fn etcd(&self) -> Result<Daemon> {
        let folder = self.state.root().join("etcd");
        Ok(Daemon {
            arguments: etcd_arguments(&folder, ETCD, "http://127.0.0.1:2380"),
            ..self.daemon("etcd")?
        })
    }

    /// The Kubernetes API.
    pub(crate) fn api_server(&self) -> Result<Daemon> {
        let server = ApiServer {
            etcd: ETCD,
            port: 6443,
            advertised: NODE_ADDRESS,
        };
        let mut arguments = api_server_arguments(self.pki, &server);
        arguments.extend([
            "--bind-address=0.0.0.0".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            format!(
                "--kubelet-client-certificate={}",
                shown(&self.pki.certificate("admin"))
            ),
            format!("--kubelet-client-key={}", shown(&self.pki.key("admin"))),
            // Otherwise reading a pod's log looks the node's name up in the machine's DNS.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ]);
        Ok(Daemon {
            arguments,
            ..self.daemon("kube-apiserver")?
        })
    }

    /// What runs once the API answers.
    pub(crate) async fn others(&self) -> Result<Vec<Daemon>> {
        Ok(vec![
            self.controller_manager()?,
            self.scheduler()?,
            self.kubelet()?,
            self.proxy()?,
            self.dns()?,
            self.metrics()?,
            self.operator().await?,
        ])
    }

    fn controller_manager(&self) -> Result<Daemon> {
        Ok(Daemon {
            arguments: vec![
                self.kubeconfig_of("kube-controller-manager"),
                "--bind-address=127.0.0.1".to_owned(),
                "--leader-elect=false".to_owned(),
                "--use-service-account-credentials".to_owned(),
                format!(
                    "--service-account-private-key-file={}",
                    shown(&self.pki.key("service-account"))
                ),
                format!("--root-ca-file={}", shown(&self.pki.certificate("ca"))),
            ],
            ..self.daemon("kube-controller-manager")?
        })
    }

    /// Binds system pods only; applications are YuniKorn's.
    fn scheduler(&self) -> Result<Daemon> {
        Ok(Daemon {
            arguments: vec![
                self.kubeconfig_of("kube-scheduler"),
                "--bind-address=127.0.0.1".to_owned(),
                "--leader-elect=false".to_owned(),
            ],
            ..self.daemon("kube-scheduler")?
        })
    }

    fn kubelet(&self) -> Result<Daemon> {
        let settings = self.state.settings("kubelet.yaml");
        Ok(Daemon {
            arguments: vec![
                format!("--config={}", shown(&settings)),
                self.kubeconfig_of("kubelet"),
                format!("--hostname-override={NODE_NAME}"),
                format!("--node-ip={NODE_ADDRESS}"),
                format!("--root-dir={}", shown(&self.state.root().join("kubelet"))),
            ],
            settings: vec![settings],
            ..self.daemon("kubelet")?
        })
    }

    fn proxy(&self) -> Result<Daemon> {
        let settings = self.state.settings("kube-proxy.yaml");
        Ok(Daemon {
            arguments: vec![format!("--config={}", shown(&settings))],
            settings: vec![settings],
            ..self.daemon("kube-proxy")?
        })
    }

    fn dns(&self) -> Result<Daemon> {
        let settings = self.state.settings("Corefile");
        Ok(Daemon {
            arguments: vec!["-conf".to_owned(), shown(&settings)],
            settings: vec![settings],
            ..self.daemon("coredns")?
        })
    }

    /// Stands for the time series agent that production runs on each host.
    fn metrics(&self) -> Result<Daemon> {
        Ok(Daemon {
            arguments: vec![
                format!(
                    "-storageDataPath={}",
                    shown(&self.state.root().join("metrics"))
                ),
                format!("-httpListenAddr={NODE_ADDRESS}:8428"),
                format!("-opentsdbListenAddr={NODE_ADDRESS}:18126"),
                "-retentionPeriod=30d".to_owned(),
                // What was written can be read at once.
                "-search.latencyOffset=0s".to_owned(),
            ],
            ..self.daemon("victoria-metrics")?
        })
    }

    async fn operator(&self) -> Result<Daemon> {
        let home = pyspark::ensure(self.cache).await?;
        let arguments = [
            "controller",
            "start",
            "--namespaces=spark-jobs",
            "--enable-batch-scheduler",
            "--enable-ui-service=false",
            "--metrics-bind-address=127.0.0.1:18085",
            "--health-probe-bind-address=127.0.0.1:18086",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--kubeconfig={}", shown(&self.state.kubeconfig())));
        let environment = [
            ("SPARK_HOME", shown(&home)),
            // The operator makes the address that it gives to spark-submit from these two.
            ("KUBERNETES_SERVICE_HOST", "127.0.0.1".to_owned()),
            ("KUBERNETES_SERVICE_PORT", "6443".to_owned()),
            // It is spark-submit, not the operator, that reads this one.
            ("KUBECONFIG", shown(&self.state.kubeconfig())),
        ];
        Ok(Daemon {
            arguments,
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..self.daemon("spark-operator")?
        })
    }

    fn kubeconfig_of(&self, component: &str) -> String {
        format!(
            "--kubeconfig={}",
            shown(&self.state.settings(&format!("{component}.conf")))
        )
    }

    fn daemon(&self, name: &'static str) -> Result<Daemon> {
        let program = match command::find(name) {
            Some(program) if matches!(name, "containerd" | "victoria-metrics") => program,
            _ => tools::binary(self.cache, name)?,
        };
        Ok(Daemon {
            name,
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            settings: Vec::new(),
        })
    }
}

/// etcd that forgets what a power cut interrupts: state of tests, not of users.
pub(crate) fn etcd_arguments(folder: &Path, client: &str, peer: &str) -> Vec<String> {
    vec![
        format!("--data-dir={}", shown(folder)),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

/// What every API server here is started with.
pub(crate) fn api_server_arguments(pki: &Pki, server: &ApiServer<'_>) -> Vec<String> {
    vec![
        format!("--etcd-servers={}", server.etcd),
        format!("--secure-port={}", server.port),
        format!("--advertise-address={}", server.advertised),
        format!("--tls-cert-file={}", shown(&pki.certificate("apiserver"))),
        format!("--tls-private-key-file={}", shown(&pki.key("apiserver"))),
        format!("--client-ca-file={}", shown(&pki.certificate("ca"))),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!(
            "--service-account-key-file={}",
            shown(&pki.service_account_public_key())
        ),
        format!(
            "--service-account-signing-key-file={}",
            shown(&pki.key("service-account"))
        ),
        format!("--service-cluster-ip-range={SERVICE_ADDRESSES}"),
        "--allow-privileged=true".to_owned(),
    ]
}

/// What a ready component answers.
pub(crate) fn probe(name: &str, kubectl: &Kubectl) -> Probe {
    let http = |address: &str| Probe::Http(format!("http://{address}"));
    match name {
        "containerd" => {
            let arguments = ["--address", &format!("{RUN}/containerd.sock"), "version"];
            Probe::Command("ctr".into(), arguments.map(str::to_owned).into())
        }
        "etcd" => Probe::Http(format!("{ETCD}/health")),
        "kube-apiserver" => kubectl.probe(&["get", "--raw", "/readyz"]),
        "kube-controller-manager" => Probe::Tcp("127.0.0.1:10257".to_owned()),
        "kube-scheduler" => Probe::Tcp("127.0.0.1:10259".to_owned()),
        "kubelet" => http("127.0.0.1:10248/healthz"),
        "kube-proxy" => http("127.0.0.1:10256/healthz"),
        "coredns" => http(&format!("{NODE_ADDRESS}:8181/ready")),
        "victoria-metrics" => http(&format!("{NODE_ADDRESS}:8428/health")),
        _ => http("127.0.0.1:18086/readyz"),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
