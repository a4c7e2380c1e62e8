// SPDX-License-Identifier: BSD-2-Clause
//! A page over HTTP, for whoever knows its address: the page as it is now, and the news that there is another one.
//!
//! Nothing here knows what the page is about. Its address holds a token that nobody can guess; without it there is nothing.

mod answers;
mod listen;
mod news;
mod token;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve as serve_http;
use nlproof_guest::Tasks;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::answers::{State, router};
pub use self::listen::Listen;
pub use self::news::{News, Source};
use self::token::Token;

/// How long a reader may take for what was begun, when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How many times the patience with a reader all readers and their last pages may take.
const MAKING: u32 = 12;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}\n  help: {}", remedy(.error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The system gives no random bytes.
    #[error("/dev/urandom: {0}")]
    Random(#[source] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has the port; without a port in --listen a free one is taken"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are root's; without a port in --listen a free one is taken"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; without --listen it is 127.0.0.1"
        }
        _ => "without --listen it is a free port of 127.0.0.1",
    }
}

/// A page that is served. It ends with [`end`](Self::end), or with this.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    token: Token,
    state: Arc<State>,
    news: watch::Sender<News>,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Served {
    /// Begins to serve.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn start(tasks: &Tasks, listen: Listen, source: Source) -> Result<Self, ServeError> {
        let token = Token::random().map_err(ServeError::Random)?;
        let wrong = |error| ServeError::Listen { address: listen.address, error };
        let listener = tasks.drive(TcpListener::bind(listen.address)).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let (news, heard) = watch::channel(News::default());
        let stop = CancellationToken::new();
        let state = Arc::new(State::new(token.clone(), source, heard, stop.clone()));
        let _guard = tasks.enter();
        let ended = stop.clone().cancelled_owned();
        let serving = serve_http(listener, router(Arc::clone(&state))).with_graceful_shutdown(ended);
        let task = tokio::spawn(async move { serving.await });
        Ok(Self { address, token, state, news, stop, task })
    }

    /// The page's address for a browser on this machine.
    pub fn address(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        format!("http://{address}/{}/", self.token)
    }

    /// Tells readers. The number of the page rises if it `is_another`.
    pub fn tell(&self, line: String, is_another: bool) {
        self.news.send_modify(|news| {
            news.line = line;
            news.page += u64::from(is_another);
        });
    }

    /// Gives the last page to those who read at the moment, waits for each of their steps as long as `patience`, and ends.
    pub fn end(self, tasks: &Tasks, line: String, patience: Duration) {
        let State { given, making, readers, .. } = &*self.state;
        let (mut given, mut making, mut left) = (given.subscribe(), making.subscribe(), readers.subscribe());
        let readers = *left.borrow();
        self.news.send_modify(|news| *news = News { page: news.page + 1, line, over: true });
        tasks.drive(async {
            let all = async {
                loop {
                    // A page takes the time that it takes, and its reader is not to blame.
                    making.wait_for(|making| *making == 0).await.ok();
                    // All have it, and have heard that there is nothing more to hear: they would look for it here.
                    let all_have_it = async {
                        given.wait_for(|given| *given >= readers).await.ok();
                        left.wait_for(|readers| *readers == 0).await.ok();
                    };
                    let asked = async {
                        tokio::select! {
                            biased;
                            () = all_have_it => false,
                            making = making.wait_for(|making| *making > 0) => making.is_ok(),
                        }
                    };
                    // Who does not ask for it in time has closed the page.
                    if timeout(patience, asked).await != Ok(true) {
                        return;
                    }
                }
            };
            timeout(patience.saturating_mul(MAKING), all).await.ok();
        });
        self.stop(tasks);
    }

    /// Ends.
    pub fn stop(mut self, tasks: &Tasks) {
        self.stop.cancel();
        tasks.drive(async {
            timeout(LAST_WORDS, &mut self.task).await.ok();
        });
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn served(tasks: &Tasks) -> Served {
        let source = |news: &News| match news.page {
            9 => Err("no page".into()),
            page => Ok(format!("page {page}")),
        };
        Served::start(tasks, Listen::default(), Box::new(source)).unwrap()
    }

    /// Head and body of what is answered to this request line.
    fn asked(served: &Served, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(served.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn path(served: &Served, end: &str) -> String {
        format!("/{}/{end}", served.token)
    }

    #[test]
    fn only_who_knows_the_token_gets_the_page() {
        let tasks = Tasks::start().unwrap();
        let served = served(&tasks);
        assert!(served.address.ip().is_loopback());
        let (head, body) = asked(&served, &format!("GET {}", path(&served, "")));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, "page 0");
        let head = head.to_lowercase();
        assert!(head.contains("cache-control: no-store") && head.contains("referrer-policy: no-referrer"));
        let other = Token::random().unwrap();
        for wrong in [
            "/".to_owned(),
            format!("/{other}/"),
            format!("/{other}/news"),
            format!("/{}", &path(&served, "")[2..]),
        ] {
            let (head, body) = asked(&served, &format!("GET {wrong}"));
            assert!(head.starts_with("HTTP/1.1 404 "), "{wrong}: {head}");
            assert!(!body.contains("page 0"), "{wrong}: {body}");
        }
        let (head, _) = asked(&served, &format!("POST {}", path(&served, "")));
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        served.stop(&tasks);
    }

    #[test]
    fn a_page_that_cannot_be_made_is_said() {
        let tasks = Tasks::start().unwrap();
        let served = served(&tasks);
        (0..9).for_each(|_| served.tell("x".into(), true));
        let (head, body) = asked(&served, &format!("GET {}", path(&served, "")));
        assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
        assert!(body.contains("no page"), "{body}");
    }

    #[test]
    fn readers_hear_of_another_page_and_get_the_last_one() {
        let tasks = Tasks::start().unwrap();
        let served = served(&tasks);
        let mut stream = TcpStream::connect(served.address).unwrap();
        write!(stream, "GET {} HTTP/1.1\r\nHost: x\r\n\r\n", path(&served, "news")).unwrap();
        let hear = |stream: &mut TcpStream, wanted: &str| {
            let mut text = String::new();
            while !text.contains(wanted) {
                let mut piece = [0; 1024];
                let length = stream.read(&mut piece).unwrap();
                assert!(length > 0, "it ended before {wanted}: {text}");
                text.push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        };
        hear(&mut stream, r#"{"page":0,"line":"","over":false}"#);
        served.tell("1 of 2".into(), true);
        hear(&mut stream, r#"{"page":1,"line":"1 of 2","over":false}"#);
        let last = path(&served, "");
        let address = served.address;
        let reader = std::thread::spawn(move || {
            hear(&mut stream, r#""over":true"#);
            let mut page = TcpStream::connect(address).unwrap();
            write!(page, "GET {last} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            hear(&mut page, "page 2");
            // The news end with the server.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
        });
        served.end(&tasks, "over".into(), Duration::from_secs(60));
        reader.join().unwrap();
        assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
    }

    #[test]
    fn a_page_that_takes_longer_than_the_patience_is_given_all_the_same() {
        let tasks = Tasks::start().unwrap();
        let (begun, begins) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let source = move |_: &News| {
            begun.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            Ok("a slow page".into())
        };
        let served = Served::start(&tasks, Listen::default(), Box::new(source)).unwrap();
        let (address, path) = (served.address, path(&served, ""));
        let reader = std::thread::spawn(move || {
            let mut page = TcpStream::connect(address).unwrap();
            write!(page, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut text = String::new();
            page.read_to_string(&mut text).unwrap();
            text
        });
        begins.recv().unwrap();
        // Longer than any reader is waited for when the server ends.
        let later = std::thread::spawn(move || {
            std::thread::sleep(LAST_WORDS * 2);
            release.send(()).unwrap();
        });
        served.end(&tasks, "over".into(), LAST_WORDS);
        later.join().unwrap();
        assert!(reader.join().unwrap().ends_with("a slow page"));
    }

    #[test]
    fn a_taken_port_is_said_with_what_to_do() {
        let tasks = Tasks::start().unwrap();
        let served = served(&tasks);
        let listen = Listen { address: served.address };
        let error = Served::start(&tasks, listen, Box::new(|_| Ok(String::new()))).unwrap_err();
        assert!(error.to_string().contains("without a port in --listen a free one is taken"), "{error}");
    }
}
