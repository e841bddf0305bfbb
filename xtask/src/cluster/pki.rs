//! Keys and certificates of a control plane, made once per cluster.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256,
};

/// Who a client certificate says its holder is.
pub(crate) struct Client {
    pub(crate) file: &'static str,
    pub(crate) user: &'static str,
    pub(crate) group: Option<&'static str>,
}

/// The administrator of the cluster.
pub(crate) const ADMINISTRATOR: Client = Client {
    file: "admin",
    user: "admin",
    group: Some("system:masters"),
};

/// A folder of keys and certificates, each `<name>.crt` with `<name>.key`.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes everything, unless the folder is there already.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn ensure(
        folder: &Path,
        server_names: &[&str],
        node_address: Option<&str>,
        clients: &[Client],
    ) -> Result<Self> {
        if !folder.is_dir() {
            // Written aside and moved, so that a killed run leaves no half of it.
            let part = folder.with_extension("part");
            let _ = fs::remove_dir_all(&part);
            fs::create_dir_all(&part).with_context(|| format!("creating {}", part.display()))?;
            Authority::create(&part)?.issue_all(&part, server_names, node_address, clients)?;
            fs::rename(&part, folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// A certificate's file.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.crt"))
    }

    /// A private key's file.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// The public half of the key that signs service account tokens.
    pub(crate) fn service_account_public_key(&self) -> PathBuf {
        self.folder.join("service-account.pub")
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn create(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = named("moka-local-ca", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        fs::write(folder.join("ca.crt"), certificate.pem())?;
        Ok(Self {
            issuer: Issuer::new(params, key),
        })
    }

    fn issue_all(
        &self,
        folder: &Path,
        server_names: &[&str],
        node_address: Option<&str>,
        clients: &[Client],
    ) -> Result<()> {
        self.issue(
            folder,
            "apiserver",
            named("kube-apiserver", None),
            server_names,
        )?;
        if let Some(address) = node_address {
            self.issue(folder, "kubelet-server", named("kubelet", None), &[address])?;
        }
        for client in clients {
            self.issue(
                folder,
                client.file,
                named(client.user, client.group),
                &[client.file],
            )?;
        }
        let key = KeyPair::generate()?;
        write_secret(&folder.join("service-account.key"), &key.serialize_pem())?;
        fs::write(folder.join("service-account.pub"), key.public_key_pem())?;
        Ok(())
    }

    fn issue(
        &self,
        folder: &Path,
        file: &str,
        mut params: CertificateParams,
        names: &[&str],
    ) -> Result<()> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        // The Kubernetes client of Spark and of the JVM's world reads RSA keys only.
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(folder.join(format!("{file}.crt")), certificate.pem())?;
        write_secret(&folder.join(format!("{file}.key")), &key.serialize_pem())
    }
}

fn named(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params
}

fn write_secret(file: &Path, text: &str) -> Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut options = fs::File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    options.open(file)?.write_all(text.as_bytes())?;
    Ok(())
}
