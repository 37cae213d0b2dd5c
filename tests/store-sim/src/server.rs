//! Shops behind sockets: hundreds in one process, each on a port of its own or all behind one, over http or https,
//! with the faults of `faults.rs` carried out and webhooks delivered by `webhooks/driver.rs`.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    Request, Shop, ShopConfig,
    faults::Faults,
    shop::Clock,
    state::Permissions,
    webhooks::{
        Hooks, Timing,
        driver::{Clients, Driver},
    },
};

mod http;
mod listen;
#[cfg(feature = "tls")]
mod tls;

use listen::Wrap;

/// What a shop's certificate is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Plain http.
    #[default]
    None,
    /// https with a certificate that the server's CA signed for 127.0.0.1 and localhost.
    Good,
    /// https with a certificate that ran out in 2021.
    Expired,
    /// https with a certificate for another name.
    WrongName,
    /// https with a certificate that signed itself.
    Unknown,
}

/// Changes a shop's settings before it is opened.
pub type Configure = Arc<dyn Fn(&mut ShopConfig) + Send + Sync>;

/// One shop to serve.
#[derive(Clone, Default)]
pub struct ShopSpec {
    /// What it is asked for by.
    pub id: String,
    /// Its certificate; without the feature `tls` there is only `Tls::None`. Shops behind one port share the first's.
    pub tls: Tls,
    /// Its settings.
    pub configure: Option<Configure>,
}

impl ShopSpec {
    /// A shop over plain http.
    pub fn http(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// A shop over https with a good certificate.
    pub fn https(id: &str) -> Self {
        Self { id: id.to_owned(), tls: Tls::Good, ..Self::default() }
    }
}

/// Where shops are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Address {
    /// Each on a port of its own: `http://127.0.0.1:40001`.
    #[default]
    PortEach,
    /// All behind this address, each in a folder: `http://127.0.0.1:8081/s/one`.
    Shared(SocketAddr),
}

/// How shops are served.
#[derive(Clone, Default)]
pub struct Options {
    /// Where.
    pub address: Address,
    /// When webhooks are delivered; at once if not given.
    pub timing: Option<Timing>,
    /// Milliseconds since 1970; the system's time if not given.
    pub clock: Option<Clock>,
}

/// Running shops. Dropping it stops them.
pub struct Server {
    hosts: BTreeMap<String, Arc<Host>>,
    ca_pem: Option<String>,
    clients: Arc<Clients>,
    tasks: JoinSet<()>,
}

/// One shop and what is around it.
struct Host {
    id: String,
    shop: Arc<Shop>,
    faults: Arc<Faults>,
    hooks: Arc<Hooks>,
    driver: Arc<Driver>,
    key: (String, String),
}

/// The shops behind one listener.
struct Hosts {
    shared: bool,
    hosts: Vec<Arc<Host>>,
}

impl Hosts {
    /// The shop when there is only one, which has the port for itself.
    fn only(&self) -> Option<&Host> {
        if self.shared { None } else { self.hosts.first().map(Arc::as_ref) }
    }

    /// Whose request it is.
    fn find(&self, request: &Request) -> Option<Arc<Host>> {
        if !self.shared {
            return self.hosts.first().map(Arc::clone);
        }
        let id = request.target.strip_prefix("/s/")?.split(['/', '?']).next()?;
        let place = self.hosts.binary_search_by(|host| host.id.as_str().cmp(id)).ok()?;
        Some(Arc::clone(&self.hosts[place]))
    }
}

impl Server {
    /// Opens these shops.
    pub async fn start(mut shops: Vec<ShopSpec>, options: Options) -> io::Result<Self> {
        let clients = Clients::new().map_err(io::Error::other)?;
        let mut server = Self { hosts: BTreeMap::new(), ca_pem: None, clients, tasks: JoinSet::new() };
        let mut wraps = Wraps::new(&shops)?;
        server.ca_pem = wraps.ca_pem();
        match options.address {
            Address::PortEach => {
                for spec in shops {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let url = format!("{}://{}", scheme(spec.tls), listener.local_addr()?);
                    let wrap = wraps.of(spec.tls)?;
                    let host = server.open(spec, &url, &options)?;
                    server.listen(listener, Hosts { shared: false, hosts: vec![host] }, wrap);
                }
            }
            Address::Shared(address) => {
                let listener = TcpListener::bind(address).await?;
                let tls = shops.first().map_or(Tls::None, |first| first.tls);
                let (wrap, address) = (wraps.of(tls)?, listener.local_addr()?);
                shops.sort_by(|a, b| a.id.cmp(&b.id));
                let mut hosts = Vec::with_capacity(shops.len());
                for spec in shops {
                    let url = format!("{}://{address}/s/{}", scheme(tls), spec.id);
                    hosts.push(server.open(spec, &url, &options)?);
                }
                server.listen(listener, Hosts { shared: true, hosts }, wrap);
            }
        }
        Ok(server)
    }

    /// The ids of its shops.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// A shop's address, without a slash at the end.
    ///
    /// # Panics
    /// As all that follow, when there is no such shop.
    pub fn base_url(&self, id: &str) -> String {
        self.host(id).shop.config().url.clone()
    }

    /// A key of the administrator that may read and write: consumer key and consumer secret.
    pub fn key(&self, id: &str) -> (String, String) {
        self.host(id).key.clone()
    }

    /// The shop itself.
    pub fn shop(&self, id: &str) -> Arc<Shop> {
        Arc::clone(&self.host(id).shop)
    }

    /// What can go wrong with it.
    pub fn faults(&self, id: &str) -> Arc<Faults> {
        Arc::clone(&self.host(id).faults)
    }

    /// The deliveries that wait.
    pub fn hooks(&self, id: &str) -> Arc<Hooks> {
        Arc::clone(&self.host(id).hooks)
    }

    /// What sends them.
    pub fn driver(&self, id: &str) -> Arc<Driver> {
        Arc::clone(&self.host(id).driver)
    }

    /// The CA that its certificates are signed by, where there are any.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Closes all shops; what is underway is cut off.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    fn host(&self, id: &str) -> &Host {
        self.hosts.get(id).unwrap_or_else(|| panic!("there is no shop `{id}`"))
    }

    fn open(&mut self, spec: ShopSpec, url: &str, options: &Options) -> io::Result<Arc<Host>> {
        let faults = Arc::new(Faults::default());
        let (truth, ahead) = (options.clock.clone().unwrap_or_else(system_clock), Arc::clone(&faults));
        let mut config = ShopConfig::new(url, Arc::new(move || truth() + ahead.clock_ahead_ms()));
        if let Some(configure) = &spec.configure {
            configure(&mut config);
        }
        let shop = Arc::new(Shop::new(config));
        let key = shop.add_key(Permissions::ReadWrite, 1);
        let hooks = Hooks::attach(&shop, options.timing.unwrap_or(Timing::AtOnce));
        let driver = Driver::new(Arc::clone(&shop), Arc::clone(&hooks), Arc::clone(&self.clients));
        let sending = Arc::clone(&driver);
        self.tasks.spawn(async move { sending.run().await });
        let host = Arc::new(Host { id: spec.id.clone(), shop, faults, hooks, driver, key });
        if self.hosts.insert(spec.id, Arc::clone(&host)).is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "two shops have the same id"));
        }
        Ok(host)
    }

    fn listen(&mut self, listener: TcpListener, hosts: Hosts, wrap: Wrap) {
        self.tasks.spawn(async move {
            if let Err(error) = listen::serve(listener, Arc::new(hosts), wrap).await {
                tracing::warn!(%error, "a listener ended");
            }
        });
    }
}

fn scheme(tls: Tls) -> &'static str {
    if tls == Tls::None { "http" } else { "https" }
}

/// The look-alike's own clock; whoever needs another one gives it.
#[expect(clippy::disallowed_methods, reason = "the one place where look-alikes read the time")]
fn system_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Acceptors by kind of certificate, each made once: hundreds of shops share them.
struct Wraps {
    #[cfg(feature = "tls")]
    authority: Option<tls::Authority>,
    #[cfg(feature = "tls")]
    made: Vec<(Tls, Wrap)>,
}

#[cfg(feature = "tls")]
impl Wraps {
    fn new(shops: &[ShopSpec]) -> io::Result<Self> {
        let needed = shops.iter().any(|shop| shop.tls != Tls::None);
        Ok(Self { authority: needed.then(tls::Authority::new).transpose()?, made: Vec::new() })
    }

    fn ca_pem(&self) -> Option<String> {
        self.authority.as_ref().map(tls::Authority::pem)
    }

    fn of(&mut self, tls: Tls) -> io::Result<Wrap> {
        let Some(authority) = self.authority.as_ref().filter(|_| tls != Tls::None) else { return Ok(Wrap::Plain) };
        if let Some((_, wrap)) = self.made.iter().find(|(known, _)| *known == tls) {
            return Ok(wrap.clone());
        }
        let wrap = Wrap::Tls(authority.acceptor(tls)?);
        self.made.push((tls, wrap.clone()));
        Ok(wrap)
    }
}

#[cfg(not(feature = "tls"))]
impl Wraps {
    fn new(shops: &[ShopSpec]) -> io::Result<Self> {
        let plain = shops.iter().all(|shop| shop.tls == Tls::None);
        let unsupported = || io::Error::new(io::ErrorKind::Unsupported, "https needs the feature `tls`");
        plain.then_some(Self {}).ok_or_else(unsupported)
    }

    #[expect(clippy::unused_self, reason = "the same shape as with the feature")]
    fn ca_pem(&self) -> Option<String> {
        None
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same shape as with the feature")]
    fn of(&mut self, _tls: Tls) -> io::Result<Wrap> {
        Ok(Wrap::Plain)
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests;
