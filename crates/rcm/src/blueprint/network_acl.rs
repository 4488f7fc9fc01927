//! A network ACL for each tier of subnets: a second line behind the security groups, which holds when one of those is opened by mistake.

use ipnet::Ipv4Net;
use rcm_aws::resources::{
    ec2_network_acl::{self, Direction, Entry, NetworkAcl, Traffic},
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, network::Tier};

const ANYWHERE: &str = "0.0.0.0/0";
/// [Ports that answers come back to](https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports):
/// NAT gateways, load balancers and App Runner's connectors use all of these, Linux the upper half.
const FIRST_EPHEMERAL: u16 = 1024;
const LAST_PORT: u16 = 65535;
const SSH: u16 = 22;
const RDP: u16 = 3389;

/// One ACL for each tier that has subnets, in the order of the tiers.
pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, vpc: &Ref<Vpc>, tiers: [(Tier, &[Ref<Subnet>]); 3]) {
    if !plan.config.network_acls {
        return;
    }
    let network = Network { vpc: plan.config.vpc_cidr, database_port: plan.config.db_port };
    for (tier, subnets) in tiers {
        let spec =
            ec2_network_acl::Spec { vpc: vpc.clone(), entries: network.entries(tier), subnets: subnets.to_vec() };
        graph.add::<NetworkAcl>(&format!("network/acl/{}", tier.name()), spec);
    }
}

/// What the entries depend on.
struct Network {
    vpc: Ipv4Net,
    database_port: u16,
}

impl Network {
    /// What may pass, by tier. An ACL knows no connections, so each flow needs its way and the way of its answers. Who may open
    /// what within the VPC is for the security groups to say; here, nothing opens SSH (22) or RDP (3389) from outside, and the
    /// database tier speaks with nobody but the private tier and itself.
    ///
    /// | Tier | In | Out |
    /// |---|---|---|
    /// | public | not 22; all from the VPC; not 3389; 80, 443, 1024–65535 and ICMP 3/4 from anywhere | all |
    /// | private | not 22; all from the VPC; not 3389; 1024–65535 and ICMP 3/4 from anywhere | all |
    /// | database | the database's port from the private tier; 1024–65535 from the database tier | 1024–65535 to the private and the database tier |
    ///
    /// | Flow | Its packets | Its answers |
    /// |---|---|---|
    /// | people → load balancer | into public, 80 or 443 | out of public, to their ephemeral port |
    /// | load balancer → tasks | out of public, into private, from the VPC | out of private, into public, from the VPC |
    /// | tasks → database | out of private, into database, its port | out of database, into private, to an ephemeral port |
    /// | tasks → NAT gateway → internet | out of private, into public, from the VPC; out of public | into public, to an ephemeral port of the gateway; out of public, into private, to one of the task, both from the internet's address |
    /// | tasks → S3 by the gateway endpoint | out of private | into private, to an ephemeral port, from S3's public address |
    /// | tasks → interface endpoints in the private subnets | within private, from the VPC | the same |
    /// | App Runner's connector in the private subnets → database, internet | as tasks, but from any port above 1023 | the same |
    /// | a read replica ↔ its source | within database, the port | within database, ephemeral |
    /// | a router on the way → load balancer, NAT gateway, tasks | ICMP 3/4: "smaller packets, please" (path MTU discovery) | none |
    ///
    /// DNS, time, metadata and task credentials come from addresses of the VPC's own that no ACL filters. 3389 is an ephemeral
    /// port too: of 64,512 connections that a NAT gateway opens, one may get it, time out and be tried again.
    fn entries(&self, tier: Tier) -> Vec<Entry> {
        let of_vpc = self.vpc.to_string();
        let mut list = List::default();
        match tier {
            Tier::Public | Tier::Private => {
                list.deny(Direction::In, port(SSH), ANYWHERE);
                list.allow(Direction::In, Traffic::All, &of_vpc);
                list.deny(Direction::In, port(RDP), ANYWHERE);
                if matches!(tier, Tier::Public) {
                    list.allow(Direction::In, port(80), ANYWHERE);
                    list.allow(Direction::In, port(443), ANYWHERE);
                }
                // In two ranges: whoever looks at single entries sees that none of them opens 3389.
                list.allow(Direction::In, Traffic::Tcp { from: FIRST_EPHEMERAL, to: RDP - 1 }, ANYWHERE);
                list.allow(Direction::In, Traffic::Tcp { from: RDP + 1, to: LAST_PORT }, ANYWHERE);
                list.allow(Direction::In, Traffic::Icmp { kind: 3, code: 4 }, ANYWHERE);
                list.allow(Direction::Out, Traffic::All, ANYWHERE);
            }
            Tier::Database => {
                let (private, database) = (self.block(Tier::Private), self.block(Tier::Database));
                list.allow(Direction::In, port(self.database_port), &private);
                list.allow(Direction::In, ephemeral(), &database);
                list.allow(Direction::Out, ephemeral(), &private);
                list.allow(Direction::Out, ephemeral(), &database);
            }
        }
        list.0
    }

    /// The addresses of a tier in all zones, those that may come included: a quarter of the VPC's.
    fn block(&self, tier: Tier) -> String {
        let quarters = self.vpc.subnets(self.vpc.prefix_len() + 2).into_iter().flatten();
        quarters.skip(tier.first_block() / 4).map(|quarter| quarter.to_string()).next().unwrap_or_default()
    }
}

fn port(port: u16) -> Traffic {
    Traffic::Tcp { from: port, to: port }
}

fn ephemeral() -> Traffic {
    Traffic::Tcp { from: FIRST_EPHEMERAL, to: LAST_PORT }
}

/// Entries in the order in which they are judged, with room between their numbers.
#[derive(Default)]
struct List(Vec<Entry>);

impl List {
    fn allow(&mut self, direction: Direction, traffic: Traffic, cidr: &str) {
        self.push(direction, traffic, cidr, true);
    }

    fn deny(&mut self, direction: Direction, traffic: Traffic, cidr: &str) {
        self.push(direction, traffic, cidr, false);
    }

    fn push(&mut self, direction: Direction, traffic: Traffic, cidr: &str, allow: bool) {
        let before = self.0.iter().filter(|entry| entry.direction == direction).count();
        let number = 100 + 10 * u16::try_from(before).unwrap_or(u16::MAX / 10 - 10);
        self.0.push(Entry { number, direction, traffic, cidr: cidr.to_owned(), allow });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PERSON: &str = "203.0.113.7";
    const BALANCER: &str = "10.0.0.10";
    const NAT: &str = "10.0.16.9";
    const TASK: &str = "10.0.64.20";
    const OTHER_TASK: &str = "10.0.80.20";
    const DATABASE: &str = "10.0.128.30";
    const REPLICA: &str = "10.0.144.30";
    const S3: &str = "52.216.1.1";

    fn network() -> Network {
        Network { vpc: "10.0.0.0/16".parse().unwrap(), database_port: 5432 }
    }

    #[derive(Clone, Copy)]
    enum Packet {
        Tcp(u16),
        Udp,
        Icmp(i32, i32),
    }

    impl Packet {
        fn fits(self, traffic: &Traffic) -> bool {
            match (self, traffic) {
                (_, Traffic::All) => true,
                (Packet::Tcp(port), Traffic::Tcp { from, to }) => (*from..=*to).contains(&port),
                (Packet::Icmp(its_kind, its_code), Traffic::Icmp { kind, code }) => {
                    (its_kind, its_code) == (*kind, *code)
                }
                _ => false,
            }
        }
    }

    /// What EC2 does: the lowest entry that fits decides, and what none fits is denied.
    fn passes(entries: &[Entry], direction: Direction, peer: &str, packet: Packet) -> bool {
        let peer: Ipv4Addr = peer.parse().unwrap();
        let fits = |entry: &&Entry| {
            entry.direction == direction
                && packet.fits(&entry.traffic)
                && entry.cidr.parse::<Ipv4Net>().unwrap().contains(&peer)
        };
        entries.iter().filter(fits).min_by_key(|entry| entry.number).is_some_and(|entry| entry.allow)
    }

    /// The tier of an address of the VPC; none outside.
    fn tier(address: &str) -> Option<Tier> {
        let address: Ipv4Addr = address.parse().unwrap();
        let has = |tier: &Tier| network().block(*tier).parse::<Ipv4Net>().unwrap().contains(&address);
        [Tier::Public, Tier::Private, Tier::Database].into_iter().find(has)
    }

    /// Whether a packet gets from one address to another: out of one's subnet and into the other's, unless they share it.
    fn arrives(from: &str, to: &str, packet: Packet) -> bool {
        let leaves = tier(from).is_none_or(|tier| passes(&network().entries(tier), Direction::Out, to, packet));
        let enters = tier(to).is_none_or(|tier| passes(&network().entries(tier), Direction::In, from, packet));
        leaves && enters
    }

    #[track_caller]
    fn flows(from: &str, own_port: u16, to: &str, port: u16) {
        assert!(arrives(from, to, Packet::Tcp(port)), "{from}:{own_port} → {to}:{port}");
        assert!(arrives(to, from, Packet::Tcp(own_port)), "the answer of {to}:{port} to {from}:{own_port}");
    }

    #[test]
    fn everything_that_the_stack_says_gets_there_and_back() {
        for own_port in [1024, 3388, 3390, 32768, 60999, 65535] {
            flows(PERSON, own_port, BALANCER, 80);
            flows(PERSON, own_port, BALANCER, 443);
            flows(BALANCER, own_port, TASK, 8080);
            flows(TASK, own_port, DATABASE, 5432);
            // To the NAT gateway, which puts its own address and port in the task's place; its answer goes on with the
            // internet's address.
            flows(NAT, own_port, PERSON, 443);
            flows(TASK, own_port, PERSON, 443);
            assert!(
                passes(&network().entries(Tier::Public), Direction::In, TASK, Packet::Tcp(443)),
                "into the gateway"
            );
            assert!(passes(&network().entries(Tier::Public), Direction::Out, TASK, Packet::Tcp(own_port)), "out of it");
            flows(TASK, own_port, S3, 443);
            flows(TASK, own_port, OTHER_TASK, 443);
            flows(REPLICA, own_port, DATABASE, 5432);
            flows(DATABASE, own_port, REPLICA, 5432);
        }
        // Within the VPC 3389 is a port like any other, also one that answers come back to.
        flows(BALANCER, 3389, TASK, 8080);
        flows(TASK, 3389, DATABASE, 5432);
        for target in [BALANCER, NAT, TASK] {
            assert!(arrives(PERSON, target, Packet::Icmp(3, 4)), "path MTU discovery of {target}");
        }
    }

    #[test]
    fn nothing_opens_a_shell_or_a_desktop_from_outside() {
        for target in [BALANCER, NAT, TASK, OTHER_TASK, DATABASE, REPLICA] {
            for port in [22, 3389] {
                assert!(!arrives(PERSON, target, Packet::Tcp(port)), "{target}:{port}");
            }
            assert!(!arrives(PERSON, target, Packet::Udp) && !arrives(PERSON, target, Packet::Icmp(8, 0)), "{target}");
        }
        for tier in [Tier::Public, Tier::Private, Tier::Database] {
            for entry in network().entries(tier).iter().filter(|entry| entry.allow && entry.cidr == ANYWHERE) {
                let opens = |port| entry.direction == Direction::In && Packet::Tcp(port).fits(&entry.traffic);
                assert!(!opens(22) && !opens(3389), "{entry:?}");
            }
        }
    }

    #[test]
    fn the_database_speaks_with_the_private_tier_and_with_itself_alone() {
        for stranger in [PERSON, BALANCER, NAT, S3] {
            for port in [443, 5432, 40000] {
                assert!(!arrives(stranger, DATABASE, Packet::Tcp(port)), "{stranger} → :{port}");
                assert!(!arrives(DATABASE, stranger, Packet::Tcp(port)), "→ {stranger}:{port}");
            }
        }
        assert!(!arrives(TASK, DATABASE, Packet::Tcp(5433)), "another port");
        assert!(!arrives(DATABASE, TASK, Packet::Tcp(443)), "the database opens no connection to a server");
    }

    #[test]
    fn a_tier_is_a_quarter_of_any_network() {
        let blocks = |vpc: &str| {
            let network = Network { vpc: vpc.parse().unwrap(), database_port: 5432 };
            [Tier::Public, Tier::Private, Tier::Database].map(|tier| network.block(tier))
        };
        assert_eq!(blocks("10.0.0.0/16"), ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"]);
        assert_eq!(blocks("10.9.16.0/20"), ["10.9.16.0/22", "10.9.20.0/22", "10.9.24.0/22"]);
    }
}
