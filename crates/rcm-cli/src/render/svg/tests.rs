use super::{super::graph::tests::network, *};

#[test]
fn every_resource_and_every_edge_is_in_the_picture() {
    let picture = svg(&network(), "acme/prod");
    for text in ["acme/prod", "network/vpc", "database/subnet-a", "ec2/subnet", "3 resources"] {
        assert!(picture.contains(text), "{text} is missing");
    }
    assert_eq!(picture.matches("<path").count(), 2);
    assert_eq!(picture.matches("stroke-dasharray").count(), 1);
}

#[test]
fn text_cannot_break_out_of_the_picture() {
    let picture = svg(&network(), "<script>\"&");
    assert!(picture.contains("&lt;script&gt;&quot;&amp;"));
    assert!(!picture.contains("<script"));
}

#[test]
fn an_empty_graph_is_an_empty_picture() {
    assert!(svg(&Graph::new(), "acme/prod").ends_with("</svg>\n"));
}

#[test]
fn what_another_edge_implies_is_faint() {
    let mut graph = Graph::new();
    let spec = || rcm::aws::resources::ec2_vpc::Spec {
        cidr: "10.0.0.0/16".into(),
        dns_support: true,
        dns_hostnames: true,
        default_group_empty: true,
    };
    use rcm::aws::resources::ec2_vpc::Vpc;
    let first = graph.add::<Vpc>("a/first", spec());
    let second = graph.add::<Vpc>("a/second", spec());
    let third = graph.add::<Vpc>("a/third", spec());
    graph.after(&second, &first);
    graph.after(&third, &second);
    graph.after(&third, &first);
    let graph = graph.finish().unwrap();
    let nodes: Vec<&Node> = graph.nodes().collect();
    let edges = edges(&nodes);
    assert!(edges[2][&0].implied && !edges[2][&1].implied);
}
