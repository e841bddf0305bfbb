//! The bridge of the pods and the packet filter rules of the node.

use std::{fs, process::Stdio};

use anyhow::{Context as _, Result};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{NODE_ADDRESS, SERVICE_ADDRESSES, command};

const BRIDGE: &str = "cni0";
const NETWORK: &str = "moka-pods";

/// Makes the bridge before the first pod does, because its address is the node's.
///
/// # Errors
/// When the kernel refuses.
pub(crate) async fn create() -> Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("allowing forwarding of packets")?;
    if !command::succeeds(&mut ip(&["link", "show", BRIDGE])).await {
        command::output(&mut ip(&["link", "add", BRIDGE, "type", "bridge"])).await?;
    }
    let addresses = command::output(&mut ip(&["addr", "show", BRIDGE])).await?;
    if !addresses.contains(&format!("{NODE_ADDRESS}/16")) {
        let address = format!("{NODE_ADDRESS}/16");
        command::output(&mut ip(&["addr", "add", &address, "dev", BRIDGE])).await?;
    }
    command::output(&mut ip(&["link", "set", BRIDGE, "up"])).await?;
    // Until kube-proxy knows a service, a packet to its address goes wherever the machine's routes
    // lead: out, where a stranger may take the connection and keep it. Here it ends on the bridge.
    let services = [
        "route",
        "replace",
        SERVICE_ADDRESSES,
        "dev",
        BRIDGE,
        "src",
        NODE_ADDRESS,
    ];
    command::output(&mut ip(&services)).await?;
    Ok(())
}

/// Removes the bridge and every rule of the node's proxy, kubelet and pods.
///
/// # Errors
/// When the kernel refuses.
pub(crate) async fn remove() -> Result<()> {
    for family in ["iptables", "ip6tables"] {
        remove_rules(family).await?;
    }
    if command::succeeds(&mut ip(&["link", "show", BRIDGE])).await {
        command::output(&mut ip(&["link", "delete", BRIDGE])).await?;
    }
    Ok(())
}

async fn remove_rules(family: &str) -> Result<()> {
    let Ok(before) = command::output(&mut Command::new(format!("{family}-save"))).await else {
        return Ok(());
    };
    let after = without_cluster(&before);
    if after == before {
        return Ok(());
    }
    let mut restore = Command::new(format!("{family}-restore"))
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = restore.stdin.take().context("the rules need a pipe")?;
    input.write_all(after.as_bytes()).await?;
    drop(input);
    let status = restore.wait().await?;
    anyhow::ensure!(status.success(), "{family}-restore ended with {status}");
    Ok(())
}

/// A rule set without the chains of Kubernetes and of our pod network, and without rules that
/// mention them.
fn without_cluster(rules: &str) -> String {
    let ours = |line: &str| line.contains(NETWORK);
    let chains: Vec<&str> = rules
        .lines()
        .filter(|line| ours(line))
        .filter_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("CNI-"))
        })
        .filter(|chain| *chain != "CNI-HOSTPORT-MASQ" && *chain != "CNI-HOSTPORT-DNAT")
        .collect();
    let kept = |line: &&str| {
        let mentioned = line.split_whitespace().any(|word| {
            let chain = word.trim_start_matches(':');
            chain.starts_with("KUBE-") || chains.contains(&chain)
        });
        !mentioned && !ours(line)
    };
    let mut text = rules.lines().filter(kept).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

fn ip(arguments: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::without_cluster;

    #[test]
    fn only_rules_of_the_cluster_go() {
        let rules = "\
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-aaaa - [0:0]
:CNI-bbbb - [0:0]
:KUBE-SERVICES - [0:0]
-A POSTROUTING -s 10.88.0.5/32 -m comment --comment \"name: \\\"moka-pods\\\" id: \\\"1\\\"\" -j CNI-aaaa
-A POSTROUTING -s 10.99.0.5/32 -m comment --comment \"name: \\\"podman\\\" id: \\\"2\\\"\" -j CNI-bbbb
-A POSTROUTING -m comment --comment \"kubernetes\" -j KUBE-SERVICES
-A CNI-aaaa -d 10.88.0.0/16 -j ACCEPT
-A CNI-bbbb -d 10.99.0.0/16 -j ACCEPT
COMMIT
";
        let expected = "\
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-bbbb - [0:0]
-A POSTROUTING -s 10.99.0.5/32 -m comment --comment \"name: \\\"podman\\\" id: \\\"2\\\"\" -j CNI-bbbb
-A CNI-bbbb -d 10.99.0.0/16 -j ACCEPT
COMMIT
";
        assert_eq!(without_cluster(rules), expected);
    }

    #[test]
    fn foreign_rules_stay_as_they_are() {
        let rules = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n";
        assert_eq!(without_cluster(rules), rules);
    }
}
