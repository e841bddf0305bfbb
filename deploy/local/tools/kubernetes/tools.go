//go:build tools

// Package tools pins the commands of Kubernetes, YuniKorn and the Spark Operator that the local cluster runs.
// They share one module because they agree on one version of the Kubernetes libraries, and so share their build.
package tools

import (
	_ "github.com/apache/yunikorn-k8shim/pkg/cmd/shim"
	_ "github.com/kubeflow/spark-operator/v2/cmd/operator"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
