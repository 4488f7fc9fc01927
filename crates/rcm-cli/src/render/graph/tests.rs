use rcm::{
    aws::resources::{ec2_subnet, ec2_vpc},
    engine::model::Graph,
};

use super::*;

/// A VPC, a subnet that needs it, and one that needs only its id.
pub(in crate::render) fn network() -> Graph {
    let mut graph = Graph::new();
    let spec =
        ec2_vpc::Spec { cidr: "10.0.0.0/16".into(), dns_support: true, dns_hostnames: true, default_group_empty: true };
    let vpc = graph.add::<ec2_vpc::Vpc>("network/vpc", spec);
    let subnet = |vpc, cidr: &str| ec2_subnet::Spec {
        vpc,
        cidr: cidr.into(),
        zone: "us-east-1a".into(),
        map_public_ip_on_launch: false,
    };
    graph.add::<ec2_subnet::Subnet>("network/subnet/private-a", subnet(vpc.clone(), "10.0.0.0/20"));
    graph.add::<ec2_subnet::Subnet>("database/subnet-a", subnet(vpc.early(), "10.0.16.0/20"));
    graph.finish().unwrap()
}

#[test]
fn graphviz_gets_layers_as_clusters_and_early_edges_dashed() {
    insta::assert_snapshot!(dot(&network()), @r#"
    digraph rcm {
      rankdir = RL
      node [shape = box, fontname = "sans-serif"]
      subgraph "cluster_network" {
        label = "network"
        "network/subnet/private-a" [label = "subnet/private-a\nec2/subnet"]
        "network/vpc" [label = "vpc\nec2/vpc"]
      }
      subgraph "cluster_database" {
        label = "database"
        "database/subnet-a" [label = "subnet-a\nec2/subnet"]
      }
      "database/subnet-a" -> "network/vpc" [style = dashed]
      "network/subnet/private-a" -> "network/vpc"
    }
    "#);
}

#[test]
fn mermaid_gets_names_that_it_takes() {
    insta::assert_snapshot!(mermaid(&network()), @r#"
    flowchart RL
      subgraph layer_network["network"]
        network__subnet__private_a["subnet/private-a<br/><small>ec2/subnet</small>"]
        network__vpc["vpc<br/><small>ec2/vpc</small>"]
      end
      subgraph layer_database["database"]
        database__subnet_a["subnet-a<br/><small>ec2/subnet</small>"]
      end
      database__subnet_a -.-> network__vpc
      network__subnet__private_a --> network__vpc
    "#);
}

#[test]
fn programs_get_what_each_node_waits_for() {
    let read: serde_json::Value = serde_json::from_str(&json(&network())).unwrap();
    let subnet = &read["nodes"][0];
    assert_eq!(subnet["address"], "database/subnet-a");
    assert_eq!(subnet["waits_for"], serde_json::json!([{ "address": "network/vpc", "early": true }]));
    assert_eq!(subnet["spec"]["cidr"], "10.0.16.0/20");
}
