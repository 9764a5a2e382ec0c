//! Who may ask what: before a request reaches a page, and on every answer.
//!
//! A page that listens on loopback is reached by every program on the machine, and by every web site that its user opens: names
//! that resolve to 127.0.0.1 (the `Host` header tells), and requests that a browser makes for another site
//! (`Sec-Fetch-Site` tells).

use super::app::{App, Ends, ServedPaths};
use super::failure::Failure;
use super::pages::failure_page;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// Bytes of a request's path and query.
const URL_MAX: usize = 4 << 10;

/// What a page may load: files of ours, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Pictures and data may load nothing, and run nothing.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// On every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Checks a request, and gives the answer its headers.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    request: Request,
    next: Next,
) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = match refused(&app, ends, &request) {
        Some(refused) => refused.into_response(&app, &uri),
        None => next.run(request).await,
    };
    tracing::debug!("{} {method} {uri} {}", ends.peer, response.status().as_u16());
    with_headers(response)
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let policy = if is_page { PAGE_POLICY } else { DATA_POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// Why a request is refused.
struct RefusedRequest {
    status: StatusCode,
    why: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl RefusedRequest {
    fn new(status: StatusCode, why: &'static str) -> RefusedRequest {
        RefusedRequest {
            status,
            why,
            header: None,
        }
    }

    fn with(self, name: HeaderName, value: impl Into<HeaderValue>) -> RefusedRequest {
        RefusedRequest {
            header: Some((name, value.into())),
            ..self
        }
    }

    /// Links of the page are of use only where the request came the right way.
    fn into_response(self, app: &App, uri: &Uri) -> Response {
        let failure = Failure::Unknown(self.why.to_owned());
        let mut response = match is_data(app, uri) {
            true => super::json::failure_json(self.status, "refused", self.why),
            false => failure_page(app, self.status, &failure),
        };
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn refused(app: &App, ends: Ends, request: &Request<Body>) -> Option<RefusedRequest> {
    let (uri, headers) = (request.uri(), request.headers());
    if uri.path_and_query().is_some_and(|path| path.as_str().len() > URL_MAX) {
        return Some(RefusedRequest::new(
            StatusCode::URI_TOO_LONG,
            "The address of the request is too long.",
        ));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refused = RefusedRequest::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Only GET and HEAD are allowed: pages change nothing.",
        );
        return Some(refused.with(header::ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    if !is_host_allowed(app, ends, uri, headers) {
        let why = match app.paths {
            ServedPaths::All => {
                "The host of the request is not one of this server. Add it to `hosts` or `url_base` in [serve]."
            }
            ServedPaths::Metrics => {
                "The host of the request is not one of this server. Add it to `hosts` in [metrics]."
            }
        };
        return Some(RefusedRequest::new(StatusCode::MISDIRECTED_REQUEST, why));
    }
    if !is_site_allowed(headers, is_data(app, uri)) {
        let why = "Another web site made this request. Only links to pages are followed from elsewhere.";
        return Some(RefusedRequest::new(StatusCode::FORBIDDEN, why));
    }
    // A monitoring system looks whether the process answers, and learns nothing else.
    let is_health = uri.path() == app.links.to("healthz", &[]);
    if is_health {
        None
    } else {
        unauthorized(app, ends, headers)
    }
}

/// What is not a page: whoever gets it is a program or a page of ours.
pub(super) fn is_data(app: &App, uri: &Uri) -> bool {
    let path = uri.path().strip_prefix(app.links.base()).unwrap_or(uri.path());
    let ends = [".svg", ".png", ".csv", ".json", ".js", ".css", ".md"];
    app.paths == ServedPaths::Metrics
        || path.starts_with("/api/")
        || ["/metrics", "/events"].contains(&path)
        || ends.iter().any(|end| path.ends_with(end))
}

/// Whether the `Host` header names this server. The port does not matter: a proxy has its own.
fn is_host_allowed(app: &App, ends: Ends, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (given.next(), given.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else { return false };
    let named = |host: &str| {
        let parsed = host.parse::<axum::http::uri::Authority>().ok()?;
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
        Some(host.trim_end_matches('.').to_ascii_lowercase())
    };
    let Some(host) = named(host) else { return false };
    // Of a request in absolute form both have to be right.
    let is_other = uri
        .authority()
        .is_some_and(|other| named(other.as_str()).as_ref() != Some(&host));
    if is_other {
        return false;
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        let ip = ip.to_canonical();
        return ip == ends.local.ip().to_canonical()
            || ends.local.ip().to_canonical().is_loopback() && ip.is_loopback();
    }
    host == "localhost"
        || app.access.url_base.as_ref().is_some_and(|base| base.host == host)
        || app.access.hosts.contains(&host)
}

/// Whether the browser says that it asks for a page of ours, or for somebody who follows a link to one.
fn is_site_allowed(headers: &HeaderMap, is_data: bool) -> bool {
    let of = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match of("sec-fetch-site") {
        None | Some(b"same-origin" | b"none") => true,
        Some(_) => {
            let is_link = of("sec-fetch-mode") == Some(b"navigate") && of("sec-fetch-dest") == Some(b"document");
            is_link && !is_data
        }
    }
}

fn unauthorized(app: &App, ends: Ends, headers: &HeaderMap) -> Option<RefusedRequest> {
    let token = app.token.as_ref()?;
    let client = client(app, ends, headers);
    let now = Instant::now();
    let mut throttle = app.throttle.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(left) = throttle.waits(client, now) {
        let refused = RefusedRequest::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong tokens. Try again in a minute.",
        );
        return Some(refused.with(header::RETRY_AFTER, left.as_secs() + 1));
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.is_some_and(|given| token.admits(given)) {
        return None;
    }
    // A browser asks without a token first.
    if given.is_some() {
        throttle.failed(client, now);
        tracing::warn!("{client}: a wrong access token");
    }
    let why = "An access token is required: as a Bearer token, or as the password of any user.";
    let challenge = HeaderValue::from_static("Basic realm=\"mailpulse\", charset=\"UTF-8\"");
    Some(RefusedRequest::new(StatusCode::UNAUTHORIZED, why).with(header::WWW_AUTHENTICATE, challenge))
}

/// Whose request it is: what trusted proxies say, from the nearest on.
pub(super) fn client(app: &App, ends: Ends, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |ip: IpAddr| app.access.trusted_proxies.iter().any(|net| net.contains(&ip));
    let mut client = ends.peer.ip().to_canonical();
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
    while is_trusted(client)
        && let Some(hop) = hops.pop()
        && let Ok(ip) = hop.trim().parse::<IpAddr>()
    {
        client = ip.to_canonical();
    }
    client
}
