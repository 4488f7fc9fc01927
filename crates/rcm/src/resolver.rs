//! What the world's DNS says of a name: a small stub resolver, which asks one recursive resolver after another.
//!
//! It is for looking, not for deciding: an answer is neither cached nor authenticated.
//! Messages: [RFC 1035](https://www.rfc-editor.org/rfc/rfc1035).

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE, rdata::RData};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// How long one resolver may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a resolver is asked: a datagram may be lost.
const TRIES: usize = 2;
/// More than a datagram without extensions holds (512 bytes).
const DATAGRAM: usize = 4096;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The name that this one stands for.
    Cname,
    /// IPv4 addresses, also those of the name that this one stands for.
    A,
}

/// Recursive resolvers to ask, the first one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver(Vec<SocketAddr>);

/// Why nobody knows what a name says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// There is nobody to ask.
    #[error("no resolver is known")]
    NobodyToAsk,
    /// The last resolver did not answer, or not with an answer.
    #[error("the resolver {server} {why}")]
    Silent {
        /// Which.
        server: SocketAddr,
        /// What it did instead.
        why: String,
    },
    /// It is no name that can be asked for.
    #[error("`{0}` is not a DNS name")]
    NotAName(String),
}

impl Resolver {
    /// One that asks these.
    pub fn new(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(servers.into_iter().collect())
    }

    /// One that asks the `nameserver`s of a
    /// [resolv.conf](https://man7.org/linux/man-pages/man5/resolv.conf.5.html).
    pub fn from_resolv_conf(text: &str) -> Self {
        let server = |line: &str| {
            let mut words = line.split_whitespace();
            let address = (words.next() == Some("nameserver")).then(|| words.next()).flatten()?;
            Some(SocketAddr::new(address.parse().ok()?, 53))
        };
        Self(text.lines().filter_map(server).collect())
    }

    /// What `name` says, sorted; nothing where there is no such name or record.
    ///
    /// # Errors
    /// When no resolver gives an answer.
    pub async fn look_up(&self, name: &str, kind: Kind) -> Result<Vec<String>, Unanswered> {
        let query = Query::new(name, kind)?;
        let mut last = Unanswered::NobodyToAsk;
        for server in self.0.iter().flat_map(|server| [*server; TRIES]) {
            match timeout(PATIENCE, query.ask(server)).await {
                Ok(Ok(Some(answer))) => return Ok(answer),
                Ok(Ok(None)) => last = silent(server, "gives no answer"),
                Ok(Err(error)) => last = silent(server, &format!("cannot be asked: {error}")),
                Err(_) => last = silent(server, "does not answer"),
            }
        }
        Err(last)
    }
}

fn silent(server: SocketAddr, why: &str) -> Unanswered {
    Unanswered::Silent { server, why: why.to_owned() }
}

/// One question, as it is sent.
struct Query {
    name: String,
    kind: Kind,
    id: u16,
    message: Vec<u8>,
}

impl Query {
    fn new(name: &str, kind: Kind) -> Result<Self, Unanswered> {
        let name = name.trim_end_matches('.').to_lowercase();
        let not_a_name = |_| Unanswered::NotAName(name.clone());
        // Nobody who does not see the question can guess it.
        let id = getrandom::u32().unwrap_or_default() as u16;
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let asked = match kind {
            Kind::Cname => TYPE::CNAME,
            Kind::A => TYPE::A,
        };
        packet.questions.push(Question::new(
            Name::new(&name).map_err(not_a_name)?,
            asked.into(),
            CLASS::IN.into(),
            false,
        ));
        let message = packet.build_bytes_vec().map_err(not_a_name)?;
        Ok(Self { id, message, name, kind })
    }

    /// The answer; `None` where what comes back is none.
    async fn ask(&self, server: SocketAddr) -> std::io::Result<Option<Vec<String>>> {
        let any: SocketAddr =
            if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        socket.send(&self.message).await?;
        let mut datagram = vec![0; DATAGRAM];
        loop {
            let length = socket.recv(&mut datagram).await?;
            match Packet::parse(&datagram[..length]) {
                // Somebody else's: the answer may still come.
                Ok(packet) if !self.is_answered_by(&packet) => {}
                Ok(packet) if packet.has_flags(PacketFlag::TRUNCATION) => return self.ask_at_length(server).await,
                Ok(packet) => return Ok(self.answer(&packet)),
                Err(_) => return Ok(None),
            }
        }
    }

    /// Over TCP, for what does not fit into a datagram.
    async fn ask_at_length(&self, server: SocketAddr) -> std::io::Result<Option<Vec<String>>> {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(self.message.len()).unwrap_or(u16::MAX);
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&self.message).await?;
        let mut message = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut message).await?;
        let packet = Packet::parse(&message).ok().filter(|packet| self.is_answered_by(packet));
        Ok(packet.and_then(|packet| self.answer(&packet)))
    }

    fn is_answered_by(&self, packet: &Packet<'_>) -> bool {
        let asked = |question: &Question<'_>| question.qname.to_string().eq_ignore_ascii_case(&self.name);
        packet.id() == self.id && packet.has_flags(PacketFlag::RESPONSE) && packet.questions.iter().all(asked)
    }

    fn answer(&self, packet: &Packet<'_>) -> Option<Vec<String>> {
        if !matches!(packet.rcode(), RCODE::NoError | RCODE::NameError) {
            return None;
        }
        let mut values: Vec<String> = packet
            .answers
            .iter()
            .filter_map(|record| match (&record.rdata, self.kind) {
                (RData::CNAME(target), Kind::Cname) if record.name.to_string().eq_ignore_ascii_case(&self.name) => {
                    Some(target.0.to_string().to_lowercase())
                }
                (RData::A(address), Kind::A) => Some(Ipv4Addr::from(address.address).to_string()),
                _ => None,
            })
            .collect();
        values.sort();
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::{ResourceRecord, rdata};
    use tokio::net::TcpListener;

    use super::*;

    /// A server on this machine that answers one question by `reply`.
    async fn server(reply: impl Fn(Packet<'_>) -> Vec<u8> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut datagram = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
                socket.send_to(&reply(Packet::parse(&datagram[..length]).unwrap()), from).await.unwrap();
            }
        });
        address
    }

    fn cname(query: Packet<'_>) -> Vec<u8> {
        let mut reply = query.into_reply();
        let name = reply.questions[0].qname.clone();
        let target = RData::CNAME(rdata::CNAME(Name::new_unchecked("B.example")));
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, target));
        reply.build_bytes_vec().unwrap()
    }

    #[tokio::test]
    async fn a_name_says_what_the_first_server_that_answers_says() {
        let fails = server(|query| {
            let mut reply = query.into_reply();
            *reply.rcode_mut() = RCODE::ServerFailure;
            reply.build_bytes_vec().unwrap()
        })
        .await;
        let resolver = Resolver::new([fails, server(cname).await]);
        assert_eq!(resolver.look_up("_A.example.", Kind::Cname).await.unwrap(), ["b.example"]);
        let error = Resolver::new([fails]).look_up("a.example", Kind::A).await.unwrap_err();
        assert!(error.to_string().contains(&fails.to_string()), "{error}");
        assert_eq!(Resolver::new([]).look_up("a.example", Kind::A).await, Err(Unanswered::NobodyToAsk));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_says_nothing() {
        let nobody = server(|query| {
            let mut reply = query.into_reply();
            *reply.rcode_mut() = RCODE::NameError;
            reply.build_bytes_vec().unwrap()
        });
        assert_eq!(Resolver::new([nobody.await]).look_up("a.example", Kind::A).await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_does_not_fit_into_a_datagram_is_asked_for_again_at_length() {
        let address = server(|query| {
            let mut reply = query.into_reply();
            reply.set_flags(PacketFlag::TRUNCATION);
            reply.build_bytes_vec().unwrap()
        })
        .await;
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let reply = cname(Packet::parse(&query).unwrap());
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        });
        assert_eq!(Resolver::new([address]).look_up("a.example", Kind::Cname).await.unwrap(), ["b.example"]);
    }

    #[test]
    fn the_machines_own_resolvers_are_read_from_its_file() {
        let text = "# made by hand\nsearch acme.com\nnameserver 10.0.0.2\nnameserver ::1\nnameserver nonsense\n";
        let expected = Resolver::new(["10.0.0.2:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(Resolver::from_resolv_conf(text), expected);
    }
}
