# The same as cluster.yaml, for OpenTofu and Terraform: docs/eks.md

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.70"
    }
  }
}

variable "name" {
  type    = string
  default = "kafka"
}

variable "kubernetes_version" {
  type    = string
  default = "1.33"
}

variable "subnets" {
  type        = map(string)
  description = "A private subnet for each of three zones, by the zone's name"
  validation {
    condition     = length(var.subnets) == 3
    error_message = "Name three subnets, one for each zone."
  }
}

variable "brokers_in_each_zone" {
  type        = number
  default     = 1
  description = "Nodes of each map in each zone; brokers.sets[].replicas is three times as many"
}

variable "api_clients" {
  type        = list(string)
  description = "Networks that reach the Kubernetes API"
}

variable "planners_role" {
  type        = string
  default     = null
  description = "ARN of an IAM role whose users plan with topicmappr from their own machines"
}

variable "msk_cluster" {
  type        = string
  default     = null
  description = "ARN of an Amazon MSK cluster that the chart's pods manage, with logins by IAM"
}

locals {
  # One NVMe disk each: a disk is a volume, and a broker of the chart has one.
  maps = {
    events = "i4i.4xlarge"
    logs   = "i4i.2xlarge"
  }

  # A group has one zone: a group over three may put all of its nodes into two.
  broker_groups = {
    for pair in setproduct(keys(local.maps), keys(var.subnets)) :
    "${pair[0]}-${pair[1]}" => { map = pair[0], zone = pair[1] }
  }

  policies = "arn:${data.aws_partition.current.partition}:iam::aws:policy"

  pods = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

data "aws_partition" "current" {}

resource "aws_iam_role" "cluster" {
  name_prefix = "${var.name}-cluster-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policies}/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name_prefix = "${var.name}-node-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryPullOnly",
  ])
  role       = aws_iam_role.node.name
  policy_arn = "${local.policies}/${each.value}"
}

resource "aws_eks_cluster" "kafka" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = values(var.subnets)
    endpoint_private_access = true
    endpoint_public_access  = true
    public_access_cidrs     = var.api_clients
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [aws_iam_role_policy_attachment.cluster]
}

# The chart's network policies need it.
resource "aws_eks_addon" "network" {
  cluster_name                = aws_eks_cluster.kafka.name
  addon_name                  = "vpc-cni"
  resolve_conflicts_on_create = "OVERWRITE"
  configuration_values        = jsonencode({ enableNetworkPolicy = "true" })
}

resource "aws_eks_addon" "pod_identity" {
  cluster_name = aws_eks_cluster.kafka.name
  addon_name   = "eks-pod-identity-agent"
}

# Volumes of controllers, and of the Deployment keep.
resource "aws_iam_role" "volumes" {
  name_prefix        = "${var.name}-volumes-"
  assume_role_policy = local.pods
}

resource "aws_iam_role_policy_attachment" "volumes" {
  role       = aws_iam_role.volumes.name
  policy_arn = "${local.policies}/service-role/AmazonEBSCSIDriverPolicy"
}

resource "aws_eks_addon" "volumes" {
  cluster_name = aws_eks_cluster.kafka.name
  addon_name   = "aws-ebs-csi-driver"

  pod_identity_association {
    service_account = "ebs-csi-controller-sa"
    role_arn        = aws_iam_role.volumes.arn
  }

  depends_on = [aws_eks_addon.pod_identity, aws_eks_node_group.controllers]
}

resource "aws_launch_template" "brokers" {
  name_prefix = "${var.name}-brokers-"

  # Pods do not reach the credentials of their node.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 50
      volume_type = "gp3"
      encrypted   = true
    }
  }

  # Each NVMe disk gets a file system under /mnt/k8s-disks: storage.yaml.
  user_data = base64encode(<<-EOT
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="//"

    --//
    Content-Type: application/node.eks.aws

    apiVersion: node.eks.aws/v1alpha1
    kind: NodeConfig
    spec:
      instance:
        localStorage:
          strategy: Mount
    --//--
  EOT
  )
}

resource "aws_eks_node_group" "brokers" {
  for_each        = local.broker_groups
  cluster_name    = aws_eks_cluster.kafka.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [var.subnets[each.value.zone]]
  ami_type        = "AL2023_x86_64_STANDARD"
  instance_types  = [local.maps[each.value.map]]
  labels          = { pool = each.value.map }

  launch_template {
    id      = aws_launch_template.brokers.id
    version = aws_launch_template.brokers.latest_version
  }

  scaling_config {
    min_size     = var.brokers_in_each_zone
    desired_size = var.brokers_in_each_zone
    max_size     = var.brokers_in_each_zone
  }

  # The disk dies with its node.
  update_config {
    max_unavailable = 1
  }

  taint {
    key    = "dedicated"
    value  = "kafka"
    effect = "NO_SCHEDULE"
  }

  # All data of Kafka is on these nodes.
  lifecycle {
    prevent_destroy = true
  }

  depends_on = [aws_iam_role_policy_attachment.node]
}

# Controllers, the CronJobs of topicmappr, and everything that is not Kafka.
resource "aws_eks_node_group" "controllers" {
  for_each        = var.subnets
  cluster_name    = aws_eks_cluster.kafka.name
  node_group_name = "controllers-${each.key}"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [each.value]
  ami_type        = "AL2023_x86_64_STANDARD"
  instance_types  = ["m7i.large"]
  labels          = { pool = "controllers" }

  scaling_config {
    min_size     = 1
    desired_size = 1
    max_size     = 2
  }

  depends_on = [aws_iam_role_policy_attachment.node]
}

# deploy/eks/planners.yaml gives the group its rights.
resource "aws_eks_access_entry" "planners" {
  count             = var.planners_role == null ? 0 : 1
  cluster_name      = aws_eks_cluster.kafka.name
  principal_arn     = var.planners_role
  kubernetes_groups = ["topicmappr-planners"]
}

# docs/kafka-acls.md, in the words of MSK.
resource "aws_iam_role" "msk" {
  count              = var.msk_cluster == null ? 0 : 1
  name_prefix        = "${var.name}-msk-"
  assume_role_policy = local.pods
}

resource "aws_iam_role_policy" "msk" {
  count = length(aws_iam_role.msk)
  name  = "kafka"
  role  = aws_iam_role.msk[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "kafka-cluster:Connect",
          "kafka-cluster:DescribeCluster",
          "kafka-cluster:AlterCluster",
          "kafka-cluster:DescribeClusterDynamicConfiguration",
          "kafka-cluster:AlterClusterDynamicConfiguration",
        ]
        Resource = var.msk_cluster
      },
      {
        Effect = "Allow"
        Action = [
          "kafka-cluster:DescribeTopic",
          "kafka-cluster:CreateTopic",
          "kafka-cluster:AlterTopic",
          "kafka-cluster:DescribeTopicDynamicConfiguration",
          "kafka-cluster:AlterTopicDynamicConfiguration",
        ]
        Resource = "${replace(var.msk_cluster, ":cluster/", ":topic/")}/*"
      },
    ]
  })
}

resource "aws_eks_pod_identity_association" "msk" {
  for_each        = toset(var.msk_cluster == null ? [] : ["planning", "topics", "execute", "autothrottle"])
  cluster_name    = aws_eks_cluster.kafka.name
  namespace       = "kafka"
  service_account = "topicmappr-${each.value}"
  role_arn        = aws_iam_role.msk[0].arn
}

output "kubeconfig" {
  description = "The command that lets kubectl and topicmappr reach the cluster"
  value       = "aws eks update-kubeconfig --name ${aws_eks_cluster.kafka.name}"
}
