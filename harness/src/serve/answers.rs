// SPDX-License-Identifier: BSD-2-Clause
//! What is answered: the page, and its news as server-sent events.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State as Held};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::news::{News, Source};
use super::token::Token;

/// Between two news for one reader: whoever looks cannot read faster.
const PAUSE: Duration = Duration::from_millis(200);
const NOTHING: &str = "There is nothing here. The page's whole address stands where nlproof runs.\n";

/// What answers are made of.
pub(super) struct State {
    token: Token,
    source: Source,
    news: watch::Receiver<News>,
    stop: CancellationToken,
    /// How many listen to the news.
    pub(super) readers: watch::Sender<usize>,
    /// How often the last page was given.
    pub(super) given: watch::Sender<usize>,
    /// How many pages are being made.
    pub(super) making: watch::Sender<usize>,
}

impl State {
    pub(super) fn new(
        token: Token,
        source: Source,
        news: watch::Receiver<News>,
        stop: CancellationToken,
    ) -> Self {
        let [readers, given, making] = [0; 3].map(watch::Sender::new);
        Self { token, source, news, stop, readers, given, making }
    }
}

/// A page that is being made.
struct Making(Arc<State>);

impl Making {
    fn of(state: &Arc<State>) -> Self {
        state.making.send_modify(|making| *making += 1);
        Self(Arc::clone(state))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.0.making.send_modify(|making| *making -= 1);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("news", &self.news).finish_non_exhaustive()
    }
}

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/{token}/", get(page))
        .route("/{token}/news", get(news))
        .fallback(async || nothing())
        .with_state(state)
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, NOTHING).into_response()
}

async fn page(Held(state): Held<Arc<State>>, Path(token): Path<String>) -> Response {
    if !state.token.is(&token) {
        return nothing();
    }
    let news = state.news.borrow().clone();
    let over = news.over;
    // Reading goldens and traces would hold up everybody else.
    let of = Arc::clone(&state);
    let making = Making::of(&state);
    let made = tokio::task::spawn_blocking(move || {
        // Here, because nobody may be waiting for it any more.
        let _making = making;
        (of.source)(&news)
    });
    let made = made.await;
    let made = made.unwrap_or_else(|error| Err(error.to_string()));
    if over {
        state.given.send_modify(|given| *given += 1);
    }
    // The address is a secret, and the next page is another one.
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    match made {
        Ok(text) => (headers, Html(text)).into_response(),
        Err(reason) => (StatusCode::INTERNAL_SERVER_ERROR, headers, format!("{reason}\n")).into_response(),
    }
}

async fn news(Held(state): Held<Arc<State>>, Path(token): Path<String>) -> Response {
    if !state.token.is(&token) {
        return nothing();
    }
    Sse::new(told(Reader::new(state))).keep_alive(KeepAlive::default()).into_response()
}

/// One who listens to the news.
struct Reader {
    state: Arc<State>,
    news: watch::Receiver<News>,
    /// The news as they are come first; `changed` tells of the next.
    is_new: bool,
    /// There are no more after these.
    is_last: bool,
}

impl Reader {
    fn new(state: Arc<State>) -> Self {
        state.readers.send_modify(|readers| *readers += 1);
        Self { news: state.news.clone(), state, is_new: true, is_last: false }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.state.readers.send_modify(|readers| *readers -= 1);
    }
}

/// The news until nothing is served any more.
fn told(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(reader, |mut reader| async move {
        if reader.is_last {
            return None;
        }
        if !reader.is_new {
            let stop = reader.state.stop.clone();
            let changed = async {
                sleep(PAUSE).await;
                reader.news.changed().await
            };
            match stop.run_until_cancelled(changed).await {
                Some(Ok(())) => {}
                None | Some(Err(_)) => return None,
            }
        }
        reader.is_new = false;
        let news = reader.news.borrow_and_update().clone();
        reader.is_last = news.over;
        let text = serde_json::to_string(&news).unwrap_or_default();
        Some((Ok(Event::default().data(text)), reader))
    })
}
